"""``Executor``: an executor whose events are iterated over."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mesos import _arguments, _core
from mesos.aio._client import Client
from mesos.executor._driver import agent_variables
from mesos.v1.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable


class Executor(Client["ExecutorEvent"]):
    """An executor that is connected to the agent which started this process inside of ``async with``.

    It uses the same driver as :class:`mesos.native.MesosExecutorDriver`. Updates are kept, and sent again if necessary,
    until the agent acknowledges them; the end of ``async with`` waits for that, for five seconds at most. The iteration
    ends after :class:`Executor.Shutdown`.

    >>> import asyncio
    >>> from mesos import aio
    >>> from mesos.v1.interface import mesos_pb2
    >>> async def main():
    ...     async with aio.Executor() as executor:
    ...         async for event in executor:
    ...             match event:
    ...                 case aio.Executor.Launch(task):
    ...                     await executor.update(task.task_id, mesos_pb2.TASK_RUNNING)
    ...                     await executor.update(task.task_id, mesos_pb2.TASK_FINISHED)
    >>> asyncio.run(main())
    Traceback (most recent call last):
    mesos.errors.ArgumentValueError: expected the environment of an agent, but MESOS_FRAMEWORK_ID is not set

    :raises ArgumentValueError: when it is started, a variable that an agent sets is missing or not valid
    """

    @dataclass(frozen=True, slots=True)
    class Subscribed:
        """The executor is registered with its agent."""

        executor: mesos_pb2.ExecutorInfo
        framework: mesos_pb2.FrameworkInfo
        agent: mesos_pb2.AgentInfo

    @dataclass(frozen=True, slots=True)
    class Resubscribed:
        """The executor is connected to its agent again."""

        agent: mesos_pb2.AgentInfo

    @dataclass(frozen=True, slots=True)
    class Disconnected:
        """The connection to the agent is lost; the executor subscribes again by itself."""

    @dataclass(frozen=True, slots=True)
    class Launch:
        """A task is to be started."""

        task: mesos_pb2.TaskInfo

    @dataclass(frozen=True, slots=True)
    class Kill:
        """A task is to be killed."""

        task_id: mesos_pb2.TaskID

    @dataclass(frozen=True, slots=True)
    class Message:
        """Bytes from the scheduler."""

        data: bytes

    @dataclass(frozen=True, slots=True)
    class Shutdown:
        """The executor is to end, with all of its tasks. No event follows."""

    _makers: dict[str, Callable[..., Any]] = {  # noqa: RUF012  (the class below the makers is generic)
        "registered": Subscribed,
        "reregistered": Resubscribed,
        "disconnected": Disconnected,
        "launchTask": Launch,
        "killTask": Kill,
        "frameworkMessage": Message,
        "shutdown": Shutdown,
    }
    _what = "executor"

    def __init__(self) -> None:
        super().__init__()
        self._core: _core.ExecutorDriver = _core.ExecutorDriver()

    def _start(self) -> int:
        for stream in (sys.stdout, sys.stderr):
            # Like libmesos, so that the sandbox shows at once what an executor prints.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(line_buffering=True)
        return self._core.start_events(agent_variables())

    async def _stop(self) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stops the executor, and waits until the agent has received all updates, for five seconds at most."""
        self._core.forget()
        self._core.stop()
        await self._ended()

    async def update(
        self,
        status: mesos_pb2.TaskStatus | mesos_pb2.TaskID | str,
        state: mesos_pb2.TaskState.ValueType | None = None,
        **fields: Any,
    ) -> None:
        """Sends a task's status.

        :param status: a status; or the task's id, with the state and further fields of a ``TaskStatus``, such as
            ``message="..."`` or ``data=b"..."``. The driver sets ``uuid``, ``timestamp``, ``source``, ``agent_id`` and
            ``executor_id``
        """
        if state is not None:
            task_id = mesos_pb2.TaskID.FromString(_arguments.message(status, mesos_pb2.TaskID, "status"))
            status = mesos_pb2.TaskStatus(task_id=task_id, state=state, **fields)
        self._running().update(_arguments.message(status, mesos_pb2.TaskStatus, "status"))

    async def message(self, data: bytes | str) -> None:
        """Sends bytes, or text encoded as UTF-8, to the scheduler. Delivery is best effort."""
        self._running().message(_arguments.data(data, "data"))


ExecutorEvent: TypeAlias = (
    Executor.Subscribed
    | Executor.Resubscribed
    | Executor.Disconnected
    | Executor.Launch
    | Executor.Kill
    | Executor.Message
    | Executor.Shutdown
)
"""Any event of an executor."""
