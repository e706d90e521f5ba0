"""Finds the Python program for ``remesos run``: a file, a directory, an archive or a module. Runs none of its code."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from typing import TYPE_CHECKING

from mesos.errors import ArgumentValueError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

_FIND = """
import importlib.util, sys
try:
    found = importlib.util.find_spec(sys.argv[1]) is not None
except ImportError:
    found = False
except Exception:
    found = True  # python -m reports the error
sys.exit(not found)
"""


def command(name: str, is_module: bool, arguments: Sequence[str]) -> list[str]:
    """Returns the command that runs a program like ``python`` and ``python -m`` do.

    :raises ArgumentValueError: the program does not exist or has no ``__main__``
    """
    if is_module:
        _check_module(name)
        return [sys.executable, "-m", name, *arguments]
    _check_path(name)
    return [sys.executable, name, *arguments]


def _check_path(path: str) -> None:
    importer = pkgutil.get_importer(path)
    if importer is not None:  # a directory or an archive
        fault = "has no __main__.py" if importer.find_spec("__main__") is None else ""
    elif not os.path.exists(path):
        fault = "does not exist"
    else:
        fault = "" if os.access(path, os.R_OK) else "cannot be read"
    if fault:
        raise ArgumentValueError(f"expected a Python program as SCRIPT, got '{path}', which {fault}")


def _check_module(name: str) -> None:
    spec = _find_module(name)
    if spec is None and not _is_found_by_python(name):
        raise ArgumentValueError(f"expected a Python module as MODULE, got '{name}', which does not exist")
    main = f"{name}.__main__"
    is_package = spec is not None and spec.submodule_search_locations is not None
    if is_package and _find_module(main) is None and not _is_found_by_python(main):
        raise ArgumentValueError(f"expected a Python module as MODULE, got '{name}', a package without __main__.py")


def _find_module(name: str) -> ModuleSpec | None:
    """Looks for a module like ``python -m``, but without importing its parents, which could have any effect.

    A module that can only be found by code of its parent is therefore not found.
    """
    above = name.rpartition(".")[0]
    if not above:
        return _find(name, None)
    parent = _find_module(above)
    if parent is None or parent.submodule_search_locations is None:
        return None
    try:
        return _find(name, list(parent.submodule_search_locations))
    except KeyError:  # a namespace package inside a package looks for that package in sys.modules
        return None


def _find(name: str, places: list[str] | None) -> ModuleSpec | None:
    here = os.getcwd()
    sys.path.insert(0, here)  # as python -m does
    try:
        finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
        specs = (finder.find_spec(name, places) for finder in finders)
        return next((spec for spec in specs if spec is not None), None)
    finally:
        sys.path.remove(here)


def _is_found_by_python(name: str) -> bool:
    """Looks for a module in another process, which imports its parents: these may find modules in their own way."""
    asked = [sys.executable, "-c", _FIND, name]
    return subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
