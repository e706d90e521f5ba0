# ruff: noqa: E501 (examples)
"""Rules for attributes that are looked up by name, and for code that walks over the fields of messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mesos._check._rules import Rules
from mesos._check._tree import attribute, content, enclosing, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from mesos._check._rules import Found
    from mesos._check._tree import Source

RULES = Rules()


@RULES.may(
    "attribute-keyerror", "function_definition",
    says="hasattr(), getattr() with a default, and copy catch only AttributeError, and a missing name raises KeyError here",
    remedy="catch KeyError, and raise AttributeError(name)",
    bad="class A:\n    def __getattr__(self, name):\n        return self.values[name]\n",
    good="class A:\n    def __getattr__(self, name):\n        try:\n            return self.values[name]\n        except KeyError:\n            raise AttributeError(name)\n",
)  # fmt: skip
def _attribute_keyerror(source: Source, node: Node) -> Found:
    if content(node.child_by_field_name("name")) not in ("__getattr__", "__getattribute__"):
        return False
    parameters = node.child_by_field_name("parameters")
    names = [content(n) for n in parameters.named_children] if parameters is not None else []
    return len(names) == 2 and any(_looks_up(one, names[1]) for one in walk(node))


def _looks_up(node: Node, name: str) -> bool:
    """Whether a key that may be missing is read, or a ``KeyError`` raised, and nothing around it catches it."""
    if node.type == "raise_statement":
        return re.match(r"raise\s+KeyError\b", content(node)) is not None
    key = node.child_by_field_name("subscript") if node.type == "subscript" else None
    if key is None or content(key) != name or _is_assigned(node):
        return False
    return enclosing(node, "try_statement", "if_statement", "conditional_expression") is None


def _is_assigned(node: Node) -> bool:
    return node.parent is not None and node.parent.child_by_field_name("left") == node


@RULES.may(
    "field-label", "comparison_operator",
    says="protobuf 6 deprecates FieldDescriptor.label, and protobuf 7 removed it",
    remedy="pip install 'protobuf<7', or ask field.is_repeated",
    bad="def f(field):\n    return field.label == field.LABEL_REPEATED\n",
    good="def f(field):\n    return field.is_repeated\n",
)  # fmt: skip
def _field_label(source: Source, node: Node) -> Found:
    if "is_repeated" in content(enclosing(node, "function_definition")):
        return False  # The older name is for older releases.
    sides = node.named_children
    if not any(attribute(side) == "label" for side in sides):
        return False
    return any(attribute(n) in _LABELS or content(n) in _LABELS for side in sides for n in walk(side))


_LABELS = {"LABEL_REPEATED", "LABEL_OPTIONAL", "LABEL_REQUIRED"}


@RULES.may(
    "endless-walk", "for_statement", "for_in_clause",
    says="this walks over every field of messages, set or not, and since Mesos 1.1 a message can contain itself (ContainerID.parent)",
    remedy="walk over message.ListFields(), or leave out fields of a message type that is being walked over",
    bad="def f(descriptor):\n    return {d.name: f(d.message_type) for d in descriptor.fields}\n",
    good="def f(message):\n    return {d.name: f(value) for d, value in message.ListFields()}\n",
)  # fmt: skip
def _endless_walk(source: Source, node: Node) -> Found:
    function, iterable = enclosing(node, "function_definition"), node.child_by_field_name("right")
    if function is None or iterable is None:
        return False
    walked = [n for n in walk(iterable) if attribute(n) in ("fields", "fields_by_name")]
    if not any(_is_descriptor(n.child_by_field_name("object")) for n in walked):
        return False
    body = list(walk(node if node.type == "for_statement" else node.parent or node))
    if any(attribute(n) in ("HasField", "ListFields") or _is_guard(n) for n in body):
        return False
    name = content(function.child_by_field_name("name"))
    return any(n.type == "identifier" and content(n) == name for n in body)


def _is_guard(node: Node) -> bool:
    """Whether a message that was seen before is left out."""
    return node.type == "comparison_operator" and any(content(child) in ("in", "not in") for child in node.children)


def _is_descriptor(node: Node | None) -> bool:
    return node is not None and "descriptor" in content(node).lower().rpartition(".")[2]
