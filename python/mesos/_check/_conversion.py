"""What ``2to3`` converts: counted with its own fixers, one finding per file."""

from __future__ import annotations

import ast
import functools
import warnings
from typing import TYPE_CHECKING, Any

from fissix import pygram, refactor
from fissix.fixer_base import BaseFix
from fissix.pgen2.parse import ParseError
from fissix.pgen2.tokenize import TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesos._check._tree import Source

_FAULTS = (ParseError, TokenError, IndentationError, ValueError, AttributeError, RecursionError)
_AMBIGUOUS = {"dict", "filter", "map", "zip", "idioms", "asserts", "input", "import", "next", "nonzero", "numliterals",
              "types", "isinstance", "future", "operator", "paren", "sorted", "exitfunc",
              "methodattrs", "reload"}  # fmt: skip
"""Fixers that change code that runs on Python 3, too."""


class Conversion:
    """What ``2to3`` makes of a file.

    :ivar places: the lines that it converts, with the fixer's name
    :ivar error: the fault that keeps the converted file from being Python 3
    """

    def __init__(self, source: Source) -> None:
        self.places: list[tuple[int, str]] = []
        self.error = error = _fault(source.text)
        if error is None and not _may_be_python_2(source):
            return
        converted = _convert(source, self.places)
        if error is None and not any(name not in _AMBIGUOUS for _, name in self.places):
            self.places = []
        elif error is not None and converted is not None:
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


_NAMES = {"xrange", "unicode", "basestring", "long", "raw_input", "has_key", "iteritems", "itervalues", "iterkeys",
          "unichr", "reduce", "execfile", "intern", "apply", "izip", "imap", "ifilter", "maxint", "getcwdu", "im_func",
          "im_self", "im_class", "func_name", "func_code", "__metaclass__", "StandardError", "urllib2", "urlparse",
          "urlencode", "urlopen", "quote", "unquote", "urlretrieve", "exc_type", "exc_value", "xreadlines"}  # fmt: skip


@functools.cache
def _old_modules() -> frozenset[str]:
    from fissix.fixes import fix_imports

    return frozenset(fix_imports.MAPPING) | {"urllib", "urllib2"}


def _may_be_python_2(source: Source) -> bool:
    names = {node.text.decode(errors="replace") for node in source.nodes if node.type == "identifier" and node.text}
    return bool(names & (_NAMES | _old_modules()))


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


def _convert(source: Source, places: list[tuple[int, str]]) -> str | None:
    """Returns the converted text, or None if fissix cannot read it, and adds the places that it changes."""
    tool = _tool()
    for fixer in [*tool.pre_order, *tool.post_order]:
        fixer.transform = functools.partial(_record, type(fixer).transform, fixer, places)
    text = source.text if source.text.endswith("\n") else source.text + "\n"
    for grammar in (pygram.python_grammar, pygram.python_grammar_no_print_statement):
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
