"""Reserved resources: how they come to be, and who is offered them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.allocation.client import amounts, reservation
from tests.allocation.scenarios import scenario

if TYPE_CHECKING:
    from tests.allocation.client import Offer
    from tests.allocation.stage import Stage

STATIC = "cpus:2;cpus(x):4;mem:2048;mem(x):1024;disk:1000;ports:[31000-31009]"
IN_A_TREE = "cpus:2;cpus(x):4;cpus(x/a):1;mem:2048;mem(x):1024;mem(x/a):512;disk:1000;ports:[31000-31009]"


def reserve(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "RESERVE", "reserve": {"resources": resources}}


def unreserve(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "UNRESERVE", "unreserve": {"resources": resources}}


def reserved(offer: Offer, text: str, *roles: str) -> list[dict[str, Any]]:
    """Resources of an offer, as they are reserved for these roles."""
    return amounts(text, reservations=[reservation(role) for role in roles], **offer.allocation)


@scenario(fresh=True, agents=1)
def a_framework_reserves(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    offer = a.held()[0]
    a.accept([offer], reserve(reserved(offer, "cpus:2;mem:512", "x")))
    stage.step("a reserves")
    a.decline()
    b = stage.framework("b", "y")
    stage.step("b subscribes in y; a declines")
    b.decline()
    a.decline()
    stage.step("all is declined")


@scenario(fresh=True)
def a_framework_reserves_and_unreserves(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    offer = a.held()[0]
    a.accept([offer], reserve(reserved(offer, "cpus:2;mem:512", "x")))
    stage.step("a reserves")
    offer = a.held(agent=offer)[0]
    a.accept([offer], unreserve(reserved(offer, "cpus:1;mem:512", "x")))
    stage.step("a unreserves some of it")


@scenario(fresh=True)
def a_reservation_for_another_role_than_the_offer_s(stage: Stage) -> None:
    a = stage.framework("a", "x/a")
    stage.step("a subscribes in x/a")
    offer = a.held()[0]
    a.accept([offer], reserve(reserved(offer, "cpus:4;mem:1024", "x")))
    stage.step("a reserves for x what is allocated to x/a")


@scenario(fresh=True, agents=1)
def what_is_reserved_for_a_role_is_offered_to_its_children(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    offer = a.held()[0]
    a.accept([offer], reserve(reserved(offer, "cpus:2;mem:512", "x")))
    stage.step("a reserves")
    a.decline(1000)
    b = stage.framework("b", "x/b")
    stage.step("b subscribes in x/b; a declines for long")
    offer = b.held()[0]
    b.accept([offer], reserve(reserved(offer, "cpus:1;mem:256", "x", "x/b")))
    stage.step("b refines the reservation")
    b.decline(1000)
    stage.step("b declines for long")
    a.call("REVIVE")
    stage.step("a revives")


@scenario(fresh=True)
def an_operator_reserves_what_is_free(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    agent = a.held()[0].agent_id
    a.decline(1000)
    stage.step("a declines for long")
    resources = amounts("cpus:2;mem:512", reservations=[reservation("x")])
    stage.operate("RESERVE_RESOURCES", reserve_resources={"agent_id": agent, "resources": resources})
    stage.step("an operator reserves", timed=False)
    a.decline(1000)
    stage.operate("UNRESERVE_RESOURCES", unreserve_resources={"agent_id": agent, "resources": resources})
    stage.step("an operator unreserves; a declines for long", timed=False)


@scenario(fresh=True)
def an_operator_reserves_what_is_offered(stage: Stage) -> None:
    a = stage.framework("a", "y")
    stage.step("a subscribes in y")
    agent = a.held()[0].agent_id
    resources = amounts("cpus:2;mem:512", reservations=[reservation("x")])
    stage.operate("RESERVE_RESOURCES", reserve_resources={"agent_id": agent, "resources": resources})
    stage.step("an operator reserves for x", timed=False)
    stage.framework("b", "x")
    stage.step("b subscribes in x")


@scenario(fresh=True)
def an_operator_reserves_too_much(stage: Stage) -> None:
    a = stage.framework("a", "y")
    stage.step("a subscribes in y")
    agent = a.held()[0].agent_id
    resources = amounts("cpus:20;mem:512", reservations=[reservation("x")])
    stage.operate("RESERVE_RESOURCES", reserve_resources={"agent_id": agent, "resources": resources})
    stage.step("an operator reserves more than there is", timed=False)


@scenario(fresh=True, agents=1)
def a_task_on_reserved_resources(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    offer = a.held()[0]
    a.accept([offer], reserve(reserved(offer, "cpus:2;mem:512", "x")))
    stage.step("a reserves")
    offer = a.held()[0]
    a.launch(offer, reserved(offer, "cpus:1;mem:64", "x"))
    stage.step("a runs a task on some of it", timed=False)
    b = stage.framework("b", "y")
    a.decline()
    stage.step("b subscribes in y; a declines")
    a.decline()
    b.decline()
    a.kill()
    a.wait_for("t", "TASK_KILLED")
    stage.step("the task is killed; all is declined", timed=False)


@scenario(fresh=True, agents=1)
def reservations_count_for_the_share_only_if_used(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    offer = a.held()[0]
    a.accept([offer], reserve(reserved(offer, "cpus:4;mem:512", "x")), seconds=1000)
    stage.step("a reserves, and refuses all for long")
    b = stage.framework("b", "y")
    stage.step("b subscribes in y")
    for _ in range(3):
        a.call("REVIVE")
        a.decline()
        b.decline()
        stage.step("all is declined")


@scenario(flags={"MESOS_RESOURCES": STATIC}, agents=1)
def static_reservations(stage: Stage) -> None:
    a = stage.framework("a", "y")
    stage.step("a subscribes in y")
    b = stage.framework("b", "x")
    stage.step("b subscribes in x")
    for _ in range(2):
        a.decline()
        b.decline()
        stage.step("all is declined")


@scenario(flags={"MESOS_RESOURCES": IN_A_TREE}, agents=1)
def static_reservations_in_a_tree(stage: Stage) -> None:
    a = stage.framework("a", "x/a")
    stage.step("a subscribes in x/a")
    a.decline(1000)
    stage.step("a declines for long")
    b = stage.framework("b", "x")
    stage.step("b subscribes in x")
    b.decline(1000)
    stage.framework("c", "x/a/b")
    stage.step("b declines for long; c subscribes in x/a/b")


@scenario(flags={"MESOS_RESOURCES": IN_A_TREE}, agents=1)
def without_reservation_refinement_reservations_have_a_role(stage: Stage) -> None:
    stage.connect(stage.prepared("a", "x", only=("MULTI_ROLE",)))
    stage.step("a subscribes in x without RESERVATION_REFINEMENT")
    stage.connect(stage.prepared("b", "x/a", only=("MULTI_ROLE",)))
    stage.step("b in x/a, too")


@scenario(fresh=True, agents=1)
def refined_reservations_need_the_capability(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    offer = a.held()[0]
    a.accept([offer], reserve(reserved(offer, "cpus:4;mem:1024", "x")))
    stage.step("a reserves for x")
    a.call("SUPPRESS")
    a.decline()
    b = stage.framework("b", "x/b")
    stage.step("a suppresses and declines, b subscribes in x/b")
    offer = b.held()[0]
    b.call("SUPPRESS")
    b.accept([offer], reserve(reserved(offer, "cpus:2;mem:512", "x", "x/b")))
    stage.step("b suppresses and refines the reservation")
    c = stage.prepared("c", "x/b", only=("MULTI_ROLE",))
    stage.connect(c)
    stage.step("c subscribes in x/b without RESERVATION_REFINEMENT")
    c.decline(1000)
    b.call("REVIVE")
    stage.step("c declines for long, b revives")


@scenario(fresh=True, agents=1)
def a_framework_without_multi_role_is_offered_what_is_reserved(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    offer = a.held()[0]
    a.call("SUPPRESS")
    a.accept([offer], reserve(reserved(offer, "cpus:4;mem:1024", "x")))
    stage.step("a suppresses and reserves for x")
    stage.connect(stage.prepared("b", "x", only=()))
    stage.step("b subscribes in x without any capability")
