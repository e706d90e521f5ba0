"""The framework API for asyncio: events to iterate over, and calls to await.

Messages are those of :mod:`mesos.v1.interface`: an agent has an ``agent_id``, as in Mesos' v1 API.
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

__all__ = [
    "AgentLost",
    "Disconnected",
    "Event",
    "Executor",
    "ExecutorEvent",
    "ExecutorLost",
    "Framework",
    "InverseOffers",
    "Message",
    "Offers",
    "OperationUpdate",
    "Rescinded",
    "RescindedInverse",
    "Resubscribed",
    "Subscribed",
    "Update",
]
