"""``MesosExecutorDriver``: arguments are checked and serialized here, the work is done by ``mesos._core``."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from mesos import _arguments, _callbacks, _conflicts, _core, _imported, _logging, _misuse  # noqa: F401  (only to be there)
from mesos._driver import Driver
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


class MesosExecutorDriver(Driver, ExecutorDriver):
    """Connects an executor to the agent that started this process, over the v1 HTTP API.

    Follows ``src/python/executor/src/mesos/executor/mesos_executor_driver_impl.cpp`` and ``src/exec/exec.cpp``.
    Every method but the constructor returns a ``mesos.Status`` number: ``mesos_pb2.DRIVER_RUNNING`` and so on.

    A driver is a context manager; the end of the block stops it, and so does the end of the last reference to it.

    :param executor: gets the callbacks; any object with the methods of :class:`mesos.interface.Executor`
    :raises ArgumentTypeError: the executor is None or a class, or has a callback that is a coroutine function or a
        generator function, for nobody would await it
    """

    def __init__(self, executor: Any) -> None:
        super().__init__()
        _callbacks.check(executor, _callbacks.EXECUTOR, "executor")
        self._misuse.near_misses(executor, _callbacks.near_misses(executor, _callbacks.EXECUTOR))
        self._executor = executor
        self._core: _core.ExecutorDriver = _core.ExecutorDriver()

    def start(self) -> mesos_pb2.Status.ValueType:
        """Start the driver, once. Returns DRIVER_RUNNING, without waiting for the agent.

        :raises ArgumentValueError: a variable that an agent sets is missing or cannot be read; the message names it
            (libmesos ends the process here)
        :raises ArgumentTypeError: the executor was given an asynchronous callback since the driver was made
        """
        if self._core.status() != mesos_pb2.DRIVER_NOT_STARTED:
            self._misuse.started_again("start")
        _callbacks.check(self._executor, _callbacks.EXECUTOR, "executor")
        _logging.set_level()
        for stream in (sys.stdout, sys.stderr):
            # As libmesos does: what an executor prints is to be seen in its sandbox at once.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(line_buffering=True)
        return self._core.start(self, agent_variables())

    def stop(self) -> mesos_pb2.Status.ValueType:
        """Stop the driver. What was sent is seen to before :meth:`join` returns; the process has to end by itself.

        Returns DRIVER_STOPPED, or what the status was where the driver did not run.
        """
        return self._core.stop()

    def abort(self) -> mesos_pb2.Status.ValueType:
        """Make no callback any more. Returns DRIVER_ABORTED."""
        return self._core.abort()

    @_misuse.needs_start
    def sendStatusUpdate(self, status: mesos_pb2.TaskStatus) -> mesos_pb2.Status.ValueType:
        """Report on a task. The update is kept, and sent again, until the agent has it.

        ``uuid``, ``timestamp``, ``source``, ``slave_id`` and ``executor_id`` are set here. TASK_STAGING is not an
        executor's to report: the driver is aborted and ``error`` called.
        """
        return self._core.update(_arguments.message(status, mesos_pb2.TaskStatus, "status", self._misuse))

    @_misuse.needs_start
    def sendFrameworkMessage(self, data: bytes | str) -> mesos_pb2.Status.ValueType:
        """Send bytes, or text as UTF-8, to the scheduler. Best effort."""
        return self._core.message(_arguments.data(data, "data"))

    def __enter__(self) -> Self:
        """Returns the driver, which is not started by this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the driver, and wait until its last calls are out."""
        if self.stop() != mesos_pb2.DRIVER_NOT_STARTED:
            self.join()

    def __repr__(self) -> str:
        status = mesos_pb2.Status.Name(self._core.status())
        return f"<{type(self).__name__} {status}>"
