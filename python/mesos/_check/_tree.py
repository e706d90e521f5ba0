"""A source file and its tree, with the questions that rules ask about both."""

from __future__ import annotations

import codecs
import functools
import io
import tokenize
from typing import TYPE_CHECKING

import tree_sitter
import tree_sitter_python
from tree_sitter import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_FUNCTIONS = ("function_definition", "lambda")


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))


def decode(content: bytes) -> tuple[str, int | None]:
    """Returns the text of a source file, whose encoding a BOM or a comment names (PEP 263), and otherwise is UTF-8.

    The number is the first line that is not of this encoding, or None. The text is then read as Latin-1.

    :raises SyntaxError: if the encoding is not known
    """
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    plain = content.decode("latin-1").encode("ascii", "replace")
    has_mark = content.startswith(codecs.BOM_UTF8)
    encoding, _ = tokenize.detect_encoding(io.BytesIO(plain[3:] if has_mark else plain).readline)
    try:
        return content.decode("utf-8-sig" if has_mark else encoding), None
    except UnicodeDecodeError as error:
        return content.decode("latin-1"), content.count(b"\n", 0, error.start) + 1


class Source:
    """A Python file: its text, its tree, and what its names mean."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.lines = text.split("\n")
        self.tree = _parser().parse(text.encode())
        self.nodes = list(walk(self.tree.root_node))
        self.imports = dict(self._imported())
        self.is_python_2 = False

    def position(self, node: Node) -> tuple[int, int]:
        """Returns the line and the column in characters, both from 1."""
        row, column = node.start_point
        return row + 1, len(self.lines[row].encode()[:column].decode(errors="replace")) + 1

    def _imported(self) -> Iterator[tuple[str, str]]:
        for node in self.nodes:
            if node.type not in ("import_statement", "import_from_statement"):
                continue
            module = node.child_by_field_name("module_name")
            prefix = f"{content(module)}." if module is not None else ""
            for name in node.children_by_field_name("name"):
                alias, full = name.child_by_field_name("alias"), name.child_by_field_name("name") or name
                whole = prefix + content(full)
                if alias is not None:
                    yield content(alias), whole
                elif prefix:
                    yield content(full), whole
                else:
                    yield content(full).split(".")[0], content(full).split(".")[0]

    def dotted(self, node: Node | None) -> str:
        """Returns the dotted name of an expression with its imports resolved, such as ``os.path.join``, or ``""``."""
        if node is None:
            return ""
        if node.type == "identifier":
            return self.imports.get(content(node), content(node))
        if node.type == "attribute":
            base = self.dotted(node.child_by_field_name("object"))
            return f"{base}.{attribute(node)}" if base else ""
        return ""

    def called(self, node: Node | None) -> str:
        """Returns the dotted name of the function that a call calls, or ``""``."""
        return self.dotted(node.child_by_field_name("function")) if node is not None and node.type == "call" else ""

    def uses(self, module: str) -> bool:
        """Whether the file imports the module, or something from it."""
        return any(name == module or name.startswith(f"{module}.") for name in self.imports.values())

    def values(self, node: Node) -> list[Node]:
        """Returns what is assigned to a name in its function, or in the module, before and after."""
        place = enclosing(node, *_FUNCTIONS) or self.tree.root_node
        found = self._assigned(place.id).get(content(node))
        if found is None and place is not self.tree.root_node:
            if node_is_parameter(place, content(node)):
                return []
            found = self._assigned(self.tree.root_node.id).get(content(node))
        return found or []

    @functools.cached_property
    def defined(self) -> set[str]:
        """Every name that the file defines, imports or assigns anywhere."""
        names = set(self.imports)
        for node in self.nodes:
            if node.type in ("function_definition", "class_definition"):
                names.add(content(node.child_by_field_name("name")))
            elif node.type == "parameters":
                names.update(content(n) for n in walk(node) if n.type == "identifier")
            elif node.type == "assignment" and (left := node.child_by_field_name("left")) is not None:
                names.update(content(n) for n in [left, *left.named_children] if n.type == "identifier")
        return names

    @functools.cached_property
    def loops(self) -> dict[str, list[Node]]:
        """What names are taken from by ``for name in ...``."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if node.type in ("for_statement", "for_in_clause") and left is not None and right is not None:
                found.setdefault(content(left), []).append(right)
        return found

    @functools.cached_property
    def unpacked(self) -> list[tuple[Node, list[str]]]:
        """What is assigned to several names at once, and the names."""
        found = []
        for node in self.nodes:
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if node.type == "assignment" and left is not None and right is not None and left.type == "pattern_list":
                found.append((right, [content(one) for one in left.named_children]))
        return found

    @functools.cached_property
    def attributes(self) -> dict[str, list[Node]]:
        """What is assigned to attributes, such as ``self.process``, anywhere in the file."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if node.type == "assignment" and left is not None and right is not None and left.type == "attribute":
                found.setdefault(content(left), []).append(right)
        return found

    @functools.cached_property
    def _assignments(self) -> dict[int, dict[str, list[Node]]]:
        by_place: dict[int, dict[str, list[Node]]] = {}
        for node in self.nodes:
            if node.type not in ("assignment", "augmented_assignment"):
                continue
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is None or right is None or left.type != "identifier":
                continue
            place = enclosing(node, *_FUNCTIONS) or self.tree.root_node
            by_place.setdefault(place.id, {}).setdefault(content(left), []).append(right)
        return by_place

    def _assigned(self, place: int) -> dict[str, list[Node]]:
        return self._assignments.get(place, {})


def node_is_parameter(function: Node, name: str) -> bool:
    """Whether a function has a parameter with the name."""
    parameters = function.child_by_field_name("parameters")
    return parameters is not None and any(n.type == "identifier" and content(n) == name for n in walk(parameters))


def walk(node: Node) -> Iterator[Node]:
    """Yields a node and all below it, in the order of the text."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(reversed(one.children))


