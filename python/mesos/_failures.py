"""Keeps the exception that aborted a driver and reports it once.

It is raised to a caller that waits with ``check=True``. If there is none, it is printed on stderr and passed to
``threading.excepthook``.

The exception is kept in a Python object of the driver, not in the core: its traceback refers to the callback's
frames, and these to the driver. Only Python's garbage collector can find this cycle.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from mesos.errors import DriverAbortedError

if TYPE_CHECKING:
    from types import TracebackType

_Status = TypeVar("_Status")
WATCHERS: list[Callable[[Any, BaseException], None]] = []
"""Functions of :mod:`mesos.testing` that are called with each driver that a callback's exception aborts, and with the
exception, unless a caller raises it."""


class Failure:
    """The exception that aborted one driver.

    It uses atomic operations instead of locks, because a forked child could inherit a lock that is held for good.
    """

    def __init__(self) -> None:
        self.exception: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._checking: list[object] = []

    def note(self, error: BaseException) -> bool:
        """Keeps the first exception that aborted the driver. Returns whether a waiting caller will raise it."""
        if self.exception is not None:
            return False
        self._traceback = error.__traceback__
        self.exception = error
        try:
            self._checking.pop()
        except IndexError:
            return False
        return True

    def checked(self, check: bool, wait: Callable[[], _Status]) -> _Status:
        """Returns the result of ``wait``. If ``check``, raises the exception that aborted the driver instead."""
        if not check:
            return wait()
        token = object()
        self._checking.append(token)
        try:
            status = wait()
        finally:
            with contextlib.suppress(ValueError):
                self._checking.remove(token)
        if self.exception is not None:
            # Each raise extends the traceback of an exception, so begin with the original one.
            raise self.exception.with_traceback(self._traceback)
        return status


def aborted(driver: Any, message: str) -> None:
    """Records that the driver is about to be aborted.

    :param message: the message that the ``error`` callback receives
    """
    driver._failure.note(DriverAbortedError(message))


def failed(driver: Any, what: str, error: BaseException) -> None:
    """Records and reports an exception that a callback raised. Called on the callback's thread, before the driver is
    aborted.

    :param what: the line that libmesos prints about the failure
    """
    raised = driver._failure.note(error)
    # If stderr is closed, there is nowhere else to report to.
    with contextlib.suppress(Exception):
        sys.stderr.write(what)
        if not raised:
            traceback.print_exception(error)
    if not raised:
        for watch in list(WATCHERS):
            watch(driver, error)
        tell_hook(error)


def tell_hook(error: BaseException) -> None:
    """Calls ``threading.excepthook``, as for any other thread, unless it is the default, which would print it again."""
    hook = threading.excepthook
    if hook is not threading.__excepthook__:
        hook(threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread())))
