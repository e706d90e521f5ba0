"""Rules for Mesos: names and fields that its messages no longer have, and endpoints that are gone.

What messages have is asked of the messages themselves.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

from mesos._check._conversion import is_guarded
from mesos._check._rules import Rules
from mesos._check._tree import content, enclosing, method, receiver

if TYPE_CHECKING:
    from tree_sitter import Node

    from mesos._check._rules import Found
    from mesos._check._tree import Source

RULES = Rules()
_MODULES = ("mesos_pb2", "mesos.interface.mesos_pb2", "mesos.mesos_pb2")
_GONE_ENDPOINTS = re.compile(
    r"(?:^|/|\b)(?P<name>(?:state|stats|roles|slaves|flags|tasks|state-summary|registry|usage|statistics)\.json)(?![\w.])"
)
_REPLACED = {
    "stats.json": "/metrics/snapshot",
    "usage.json": "/monitor/statistics",
    "statistics.json": "/monitor/statistics",
    "registry.json": "/registrar(1)/registry",
}


@RULES.will(
    "state-json", "string_content",
    says="this endpoint is gone",
    remedy="use /state (/metrics/snapshot, /slaves, ...), or /api/v1",
    bad='import mesos\nget("http://%s/master/state.json" % m)\n',
    good='import mesos\nget("http://%s/master/state" % m)\n',
)  # fmt: skip
def _state_json(source: Source, node: Node) -> Found:
    text = content(node)
    found = _GONE_ENDPOINTS.search(text)
    if found is None or is_documentation(node) or not _is_path(text, found.start("name")):
        return False
    name = found["name"]
    instead = _REPLACED.get(name, f"/{name.removesuffix('.json')}")
    return f"the endpoint {name} was removed from Mesos: use {instead}"


def _is_path(text: str, start: int) -> bool:
    """Whether the name follows a slash that begins a path of a URL, or is all there is."""
    before = text[:start]
    if not before:
        return text.startswith(("state.json", "stats.json")) and " " not in text
    roots = ("/", "master/", "slave(1)/", "/slave/", "monitor/", "registrar(1)/")
    return before.endswith("/") and (before in roots or before.endswith(roots[1:]) or "://" in before or "%" in before
                                     or before.count("/") == 1)  # fmt: skip


def is_documentation(node: Node) -> bool:
    """Whether a part of a text stands alone, as a docstring does."""
    text = enclosing(node, "string")
    parent = text.parent if text is not None else None
    return parent is not None and parent.type == "expression_statement"


@RULES.will(
    "gone-endpoint", "string_content",
    says="this endpoint is gone",
    remedy="POST to /master/teardown, or call TEARDOWN of /api/v1",
    bad='import mesos\npost("/master/shutdown")\n', good='import mesos\npost("/master/teardown")\n',
)  # fmt: skip
def _gone_endpoint(source: Source, node: Node) -> Found:
    return "/master/shutdown" in content(node) and not is_documentation(node)


@RULES.will(
    "gone-module-of-mesos", "import_statement", "import_from_statement",
    says="Mesos no longer has this module",
    remedy="external containerizers were removed in Mesos 1.0; use the command, Docker or Mesos containerizer",
    bad="from mesos.interface import containerizer_pb2\n", good="from mesos.interface import mesos_pb2\n",
)  # fmt: skip
def _gone_module(source: Source, node: Node) -> Found:
    return "containerizer_pb2" in content(node)


def _message(dotted: str) -> tuple[Any, str]:
    """Returns what a dotted name of the messages is, and the first part of it that there is not, or ``""``."""
    prefix = next((m for m in _MODULES if dotted.startswith(f"{m}.")), None)
    if prefix is None:
        return None, ""
    value: Any = importlib.import_module("mesos.interface.mesos_pb2")
    parts = dotted[len(prefix) + 1 :].split(".")
    for number, part in enumerate(parts):
        if part.startswith("_"):
            return None, ""
        try:
            following = getattr(value, part, None)
        except Exception:
            following = None
        if type(following).__name__ == "_Removed" or (following is None and not hasattr(value, part)):
            return None, ".".join(parts[: number + 1])
        value = following
        if not isinstance(value, type):
            return (value if number == len(parts) - 1 else None), ""
    return value, ""


@RULES.will(
    "gone-message", "attribute", "import_from_statement",
    says="the messages of Mesos 1.11 do not have this name",
    remedy="see the table of messages that changed in docs/porting.md",
    bad="from mesos.interface import mesos_pb2\nmesos_pb2.AppcImageManifest\n",
    good="from mesos.interface import mesos_pb2\nmesos_pb2.TaskStatus.REASON_MEMORY_LIMIT\n",
)  # fmt: skip
def _gone_message(source: Source, node: Node) -> Found:
    names = [source.dotted(node)]
    if node.type == "import_from_statement":
        module = content(node.child_by_field_name("module_name"))
        names = [f"{module}.{content(n.child_by_field_name('name') or n)}" for n in node.children_by_field_name("name")]
    elif (
        node.parent is not None
        and node.parent.type == "attribute"
        and node.parent.child_by_field_name("object") == node
    ):
        return False  # The longer name is asked.
    if _is_own_copy(source) or is_guarded(node):
        return False
    missing = [gone for gone in (_message(name)[1] for name in names) if gone]
    return f"the messages of Mesos 1.11 have no {missing[0]}" if missing else False


def _is_own_copy(source: Source) -> bool:
    """Whether the messages are the framework's own, which stand beside the file."""
    from pathlib import Path

    return Path(source.path).with_name("mesos_pb2.py").exists()


