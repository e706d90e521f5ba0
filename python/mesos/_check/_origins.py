"""Where bytes come from: children, URLs, sockets and binary files."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mesos._check._tree import argument, attribute, bare, content, enclosing, keyword, literal, method, receiver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

    from mesos._check._tree import Source

_URLS = {"urllib2.urlopen", "urllib.urlopen", "urllib.request.urlopen"}
_OPEN = {"open", "file", "os.fdopen"}
_TEXT_MODES = ("universal_newlines", "text", "encoding", "errors")


def origin(source: Source, node: Node | None, depth: int = 0) -> Node | None:
    """Returns the call that reads the bytes that an expression is, or that starts the child, or None for no bytes."""
    node = bare(node)
    if node is None or depth > 5:
        return None
    again = functools.partial(origin, source, depth=depth + 1)
    if node.type == "identifier":
        if any("decode" in content(value) for value in source.values(node)):
            return None
        values = [*_unpacked(source, node), *(v for v in source.values(node) if v.type != "identifier")]
        return _first(map(again, values)) or _first(_stream(source, one) for one in _loops(source, node))
    if node.type == "subscript":
        return again(node.child_by_field_name("value"))
    if node.type != "call":
        return None
    if source.called(node) == "subprocess.check_output":
        return None if _is_text_mode(node) else node
    name, base = method(node), receiver(node)
    if name in ("strip", "rstrip", "lstrip"):
        return again(base)
    if name == "communicate":
        return _child(source, base)
    if name in ("recv", "recvfrom"):
        return node if source.uses("socket") else None
    if name not in ("read", "readline", "readlines") or (stream := _stream(source, base)) is None:
        return None
    return stream if source.called(stream).rpartition(".")[2] == "Popen" else node


def _first(nodes: Iterable[Node | None]) -> Node | None:
    return next((node for node in nodes if node is not None), None)


def _loops(source: Source, name: Node) -> list[Node]:
    """Returns what a name is taken from in loops of its function."""
    function = enclosing(name, "function_definition")
    found = source.loops.get(content(name), [])
    return [one for one in found if enclosing(one, "function_definition") == function]


def _unpacked(source: Source, name: Node) -> list[Node]:
    """Returns what is assigned to a name among others, as in ``out, err = p.communicate()``."""
    function = enclosing(name, "function_definition")
    return [
        right
        for right, names in source.unpacked
        if content(name) in names
        and method(right) == "communicate"
        and enclosing(right, "function_definition") == function
    ]


def _stream(source: Source, node: Node | None) -> Node | None:
    """Returns the call that opens the stream of bytes that an expression is, or None."""
    node = bare(node)
    if node is None:
        return None
    if node.type == "identifier":
        values = [v for v in source.values(node) if v.type != "identifier"]
        call = _with(source, node)
        return _first(_stream(source, value) for value in [*values, *([call] if call is not None else [])])
    if attribute(node) in ("stdout", "stderr"):
        return _child(source, node.child_by_field_name("object"))
    if node.type != "call":
        return None
    name = source.called(node)
    if name == "iter":
        one = argument(node, 0, "")
        return _stream(source, one.child_by_field_name("object")) if one is not None and attribute(one) else None
    if name in _OPEN:
        return node if "b" in (mode_of(node) or "") else None
    if method(node) == "readlines":
        return _stream(source, receiver(node))
    return node if name in _URLS or method(node) == "getresponse" else None


def _started(source: Source, process: Node | None) -> list[Node]:
    if process is None or process.type == "call":
        return [process] if process is not None else []
    if process.type == "identifier":
        return source.values(process)
    return source.attributes.get(content(process), [])


def _child(source: Source, process: Node | None) -> Node | None:
    """Returns the call that starts a child without text, or None."""
    calls = [start for start in _started(source, process) if source.called(start).rpartition(".")[2] == "Popen"]
    return calls[0] if calls and not any(map(_is_text_mode, calls)) else None


def opens_text(source: Source, process: Node | None) -> bool:
    """Whether the process is known to have been started with text."""
    return any(map(_is_text_mode, _started(source, process)))


def _is_text_mode(call: Node) -> bool:
    return call.type == "call" and any(keyword(call, name) is not None for name in _TEXT_MODES)


def opened(source: Source, node: Node | None) -> Node | None:
    """Returns the call of ``open`` that an expression or a name is the result of."""
    node = bare(node)
    if node is None:
        return None
    if node.type == "identifier":
        calls = [one for one in source.values(node) if source.called(one) in _OPEN]
        return calls[0] if calls else _with(source, node)
    return node if source.called(node) in _OPEN else None


def _with(source: Source, name: Node) -> Node | None:
    """Returns the call of ``open`` in the ``with`` statement around a name."""
    one: Node | None = name
    while (one := enclosing(one, "with_statement")) is not None:
        clause = next((c for c in one.named_children if c.type == "with_clause"), None)
        for item in clause.named_children if clause is not None else []:
            value = item.named_children[0] if item.named_children else item
            if value.type == "as_pattern" and content(value.child_by_field_name("alias")) == content(name):
                call = value.named_children[0]
                return call if source.called(call) in _OPEN else None
    return None


def mode_of(call: Node) -> str | None:
    """Returns the mode of a call of ``open``, or None if it is not a literal."""
    mode = argument(call, 1, "mode")
    return "r" if mode is None else literal(mode)
