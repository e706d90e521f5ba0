"""Frameworks and executors for asyncio: events with ``async for``, calls with ``await``.

Messages are those of :mod:`mesos.v1.interface.mesos_pb2`, with ``agent_id`` instead of ``slave_id``. Several frameworks
may share a loop. Works with asyncio and uvloop.
"""

from mesos.aio._events import (
    AgentLost,
    Disconnected,
    Event,
    ExecutorEvent,
    ExecutorLost,
    ExecutorResubscribed,
    ExecutorSubscribed,
    FrameworkMessage,
    Kill,
    Launch,
    Message,
    Offers,
    Rescinded,
    Resubscribed,
    Shutdown,
    Subscribed,
    Update,
)
from mesos.aio._executor import Executor
from mesos.aio._framework import Framework

__all__ = [
    "AgentLost",
    "Disconnected",
    "Event",
    "Executor",
    "ExecutorEvent",
    "ExecutorLost",
    "ExecutorResubscribed",
    "ExecutorSubscribed",
    "Framework",
    "FrameworkMessage",
    "Kill",
    "Launch",
    "Message",
    "Offers",
    "Rescinded",
    "Resubscribed",
    "Shutdown",
    "Subscribed",
    "Update",
]
