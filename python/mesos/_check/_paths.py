"""Which files are read, and what is found in each."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mesos._check import (
    _rules_bytes,
    _rules_language,
    _rules_library,
    _rules_mesos,
    _rules_objects,
    _rules_packages,
)
from mesos._check._conversion import Conversion, places_of
from mesos._check._findings import MAY, WILL, Finding
from mesos._check._requirements import check_requirements, is_requirements
from mesos._check._rules import Rule, Rules, apply
from mesos._check._tree import Source, decode
from mesos.errors import ArgumentValueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUBJECTS: dict[str, Rules] = {
    "the language": _rules_language.RULES,
    "text and bytes": _rules_bytes.RULES,
    "the standard library": _rules_library.RULES,
    "Mesos and protobuf": _rules_mesos.RULES,
    "attributes and fields": _rules_objects.RULES,
    "other packages": _rules_packages.RULES,
}
RULES: list[Rule] = [rule for rules in SUBJECTS.values() for rule in rules.all]
FILE_CODES = {
    "2to3": (WILL, "Python 2 that 2to3 converts", "run 2to3 -w -n, or fissix -w -n"),
    "syntax": (WILL, "what neither Python 3 nor 2to3 reads, or what remains wrong after 2to3", "correct it by hand"),
    "shadowed-module": (
        MAY,
        "a script beside this file, and what it imports, gets this file instead of the standard library's module",
        "rename the file",
    ),
    "unreadable": (MAY, "a file that cannot be read", "correct its encoding or its permissions"),
}
"""Findings that concern a whole file: severity, message and remedy."""
_LEFT_OUT = {"node_modules", "__pycache__", "site-packages", "build", "dist"}
_SILENT = re.compile(r"#\s*remesos:\s*ok\b(?:\s*[:=]?\s*(?P<codes>[\w\-]+(?:\s*,\s*[\w\-]+)*))?")
_SHEBANG = re.compile(rb"^#!.*\bpython")


def check_paths(paths: Iterable[str | os.PathLike[str]]) -> list[Finding]:
    """Returns what does not run, or may not run, in files and in all files of directories, in order.

    :raises ArgumentValueError: if a path does not exist
    """
    found: set[Finding] = set()
    for path in files(paths):
        found.update(_check(path))
    return sorted(found)


def files(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Returns the files to read: those named, and of directories Python files, notebooks and requirements.

    :raises ArgumentValueError: if a path does not exist
    """
    chosen: dict[Path, None] = {}
    for one in map(Path, paths):
        if not one.exists():
            raise ArgumentValueError(f"{one} does not exist")
        for path in _below(one) if one.is_dir() else [one]:
            chosen[path] = None
    return list(chosen)


def _below(directory: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for root, directories, names in os.walk(directory, followlinks=True):
        status = os.stat(root)
        if (status.st_dev, status.st_ino) in seen:
            directories.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        directories[:] = sorted(d for d in directories if not _is_left_out(Path(root, d)))
        for name in sorted(names):
            path = Path(root, name)
            if path.is_file() and (path.suffix in (".py", ".ipynb") or is_requirements(path) or _is_script(path)):
                yield path


def _is_left_out(path: Path) -> bool:
    return path.name.startswith(".") or path.name in _LEFT_OUT or (path / "pyvenv.cfg").exists()


def _is_script(path: Path) -> bool:
    if path.suffix:
        return False
    try:
        with path.open("rb") as file:
            return _SHEBANG.match(file.readline(200)) is not None
    except OSError:
        return False


def _check(path: Path) -> Iterator[Finding]:
    try:
        text, wrong = decode(path.read_bytes())
    except (OSError, SyntaxError) as error:
        yield _whole(path, 1, 1, "unreadable", f"cannot be read: {error}")
        return
    if wrong is not None and (path.suffix == ".py" or not is_requirements(path)):
        yield _whole(path, wrong, 1, "unreadable", "this line is not in the encoding that the file names, or UTF-8")
    if is_requirements(path):
        yield from _spoken(check_requirements(str(path), text), text)
    if path.suffix == ".ipynb":
        try:
            text = _cells(text)
        except ValueError as error:
            yield _whole(path, 1, 1, "unreadable", f"cannot be read: {error}")
            return
    elif is_requirements(path) and path.suffix != ".py":
        return
    if _shadows(path):
        yield _whole(path, 1, 1, "shadowed-module", FILE_CODES["shadowed-module"][1])
    yield from _spoken(check_text(str(path), text), text)


def _shadows(path: Path) -> bool:
    """Whether a file that is in no package has the name of a module of the standard library."""
    is_test = path.stem.startswith("test")
    in_package = (path.parent / "__init__.py").exists()
    return path.suffix == ".py" and path.stem in sys.stdlib_module_names and not (is_test or in_package)


def check_text(path: str, text: str) -> Iterator[Finding]:
    """Yields what is found in the text of a Python file."""
    source = Source(path, text)
    if path.endswith("_pb2.py") or _rules_mesos.is_old_pb2(text):
        yield from apply([rule for rule in RULES if rule.code == "old-pb2"], source)
        return
    conversion = Conversion(source)
    source.is_python_2 = bool(conversion.places)
    if conversion.places:
        number = len(conversion.places)
        names = ", ".join(places_of(conversion.places))
        yield _whole(path, conversion.places[0][0], 1, "2to3", f"2to3 converts {number} place(s): {names}")
    converted = {line for line, name in conversion.places if name in ("dict", "map", "filter", "zip")}
    found = [
        f for f in apply(RULES, source) if not (f.code == "view-as-list" and (f.line in converted or conversion.places))
    ]
    yield from found
    error = conversion.error
    if error is not None and not any(f.code == "async-name" for f in found):
        yield _whole(
            path, error.lineno or 1, error.offset or 1, "syntax", f"not Python 3, also after 2to3: {error.msg}"
        )


def _whole(path: str | Path, line: int, column: int, code: str, message: str) -> Finding:
    severity, _, remedy = FILE_CODES[code]
    return Finding(str(path), line, max(column, 1), code, severity, message, remedy)


def _spoken(findings: Iterable[Finding], text: str) -> Iterator[Finding]:
    """Yields the findings whose lines are not silenced by a comment ``# remesos: ok``, with or without codes."""
    lines = text.split("\n")
    for finding in findings:
        silent = _SILENT.search(lines[finding.line - 1]) if finding.line <= len(lines) else None
        codes = silent["codes"] if silent is not None else None
        if silent is None or (codes is not None and finding.code not in re.split(r"\s*,\s*", codes)):
            yield finding


def _cells(text: str) -> str:
    """Returns the code of a notebook, whose magics are left out. Lines are counted through all cells.

    :raises ValueError: if it is not a notebook
    """
    try:
        cells = [(cell["cell_type"], cell["source"]) for cell in json.loads(text)["cells"]]
        bodies = [source if isinstance(source, str) else "".join(source) for kind, source in cells if kind == "code"]
    except (ValueError, TypeError, LookupError):
        raise ValueError("this is not a notebook") from None
    lines: list[str] = []
    for body in bodies:
        is_other = _OTHER_CELL.match(body) is not None
        lines += ["#" if is_other else _MAGIC.sub(r"\1pass", line) for line in body.split("\n")]
    return "\n".join(lines) + "\n"


_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
_OTHER_CELL = re.compile(r"\s*%%(?!(?:time|timeit|capture|prun)\b)")
"""A cell that is not Python, such as one that begins with ``%%bash``."""
