"""Warns, when it is imported, of other distributions that bring the same modules. May look at ``sys.path``.

Apache's own packages install into the directories that this one installs into: what was installed last has overwritten
the other, and a ``pip uninstall`` of either takes files of both away.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from importlib.machinery import PathFinder

# A distribution's folder or file: its name, with either separator, its version and more.
_METADATA = (
    r"(mesos(?:[._-](?:interface|native|scheduler|executor))?)-(\d[^-]*)(?:-[\w.-]+)?\.(?:dist-info|egg-info|egg)"
)
# Stands in each of our modules that others bring too.
_WORD = "remesos"


def others() -> list[str]:
    """The other distributions that bring the same modules: name, version and where, as they are found on the path."""
    found: dict[str, str] = {}
    for directory in dict.fromkeys(filter(None, sys.path)):
        try:
            names = [os.path.basename(directory)] if directory.endswith(".egg") else os.listdir(directory)
        except OSError:
            continue
        for name in names:
            if name[:5].lower() == "mesos" and (metadata := re.fullmatch(_METADATA, name, re.IGNORECASE)):
                distribution = re.sub("[_-]", ".", metadata[1].lower())
                found.setdefault(distribution, f"{distribution} {metadata[2]} in {directory}")
    return sorted(found.values())


def theirs() -> list[str]:
    """The paths of those modules that another distribution's files are in use for."""
    package = sys.modules["mesos"]
    interface = PathFinder.find_spec("mesos.interface", package.__path__)
    used = [str(package.__file__)]
    if interface is not None and interface.origin is not None:
        used += [interface.origin, os.path.join(os.path.dirname(interface.origin), "mesos_pb2.py")]
    return [path for path in used if os.path.isfile(path) and not _is_ours(path)]


def _is_ours(path: str) -> bool:
    with open(path, encoding="utf-8") as module:
        return _WORD in module.read()


def warn(found: list[str]) -> None:
    """Say what wins, and how to have one package only."""
    overwritten = theirs()
    wins = f"theirs win: {', '.join(overwritten)}" if overwritten else "remesos' own win"
    names = " ".join(other.split()[0] for other in found)
    warnings.warn(
        f"remesos and another distribution ({'; '.join(found)}) bring the same modules, and {wins}. "
        f"To have only remesos': pip uninstall {names}; pip install --force-reinstall --no-deps remesos",
        stacklevel=4,
    )


if _found := others():
    warn(_found)
