"""What a framework is told, as in ``mesos.v1.scheduler.Event``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesos.v1.interface import mesos_pb2


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The framework is registered with a master that did not know it before."""

    framework_id: mesos_pb2.FrameworkID
    master: mesos_pb2.MasterInfo


@dataclass(frozen=True, slots=True)
class Resubscribed:
    """The framework is connected again. It keeps its id, and its tasks go on."""

    master: mesos_pb2.MasterInfo


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection to the master is lost. All offers are invalid; the framework subscribes again by itself."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Resources are offered, on one or more agents. Each offer is to be accepted or declined."""

    offers: list[mesos_pb2.Offer]


@dataclass(frozen=True, slots=True)
class InverseOffers:
    """Agents are about to be maintained: the master asks for their resources back."""

    inverse_offers: list[mesos_pb2.InverseOffer]


@dataclass(frozen=True, slots=True)
class Rescinded:
    """An offer is no longer valid."""

    offer_id: mesos_pb2.OfferID


@dataclass(frozen=True, slots=True)
class RescindedInverse:
    """An inverse offer is no longer valid."""

    inverse_offer_id: mesos_pb2.OfferID


@dataclass(frozen=True, slots=True)
class Update:
    """The status of a task. With implicit acknowledgements it is acknowledged when the next event is asked for."""

    status: mesos_pb2.TaskStatus


@dataclass(frozen=True, slots=True)
class OperationUpdate:
    """The status of an operation that has an id; to be acknowledged with ``acknowledge_operation``."""

    status: mesos_pb2.OperationStatus


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes from an executor."""

    agent_id: mesos_pb2.AgentID
    executor_id: mesos_pb2.ExecutorID
    data: bytes


@dataclass(frozen=True, slots=True)
class AgentLost:
    """An agent is gone; its tasks are reported by updates."""

    agent_id: mesos_pb2.AgentID


@dataclass(frozen=True, slots=True)
class ExecutorLost:
    """An executor has ended. ``status`` is as wait(2) gives it."""

    agent_id: mesos_pb2.AgentID
    executor_id: mesos_pb2.ExecutorID
    status: int


Event: TypeAlias = (
    Subscribed
    | Resubscribed
    | Disconnected
    | Offers
    | InverseOffers
    | Rescinded
    | RescindedInverse
    | Update
    | OperationUpdate
    | Message
    | AgentLost
    | ExecutorLost
)
"""Any event of a framework."""

# By the name of the callback in the classic API, and with its arguments.
MAKERS: dict[str, Callable[..., Any]] = {
    "registered": Subscribed,
    "reregistered": Resubscribed,
    "disconnected": Disconnected,
    "resourceOffers": Offers,
    "inverseOffers": InverseOffers,
    "offerRescinded": Rescinded,
    "inverseOfferRescinded": RescindedInverse,
    "statusUpdate": Update,
    "operationUpdate": OperationUpdate,
    "frameworkMessage": lambda executor_id, agent_id, data: Message(agent_id, executor_id, data),
    "slaveLost": AgentLost,
    "executorLost": lambda executor_id, agent_id, status: ExecutorLost(agent_id, executor_id, status),
}
