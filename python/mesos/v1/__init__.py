"""The v1 names of Apache Mesos' messages.

The modules are in :mod:`mesos.v1.interface`, where Apache's own packages had them; ``from mesos.v1 import mesos_pb2``
finds them too.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name.endswith("_pb2"):
        try:
            return importlib.import_module(f"mesos.v1.interface.{name}")
        except ModuleNotFoundError:
            pass
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
