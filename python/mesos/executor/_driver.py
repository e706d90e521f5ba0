"""``MesosExecutorDriver``: checks and serializes arguments, and passes them to ``mesos._core``."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from mesos import _arguments, _callbacks, _conflicts, _core, _imported, _logging, _misuse  # noqa: F401  (only to be there)
from mesos._driver import Driver
from mesos.interface import ExecutorDriver, mesos_pb2

if TYPE_CHECKING:
    import asyncio
    from typing import Self

_TOKEN = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"
_taken: dict[str, str] = {}
atexit.register(_core.shutdown)


def agent_variables() -> dict[str, str]:
    """Returns the environment variables that an agent set for this process.

    Like libmesos, removes the authentication token from the process's environment.
    """
    token = os.environ.pop(_TOKEN, None)
    if token is not None:
        _taken[_TOKEN] = token
    return {**os.environ, **_taken}


def print_at_once() -> None:
    """Like libmesos, has the sandbox show at once what an executor prints."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)


class MesosExecutorDriver(Driver, ExecutorDriver):
    """Connects an executor to the agent that started this process, over the v1 HTTP API.

    Follows ``src/python/executor/src/mesos/executor/mesos_executor_driver_impl.cpp`` and ``src/exec/exec.cpp``.
    Every method except the constructor returns a ``mesos.Status`` number, such as ``mesos_pb2.DRIVER_RUNNING``.

    A driver is a context manager; the end of the block stops it. It also stops when it is no longer referenced.

    :param executor: receives the callbacks; any object with the methods of :class:`mesos.interface.Executor`
    :param loop: an asyncio event loop that runs callbacks which are coroutine functions; see
        :class:`mesos.scheduler.MesosSchedulerDriver`
    :raises ArgumentTypeError: the executor is None or a class, or has a callback that is a coroutine function and there
        is no ``loop``, or a generator function
    """

    def __init__(self, executor: Any, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(loop)
        _callbacks.check(executor, _callbacks.EXECUTOR, "executor", loop)
        self._misuse.near_misses(executor, _callbacks.near_misses(executor, _callbacks.EXECUTOR))
        self._executor = executor
        self._core: _core.ExecutorDriver = _core.ExecutorDriver()

    def start(self) -> mesos_pb2.Status.ValueType:
        """Starts the driver; a driver can be started only once. Does not wait for the agent.

        :returns: DRIVER_RUNNING, or the driver's status if it was already started
        :raises ArgumentValueError: a variable that an agent sets is missing or not valid; the message names it
            (libmesos ends the process in this case)
        :raises ArgumentTypeError: the executor was given an asynchronous callback after the driver was created
        """
        if self._core.status() != mesos_pb2.DRIVER_NOT_STARTED:
            self._misuse.started_again("start")
        _callbacks.check(self._executor, _callbacks.EXECUTOR, "executor", self._loop)
        _logging.set_level()
        print_at_once()
        return self._core.start(self, agent_variables())

    def stop(self) -> mesos_pb2.Status.ValueType:
        """Stops the driver. The driver does not end the process.

        :meth:`join` returns when the agent has received all updates, or after five seconds.

        :returns: DRIVER_STOPPED, or the previous status if the driver was not running
        """
        return self._core.stop()

    def abort(self) -> mesos_pb2.Status.ValueType:
        """Stops all callbacks. Returns DRIVER_ABORTED."""
        return self._core.abort()

    @_misuse.needs_start
    def sendStatusUpdate(self, status: mesos_pb2.TaskStatus) -> mesos_pb2.Status.ValueType:
        """Sends a task's status. The update is kept, and sent again if necessary, until the agent acknowledges it.

        The driver sets ``uuid``, ``timestamp``, ``source``, ``slave_id`` and ``executor_id``. Executors must not send
        TASK_STAGING: it aborts the driver, and ``error`` is called.
        """
        return self._core.update(_arguments.message(status, mesos_pb2.TaskStatus, "status", self._misuse))

    @_misuse.needs_start
    def sendFrameworkMessage(self, data: bytes | str) -> mesos_pb2.Status.ValueType:
        """Sends bytes, or text encoded as UTF-8, to the scheduler. Delivery is best effort."""
        return self._core.message(_arguments.data(data, "data"))

    def __enter__(self) -> Self:
        """Returns the driver without starting it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops the driver and waits until its last calls have been sent."""
        if self.stop() != mesos_pb2.DRIVER_NOT_STARTED:
            self.join()

    def __repr__(self) -> str:
        status = mesos_pb2.Status.Name(self._core.status())
        return f"<{type(self).__name__} {status}>"
