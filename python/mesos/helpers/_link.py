"""What helpers have of a driver: its calls, its clock, and functions that are called later."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from mesos.errors import DriverError
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from mesos.local import LocalCluster

_LOOK_SECONDS = 0.25
"""How often a thread that waits looks whether its driver has ended."""
_RUNNING = mesos_pb2.DRIVER_RUNNING


class Link:
    """A driver of the classic API or of pymesos, or a :class:`mesos.aio.Framework`, which is referred to weakly.

    :param driver: the driver
    :param wake: called when the time given to :meth:`wake_at` has come, on a thread or in the framework's loop. It is
        referred to weakly too, so that this keeps no helper alive
    """

    def __init__(self, driver: Any, wake: Callable[[], None]) -> None:
        self._driver = weakref.ref(driver)
        self._is_asynchronous = _is_asynchronous(driver)
        method = weakref.WeakMethod(wake)
        cluster = _skipping_cluster(driver)
        self._timer: _ClusterTimer | _LoopTimer | _ThreadTimer
        if cluster is not None:
            self._timer = _ClusterTimer(cluster, method)
        elif self._is_asynchronous:
            self._timer = _LoopTimer(asyncio.get_running_loop(), method)
        else:
            self._timer = _ThreadTimer(method, self.is_running)

    def is_of(self, driver: Any) -> bool:
        """Returns whether this is the link to a driver."""
        return self._driver() is driver

    def is_running(self) -> bool:
        """Returns whether the driver has neither ended nor been freed."""
        driver = self._driver()
        if driver is None:
            return False
        core = getattr(driver, "_core", None)
        if core is not None:
            return bool(core.status() == _RUNNING)
        # The driver of pymesos, or the double of a test.
        return getattr(driver, "aborted", False) is not True

    def now(self) -> float:
        """Returns the time in seconds, by the clock that :meth:`wake_at` goes by."""
        return self._timer.now()

    def wake_at(self, due: float | None) -> None:
        """Has ``wake`` called at a time, instead of at the one given before. None means not at all."""
        self._timer.wake_at(due)

    def revive(self, roles: Sequence[str] | None) -> None:
        """Sends REVIVE, for all roles if they are None."""
        self._call("revive" if self._is_asynchronous else "reviveOffers", *([] if roles is None else [roles]))

    def suppress(self, roles: Sequence[str] | None) -> None:
        """Sends SUPPRESS, for all roles if they are None."""
        self._call("suppress" if self._is_asynchronous else "suppressOffers", *([] if roles is None else [roles]))

    def reconcile(self, tasks: Sequence[Any]) -> None:
        """Sends RECONCILE."""
        self._call("reconcile" if self._is_asynchronous else "reconcileTasks", tasks)

    def _call(self, method: str, *arguments: Any) -> None:
        driver = self._driver()
        if driver is None:
            return
        called = getattr(driver, method)(*arguments)
        if self._is_asynchronous:
            # The framework may have ended meanwhile.
            with contextlib.suppress(DriverError):
                _finish(called)


def is_v1(driver: Any) -> bool:
    """Returns whether a driver's messages are those of the v1 API."""
    return _is_asynchronous(driver)


def speaks_dicts(driver: Any) -> bool:
    """Returns whether a driver's messages are dicts."""
    pymesos = sys.modules.get("mesos.pymesos.process")
    return pymesos is not None and isinstance(driver, pymesos.Process)


def _is_asynchronous(driver: Any) -> bool:
    # If the module has not been imported, no object of its classes exists.
    aio = sys.modules.get("mesos.aio")
    return aio is not None and isinstance(driver, aio.Framework)


def _finish(call: Coroutine[Any, Any, None]) -> None:
    """Runs the coroutine of a call, which waits for nothing."""
    try:
        call.send(None)
    except StopIteration:
        return
    call.close()
    raise RuntimeError("the call of the framework has waited for something")


def _skipping_cluster(driver: Any) -> LocalCluster | None:
    """Returns the cluster of a driver if its time moves only when it is told to."""
    inner = getattr(driver, "_driver", driver)
    cluster = getattr(inner, "_cluster", None)
    if cluster is None and (module := sys.modules.get("mesos.local._cluster")) is not None:
        cluster = module.CLUSTERS.get(getattr(inner, "_master", None))
    found: LocalCluster | None = cluster
    return found if found is not None and found._core.time().skips() else None


class _ClusterTimer:
    """Goes by the clock of an embedded cluster, whose thread makes the call."""

    def __init__(self, cluster: LocalCluster, wake: weakref.WeakMethod[Callable[[], None]]) -> None:
        self._cluster = weakref.ref(cluster)
        self._last = cluster.time()
        self._wake = wake
        self._call: Any = None
        self._due: float | None = None

    def now(self) -> float:
        cluster = self._cluster()
        if cluster is not None:
            self._last = cluster.time()
        return self._last

    def wake_at(self, due: float | None) -> None:
        if due == self._due:
            return
        self._due = due
        if self._call is not None:
            self._call.cancel()
            self._call = None
        cluster = self._cluster()
        if due is not None and cluster is not None:
            self._call = cluster.call_later(max(0.0, due - cluster.time()), self._woken)

    def _woken(self) -> None:
        self._call = self._due = None
        if (wake := self._wake()) is not None:
            wake()


class _LoopTimer:
    """Goes by the clock of an event loop, which makes the call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: weakref.WeakMethod[Callable[[], None]]) -> None:
        self._loop = loop
        self._wake = wake
        self._handle: asyncio.TimerHandle | None = None
        self._due: float | None = None

    def now(self) -> float:
        return self._loop.time()

    def wake_at(self, due: float | None) -> None:
        if due == self._due:
            return
        self._due = due
        if asyncio._get_running_loop() is self._loop:
            self._arm()
        else:
            # It may be closed.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._arm)

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._due is not None:
            self._handle = self._loop.call_at(self._due, self._woken)

    def _woken(self) -> None:
        self._handle = self._due = None
        if (wake := self._wake()) is not None:
            wake()


class _ThreadTimer:
    """Goes by the clock of the machine. It has a thread only while there is something to wait for."""

    def __init__(self, wake: weakref.WeakMethod[Callable[[], None]], is_running: Callable[[], bool]) -> None:
        self._wake = wake
        self._is_running = is_running
        self._condition = threading.Condition()
        self._due: float | None = None
        self._thread: threading.Thread | None = None

    def now(self) -> float:
        return time.monotonic()

    def wake_at(self, due: float | None) -> None:
        with self._condition:
            # A forked child has a thread that does not live.
            lives = self._thread is not None and self._thread.is_alive()
            if due != self._due:
                self._due = due
                self._condition.notify()
            if due is not None and not lives:
                self._thread = threading.Thread(target=self._run, name="mesos-helper", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while self._waited():
            try:
                if (wake := self._wake()) is not None:
                    wake()
            except Exception as error:
                # As if it had ended the thread, but there is more to wait for.
                told = type(error), error, error.__traceback__, threading.current_thread()
                threading.excepthook(threading.ExceptHookArgs(told))
            finally:
                wake = None

    def _waited(self) -> bool:
        """Waits until the time has come. Returns false if nothing is to be waited for any more."""
        with self._condition:
            while self._due is not None and self._is_running() and self._wake() is not None:
                left = self._due - time.monotonic()
                if left <= 0:
                    self._due = None
                    return True
                self._condition.wait(min(left, _LOOK_SECONDS))
            self._due = self._thread = None
            return False
