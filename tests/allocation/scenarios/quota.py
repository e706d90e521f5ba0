"""Guarantees and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.allocation.client import amounts, reservation
from tests.allocation.scenarios import scenario
from tests.allocation.scenarios.fairness import decline_all

if TYPE_CHECKING:
    from tests.allocation.stage import Stage


def quantities(text: str) -> dict[str, Any]:
    parts = (part.split(":") for part in text.split(";") if part)
    return {name: {"value": float(value)} for name, value in parts}


def quota(role: str, guarantees: str = "", limits: str = "") -> dict[str, Any]:
    return {"role": role, "guarantees": quantities(guarantees), "limits": quantities(limits)}


def assure(stage: Stage, *configs: dict[str, Any], force: bool = False) -> None:
    stage.operate("UPDATE_QUOTA", update_quota={"force": force, "quota_configs": list(configs)})


@scenario(fresh=True, shuffled=True, alike=True)
def a_limit_cuts_offers(stage: Stage) -> None:
    assure(stage, quota("x", "", "cpus:10;mem:1000"))
    a = stage.framework("a", "x")
    stage.step("a subscribes in x, which may have 10 cpus and 1000 MB")
    b = stage.framework("b", "y")
    stage.step("b subscribes in y")
    for _ in range(2):
        decline_all(a, b)
        stage.step("all is declined")


@scenario(fresh=True, shuffled=True, agents=1)
def a_limit_of_zero_lets_nothing_through(stage: Stage) -> None:
    assure(stage, quota("x", "", "gpus:0"), quota("y", "", "cpus:0"), quota("z", "", "disk:0;ports:0"))
    for name, role in (("a", "x"), ("b", "y"), ("c", "z")):
        framework = stage.framework(name, role)
        stage.step(f"{name} subscribes in {role}")
        framework.call("SUPPRESS")
        framework.decline()


@scenario(fresh=True, shuffled=True, agents=1)
def a_limit_is_used_up_by_tasks(stage: Stage) -> None:
    assure(stage, quota("x", "", "cpus:3"))
    a = stage.framework("a", "x")
    stage.step("a subscribes in x, which may have 3 cpus")
    a.launch(a.held()[0], "cpus:2;mem:64")
    stage.step("a runs a task with two", timed=False)
    a.launch(a.held()[0], "cpus:1;mem:64", task="u")
    stage.step("a runs a task with one", timed=False)
    a.kill("t")
    a.wait_for("t", "TASK_KILLED")
    stage.step("the first is killed", timed=False)


@scenario(fresh=True, shuffled=True, agents=1)
def a_limit_holds_for_no_children(stage: Stage) -> None:
    assure(stage, quota("x", "", "cpus:3"))
    a = stage.framework("a", "x/a")
    stage.step("a subscribes in x/a; x may have 3 cpus")
    a.launch(a.held()[0], "cpus:2;mem:64")
    stage.step("a runs a task with two", timed=False)
    b = stage.framework("b", "x/b")
    a.decline()
    stage.step("b subscribes in x/b; a declines")
    decline_all(a, b)
    stage.step("all is declined")


@scenario(fresh=True, shuffled=True, agents=1)
def a_limit_counts_reservations(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    offer = a.held()[0]
    made = amounts("cpus:2;mem:512", reservations=[reservation("x")], **offer.allocation)
    a.accept([offer], {"type": "RESERVE", "reserve": {"resources": made}})
    stage.step("a reserves 2 cpus")
    assure(stage, quota("x", "", "cpus:3"))
    stage.step("x may have 3 cpus", timed=False)
    a.decline()
    stage.step("a declines")


@scenario(fresh=True, shuffled=True, alike=True)
def a_guarantee_is_kept_free(stage: Stage) -> None:
    assure(stage, quota("x", "cpus:10;mem:1000"))
    a = stage.framework("a", "y")
    stage.step("a subscribes in y; x is guaranteed 10 cpus and 1000 MB")
    a.decline()
    b = stage.framework("b", "x")
    stage.step("b subscribes in x; a declines")
    decline_all(a, b)
    stage.step("all is declined")


@scenario(fresh=True, shuffled=True, agents=1)
def a_guarantee_is_kept_free_on_one_agent(stage: Stage) -> None:
    assure(stage, quota("x", "cpus:5"))
    a = stage.framework("a", "y")
    stage.step("a subscribes in y; x is guaranteed 5 cpus")
    a.decline()
    stage.step("a declines")


@scenario(fresh=True, shuffled=True, agents=1)
def a_guarantee_comes_before_shares(stage: Stage) -> None:
    a, b = stage.framework("a", "x"), stage.framework("b", "y")
    stage.step("a in x, b in y subscribe")
    a.launch(a.held()[0], "cpus:2;mem:64")
    stage.step("a runs a task with two cpus", timed=False)
    assure(stage, quota("x", "cpus:4;mem:128"))
    stage.step("x is guaranteed 4 cpus and 128 MB", timed=False)
    for _ in range(3):
        decline_all(a, b)
        stage.step("all is declined")


@scenario(fresh=True, shuffled=True, agents=1)
def a_guarantee_that_is_used_keeps_nothing_free(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    a.launch(a.held()[0], "cpus:2;mem:64")
    stage.step("a runs a task with two cpus", timed=False)
    assure(stage, quota("x", "cpus:2"))
    stage.step("x is guaranteed 2 cpus", timed=False)
    a.call("SUPPRESS")
    a.decline()
    stage.framework("b", "y")
    stage.step("a suppresses and declines, b subscribes in y")


@scenario(fresh=True, shuffled=True, agents=1)
def guarantee_and_limit(stage: Stage) -> None:
    assure(stage, quota("x", "cpus:2;mem:512", "cpus:3;mem:1024"))
    a, b = stage.framework("a", "x"), stage.framework("b", "y")
    stage.step("a in x, b in y subscribe; x is guaranteed 2 cpus and may have 3")
    for _ in range(3):
        decline_all(a, b)
        stage.step("all is declined")


@scenario(fresh=True, shuffled=True, agents=1)
def a_guarantee_is_given_up(stage: Stage) -> None:
    assure(stage, quota("x", "cpus:8;mem:8000"))
    a = stage.framework("a", "y")
    stage.step("a subscribes in y; x is guaranteed everything")
    assure(stage, quota("x"))
    stage.step("x is guaranteed nothing", timed=False)
    a.decline()
    stage.step("a declines")


@scenario(fresh=True, shuffled=True, alike=True)
def offers_are_rescinded_for_a_guarantee(stage: Stage) -> None:
    a = stage.framework("a", "y")
    stage.framework("b", "x", subscribe={"suppressed_roles": ["x"]})
    stage.step("a in y, b in x, suppressed, subscribe")
    assure(stage, quota("x", "cpus:4"))
    stage.step("x is guaranteed 4 cpus", timed=False)
    a.decline()
    stage.step("a declines")


@scenario(fresh=True, shuffled=True, agents=1)
def offers_are_rescinded_for_a_limit(stage: Stage) -> None:
    stage.framework("a", "x")
    stage.step("a subscribes in x")
    assure(stage, quota("x", "", "cpus:4"))
    stage.step("x may have 4 cpus", timed=False)


@scenario(fresh=True, shuffled=True)
def quota_as_of_old(stage: Stage) -> None:
    request = {"role": "x", "guarantee": amounts("cpus:2;mem:512")}
    stage.operate("SET_QUOTA", set_quota={"quota_request": request})
    a = stage.framework("a", "x")
    stage.step("a subscribes in x, whose quota is 2 cpus and 512 MB")
    stage.operate("SET_QUOTA", set_quota={"quota_request": request})
    stage.tell(stage.ask("GET_QUOTA"))
    stage.operate("REMOVE_QUOTA", remove_quota={"role": "x"})
    stage.step("the quota is removed", timed=False)
    a.decline()
    stage.step("a declines")
    stage.tell(stage.ask("GET_QUOTA"))


@scenario(fresh=True, shuffled=True)
def quotas_that_are_refused(stage: Stage) -> None:
    assure(stage, quota("x", "cpus:100"))
    assure(stage, quota("x", "cpus:4", "cpus:2"))
    assure(stage, quota("*", "cpus:1"))
    assure(stage, quota("-x", "cpus:1"))
    assure(stage, quota("x", "cpus:-1"))
    assure(stage, quota("x", "cpus:1"), quota("x", "cpus:2"))
    assure(stage, quota("x/a", "cpus:4"))
    assure(stage, quota("x", "cpus:1"), quota("x/a", "cpus:4"))
    assure(stage, quota("x", "cpus:6", "cpus:6"), quota("x/a", "cpus:4"), quota("x/b", "cpus:2", "cpus:8"))
    assure(stage, quota("x", "cpus:100"), force=True)
    stage.tell(stage.ask("GET_QUOTA"))


@scenario(fresh=True, shuffled=True, agents=1)
def a_guarantee_holds_for_no_children(stage: Stage) -> None:
    assure(stage, quota("x", "cpus:6", "cpus:7"))
    b, a = stage.framework("b", "x/b"), stage.framework("a", "x/a")
    c = stage.framework("c", "y")
    stage.step("b in x/b, a in x/a, c in y subscribe")
    for _ in range(3):
        decline_all(a, b, c)
        stage.step("all is declined")


@scenario(fresh=True, shuffled=True, agents=1)
def two_guarantees(stage: Stage) -> None:
    assure(stage, quota("x", "cpus:3;mem:1024"), quota("y", "cpus:3;mem:1024"))
    frameworks = [stage.framework(name, role) for name, role in (("a", "x"), ("b", "y"), ("c", "z"))]
    stage.step("a in x, b in y, c in z subscribe; x and y are guaranteed 3 cpus")
    for _ in range(4):
        decline_all(*frameworks)
        stage.step("all is declined")
