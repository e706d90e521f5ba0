"""What offers contain, and what decides whether there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.allocation.client import amounts, launching, scalar, task_on
from tests.allocation.scenarios import scenario
from tests.allocation.scenarios.fairness import decline_all

if TYPE_CHECKING:
    from tests.allocation.client import Offer
    from tests.allocation.stage import Stage

GPUS = {"MESOS_RESOURCES": "cpus:8;gpus:2;mem:8192;disk:20000;ports:[31000-32000]"}
DOMAIN = '{"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}'


def contents(offer: Offer) -> dict[str, Any]:
    """All of an offer but what differs from cluster to cluster."""
    masked = {"id", "framework_id", "agent_id"}
    made: dict[str, Any] = {key: "..." if key in masked else value for key, value in offer.whole.items()}
    made["url"] = {**made["url"], "address": "...", "path": made["url"]["path"].replace("2", "1")}
    return made


@scenario(flags={"MESOS_HOSTNAME": "localhost", "MESOS_ATTRIBUTES": "rack:a;level:[1-3];weight:2.5"})
def the_contents_of_an_offer(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    stage.tell(contents(a.held()[0]))


@scenario(flags={"MESOS_HOSTNAME": "localhost", "MESOS_DOMAIN": DOMAIN})
def the_contents_of_an_offer_without_capabilities(stage: Stage) -> None:
    a = stage.prepared("a", only=())
    stage.connect(a)
    stage.step("a subscribes without capabilities")
    stage.tell(contents(a.held()[0]))


@scenario(flags={"MESOS_RESOURCES": "ports:[31000-31009];mem:1024;tokens:3;sets:{a,b};cpus:2;disk:1000"})
def the_order_of_resources(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    offer = a.held()[0]
    ports = {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31004, "end": 31005}]}}
    some = {"name": "sets", "type": "SET", "set": {"item": ["b"]}}
    taken = [*amounts("cpus:0.1;mem:32;tokens:1", **offer.allocation)]
    taken += [{**ports, **offer.allocation}, {**some, **offer.allocation}]
    a.launch(offer, taken)
    stage.step("a runs a task on some of all", timed=False)
    a.kill()
    a.wait_for("t", "TASK_KILLED")
    a.decline()
    stage.step("the task is killed; a declines", timed=False)


@scenario(flags={"MESOS_RESOURCES": "cpus:4;mem:1024;disk:0;ports:[]"})
def resources_of_nothing(stage: Stage) -> None:
    stage.framework("a")
    stage.step("a subscribes")


@scenario(agents=1)
def fractions_of_resources(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    for number, text in enumerate(("cpus:0.1;mem:32.1", "cpus:0.2;mem:32.01", "cpus:0.001;mem:0.001")):
        a.launch(a.held()[0], text, task=str(number))
        stage.step(f"a runs a task with {text}", timed=False)


@scenario(agents=1)
def leftovers_that_are_too_small(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0], "cpus:7.995;mem:8170")
    stage.step("a leaves 0.005 cpus and 22 MB", timed=False)


@scenario(agents=1)
def leftovers_with_enough_memory(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0], "cpus:7.995;mem:8160")
    stage.step("a leaves 0.005 cpus and 32 MB", timed=False)


@scenario(flags={"MESOS_MIN_ALLOCATABLE_RESOURCES": "cpus:2;mem:1024|disk:30000"}, agents=1)
def less_than_min_allocatable_resources(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0], "cpus:6;mem:64")
    stage.step("a leaves two cpus", timed=False)
    a.launch(a.held()[0], "cpus:1;mem:64", task="u")
    stage.step("a leaves one", timed=False)


@scenario(agents=1)
def a_framework_wants_min_allocatable_resources_of_its_own(stage: Stage) -> None:
    filters = {"x": {"min_allocatable_resources": {"quantities": [{"quantities": {"cpus": {"value": 4}}}]}}}
    a = stage.framework("a", "x", info={"offer_filters": filters})
    stage.step("a subscribes in x and wants four cpus or nothing")
    a.launch(a.held()[0], "cpus:5;mem:64")
    stage.step("a leaves three", timed=False)
    stage.framework("b", "x")
    stage.step("b subscribes in x")


@scenario(flags=GPUS, agents=1)
def gpus_need_the_capability(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes without GPU_RESOURCES")
    b = stage.framework("b", with_=("GPU_RESOURCES",))
    stage.step("b subscribes with it")
    decline_all(a, b)
    stage.step("all is declined")


@scenario(flags={**GPUS, "MESOS_FILTER_GPU_RESOURCES": "false"}, agents=1)
def gpus_for_everybody(stage: Stage) -> None:
    stage.framework("a")
    stage.step("a subscribes without GPU_RESOURCES")


@scenario(flags={"MESOS_OFFER_TIMEOUT": "2secs"})
def offers_time_out(stage: Stage) -> None:
    stage.framework("a")
    stage.step("a subscribes", intervals=4)


@scenario(flags={"MESOS_OFFER_TIMEOUT": "2secs"}, agents=1)
def what_times_out_is_offered_to_the_next(stage: Stage) -> None:
    stage.framework("a")
    stage.framework("b")
    stage.step("a and b subscribe", intervals=4)


@scenario()
def revocable_resources_are_not_there(stage: Stage) -> None:
    stage.framework("a", with_=("REVOCABLE_RESOURCES",))
    stage.step("a subscribes with REVOCABLE_RESOURCES")


@scenario(agents=1)
def resources_are_requested(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.decline(1000)
    a.call("REQUEST", request={"requests": [{"resources": [scalar("cpus", 1)]}]})
    stage.step("a declines for long and requests")


@scenario(flags={"MESOS_ROLES": "x,z"})
def roles_that_are_not_listed(stage: Stage) -> None:
    stage.framework("a", "x")
    stage.framework("b", "y")
    stage.framework("c", "*")
    stage.step("a in x, b in y, c in * subscribe")


@scenario(agents=1)
def an_accept_without_operations_declines(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.accept(a.held(), seconds=0)
    stage.step("a accepts for nothing")
    a.accept(a.held(), seconds=1000)
    stage.step("a accepts for nothing, and refuses for long")


@scenario(agents=1)
def offers_of_one_agent_are_used_together(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0], "cpus:2;mem:64")
    stage.step("a runs a task with two cpus", timed=False)
    a.kill()
    a.wait_for("t", "TASK_KILLED")
    stage.step("it is killed", timed=False)
    offers = a.held()
    a.accept(offers, launching(task_on(offers[0], "cpus:7;mem:64", "u", command={"value": "exec sleep 9"})))
    a.wait_for("u", "TASK_RUNNING")
    stage.step("a runs a task on two offers", timed=False)
