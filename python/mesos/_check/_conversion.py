"""What ``2to3`` converts: counted with its own fixers, one finding per file."""

from __future__ import annotations

import ast
import functools
import sys
import warnings
from typing import TYPE_CHECKING, Any

from fissix import pygram, refactor
from fissix.fixer_base import BaseFix
from fissix.pgen2.parse import ParseError
from fissix.pgen2.tokenize import TokenError

from mesos._check._tree import content, enclosing, method

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from mesos._check._tree import Source

_FAULTS = (ParseError, TokenError, IndentationError, ValueError, AttributeError, RecursionError)


class Conversion:
    """What ``2to3`` makes of a file.

    :ivar places: the lines that it converts, with the fixer's name
    :ivar error: the fault that keeps the converted file from being Python 3
    """

    def __init__(self, source: Source) -> None:
        self.places: list[tuple[int, str]] = []
        self.error = error = _fault(source.text)
        if error is None and not _is_python_2(source):
            return
        converted = _convert(source, self.places, is_python_3=error is None)
        if error is not None and converted is not None:
            self.error = _fault(converted)
        # Lines that are guarded are there for Python 2.
        guarded = _guarded(source)
        self.places = [(line, name) for line, name in self.places if line not in guarded]


def _fault(text: str) -> SyntaxError | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except SyntaxError as error:
            return error
        except (ValueError, RecursionError, MemoryError) as error:
            return SyntaxError(str(error), (None, 1, 1, ""))
    return None


_BUILTINS = {"xrange", "unicode", "basestring", "long", "raw_input", "unichr", "reduce", "execfile", "intern", "apply",
             "StandardError"}  # fmt: skip
_METHODS = {"has_key", "iteritems", "itervalues", "iterkeys"}
_DOTTED = {
    "sys.maxint", "os.getcwdu", "itertools.izip", "itertools.imap", "itertools.ifilter", "urllib.urlopen",
    "urllib.urlencode", "urllib.quote", "urllib.unquote", "urllib.quote_plus", "urllib.unquote_plus",
    "urllib.urlretrieve", "string.letters",
}  # fmt: skip


@functools.cache
def old_modules() -> frozenset[str]:
    """Returns the modules that ``2to3`` renames and that Python 3 does not have."""
    from fissix.fixes import fix_imports

    return (frozenset(fix_imports.MAPPING) | {"urllib2"}) - sys.stdlib_module_names


def _is_python_2(source: Source) -> bool:
    """Whether a file that Python 3 reads uses what only Python 2 has, outside of guards."""
    return any(_needs_python_2(source, node) and not is_guarded(node) for node in source.nodes)


def _needs_python_2(source: Source, node: Node) -> bool:
    parent = node.parent
    if node.type == "identifier" and parent is not None:
        name = content(node)
        if name == "__metaclass__":
            return parent.type == "assignment"
        is_used = parent.type not in ("attribute", "keyword_argument", "aliased_import", "dotted_name")
        is_object = parent.type == "attribute" and parent.child_by_field_name("object") == node
        is_value = parent.type == "keyword_argument" and parent.child_by_field_name("value") == node
        return name in _BUILTINS and (is_used or is_object or is_value) and name not in source.defined
    if node.type == "call":
        return method(node) in _METHODS and method(node) not in source.defined
    if node.type == "attribute":
        return source.dotted(node) in _DOTTED and content(node).split(".")[0] in source.imports
    if node.type in ("import_statement", "import_from_statement"):
        module = node.child_by_field_name("module_name")
        names = [module] if module is not None else node.children_by_field_name("name")
        whole = [content(one.child_by_field_name("name") or one) for one in names]
        if module is not None and any(
            f"{whole[0]}.{content(n)}" in _DOTTED for n in node.children_by_field_name("name")
        ):
            return True
        return any(name in old_modules() for name in whole)
    return False


def is_guarded(node: Node) -> bool:
    """Whether a node is within a statement that tells versions of Python apart."""
    one: Node | None = node
    while (one := enclosing(one, "try_statement", "if_statement")) is not None:
        if is_guard(one):
            return True
    return False


def _guarded(source: Source) -> set[int]:
    lines: set[int] = set()
    for node in source.nodes:
        if is_guard(node):
            lines.update(range(node.start_point[0] + 1, node.end_point[0] + 2))
    return lines


def is_guard(node: Any) -> bool:
    """Whether a statement tells versions of Python apart: by a failed import, a missing name, or a version."""
    text = node.text.decode(errors="replace") if node.text else ""
    if node.type == "try_statement":
        heads = [child for child in node.children if child.type == "except_clause"]
        words = ("ImportError", "ModuleNotFoundError", "NameError", "AttributeError")
        return any(word in c.text.decode(errors="replace").split(":")[0] for c in heads for word in words)
    if node.type == "if_statement":
        test = text.split(":")[0]
        return any(word in test for word in ("version_info", "PY2", "PY3", "version_major", "sys.version"))
    return False


class _Tool(refactor.RefactoringTool):  # type: ignore[misc]
    def log_error(self, msg: str, *args: Any, **kwds: Any) -> None:
        raise ValueError(msg)

    def log_message(self, msg: str, *args: Any) -> None:
        pass

    log_debug = log_message


@functools.cache
def _tool() -> _Tool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = refactor.get_fixers_from_package("fissix.fixes")
        return _Tool([name for name in names if not name.endswith(("fix_future",))])


def _convert(source: Source, places: list[tuple[int, str]], is_python_3: bool) -> str | None:
    """Returns the converted text, or None if fissix cannot read it, and adds the places that it changes."""
    tool = _tool()
    for fixer in [*tool.pre_order, *tool.post_order]:
        fixer.transform = functools.partial(_record, type(fixer).transform, fixer, places)
    text = source.text if source.text.endswith("\n") else source.text + "\n"
    grammars = [pygram.python_grammar, pygram.python_grammar_no_print_statement]
    for grammar in reversed(grammars) if is_python_3 else grammars:
        places.clear()
        tool.driver.grammar = grammar
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = _parse(tool, text)
                tool.refactor_tree(tree, source.path)
            except _FAULTS:
                continue
        unique = sorted({(line, name) for line, name in places if line})
        places[:] = unique
        return str(tree)
    places.clear()
    return None


def _parse(tool: _Tool, text: str) -> Any:
    if "print_function" in refactor._detect_future_features(text):
        tool.driver.grammar = pygram.python_grammar_no_print_statement
    tree = tool.driver.parse_string(text)
    tree.future_features = refactor._detect_future_features(text)
    return tree


def _record(transform: Any, fixer: BaseFix, places: list[tuple[int, str]], node: Any, results: Any) -> Any:
    before, line = str(node), node.get_lineno()
    new = transform(fixer, node, results)
    after = str(node if new is None else new)
    if after.strip() != before.strip():
        places.append((line, type(fixer).__module__.rpartition("fix_")[2]))
    return new


def places_of(names: list[tuple[int, str]]) -> Iterator[str]:
    """Yields the names of the fixers with their numbers, most frequent first."""
    count: dict[str, int] = {}
    for _, name in names:
        count[name] = count.get(name, 0) + 1
    for name, number in sorted(count.items(), key=lambda pair: (-pair[1], pair[0])):
        yield f"{name} {number}"
