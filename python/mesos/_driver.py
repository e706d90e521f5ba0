"""The base class of both drivers: waiting for a driver's end, and the exception that aborted it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from mesos import _arguments
from mesos._failures import Failure
from mesos._misuse import Misuse
from mesos.errors import DriverError, DriverTimeoutError
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    import asyncio

DRIVERS: weakref.WeakSet[Any] = weakref.WeakSet()
"""The drivers of this process, those of :mod:`mesos.aio` included, for :mod:`mesos.testing`."""


class Driver:
    """The part that the scheduler driver and the executor driver share."""

    _core: Any

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        if loop is not None:
            from mesos import _coroutines

            _coroutines.check_loop(loop)
        self._loop = loop
        self._failure = Failure()
        self._misuse = Misuse()
        DRIVERS.add(self)

    if TYPE_CHECKING:

        def start(self) -> mesos_pb2.Status.ValueType: ...

    def join(self, *, check: bool = False, timeout: float | None = None) -> mesos_pb2.Status.ValueType:
        """Waits until the driver is stopped or aborted and has sent its last call. Ctrl-C interrupts the wait.

        :param check: if the driver was aborted, raise its :attr:`exception`. An exception that occurs during the wait
            is raised instead of being printed
        :param timeout: seconds to wait, or None to wait indefinitely
        :returns: the driver's status; DRIVER_RUNNING if the driver has not ended within ``timeout``
        :raises DriverAbortedError: with ``check``, if the driver was aborted with an error; the message is the one that
            the ``error`` callback received
        :raises DriverTimeoutError: with ``check``, if the driver has not ended within ``timeout``; a
            :class:`TimeoutError`
        """
        seconds = _arguments.seconds(timeout, "timeout")
        if seconds is None and self._core.waits_for_itself():
            self._misuse.waits_for_itself()
        if self._loop is not None and self._core.status() == mesos_pb2.DRIVER_RUNNING:
            self._check_thread(self._loop)
        status: mesos_pb2.Status.ValueType = self._failure.checked(check, lambda: self._core.join(seconds))
        if status == mesos_pb2.DRIVER_NOT_STARTED:
            self._misuse.not_started("join")
        if check and status == mesos_pb2.DRIVER_RUNNING:
            raise DriverTimeoutError(f"the driver has not ended after {timeout} seconds")
        return status

    def _check_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        from mesos import _coroutines

        if _coroutines.is_of_this_thread(loop):
            raise DriverError(
                "the loop in which the driver's callbacks run would be blocked: "
                "use start(), and `await asyncio.to_thread(driver.join)` to wait"
            )

    def run(self, *, check: bool = False) -> mesos_pb2.Status.ValueType:
        """Calls ``start`` and ``join``.

        :param check: if the driver is aborted, raise its :attr:`exception` instead of printing it
        :returns: the driver's status
        :raises DriverAbortedError: with ``check``, if the driver was aborted with an error; the message is the one that
            the ``error`` callback received
        """
        if self._core.status() != mesos_pb2.DRIVER_NOT_STARTED:
            self._misuse.started_again("run")
        if self._loop is not None:
            self._check_thread(self._loop)
        return self._failure.checked(check, self._run)

    def _run(self) -> mesos_pb2.Status.ValueType:
        self._core.begin_run()
        try:
            status = self.start()
            return status if status != mesos_pb2.DRIVER_RUNNING else self.join()
        finally:
            self._core.end_run()

    @property
    def exception(self) -> BaseException | None:
        """The exception that aborted the driver.

        This is the exception that a callback raised, or a :class:`mesos.errors.DriverAbortedError` with the message
        that the ``error`` callback received. None if the driver was not aborted, or was aborted by :meth:`abort`.

        The traceback refers to the callback's frames, and so keeps the driver and its scheduler or executor alive until
        the garbage collector runs; ``traceback.clear_frames`` releases them at once. A ``SystemExit`` is not kept:
        ``join`` raises it, or it ends the process.
        """
        return self._failure.exception
