"""The events of a framework, with the names and the messages of the v1 API."""

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
    """The connection to the master is lost. All offers are invalid. The framework subscribes again by itself."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Resources are offered. Until an offer is accepted or declined, nobody else receives what it holds."""

    offers: list[mesos_pb2.Offer]


@dataclass(frozen=True, slots=True)
class InverseOffers:
    """Agents are about to be maintained, and the master asks for their resources back."""

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
    """A task's state has changed."""

    status: mesos_pb2.TaskStatus


@dataclass(frozen=True, slots=True)
class OperationUpdate:
    """The status of an operation that has an id. It comes again until ``acknowledge_operation`` is called."""

    status: mesos_pb2.OperationStatus


@dataclass(frozen=True, slots=True)
class Message:
    """An executor has sent a message. Delivery is best effort."""

    agent_id: mesos_pb2.AgentID
    executor_id: mesos_pb2.ExecutorID
    data: bytes


@dataclass(frozen=True, slots=True)
class AgentLost:
    """An agent is lost. Updates report its tasks."""

    agent_id: mesos_pb2.AgentID


@dataclass(frozen=True, slots=True)
class ExecutorLost:
    """An executor has ended. ``status`` is as returned by wait(2) (exit status 1 is 256), or -1 if it is unknown."""

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
"""An event of a :class:`mesos.aio.Framework`."""

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
"""What makes an event, for each callback of the classic API and with the callback's arguments."""
