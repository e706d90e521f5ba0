# ruff: noqa: E501 (patterns)
"""Requirements in setup.py, setup.cfg, pyproject.toml, requirements files, Pipfiles and Dockerfiles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mesos._check._findings import MAY, WILL, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START = r"(?<![\w.\-/])"

REQUIREMENTS: dict[str, tuple[str, re.Pattern[str], str, str]] = {
    "pinned-interface": (
        WILL,
        re.compile(_START + r"(?P<name>mesos\.(?:interface|native|scheduler|executor|cli)|mesos)(?=[\s'\"=<>~!\]]|$)" + r"(?=(?P<rest>[^#\n,]*))"),
        "Apache's package {name} has the modules of remesos and overwrites them, or cannot be installed",
        "require remesos instead; if the requirement cannot be changed, pip install --no-deps the framework",
    ),
    "old-protobuf": (
        WILL,
        re.compile(_START + r"(?P<name>protobuf)(?P<rest>\s*(?:==\s*[23]|==\s*4\.(?:1?\d|2[0-4])(?!\d)|[^#\n'\"]*<=?\s*(?:[234](?!\d)))[^#\n]*)"),
        "remesos requires protobuf 4.25 or later",
        "require protobuf>=4.25, and generate *_pb2.py files again",
    ),
    "pymesos-requirement": (
        MAY,
        re.compile(_START + r"(?P<name>pymesos|mesoshttp|avmesos)(?=[\s'\"=<>~!\[\]]|$)(?=(?P<rest>[^#\n,]*))"),
        "{name} is not maintained, and does not run on Python 3.11 and later in all parts",
        "import mesos.pymesos or mesos.mesoshttp, or install compat/{name} for its name",
    ),
    "python-2-package": (
        WILL,
        re.compile(_START + r"(?P<name>enum34|futures|subprocess32|argparse|unittest2|ordereddict|functools32|trollius|MySQL-python|importlib|wsgiref|ssl|hashlib|uuid|multiprocessing|simplegeneric|pysqlite)(?=[\s'\"=<>~!\]]|$)(?=(?P<rest>[^#\n,]*))"),
        "the package {name} is for Python 2; Python 3 has it in its standard library, or it cannot be installed",
        "remove the requirement",
    ),
    "pinned-python": (
        WILL,
        re.compile(r"^\s*FROM\s+(?P<name>\S*(?:python:2|pypy:2|python2|python-2)\S*)(?P<rest>)", re.IGNORECASE),
        "the image {name} has Python 2",
        "use an image with Python 3.11 or later, such as python:3.11",
    ),
    "python-2-only": (
        WILL,
        re.compile(
            r"(?P<name>python_requires|requires-python)\b(?P<rest>\s*=\s*['\"]?[^'\"\n]*(?:<\s*3(?:\.0)?(?![.\d])|(?:==|~=|(?<=['\"\s])=)\s*2)[^\n]*)"
            r"|^\s*(?P<key>python_version)\s*=\s*['\"]2"
        ),
        "the framework declares that it is for Python 2",
        "change {name}",
    ),
}  # fmt: skip
"""Kinds of requirements: severity, pattern, message and remedy."""

_NAMES = re.compile(
    r"^(setup\.py|setup\.cfg|pyproject\.toml|Pipfile|tox\.ini|.*requirements?.*\.(txt|in|pip)|requires\.txt|(.*\.)?Dockerfile.*)$",
    re.I,
)


_LIST = re.compile(r"require|REQUIRE|deps|extras")
"""What a line of setup.py has in which a list of requirements begins."""
_ONLY_PYTHON_2 = re.compile(r"python_version\s*(?:<=?\s*['\"](?:2(?:\.\d)?|3(?:\.\d)?)['\"]|==\s*['\"]2)")
"""A marker with which pip leaves out the requirement on the Pythons of remesos."""


def is_requirements(path: Path) -> bool:
    """Whether a file may hold requirements, by its name."""
    return _NAMES.match(path.name) is not None or (path.parent.name == "requirements" and path.suffix == ".txt")


def check_requirements(path: str, text: str) -> Iterator[Finding]:
    """Yields the requirements that cannot be satisfied together with remesos."""
    name = path.rpartition("/")[2]
    is_docker, depth = "dockerfile" in name.lower(), 0
    for number, line in enumerate(text.split("\n"), start=1):
        start = line.lstrip()
        if start.startswith(("#", "//")):
            continue
        inside = depth > 0
        if name == "setup.py":
            depth = _depth(line, depth)
            if not (inside or depth or _LIST.search(line)):
                continue
        if is_docker:
            yield from _docker(path, number, line)
        else:
            yield from _line(path, number, line, name)


def _depth(line: str, depth: int) -> int:
    """Returns how many brackets of a list of requirements are open after the line."""
    if depth == 0 and not _LIST.search(line):
        return 0
    return max(0, depth + sum(line.count(c) for c in "[({") - sum(line.count(c) for c in "])}"))


def _docker(path: str, number: int, line: str) -> Iterator[Finding]:
    egg = re.search(r"(?:mesos[\w.\-]*\.(?:egg|whl))|python-mesos", line)
    if egg is not None:
        yield _finding("pinned-interface", path, number, egg.start(), egg.group().removesuffix(".egg"))
    elif (image := REQUIREMENTS["pinned-python"][1].match(line)) is not None:
        yield _finding("pinned-python", path, number, image.start("name"), image["name"])
    elif re.search(r"\bpip[\d.]*\s+install\b|easy_install", line):
        yield from _line(path, number, line, "")


def _line(path: str, number: int, line: str, name: str) -> Iterator[Finding]:
    for code, (_, pattern, _, _) in REQUIREMENTS.items():
        for found in pattern.finditer(line):
            if _is_requirement(line, found, name, code):
                break
        else:
            continue
        group = "name" if found["name"] else "key"  # of python-2-only
        yield _finding(code, path, number, found.start(group), found[group])


def _is_requirement(line: str, found: re.Match[str], name: str, code: str) -> bool:
    if code == "python-2-only":
        return found["name"] is not None or name == "Pipfile"
    if _ONLY_PYTHON_2.search(line):
        return False
    before = line[: found.start("name")]
    if found["rest"].lstrip().startswith(("=", "<", ">", "~", "!")) and "name" not in before:
        if found["rest"].lstrip().startswith("=") and not found["rest"].lstrip().startswith("=="):
            return name in ("Pipfile", "pyproject.toml")
        return True
    if name in ("setup.py", "pyproject.toml", "Pipfile"):
        quoted = before[-1:] in ("'", '"') and re.match(r"['\"](?!\s*:)", found["rest"]) is not None
        return quoted and not re.search(r"(name|packages|keywords|scripts|description)\s*=", line)
    if name == "setup.cfg":
        return before.strip() == "" and before != ""
    return before.strip() == "" or "install" in before


def _finding(code: str, path: str, number: int, column: int, name: str) -> Finding:
    severity, _, message, remedy = REQUIREMENTS[code]
    return Finding(path, number, column + 1, code, severity, message.format(name=name), remedy.format(name=name))
