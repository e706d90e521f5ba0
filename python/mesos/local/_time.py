"""The time of an embedded cluster: it passes by itself, or only when it is told to."""

from __future__ import annotations

import contextlib
import contextvars
import linecache
import math
import sys
import threading
import traceback
from numbers import Real
from typing import TYPE_CHECKING, Any

from mesos import _failures
from mesos.errors import ArgumentTypeError, ArgumentValueError, ClockError, ClusterError, ConditionTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesos._core import LocalCluster, Time
    from mesos._display._live import Live

_LATER = "mesos-later"


class LaterCall:
    """A function that :meth:`LocalCluster.call_later` calls later."""

    def __init__(self, calls: Calls, number: int) -> None:
        self._calls = calls
        self._number = number

    def cancel(self) -> bool:
        """Has the function not called. Returns whether it was still to be called."""
        return self._calls.cancel(self._number)


class Calls:
    """The functions that one cluster calls later, on a thread of their own, which the first one starts."""

    def __init__(self, core: LocalCluster) -> None:
        self._time = core.time()
        self._lock = threading.Lock()
        self._functions: dict[int, tuple[Callable[[], object], contextvars.Context]] = {}
        self._thread: threading.Thread | None = None
        self.errors: list[BaseException] = []
        """What functions raised."""

    def add(self, seconds: float, function: Callable[[], object]) -> LaterCall:
        """Has a function called."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=_LATER, daemon=True)
                self._thread.start()
            number = self._time.call_later(seconds)
            self._functions[number] = function, contextvars.copy_context()
        return LaterCall(self, number)

    def cancel(self, number: int) -> bool:
        """Has a function not called. Returns whether it was still to be called."""
        with self._lock:
            self._functions.pop(number, None)
        return self._time.cancel_call(number)

    def cancel_all(self) -> None:
        """Has no function called that was still to be called."""
        with self._lock:
            numbers = list(self._functions)
        for number in numbers:
            self.cancel(number)

    def _run(self) -> None:
        while (number := self._time.next_call()) is not None:
            with self._lock:
                found = self._functions.pop(number, None)
            if found is None:
                continue
            function, context = found
            try:
                context.run(function)
            except BaseException as error:
                self.errors.append(error)
                context.run(_report, function, error)
            del found, function, context


class ClusterTime:
    """The methods of ``LocalCluster`` that have to do with time."""

    _core: LocalCluster
    _calls: Calls | None = None
    _live: Live | None = None

    def time(self) -> float:
        """Returns the time of the cluster in seconds since the epoch.

        With ``time="skip"`` it begins at 2000-01-01T00:00:00Z and moves only with :meth:`advance` and
        :meth:`run_until`.
        """
        return self._core.time().now()

    def advance(self, seconds: float) -> None:
        """Moves the time on, through everything that is due meanwhile: timers of the master, of agents, of drivers, and
        functions that :meth:`call_later` was given. Needs ``time="skip"``.

        Returns when all that follows has happened too and callbacks have returned. Processes of tasks are waited for
        while they start or stop, but not while they run.

        :param seconds: how far, from 0
        :raises ClockError: the time of the cluster passes by itself, or this is a callback, for which time waits
        :raises ClusterError: the cluster was stopped
        """
        if not self._skipping("advance").advance(_seconds("seconds", seconds)):
            raise ClusterError("the embedded cluster was stopped while its time was moved")
        if self._live is not None:
            self._live.moved()

    def run_until(self, condition: Callable[[], object], timeout: float = 3600) -> None:
        """Moves the time on until a condition is true. Needs ``time="skip"``.

        The condition is called when nothing is left to do at that time: at first, whenever something has happened, and
        once in every second of the time that moves. While a task runs as a real process, the time waits for it.

        >>> from mesos.local import LocalCluster
        >>> with LocalCluster(time="skip") as cluster:
        ...     called = []
        ...     _ = cluster.call_later(600, lambda: called.append(True))
        ...     cluster.run_until(lambda: called)
        ...     cluster.time()
        946685400.0

        :param condition: a function without arguments
        :param timeout: how many seconds of the cluster's time to move on at most; real ones while a process runs
        :raises ConditionTimeoutError: the condition is still false then; a :class:`TimeoutError`
        :raises ClockError: the time of the cluster passes by itself, or this is a callback, for which time waits
        :raises ClusterError: the cluster was stopped
        """
        if not callable(condition):
            raise ArgumentTypeError(f"expected a function as condition, got {condition!r}")
        asked = condition
        if (live := self._live) is not None:

            def asked() -> object:
                live.moved()
                return condition()

        reached = self._skipping("run_until").run_until(asked, _seconds("timeout", timeout))
        if reached is None:
            raise ClusterError("the embedded cluster was stopped while its time was moved")
        if not reached:
            raise ConditionTimeoutError(f"still false after {timeout} seconds of the cluster: {_named(condition)}")

    def call_later(self, seconds: float, function: Callable[[], object]) -> LaterCall:
        """Calls a function without arguments later, by the cluster's clock, on a thread of the cluster.

        Functions are called one at a time, those that are due first come first, each in a copy of the context
        (:mod:`contextvars`) of this call. With ``time="skip"``, the time waits for them. ``time.sleep`` is always real:
        it does not follow the cluster's clock. An exception is printed and given to ``threading.excepthook``, as that
        of a callback.

        :param seconds: how long from now, from 0
        :returns: an object whose ``cancel()`` prevents the call
        """
        delay = _seconds("seconds", seconds)
        if not callable(function):
            raise ArgumentTypeError(f"expected a function as function, got {function!r}")
        if self._calls is None:
            self._calls = Calls(self._core)
        return self._calls.add(delay, function)

    def _cancel_calls(self) -> None:
        if self._calls is not None:
            self._calls.cancel_all()

    def _skipping(self, method: str) -> Time:
        time = self._core.time()
        if not time.skips():
            raise ClockError(f'{method}() needs LocalCluster(time="skip"): the time of this cluster passes by itself')
        if time.in_callback():
            raise ClockError(f"{method}() was called in a callback, and time does not move before callbacks return")
        return time


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArgumentTypeError(f"expected a number of seconds as {name}, got {value!r}")
    number = float(value)
    if not 0 <= number < math.inf:
        raise ArgumentValueError(f"expected a finite number from 0 as {name}, got {value!r}")
    return number


def _named(function: Callable[[], object]) -> str:
    """Names a condition by its source, if there is any."""
    code = getattr(function, "__code__", None)
    line = linecache.getline(code.co_filename, code.co_firstlineno).strip() if code else ""
    return f"{line} ({code.co_filename}:{code.co_firstlineno})" if code and line else repr(function)


def _report(function: Callable[[], object], error: BaseException) -> None:
    # If stderr is closed, there is nowhere else to report to.
    with contextlib.suppress(Exception):
        sys.stderr.write(f"Failed to call {function!r}, which call_later() was given\n")
        traceback.print_exception(error)
    _failures.tell_hook(error)
