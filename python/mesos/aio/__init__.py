"""Frameworks, executors and operators for asyncio: events with ``async for``, calls with ``await``.

Messages are those of :mod:`mesos.v1.interface.mesos_pb2`, with ``agent_id`` instead of ``slave_id``. Several frameworks
may share a loop. Works with asyncio and uvloop.
"""

from mesos.aio._events import (
    AgentLost,
    Disconnected,
    Event,
    ExecutorLost,
    InverseOffers,
    Message,
    Offers,
    OperationUpdate,
    Rescinded,
    RescindedInverse,
    Resubscribed,
    Subscribed,
    Update,
)
from mesos.aio._executor import Executor, ExecutorEvent
from mesos.aio._framework import Framework
from mesos.aio._operator import AgentClient, ContainerOutput, MasterClient, MasterEvents

__all__ = [
    "AgentClient",
    "AgentLost",
    "ContainerOutput",
    "Disconnected",
    "Event",
    "Executor",
    "ExecutorEvent",
    "ExecutorLost",
    "Framework",
    "InverseOffers",
    "MasterClient",
    "MasterEvents",
    "Message",
    "Offers",
    "OperationUpdate",
    "Rescinded",
    "RescindedInverse",
    "Resubscribed",
    "Subscribed",
    "Update",
]
