"""The command ``remesos check``: its options, what it prints, and its exit status."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import sys
from typing import TYPE_CHECKING

from mesos._console import BROKEN_STATUS
from mesos.errors import ArgumentValueError, MesosError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesos._check._findings import Finding

_MODULES = ("tree_sitter", "tree_sitter_python", "fissix")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "check",
        help="tell what in a framework's source does not run on Python 3 and remesos, and the remedy",
        epilog="A comment `# remesos: ok` silences its line, `# remesos: ok CODE` only findings of the code. The exit "
        "status is 0 if nothing was found, 1 if something was, and 2 if the input cannot be used.",
    )
    parser.add_argument("paths", metavar="FILE_OR_DIR", nargs="+", help="Python files, requirements, or directories")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--select", metavar="CODES", type=_codes, help="show only findings of these codes, such as 'a,b'"
    )
    parser.add_argument(
        "--ignore", metavar="CODES", type=_codes, default=set(), help="leave out findings of these codes"
    )
    parser.set_defaults(command=_check, verbose=False)


def _codes(text: str) -> set[str]:
    return {code.strip() for code in text.split(",") if code.strip()}


def _check(options: argparse.Namespace) -> int:
    try:
        return _checked(options)
    except BrokenPipeError:  # as in `remesos check . | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_STATUS
    except (_MissingError, OSError) as error:  # 1 says that something was found
        print(f"remesos: {error}", file=sys.stderr)
        return 2


def _checked(options: argparse.Namespace) -> int:
    try:
        from mesos._check import _paths, _requirements
    except ModuleNotFoundError as error:
        if error.name not in _MODULES:
            raise
        raise _MissingError(f"remesos check needs the package {error.name}: pip install 'remesos[check]'") from None
    known = {rule.code for rule in _paths.RULES} | set(_paths.FILE_CODES) | set(_requirements.REQUIREMENTS)
    for code in sorted((options.select or set()) | options.ignore):
        if code not in known:
            raise ArgumentValueError(f"there is no code {code!r}; the codes are {', '.join(sorted(known))}")
    findings = [
        f
        for f in _paths.check_paths(options.paths)
        if (options.select is None or f.code in options.select) and f.code not in options.ignore
    ]
    _show_json(findings) if options.json else _show(findings)
    sys.stdout.flush()
    return 1 if findings else 0


class _MissingError(MesosError, ImportError):
    """A package of the extra is not installed."""


def _show_json(findings: Sequence[Finding]) -> None:
    print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))


def _show(findings: Sequence[Finding]) -> None:
    for finding in findings:
        print(f"{finding}\n    {finding.severity}; {finding.remedy}")
    paths = len({finding.path for finding in findings})
    count = collections.Counter(finding.code for finding in findings)
    codes = ", ".join(f"{number} {code}" for code, number in sorted(count.items(), key=lambda p: (-p[1], p[0])))
    print(f"{len(findings)} finding(s) in {paths} file(s)" + (f": {codes}" if codes else ""))
