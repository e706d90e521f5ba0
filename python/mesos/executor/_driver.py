"""``MesosExecutorDriver``: arguments are checked and serialized here, the work is done by ``mesos._core``."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from mesos import _arguments, _callbacks, _conflicts, _core, _failures, _imported, _logging  # noqa: F401  (some only to be there)
from mesos.errors import DriverTimeoutError
from mesos.interface import ExecutorDriver, mesos_pb2

if TYPE_CHECKING:
    from typing import Self

_TOKEN = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"
_taken: dict[str, str] = {}
atexit.register(_core.shutdown)


def agent_variables() -> dict[str, str]:
    """The environment that an agent gave this process. The token is removed from it, as libmesos does."""
    token = os.environ.pop(_TOKEN, None)
    if token is not None:
        _taken[_TOKEN] = token
    return {**os.environ, **_taken}


class MesosExecutorDriver(ExecutorDriver):
    """Connects an executor to the agent that started this process, over the v1 HTTP API.

    Follows ``src/python/executor/src/mesos/executor/mesos_executor_driver_impl.cpp`` and ``src/exec/exec.cpp``.
    Every method but the constructor returns a ``mesos.Status`` number: ``mesos_pb2.DRIVER_RUNNING`` and so on.

    A driver is a context manager; the end of the block stops it, and so does the end of the last reference to it.

    :param executor: gets the callbacks; any object with the methods of :class:`mesos.interface.Executor`
    :raises ArgumentTypeError: the executor is None or a class, or has a callback that is a coroutine function or a
        generator function, for nobody would await it
    """

    def __init__(self, executor: Any) -> None:
        _callbacks.check(executor, _callbacks.EXECUTOR, "executor")
        self._executor = executor
        self._failure = _failures.Failure()
        self._core = _core.ExecutorDriver()

    def start(self) -> int:
        """Start the driver, once. Returns DRIVER_RUNNING, without waiting for the agent.

        :raises ArgumentValueError: a variable that an agent sets is missing or cannot be read; the message names it
            (libmesos ends the process here)
        :raises ArgumentTypeError: the executor was given an asynchronous callback since the driver was made
        """
        _callbacks.check(self._executor, _callbacks.EXECUTOR, "executor")
        _logging.set_level()
        for stream in (sys.stdout, sys.stderr):
            # As libmesos does: what an executor prints is to be seen in its sandbox at once.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(line_buffering=True)
        return self._core.start(self, agent_variables())

    def stop(self) -> int:
        """Stop the driver. What was sent is seen to before :meth:`join` returns; the process has to end by itself.

        Returns DRIVER_STOPPED, or what the status was where the driver did not run.
        """
        return self._core.stop()

    def abort(self) -> int:
        """Make no callback any more. Returns DRIVER_ABORTED."""
        return self._core.abort()

    def join(self, *, check: bool = False, timeout: float | None = None) -> int:
        """Wait until the driver was stopped or aborted. Ctrl-C is handled meanwhile.

        :param check: raise what aborted the driver, :attr:`exception`; it is not printed then
        :param timeout: seconds; None waits without end. DRIVER_RUNNING is returned if it has not ended by then
        :raises DriverAbortedError: with ``check``: what ``error`` was told
        :raises DriverTimeoutError: with ``check``: the driver still runs. A :class:`TimeoutError`
        """
        seconds = _arguments.seconds(timeout, "timeout")
        status = self._failure.checked(check, lambda: self._core.join(seconds))
        if check and status == mesos_pb2.DRIVER_RUNNING:
            raise DriverTimeoutError(f"the driver still runs after {timeout} seconds")
        return status

    def run(self, *, check: bool = False) -> int:
        """``start`` and ``join``.

        :param check: raise what aborted the driver, as :meth:`join` does
        """
        return self._failure.checked(check, self._run)

    def _run(self) -> int:
        status = self.start()
        return status if status != mesos_pb2.DRIVER_RUNNING else self.join()

    @property
    def exception(self) -> BaseException | None:
        """What aborted the driver: what a callback raised, or a :class:`mesos.errors.DriverAbortedError` with what
        ``error`` was told. None as long as nothing did, and if :meth:`abort` was called.

        Its traceback holds the frames of the callback, and with them the driver and the executor, until the garbage
        collector finds that nobody holds the driver; ``traceback.clear_frames`` lets their variables go at once.
        A ``SystemExit`` is not kept: ``join`` raises it, or it ends the process.
        """
        return self._failure.exception

    def sendStatusUpdate(self, status: mesos_pb2.TaskStatus) -> int:
        """Report on a task. The update is kept, and sent again, until the agent has it.

        ``uuid``, ``timestamp``, ``source``, ``slave_id`` and ``executor_id`` are set here. TASK_STAGING is not an
        executor's to report: the driver is aborted and ``error`` called.
        """
        return self._core.update(_arguments.message(status, mesos_pb2.TaskStatus, "status"))

    def sendFrameworkMessage(self, data: bytes | str) -> int:
        """Send bytes, or text as UTF-8, to the scheduler. Best effort."""
        return self._core.message(_arguments.data(data, "data"))

    def __enter__(self) -> Self:
        """Returns the driver, which is not started by this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the driver, and wait until its last calls are out."""
        self.stop()
        self.join()

    def __repr__(self) -> str:
        status = mesos_pb2.Status.Name(self._core.status())
        return f"<{type(self).__name__} {status}>"
