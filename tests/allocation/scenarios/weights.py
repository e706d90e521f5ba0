"""Weights of roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.allocation.scenarios import scenario
from tests.allocation.scenarios.fairness import decline_all

if TYPE_CHECKING:
    from tests.allocation.client import Framework
    from tests.allocation.stage import Stage


def weigh(stage: Stage, **weights: float) -> None:
    infos = [{"role": role.replace("_", "/"), "weight": weight} for role, weight in weights.items()]
    stage.operate("UPDATE_WEIGHTS", update_weights={"weight_infos": infos})


def unequal(stage: Stage, x: str = "x", y: str = "y") -> list[Framework]:
    """A framework with half of the cpus, and one with a quarter."""
    a = stage.framework("a", x)
    stage.step(f"a subscribes in {x}")
    a.launch(a.held()[0], "cpus:4;mem:64")
    stage.step("a runs a task with four cpus", timed=False)
    b = stage.framework("b", y)
    a.decline()
    stage.step(f"b subscribes in {y}; a declines")
    b.launch(b.held()[0], "cpus:2;mem:64", task="u")
    stage.step("b runs a task with two cpus", timed=False)
    return [a, b]


@scenario(flags={"MESOS_WEIGHTS": "x=4,y=1"}, agents=1)
def weights_of_the_flag(stage: Stage) -> None:
    both = unequal(stage)
    for _ in range(3):
        decline_all(*both)
        stage.step("all is declined")


@scenario(fresh=True, agents=1)
def weights_of_an_operator(stage: Stage) -> None:
    both = unequal(stage)
    decline_all(*both)
    stage.step("all is declined")
    weigh(stage, x=4)
    stage.step("x gets the weight 4", timed=False)
    for _ in range(2):
        decline_all(*both)
        stage.step("all is declined")
    weigh(stage, x=0.5)
    stage.step("x gets the weight 0.5", timed=False)
    for _ in range(2):
        decline_all(*both)
        stage.step("all is declined")
    stage.tell(stage.ask("GET_WEIGHTS"))


@scenario(fresh=True, agents=1)
def weights_of_parents(stage: Stage) -> None:
    weigh(stage, x=4, x_a=0.01)
    both = unequal(stage, "x/a", "y/b")
    for _ in range(3):
        decline_all(*both)
        stage.step("x has the weight 4, x/a 0.01; all is declined")


@scenario(fresh=True, agents=1)
def weights_of_parents_that_are_there_already(stage: Stage) -> None:
    both = unequal(stage, "x/a", "y/b")
    weigh(stage, x=4)
    stage.step("x gets the weight 4", timed=False)
    for _ in range(3):
        decline_all(*both)
        stage.step("all is declined")


@scenario(fresh=True, agents=1)
def weights_of_siblings(stage: Stage) -> None:
    both = unequal(stage, "x/a", "x/b")
    weigh(stage, x_a=4)
    stage.step("x/a gets the weight 4", timed=False)
    for _ in range(3):
        decline_all(*both)
        stage.step("all is declined")


@scenario(fresh=True, alike=True)
def offers_are_rescinded_when_weights_change(stage: Stage) -> None:
    stage.framework("a", "x")
    stage.step("a subscribes in x")
    weigh(stage, x=2)
    stage.step("x gets the weight 2", timed=False)
    stage.framework("b", "y")
    weigh(stage, z=2)
    stage.step("z, where nobody is, gets the weight 2", timed=False)


@scenario(fresh=True)
def weights_that_are_refused(stage: Stage) -> None:
    weigh(stage, x=0)
    weigh(stage, x=-1)
    stage.operate("UPDATE_WEIGHTS", update_weights={"weight_infos": [{"role": "-x", "weight": 1}]})
    stage.operate("UPDATE_WEIGHTS", update_weights={"weight_infos": [{"weight": 1}]})
    stage.tell(stage.ask("GET_WEIGHTS"))
