"""The Python program that ``remesos run`` starts: a file, a directory, an archive or a module. Runs nothing of it."""

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
    found = True  # python -m says what is wrong with it
sys.exit(not found)
"""


def command(name: str, is_module: bool, arguments: Sequence[str]) -> list[str]:
    """The command that runs a program, as ``python`` and ``python -m`` do.

    :raises ArgumentValueError: it is not there, or has no ``__main__``
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
    """Look for a module where ``python -m`` does, but import none of its parents: that may do anything.

    So what only a parent's code knows how to find is not found.
    """
    above = name.rpartition(".")[0]
    if not above:
        return _find(name, None)
    parent = _find_module(above)
    if parent is None or parent.submodule_search_locations is None:
        return None
    try:
        return _find(name, list(parent.submodule_search_locations))
    except KeyError:  # a directory without __init__.py inside a package asks that package, which is not imported
        return None


def _find(name: str, places: list[str] | None) -> ModuleSpec | None:
    here = os.getcwd()
    sys.path.insert(0, here)  # as python -m has it
    try:
        finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
        specs = (finder.find_spec(name, places) for finder in finders)
        return next((spec for spec in specs if spec is not None), None)
    finally:
        sys.path.remove(here)


def _is_found_by_python(name: str) -> bool:
    """Ask another process, which imports the parents: they may look for their modules in a way of their own."""
    asked = [sys.executable, "-c", _FIND, name]
    return subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