def content(node: Node | None) -> str:
    """Returns the text of a node, or ``""`` for None."""
    return node.text.decode(errors="replace") if node is not None and node.text is not None else ""


def attribute(node: Node | None) -> str:
    """Returns the last name of ``a.b.c``, or ``""``."""
    return content(node.child_by_field_name("attribute")) if node is not None and node.type == "attribute" else ""


def method(node: Node | None) -> str:
    """Returns the name of the method that a call calls, or ``""``."""
    return attribute(node.child_by_field_name("function")) if node is not None and node.type == "call" else ""


def receiver(call: Node) -> Node | None:
    """Returns what the method is called on."""
    function = call.child_by_field_name("function")
    return function.child_by_field_name("object") if function is not None else None


def arguments(call: Node) -> list[Node]:
    """Returns the positional arguments of a call."""
    found = call.child_by_field_name("arguments")
    if found is None or found.type != "argument_list":
        return []
    return [n for n in found.named_children if n.type not in ("keyword_argument", "comment")]


def keyword(call: Node, name: str) -> Node | None:
    """Returns the keyword argument of a call, or None."""
    found = call.child_by_field_name("arguments")
    for node in found.named_children if found is not None else []:
        if node.type == "keyword_argument" and content(node.child_by_field_name("name")) == name:
            return node.child_by_field_name("value")
    return None


def argument(call: Node, position: int, name: str) -> Node | None:
    """Returns an argument of a call by its position or its name."""
    given = arguments(call)
    return given[position] if len(given) > position else keyword(call, name)


def enclosing(node: Node | None, *types: str) -> Node | None:
    """Returns the innermost node of one of the types around a node, or None."""
    node = node.parent if node is not None else None
    while node is not None and node.type not in types:
        node = node.parent
    return node


def bare(node: Node | None) -> Node | None:
    """Returns an expression without the parentheses around it."""
    while node is not None and node.type == "parenthesized_expression" and node.named_children:
        node = node.named_children[0]
    return node


def literal(node: Node | None) -> str | None:
    """Returns the text of a literal of text without its quotes, or None for anything else."""
    if node is None or node.type != "string":
        return None
    return "".join(content(n) for n in node.children if n.type == "string_content")


def is_bytes_literal(node: Node) -> bool:
    """Whether a literal is one of bytes."""
    return node.type == "string" and "b" in content(node.children[0]).lower().split("'")[0].split('"')[0]


def is_text(source: Source, node: Node | None, depth: int = 0) -> bool:
    """Whether an expression is surely text on Python 3: a literal, or what is made from one."""
    node = bare(node)
    if node is None or depth > 4:
        return False
    again = functools.partial(is_text, source, depth=depth + 1)
    if node.type == "string":
        return not is_bytes_literal(node)
    if node.type == "concatenated_string":
        return again(node.named_children[0])
    if node.type == "binary_operator":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = content(node.child_by_field_name("operator"))
        return again(left) or (operator == "+" and again(right))
    if node.type == "conditional_expression":
        return again(node.named_children[0])
    if node.type == "call":
        return _makes_text(source, node, depth)
    if node.type == "identifier":
        values = source.values(node)
        return bool(values) and all(again(value) for value in values)
    return False


_TEXT_FUNCTIONS = {
    "str", "repr", "json.dumps", "simplejson.dumps", "urllib.urlencode", "urllib.parse.urlencode", "hex", "chr",
    "traceback.format_exc", "urllib.quote", "yaml.dump",
}  # fmt: skip
_TEXT_METHODS = {"format", "hexdigest", "strftime", "isoformat"}
_SAME_METHODS = {"join", "replace", "strip", "rstrip", "lstrip", "lower", "upper", "ljust", "rjust", "zfill", "center"}


def _makes_text(source: Source, call: Node, depth: int) -> bool:
    if source.called(call) in _TEXT_FUNCTIONS or method(call) in _TEXT_METHODS:
        return True
    return method(call) in _SAME_METHODS and is_text(source, receiver(call), depth + 1)


def comes_from(
    source: Source, node: Node | None, names: AbstractSet[str], methods: AbstractSet[str] = frozenset()
) -> bool:
    """Whether an expression is the result of one of the functions or methods, itself or through a name."""
    node = bare(node)
    if node is None:
        return False
    if node.type == "identifier":
        function = enclosing(node, "function_definition")
        if function is not None and node_is_parameter(function, content(node)):
            return False
        return any(
            comes_from(source, value, names, methods)
            for value in source.values(node)
            if value is not node and value.type != "identifier"
        )
    return node.type == "call" and (source.called(node) in names or method(node) in methods)
