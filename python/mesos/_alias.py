"""Gives the modules of a package another name, for the distributions in ``compat/``."""

from __future__ import annotations

import importlib
import pkgutil
import sys


def alias(name: str, package: str) -> None:
    """Has ``import name.x`` give the module ``package.x``.

    Both names are the same module, so that what a test replaces in one is replaced in the other.

    :param name: a package that is imported
    """
    path = importlib.import_module(package).__path__
    for found in pkgutil.walk_packages(path, prefix=f"{package}."):
        module = importlib.import_module(found.name)
        parent, _, last = found.name.removeprefix(package).rpartition(".")
        sys.modules[f"{name}{parent}.{last}"] = module
        setattr(sys.modules[name + parent], last, module)
