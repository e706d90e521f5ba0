"""Persistent volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.allocation.client import amounts, reservation, scalar, volume
from tests.allocation.scenarios import scenario

if TYPE_CHECKING:
    from tests.allocation.client import Framework, Offer
    from tests.allocation.stage import Stage

X = reservation("x")


def made(offer: Offer, size: float, **fields: Any) -> dict[str, Any]:
    return volume(size, X, **fields, **offer.allocation)


def create(*volumes: dict[str, Any]) -> dict[str, Any]:
    return {"type": "CREATE", "create": {"volumes": list(volumes)}}


def destroy(*volumes: dict[str, Any]) -> dict[str, Any]:
    return {"type": "DESTROY", "destroy": {"volumes": list(volumes)}}


def reserve(offer: Offer, text: str) -> dict[str, Any]:
    return {"type": "RESERVE", "reserve": {"resources": amounts(text, reservations=[X], **offer.allocation)}}


def with_a_volume(stage: Stage, **fields: Any) -> tuple[Framework, Offer]:
    """A framework in x that made a volume of 512 MB in 1024 MB reserved."""
    a = stage.framework("a", "x", with_=("SHARED_RESOURCES",))
    stage.step("a subscribes in x")
    offer = a.held()[0]
    a.accept([offer], reserve(offer, "cpus:1;disk:1024"), create(made(offer, 512, **fields)))
    stage.step("a reserves and makes a volume")
    return a, a.held(agent=offer)[0]


@scenario(fresh=True)
def a_volume_is_made_and_destroyed(stage: Stage) -> None:
    a, offer = with_a_volume(stage)
    a.accept([offer], destroy(made(offer, 512)))
    stage.step("a destroys it")


@scenario(fresh=True)
def a_volume_grows(stage: Stage) -> None:
    a, offer = with_a_volume(stage)
    addition = scalar("disk", 128, reservations=[X], **offer.allocation)
    a.accept([offer], {"type": "GROW_VOLUME", "grow_volume": {"volume": made(offer, 512), "addition": addition}})
    stage.step("it grows by 128 MB")


@scenario(fresh=True)
def a_volume_shrinks(stage: Stage) -> None:
    a, offer = with_a_volume(stage)
    call = {"volume": made(offer, 512), "subtract": {"value": 128}}
    a.accept([offer], {"type": "SHRINK_VOLUME", "shrink_volume": call})
    stage.step("it shrinks by 128 MB")


@scenario(fresh=True, agents=1)
def a_volume_is_offered_to_its_role(stage: Stage) -> None:
    a, _ = with_a_volume(stage)
    a.decline(1000)
    b = stage.framework("b", "y")
    stage.step("b subscribes in y; a declines for long")
    b.decline(1000)
    stage.framework("c", "x")
    stage.step("b declines for long; c subscribes in x")


@scenario(fresh=True, agents=1)
def a_shared_volume_is_offered_to_two(stage: Stage) -> None:
    a, offer = with_a_volume(stage, shared={})
    taken = [*amounts("mem:64", **offer.allocation), made(offer, 512, shared={})]
    taken += amounts("cpus:0.5", reservations=[X], **offer.allocation)
    a.call("SUPPRESS")
    a.launch(offer, taken)
    stage.step("a suppresses and runs a task on it", timed=False)
    b = stage.framework("b", "x", with_=("SHARED_RESOURCES",))
    stage.step("b subscribes in x")
    b.decline(1000)
    stage.framework("c", "x")
    stage.step("b declines for long; c subscribes in x without SHARED_RESOURCES")


@scenario(fresh=True, agents=1)
def a_shared_volume_in_use_is_not_destroyed(stage: Stage) -> None:
    a, offer = with_a_volume(stage, shared={})
    taken = [*amounts("mem:64", **offer.allocation), made(offer, 512, shared={})]
    taken += amounts("cpus:0.5", reservations=[X], **offer.allocation)
    a.launch(offer, taken)
    stage.step("a runs a task on it", timed=False)
    offer = a.held()[0]
    a.accept([offer], destroy(made(offer, 512, shared={})))
    stage.step("a destroys it")


@scenario(fresh=True, agents=1)
def an_operator_makes_a_volume(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    offer = a.held()[0]
    a.call("SUPPRESS")
    a.accept([offer], reserve(offer, "cpus:1;disk:1024"))
    stage.step("a suppresses and reserves")
    body = {"agent_id": offer.agent_id, "volumes": [volume(512, X)]}
    stage.operate("CREATE_VOLUMES", create_volumes=body)
    stage.step("an operator makes a volume", timed=False)
    a.call("REVIVE")
    stage.step("a revives")
    stage.operate("DESTROY_VOLUMES", destroy_volumes=body)
    stage.step("an operator destroys it while it is offered", timed=False)
