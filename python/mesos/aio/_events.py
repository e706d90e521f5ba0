"""The events of frameworks and executors, with the names and the messages of the v1 API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesos.v1.interface import mesos_pb2


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The framework has subscribed to a master that did not know it."""

    framework_id: mesos_pb2.FrameworkID
    master_info: mesos_pb2.MasterInfo


@dataclass(frozen=True, slots=True)
class Resubscribed:
    """The framework has subscribed again, to a newly elected master or after a lost connection."""

    master_info: mesos_pb2.MasterInfo


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection to the master, or to the agent, is lost. It is made again."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Resources are offered. Until an offer is accepted or declined, nobody else receives what it holds."""

    offers: list[mesos_pb2.Offer]


@dataclass(frozen=True, slots=True)
class Rescinded:
    """An offer is no longer valid."""

    offer_id: mesos_pb2.OfferID


@dataclass(frozen=True, slots=True)
class Update:
    """A task's state has changed."""

    status: mesos_pb2.TaskStatus


@dataclass(frozen=True, slots=True)
class Message:
    """An executor has sent a message. Delivery is best effort."""

    executor_id: mesos_pb2.ExecutorID
    agent_id: mesos_pb2.AgentID
    data: bytes


@dataclass(frozen=True, slots=True)
class AgentLost:
    """An agent is lost. Updates report its tasks."""

    agent_id: mesos_pb2.AgentID


@dataclass(frozen=True, slots=True)
class ExecutorLost:
    """An executor has ended. ``status`` is as returned by wait(2) (exit status 1 is 256), or -1 if it is unknown."""

    executor_id: mesos_pb2.ExecutorID
    agent_id: mesos_pb2.AgentID
    status: int


Event: TypeAlias = (
    Subscribed | Resubscribed | Disconnected | Offers | Rescinded | Update | Message | AgentLost | ExecutorLost
)
"""An event of a :class:`mesos.aio.Framework`."""


@dataclass(frozen=True, slots=True)
class ExecutorSubscribed:
    """The executor has subscribed to its agent."""

    executor_info: mesos_pb2.ExecutorInfo
    framework_info: mesos_pb2.FrameworkInfo
    agent_info: mesos_pb2.AgentInfo


@dataclass(frozen=True, slots=True)
class ExecutorResubscribed:
    """The executor has subscribed again, to an agent that was restarted or after a lost connection."""

    agent_info: mesos_pb2.AgentInfo


@dataclass(frozen=True, slots=True)
class Launch:
    """The executor is to run a task."""

    task: mesos_pb2.TaskInfo


@dataclass(frozen=True, slots=True)
class Kill:
    """The executor is to kill a task."""

    task_id: mesos_pb2.TaskID
    kill_policy: mesos_pb2.KillPolicy | None


@dataclass(frozen=True, slots=True)
class FrameworkMessage:
    """The framework has sent a message. Delivery is best effort."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The executor is to kill its tasks and to end. This is its last event."""


ExecutorEvent: TypeAlias = (
    ExecutorSubscribed | ExecutorResubscribed | Disconnected | Launch | Kill | FrameworkMessage | Shutdown
)
"""An event of a :class:`mesos.aio.Executor`."""

OF_FRAMEWORK: dict[str, Callable[..., Any]] = {
    "registered": Subscribed,
    "reregistered": Resubscribed,
    "disconnected": Disconnected,
    "resourceOffers": Offers,
    "offerRescinded": Rescinded,
    "statusUpdate": Update,
    "frameworkMessage": Message,
    "slaveLost": AgentLost,
    "executorLost": ExecutorLost,
}
"""The class of a framework's event for each callback of the classic API."""

OF_EXECUTOR: dict[str, Callable[..., Any]] = {
    "registered": ExecutorSubscribed,
    "reregistered": ExecutorResubscribed,
    "disconnected": Disconnected,
    "launchTask": Launch,
    "killTask": Kill,
    "frameworkMessage": FrameworkMessage,
    "shutdown": Shutdown,
}
"""The class of an executor's event for each callback of the classic API."""