def _descriptor(source: Source, node: Node | None, depth: int = 0) -> Any:
    """Returns the descriptor of the message that an expression surely is, or None."""
    if node is None or depth > 5:
        return None
    if node.type == "identifier":
        values = source.values(node)
        found = {getattr(d := _descriptor(source, value, depth + 1), "full_name", None): d for value in values}
        return next(iter(found.values())) if len(found) == 1 else None
    if node.type == "attribute":
        field = _field(_descriptor(source, node.child_by_field_name("object"), depth + 1), node)
        return field.message_type if field is not None and not _is_repeated(field) else None
    if node.type == "call":
        message, _ = _message(source.dotted(node.child_by_field_name("function")))
        if message is not None:
            return getattr(message, "DESCRIPTOR", None)
        if method(node) == "add" and (base := receiver(node)) is not None and base.type == "attribute":
            field = _field(_descriptor(source, base.child_by_field_name("object"), depth + 1), base)
            return field.message_type if field is not None and _is_repeated(field) else None
    return None


def _field(descriptor: Any, node: Node) -> Any:
    name = content(node.child_by_field_name("attribute"))
    return descriptor.fields_by_name.get(name) if hasattr(descriptor, "fields_by_name") else None


def _is_repeated(field: Any) -> bool:
    repeated = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if repeated is None else repeated)


@RULES.will(
    "gone-field", "attribute", "keyword_argument",
    says="the message does not have this field",
    remedy="see the table of messages that changed in docs/porting.md",
    bad="import mesos_pb2\nn = mesos_pb2.NetworkInfo()\nn.ip_address = 'x'\n",
    good="import mesos_pb2\nn = mesos_pb2.NetworkInfo()\nn.ip_addresses.add()\n",
)  # fmt: skip
def _gone_field(source: Source, node: Node) -> Found:
    if _is_own_copy(source):
        return False
    if node.type == "keyword_argument":
        call = enclosing(node, "call")
        if node.parent is None or node.parent.parent != call:
            return False
        descriptor, name = _descriptor(source, call), content(node.child_by_field_name("name"))
    else:
        descriptor = _descriptor(source, node.child_by_field_name("object"))
        name = content(node.child_by_field_name("attribute"))
    if not hasattr(descriptor, "fields_by_name"):
        return False
    if descriptor.full_name == "mesos.CommandInfo" and name == "container":
        return "CommandInfo.container was removed in Mesos 0.27: use TaskInfo.container or ExecutorInfo.container"
    if name in descriptor.fields_by_name or name[:1].isupper() or hasattr(_class(descriptor), name):
        return False
    return f"{descriptor.full_name.removeprefix('mesos.')} has no field {name}"


def _class(descriptor: Any) -> Any:
    return descriptor._concrete_class


OLD_PB2 = (
    "old-pb2",
    "protobuf 4 and later refuses modules that an old protoc generated",
    "generate it again with protoc 3.20 or later (grpcio-tools), or set PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python",
)


@RULES.will(
    OLD_PB2[0], "module", says=OLD_PB2[1], remedy=OLD_PB2[2],
    bad="# x_pb2.py\nDESCRIPTOR = _descriptor.FileDescriptor(name='x')\nA = _descriptor.Descriptor(name='A')\n",
    good="DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(b'')\n",
)  # fmt: skip
def _old_pb2(source: Source, node: Node) -> Found:
    return is_old_pb2(source.text)


def is_old_pb2(text: str) -> bool:
    """Whether a file was generated by a protoc before 3.20."""
    makes = re.search(r"^\w+ = _?descriptor\.(?:FileDescriptor|Descriptor|EnumDescriptor)\(", text, re.MULTILINE)
    return makes is not None
