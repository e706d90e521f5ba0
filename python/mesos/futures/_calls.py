"""What a pool keeps of each call that is not done, and of each worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from mesos.futures._channel import Channel
    from mesos.futures._future import MesosFuture

ENDED = {
    mesos_pb2.TASK_FINISHED,
    mesos_pb2.TASK_FAILED,
    mesos_pb2.TASK_KILLED,
    mesos_pb2.TASK_LOST,
    mesos_pb2.TASK_ERROR,
    mesos_pb2.TASK_DROPPED,
    mesos_pb2.TASK_GONE,
    mesos_pb2.TASK_UNREACHABLE,
    mesos_pb2.TASK_GONE_BY_OPERATOR,
    mesos_pb2.TASK_UNKNOWN,
}


class Call:
    """A call that is not done."""

    __slots__ = ("failures", "future", "number", "payload")

    def __init__(self, number: int, payload: bytes, future: MesosFuture[Any]) -> None:
        self.number, self.payload, self.future = number, payload, future
        self.failures = 0


class Worker:
    """An executor with one task, whose resources it holds until it ends."""

    def __init__(self, name: str, agent_id: str, now: float) -> None:
        self.name, self.agent_id = name, agent_id
        self.channel: Channel | None = None
        self.outbox: list[tuple[Any, ...]] = []
        self.calls: dict[int, Call] = {}
        """What it was sent, in that order: it runs the first."""
        self.ready = False
        self.ending = False
        self.asked = False
        self.since = now
        """When it last began to be idle or gave a result."""
