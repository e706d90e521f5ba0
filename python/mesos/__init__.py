"""remesos: the classic Apache Mesos framework API for today's Python.

This is a regular package that extends its path, so that other distributions' ``mesos.*`` packages can still be
imported. Importing it starts no thread and sets no signal handler. Until Mesos 0.19 this module
contained the whole API: its names are still available, and are looked up in their current modules on use.
"""

from __future__ import annotations

from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesos.executor import MesosExecutorDriver
    from mesos.interface import Executor, ExecutorDriver, Scheduler, SchedulerDriver
    from mesos.scheduler import MesosSchedulerDriver

__all__ = [
    "Executor",
    "ExecutorDriver",
    "MesosExecutorDriver",
    "MesosSchedulerDriver",
    "Scheduler",
    "SchedulerDriver",
]

__path__ = extend_path(__path__, __name__)

from mesos import _conflicts, _interpreter  # noqa: F401  (the former needs the extended path)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Import statements, because packers follow them.
    if name.startswith("Mesos"):
        from mesos import native

        return getattr(native, name)
    from mesos import interface

    return getattr(interface, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
