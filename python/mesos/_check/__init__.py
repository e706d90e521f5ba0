"""``remesos check``: what in a framework's source does not run on Python 3 and remesos, line by line.

The rules read a tree of tree-sitter, which reads Python 2 and 3 and goes on after a fault. What ``2to3`` converts is
counted with fissix, its successor. Both belong to the extra ``remesos[check]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesos._check._findings import Finding

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

__all__ = ["Finding", "check_paths"]


def check_paths(paths: Iterable[str | os.PathLike[str]]) -> list[Finding]:
    """Returns what does not run, or may not run, in files and in all files of directories, in order.

    :raises ArgumentValueError: if a path does not exist
    :raises ModuleNotFoundError: if the extra ``remesos[check]`` is not installed
    """
    from mesos._check._paths import check_paths  # the parsers are an extra

    return check_paths(paths)
