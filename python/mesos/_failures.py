"""What aborted a driver, and who is told: who waits with ``check=True``, or else stderr and ``threading.excepthook``.

The exception is kept in a Python object of the driver's, not in the core: its traceback holds the callback's frames,
and these the driver, which is a cycle that only the garbage collector of Python can see.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

from mesos.errors import DriverAbortedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_Status = TypeVar("_Status")


class Failure:
    """What aborted one driver. Takes no lock, so a forked child finds none taken: each step is one atomic operation."""

    def __init__(self) -> None:
        self.exception: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._checking: list[object] = []

    def note(self, error: BaseException) -> bool:
        """Keep what aborted the driver, if it is the first. Returns whether someone waits who will raise it."""
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
        """Return what ``wait`` returns; if ``check``, raise what aborted the driver instead."""
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
            # Its own traceback, to which those who raised it before have added nothing.
            raise self.exception.with_traceback(self._traceback)
        return status


def aborted(driver: Any, message: str) -> None:
    """Note that the driver is about to be aborted with what ``error`` gets."""
    driver._failure.note(DriverAbortedError(message))


def failed(driver: Any, what: str, error: BaseException) -> None:
    """Note and report what a callback raised, on its thread and before the driver is aborted.

    :param what: what failed, as a line in libmesos' words
    """
    raised = driver._failure.note(error)
    # There is no better place to tell that stderr is gone.
    with contextlib.suppress(Exception):
        sys.stderr.write(what)
        if not raised:
            traceback.print_exception(error)
    if not raised:
        _tell_hook(error)


def _tell_hook(error: BaseException) -> None:
    """Tell ``threading.excepthook``, as for any other thread; the default one would only print it again."""
    hook = threading.excepthook
    if hook is not threading.__excepthook__:
        hook(threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread())))
