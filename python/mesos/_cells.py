"""Warns about drivers that a notebook's cell left running when it is run again.

A cell that is run twice starts a second driver with the same scheduler class, while the first one still has offers. It
is one cell if the notebook says so, or, if it does not name its cells, if the text of the cell is the same. What one
run of a cell starts, such as a loop, is meant. Outside of notebooks and IPython nothing is known of cells, and nothing
is warned of.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from mesos.scheduler import MesosSchedulerDriver


class _Run(NamedTuple):
    """A run of a cell."""

    cell: str
    number: int


_started: dict[int, tuple[weakref.ref[MesosSchedulerDriver], str, _Run]] = {}
"""The drivers that cells started, in order, each with its scheduler's class and the run that started it."""
_count = 0


def running_drivers() -> list[MesosSchedulerDriver]:
    """Returns the scheduler drivers that cells of this notebook started and that still run, in order.

    Outside of notebooks and IPython it is empty. A driver that nothing refers to any more is stopped already.

    >>> from mesos.scheduler import running_drivers
    >>> running_drivers()
    []
    """
    found = []
    for number, (driver, *_) in list(_started.items()):
        there = driver()
        if there is not None and there._core.status() == mesos_pb2.DRIVER_RUNNING:
            found.append(there)
        else:
            _started.pop(number, None)
    return found


def note(driver: MesosSchedulerDriver) -> None:
    """Notes that a driver starts. Warns if an earlier run of the same cell started one that still runs."""
    global _count
    run = _run()
    if run is None:
        return
    kind = _name(driver._scheduler)
    running = running_drivers()
    entries = list(_started.values())
    for index, other in enumerate(running):
        its = next((entry for entry in entries if entry[0]() is other), None)
        if its is not None and its[1] == kind and its[2].cell == run.cell and its[2].number != run.number:
            driver._misuse.tell(
                "cell run again",
                f"this cell started a driver with the scheduler {kind} before, which still runs and gets offers: "
                f"{other!r}; stop it with mesos.scheduler.running_drivers()[{index}].stop(), or start drivers in a "
                "with block",
            )
            break
    _count += 1
    _started[_count] = (weakref.ref(driver), kind, run)


def _name(scheduler: Any) -> str:
    # A cell that is run again makes another class of the same name.
    kind = type(scheduler)
    return f"{kind.__module__}.{kind.__qualname__}"


def _run() -> _Run | None:
    """Returns which cell runs on this thread, if this is one of a notebook or of IPython."""
    ipython = sys.modules.get("IPython")
    shell: Any = getattr(ipython, "get_ipython", lambda: None)()
    if shell is None:
        return None
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals is not shell.user_ns and frame.f_globals is not shell.user_global_ns:
        frame = frame.f_back
    if frame is None:
        return None
    while frame.f_code.co_name != "<module>" and frame.f_back is not None and frame.f_back.f_globals is frame.f_globals:
        frame = frame.f_back
    try:
        cell = shell.kernel.get_parent("shell").get("metadata", {}).get("cellId")
    except Exception:
        cell = None
    return _Run(cell or frame.f_code.co_filename, shell.execution_count)
