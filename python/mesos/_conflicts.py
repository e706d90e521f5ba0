"""When imported, warns about other distributions with the same modules. Reads the directories of ``sys.path``.

Apache's own packages, of which mesos.cli is one, install files into the same directories: the package installed last
has overwritten the files of the other, and ``pip uninstall`` of either removes files of both.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from importlib.machinery import PathFinder

# The name of a distribution's metadata directory or file: its name with any separator, its version, and tags.
_METADATA = (
    r"(mesos(?:[._-](?:cli|interface|native|scheduler|executor))?)-(\d[^-]*)(?:-[\w.-]+)?\.(?:dist-info|egg-info|egg)"
)
# Occurs in each of our modules that other distributions contain too.
_WORD = "remesos"


def others() -> list[str]:
    """Returns the name, version and directory of each distribution on the path that contains the same modules."""
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
    """Returns the paths of modules that are in use from another distribution."""
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
    """Warns, naming the package whose modules are in use and the commands that leave only remesos installed."""
    overwritten = theirs()
    used = f"theirs are in use: {', '.join(overwritten)}" if overwritten else "those of remesos are in use"
    names = " ".join(other.split()[0] for other in found)
    warnings.warn(
        f"remesos and another distribution ({'; '.join(found)}) contain the same modules, and {used}. "
        f"To keep only remesos: pip uninstall {names}; pip install --force-reinstall --no-deps remesos",
        stacklevel=4,
    )


if _found := others():
    warn(_found)
