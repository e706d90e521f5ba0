"""remesos: the classic Apache Mesos framework API for today's Python.

A regular package that extends its path, so that other distributions' ``mesos.*`` packages still import. Importing it
starts no thread and sets no signal handler. Up to Mesos 0.19 the whole API was here: those names are found in the
modules that they moved to, when they are asked for.
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

from mesos import _conflicts, _interpreter  # noqa: F401  (look at the path that was just extended, at the interpreter)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Import statements, which packers follow.
    if name.startswith("Mesos"):
        from mesos import native

        return getattr(native, name)
    from mesos import interface

    return getattr(interface, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
