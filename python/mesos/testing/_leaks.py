"""Finds what a test has left behind."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos import _core, _driver
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 2.0
"""How long things may take to end after the test."""
# A cluster's own.
_OWN = ("mesos-later",)
# Processes that Python's own multiprocessing keeps until the end of this one.
_KEPT = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


class Leaks:
    """What was there before a test: threads, processes and drivers."""

    def __init__(self) -> None:
        self._threads, self._processes = set(threading.enumerate()), _children()
        # The kernel leaves children out of its list if others end at that moment.
        self._since = _ticks()
        self._drivers = weakref.WeakSet(_driver.DRIVERS)

    def left(self, frameworks: Callable[[], list[str]]) -> list[str]:
        """Returns what has come since and is still there, in words. Waits a moment for what is about to end.

        :param frameworks: returns what else is left, in words
        """
        until = time.monotonic() + _SECONDS
        while True:
            found = [*self._found(), *frameworks()]
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.01)  # neither a process nor a native thread tells when it ends

    def _found(self) -> list[str]:
        threads = [
            f"the thread {thread.name!r}"
            for thread in threading.enumerate()
            # Threads that Python did not start, such as those of callbacks, end with their driver.
            if thread not in self._threads
            and not isinstance(thread, threading._DummyThread)
            and thread.name not in _OWN
        ]
        new = {pid: _command(pid) for pid in sorted(_children() - self._processes) if _started(pid) >= self._since}
        processes = [
            f"the process {pid} ({command})"
            for pid, command in new.items()
            if command and not any(kept in command for kept in _KEPT)
        ]
        drivers = [f"the driver {driver!r}" for driver in self._drivers_in(mesos_pb2.DRIVER_RUNNING)]
        return threads + processes + drivers

    def stop_aborted(self) -> None:
        """Stops the drivers that were aborted: until then, the master has their frameworks."""
        for driver in self._drivers_in(mesos_pb2.DRIVER_ABORTED):
            driver._core.stop(False)

    def _drivers_in(self, status: int) -> list[Any]:
        found = [driver for driver in list(_driver.DRIVERS) if driver not in self._drivers]
        return [driver for driver in found if _is_of_scheduler(driver) and driver._core.status() == status]


def _is_of_scheduler(driver: Any) -> bool:
    return isinstance(driver._core, _core.SchedulerDriver)


def _children() -> set[int]:
    """Returns this process's children, also those that have ended and were not waited for."""
    found: set[int] = set()
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            found.update(int(pid) for pid in children.read_text().split())
    return found


def _command(pid: int) -> str:
    """Returns the command line of a process, which is empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _ticks() -> int:
    """Returns the time since the machine started, as :func:`_started` has it."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def _started(pid: int) -> int:
    """Returns when a process started, or 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0
