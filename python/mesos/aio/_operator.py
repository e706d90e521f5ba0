"""The clients of the operator API whose calls are awaited."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from mesos import _arguments
from mesos.aio._subscriber import EventSource
from mesos.errors import AnswerTimeoutError, DriverAbortedError
from mesos.operator import _containers
from mesos.operator._agent import AgentCalls
from mesos.operator._events import MAKERS, is_shown
from mesos.operator._master import MasterCalls
from mesos.operator._transport import AsyncTransport
from mesos.v1.interface import agent_pb2, master_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
    from typing import Self

    from mesos import _core, _operator
    from mesos.v1.interface import mesos_pb2


class MasterEvents(EventSource[master_pb2.Event]):
    """The events of the leading master; see :class:`mesos.operator.MasterEvents`.

    It is an asynchronous iterator. If a wait is cancelled, no event is lost.
    """

    _what = "subscription"

    def __init__(self, core: _core.Subscription, timeout: float | None, why: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._core, self._timeout, self._why = core, timeout, why
        self._events = core.open(MAKERS)

    async def __anext__(self) -> master_pb2.Event:
        """Waits for the next event.

        :raises AnswerTimeoutError: none has come in time; it may be waited for again
        :raises RequestRefusedError: the master refuses the subscription
        """
        try:
            async with asyncio.timeout(self._timeout):
                while not is_shown(event := await super().__anext__()):
                    pass
                return event
        except TimeoutError:
            raise AnswerTimeoutError(f"no event within {self._timeout} s") from None
        except DriverAbortedError:
            await self._why()
            raise

    async def close(self) -> None:
        """Ends the subscription. More than once has no effect."""
        self._core.stop()
        await self._stopped()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class ContainerOutput:
    """What a container writes: an asynchronous iterator; see :class:`mesos.operator.ContainerOutput`."""

    def __init__(self, stream: _operator.Stream) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> agent_pb2.ProcessIO:
        """Waits for the next piece. If the wait is cancelled, no piece is lost.

        :raises UnreachableError: the connection broke
        """
        while (record := await self._stream.next_async()) is not None:
            piece = agent_pb2.ProcessIO.FromString(record)
            if _containers.is_shown(piece):
                return piece
        raise StopAsyncIteration

    async def close(self) -> None:
        """Closes the connection. More than once has no effect."""
        self._stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stream.close()

    def __del__(self) -> None:
        self._stream.close()


async def _beat(stream: _operator.Stream) -> None:
    while await stream.send_async(_containers.heartbeat()):
        await asyncio.sleep(_containers.HEARTBEAT_SECONDS)


async def _feed(
    stream: _operator.Stream,
    first: agent_pb2.Call,
    process_ios: AsyncIterable[agent_pb2.ProcessIO | bytes] | Iterable[agent_pb2.ProcessIO | bytes],
) -> None:
    """Sends the input of a container, until it ends or nobody reads it any more."""
    if not await stream.send_async(first.SerializeToString()):
        return
    heart = asyncio.ensure_future(_beat(stream))
    try:
        if hasattr(process_ios, "__aiter__"):
            async for piece in process_ios:
                if not await stream.send_async(_containers.record_of(piece)):
                    return
        else:
            for piece in process_ios:
                if not await stream.send_async(_containers.record_of(piece)):
                    return
    finally:
        heart.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await heart
    stream.end()


class AgentClient(AgentCalls, AsyncTransport[agent_pb2.Call, agent_pb2.Response]):
    """A client of an agent whose calls are awaited; see :class:`mesos.operator.AgentClient`.

    >>> import asyncio
    >>> from mesos import aio
    >>> from mesos.local import LocalCluster
    >>> async def main():
    ...     master = aio.MasterClient(cluster)
    ...     for found in (await master.get_agents()).agents:
    ...         agent = master.agent(found)
    ...         print((await agent.get_version()).version, len(await agent.get_containers()))
    >>> with LocalCluster() as cluster:
    ...     asyncio.run(main())
    1.11.0 0
    """

    async def attach_container_input(
        self,
        container_id: str | mesos_pb2.ContainerID,
        process_ios: AsyncIterable[agent_pb2.ProcessIO | bytes] | Iterable[agent_pb2.ProcessIO | bytes],
    ) -> None:
        """Sends a container its standard input, and returns when all of it was sent.

        See :meth:`mesos.operator.AgentClient.attach_container_input`.

        :param process_ios: bytes of standard input, or messages; also from an asynchronous iterator
        """
        first = self._first_of_input(container_id)
        _containers.check_input(process_ios)
        with self._opened_input() as stream:
            await _feed(stream, first, process_ios)
            try:
                answer = await asyncio.wait_for(stream.answer_async(), self._timeout)
            except TimeoutError:
                raise AnswerTimeoutError(f"no answer within {self._timeout} s") from None
            self._check("ATTACH_CONTAINER_INPUT", answer)

    async def _begin(self, name: str, fields: dict[str, object]) -> ContainerOutput:
        output = self._noted(ContainerOutput(self._opened(name, fields)))
        self._check(name, await output._stream.answer_async(), streamed=True)
        return output


class MasterClient(MasterCalls, AsyncTransport[master_pb2.Call, master_pb2.Response]):
    """A client of the leading master whose calls are awaited; see :class:`mesos.operator.MasterClient`.

    >>> import asyncio
    >>> from mesos import aio
    >>> from mesos.local import LocalCluster
    >>> async def main():
    ...     async with aio.MasterClient(cluster) as master:
    ...         await master.update_weights({"analytics": 2.0})
    ...         print(await asyncio.gather(master.get_health(), master.get_weights()))
    >>> with LocalCluster() as cluster:
    ...     asyncio.run(main())
    [True, {'analytics': 2.0}]
    """

    def events(self, timeout: float | None = None) -> MasterEvents:
        """Subscribes to the events of the leading master, and returns an asynchronous iterator over them.

        See :meth:`mesos.operator.MasterClient.events`.

        :param timeout: the seconds to wait for an event; if None, there is no limit
        """
        return self._noted(MasterEvents(self._subscription(), _arguments.seconds(timeout, "timeout"), self._ask_why))

    async def _ask_why(self) -> None:
        """Raises the refusal of a subscription with its status."""
        with self._opened("SUBSCRIBE", {}) as stream:
            self._check("SUBSCRIBE", await stream.answer_async(), streamed=True)

    def agent(self, agent: master_pb2.Response.GetAgents.Agent) -> AgentClient:
        """Returns a client of an agent that :meth:`get_agents` has returned. It authenticates as this client does.

        :raises ArgumentValueError: the agent has not registered since the master started
        """
        return self._beside(AgentClient, self._agent_address(agent))
