"""Stories of operators, told once for the clients that wait and for those that are awaited."""

from __future__ import annotations

import functools
from typing import Any

from mesos import aio, operator
from mesos.v1.interface import master_pb2, mesos_pb2


class WaitingEvents:
    """Events that are waited for, with ``await``."""

    def __init__(self, events: operator.MasterEvents) -> None:
        self._events = events

    def __aiter__(self) -> WaitingEvents:
        return self

    async def __anext__(self) -> master_pb2.Event:
        try:
            return next(self._events)
        except StopIteration:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        self._events.close()

    async def __aenter__(self) -> WaitingEvents:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._events.close()


class Waiting:
    """A client that waits, with ``await`` before its calls."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def agent(self, found: Any) -> Waiting:
        return Waiting(self._client.agent(found))

    def events(self, **named: Any) -> WaitingEvents:
        return WaitingEvents(self._client.events(**named))

    async def __aenter__(self) -> Waiting:
        self._client.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        @functools.wraps(method)
        async def made(*arguments: Any, **named: Any) -> Any:
            return method(*arguments, **named)

        return made


MASTERS: dict[str, Any] = {
    "waits": lambda *arguments, **named: Waiting(operator.MasterClient(*arguments, **named)),
    "awaited": aio.MasterClient,
}


def resource(name: str, amount: float, role: str | None = None, volume: str | None = None) -> mesos_pb2.Resource:
    """A resource, reserved for a role if there is one, with a persistent volume on it if that has an id."""
    made = mesos_pb2.Resource(name=name, type=mesos_pb2.Value.SCALAR, scalar={"value": amount})
    if role is not None:
        made.reservations.add(type=mesos_pb2.Resource.ReservationInfo.DYNAMIC, role=role)
    if volume is not None:
        made.disk.persistence.id = volume
        made.disk.volume.container_path = "data"
        made.disk.volume.mode = mesos_pb2.Volume.RW
    return made


def agent_of(agents: master_pb2.Response.GetAgents, agent_id: str) -> master_pb2.Response.GetAgents.Agent:
    """The agent with an id."""
    return next(each for each in agents.agents if each.agent_info.id.value == agent_id)
