"""What both drivers share: waiting for their end, and what aborted them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesos import _arguments
from mesos._failures import Failure
from mesos._misuse import Misuse
from mesos.errors import DriverTimeoutError
from mesos.interface import mesos_pb2


class Driver:
    """A driver that can be waited for."""

    _core: Any

    def __init__(self) -> None:
        self._failure = Failure()
        self._misuse = Misuse()

    if TYPE_CHECKING:

        def start(self) -> mesos_pb2.Status.ValueType: ...

    def join(self, *, check: bool = False, timeout: float | None = None) -> mesos_pb2.Status.ValueType:
        """Wait until the driver was stopped or aborted, and its last call is out. Ctrl-C is handled meanwhile.

        :param check: raise what aborted the driver, :attr:`exception`. It is not printed if it comes during the wait
        :param timeout: seconds; None waits without end. DRIVER_RUNNING is returned if it has not ended by then
        :raises DriverAbortedError: with ``check``: what ``error`` was told
        :raises DriverTimeoutError: with ``check``: the driver has not ended. A :class:`TimeoutError`
        """
        seconds = _arguments.seconds(timeout, "timeout")
        if seconds is None and self._core.waits_for_itself():
            self._misuse.waits_for_itself()
        status: mesos_pb2.Status.ValueType = self._failure.checked(check, lambda: self._core.join(seconds))
        if status == mesos_pb2.DRIVER_NOT_STARTED:
            self._misuse.not_started("join")
        if check and status == mesos_pb2.DRIVER_RUNNING:
            raise DriverTimeoutError(f"the driver has not ended after {timeout} seconds")
        return status

    def run(self, *, check: bool = False) -> mesos_pb2.Status.ValueType:
        """``start`` and ``join``.

        :param check: raise what aborted the driver, :attr:`exception`, instead of printing it
        :raises DriverAbortedError: with ``check``: what ``error`` was told
        """
        if self._core.status() != mesos_pb2.DRIVER_NOT_STARTED:
            self._misuse.started_again("run")
        return self._failure.checked(check, self._run)

    def _run(self) -> mesos_pb2.Status.ValueType:
        status = self.start()
        return status if status != mesos_pb2.DRIVER_RUNNING else self.join()

    @property
    def exception(self) -> BaseException | None:
        """What aborted the driver: what a callback raised, or a :class:`mesos.errors.DriverAbortedError` with what
        ``error`` was told. None as long as nothing did, and if :meth:`abort` was called.

        Its traceback holds the frames of the callback, and with them the driver and its scheduler or executor, until
        the garbage collector finds that nobody else holds them; ``traceback.clear_frames`` lets them go at once.
        A ``SystemExit`` is not kept: ``join`` raises it, or it ends the process.
        """
        return self._failure.exception
