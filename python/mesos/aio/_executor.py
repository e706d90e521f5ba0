"""``Executor``: the events and calls of an executor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mesos import _arguments, _core, _logging
from mesos.aio._subscriber import Subscriber
from mesos.executor._driver import agent_variables, print_at_once
from mesos.v1.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable


class ExecutorEvents:
    """The classes of an executor's events, which are attributes of :class:`Executor` too."""

    @dataclass(frozen=True, slots=True)
    class Subscribed:
        """The executor has subscribed to its agent."""

        executor_info: mesos_pb2.ExecutorInfo
        framework_info: mesos_pb2.FrameworkInfo
        agent_info: mesos_pb2.AgentInfo

    @dataclass(frozen=True, slots=True)
    class Resubscribed:
        """The executor has subscribed again, to an agent that was restarted or after a lost connection."""

        agent_info: mesos_pb2.AgentInfo

    @dataclass(frozen=True, slots=True)
    class Disconnected:
        """The connection to the agent is lost. The executor subscribes again by itself."""

    @dataclass(frozen=True, slots=True)
    class Launch:
        """A task is to be run."""

        task: mesos_pb2.TaskInfo

    @dataclass(frozen=True, slots=True)
    class Kill:
        """A task is to be killed."""

        task_id: mesos_pb2.TaskID
        kill_policy: mesos_pb2.KillPolicy | None

    @dataclass(frozen=True, slots=True)
    class Message:
        """The framework has sent a message. Delivery is best effort."""

        data: bytes

    @dataclass(frozen=True, slots=True)
    class Shutdown:
        """The executor is to kill its tasks and to end. This is its last event."""


ExecutorEvent: TypeAlias = (
    ExecutorEvents.Subscribed
    | ExecutorEvents.Resubscribed
    | ExecutorEvents.Disconnected
    | ExecutorEvents.Launch
    | ExecutorEvents.Kill
    | ExecutorEvents.Message
    | ExecutorEvents.Shutdown
)
"""An event of an :class:`mesos.aio.Executor`."""

_MAKERS: dict[str, Callable[..., Any]] = {
    "registered": ExecutorEvents.Subscribed,
    "reregistered": ExecutorEvents.Resubscribed,
    "disconnected": ExecutorEvents.Disconnected,
    "launchTask": ExecutorEvents.Launch,
    "killTask": ExecutorEvents.Kill,
    "frameworkMessage": ExecutorEvents.Message,
    "shutdown": ExecutorEvents.Shutdown,
}


class Executor(ExecutorEvents, Subscriber[ExecutorEvent]):
    """An executor's connection to the agent that started this process.

    The asynchronous counterpart of :class:`mesos.executor.MesosExecutorDriver`. The iteration ends after
    :class:`Executor.Shutdown`, and when the executor is stopped. The end of ``async with`` stops it and waits until the
    agent has its updates, for at most five seconds.

    This program ends each task as soon as it is launched:

    >>> import asyncio
    >>> from mesos import aio
    >>> from mesos.v1.interface import mesos_pb2
    >>> async def main():
    ...     async with aio.Executor() as executor:
    ...         async for event in executor:
    ...             match event:
    ...                 case aio.Executor.Launch(task):
    ...                     await executor.update(task.task_id, mesos_pb2.TASK_FINISHED)
    >>> asyncio.run(main())  # which no agent has started
    Traceback (most recent call last):
    mesos.errors.ArgumentValueError: Expecting 'MESOS_SLAVE_PID' to be set in the environment
    """

    _what = "executor"

    def __init__(self) -> None:
        super().__init__()
        self._core: _core.ExecutorDriver = _core.ExecutorDriver()

    async def start(self) -> None:
        """Starts the executor, once. Does not wait for the agent.

        :raises ArgumentValueError: a variable that an agent sets is missing or not valid; the message names it
        :raises DriverError: the executor was already started
        """
        self._start_once()
        _logging.set_level()
        print_at_once()
        self._events = self._core.open(agent_variables(), _MAKERS)

    async def stop(self) -> None:
        """Stops the executor, and waits until the agent has all updates, for at most five seconds. Does not end the
        process.
        """
        self._core.stop()
        await self._stopped()

    async def abort(self) -> None:
        """Stops all events."""
        self._core.abort()
        await self._stopped()

    async def __anext__(self) -> ExecutorEvent:
        if isinstance(self._last, Executor.Shutdown):
            raise StopAsyncIteration
        return await super().__anext__()

    async def update(
        self,
        status: mesos_pb2.TaskStatus | mesos_pb2.TaskID | str,
        state: mesos_pb2.TaskState.ValueType | None = None,
        **fields: Any,
    ) -> None:
        """Sends a task's status. It is kept, and sent again if necessary, until the agent acknowledges it.

        ``uuid``, ``timestamp``, ``source``, ``agent_id`` and ``executor_id`` are filled in. Executors must not send
        TASK_STAGING: it aborts the executor.

        :param status: the status; or the task's id, with ``state`` and further fields of a ``TaskStatus``, such as
            ``message="..."`` or ``data=b"..."``
        """
        if state is not None:
            task_id = _arguments.message(status, mesos_pb2.TaskID, "status", self._misuse)
            status = mesos_pb2.TaskStatus(task_id=mesos_pb2.TaskID.FromString(task_id), state=state, **fields)
        self._sent(self._core.update(_arguments.message(status, mesos_pb2.TaskStatus, "status", self._misuse)))

    async def message(self, data: bytes | str) -> None:
        """Sends bytes, or text encoded as UTF-8, to the framework. Delivery is best effort."""
        self._sent(self._core.message(_arguments.data(data, "data")))

    def __repr__(self) -> str:
        return f"<mesos.aio.Executor {self._status_name()}>"
