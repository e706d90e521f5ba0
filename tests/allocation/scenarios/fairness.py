"""Who is served first: among equals, among unequals, by roles."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.allocation.scenarios import scenario

if TYPE_CHECKING:
    from tests.allocation.client import Framework
    from tests.allocation.stage import Stage


def decline_all(*frameworks: Framework) -> None:
    for framework in frameworks:
        if framework.held():
            framework.decline()


@scenario()
def one_framework_gets_everything_at_once(stage: Stage) -> None:
    stage.framework("a")
    stage.step("a subscribes")


@scenario()
def offers_are_declined_for_no_time(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.decline()
    stage.step("a declines")
    a.decline()
    stage.step("a declines again")


@scenario(alike=True)
def two_equals_take_turns(stage: Stage) -> None:
    both = stage.framework("a"), stage.framework("b")
    stage.step("a and b subscribe")
    for _ in range(4):
        decline_all(*both)
        stage.step("all is declined")


@scenario(alike=True)
def three_equals_take_turns(stage: Stage) -> None:
    three = [stage.framework(name) for name in "abc"]
    stage.step("a, b and c subscribe")
    for _ in range(6):
        decline_all(*three)
        stage.step("all is declined")


@scenario(agents=1)
def three_equals_take_turns_on_one_agent(stage: Stage) -> None:
    three = [stage.framework(name) for name in "abc"]
    stage.step("a, b and c subscribe")
    for _ in range(7):
        decline_all(*three)
        stage.step("all is declined")


@scenario()
def three_equals_in_twelve_batches(stage: Stage) -> None:
    three = [stage.framework(name) for name in "abc"]
    got: Counter[str] = Counter()
    for _ in range(12):
        stage.quiet()
        got.update({framework.name: len(framework.held()) for framework in three})
        decline_all(*three)
    shares = "equal" if max(got.values()) - min(got.values()) <= 1 else got
    stage.say(f"{sum(got.values())} offers; the shares are {shares}")


@scenario(agents=1)
def three_equals_of_three_roles(stage: Stage) -> None:
    three = [stage.framework(name, role) for name, role in (("a", "z"), ("b", "y"), ("c", "x"))]
    stage.step("a in role z, b in y and c in x subscribe")
    for _ in range(6):
        decline_all(*three)
        stage.step("all is declined")


@scenario(alike=True)
def a_newcomer_is_served_first(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    for _ in range(2):
        a.decline()
        stage.step("a declines")
    stage.framework("b")
    stage.step("b subscribes: nothing is left")
    a.decline()
    stage.step("a declines")


@scenario(alike=True)
def who_holds_an_offer_has_its_share(stage: Stage) -> None:
    a, b = stage.framework("a"), stage.framework("b")
    stage.step("a and b subscribe")
    a.decline(offers=a.held()[:1])
    stage.step("a declines one of two")
    for _ in range(2):
        b.decline()
        stage.step("b declines it")


@scenario(agents=1)
def who_runs_a_task_has_its_share(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0], "cpus:2;mem:64")
    stage.step("a runs a task", timed=False)
    b = stage.framework("b")
    for _ in range(4):
        decline_all(a, b)
        stage.step("b is there; all is declined")


@scenario(agents=1)
def the_dominant_share_counts(stage: Stage) -> None:
    a = stage.framework("a", "a")
    stage.step("a subscribes")
    a.launch(a.held()[0], "cpus:1;mem:4096")
    stage.step("a runs a task with half of the memory", timed=False)
    b = stage.framework("b", "b")
    a.decline()
    stage.step("b is there; a declines")
    b.launch(b.held()[0], "cpus:3;mem:64", task="u")
    stage.step("b runs a task with three cpus", timed=False)
    for _ in range(3):
        decline_all(a, b)
        stage.step("all is declined")


@scenario(agents=1)
def roles_come_before_frameworks(stage: Stage) -> None:
    frameworks = [stage.framework(name, role) for name, role in (("a", "x"), ("b", "x"), ("c", "y"))]
    stage.step("a and b in role x, c in y subscribe")
    for _ in range(7):
        decline_all(*frameworks)
        stage.step("all is declined")


@scenario(agents=1)
def the_use_of_a_suppressed_framework_counts_for_its_role(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    a.launch(a.held()[0], "cpus:2;mem:64")
    stage.step("a runs a task", timed=False)
    a.call("SUPPRESS")
    a.decline()
    stage.step("a suppresses and declines")
    b, c = stage.framework("b", "x"), stage.framework("c", "y")
    stage.step("b in x and c in y subscribe")
    for _ in range(4):
        decline_all(b, c)
        stage.step("all is declined")


@scenario(agents=1)
def a_suppressed_framework_takes_no_turn(stage: Stage) -> None:
    frameworks = [stage.framework(name) for name in "abc"]
    stage.step("a, b and c subscribe")
    frameworks[1].call("SUPPRESS")
    for _ in range(3):
        decline_all(*frameworks)
        stage.step("b suppresses; all is declined")
    frameworks[1].call("REVIVE")
    for _ in range(3):
        decline_all(*frameworks)
        stage.step("b revives; all is declined")


@scenario(agents=1)
def one_framework_in_two_roles_takes_turns(stage: Stage) -> None:
    a = stage.framework("a", "x", "y")
    stage.step("a subscribes in x and y")
    for _ in range(4):
        a.decline()
        stage.step("all is declined")


@scenario(alike=True)
def one_framework_in_two_roles(stage: Stage) -> None:
    a = stage.framework("a", "x", "y")
    stage.step("a subscribes in x and y")
    for _ in range(2):
        a.decline()
        stage.step("all is declined")


@scenario(agents=1)
def the_tree_of_roles_is_fair_on_each_level(stage: Stage) -> None:
    frameworks = [stage.framework(name, role) for name, role in (("a", "x/a"), ("b", "x/b"), ("c", "y"))]
    stage.step("a in role x/a, b in x/b, c in y subscribe")
    for _ in range(8):
        decline_all(*frameworks)
        stage.step("all is declined")


@scenario(agents=1)
def a_role_and_its_child(stage: Stage) -> None:
    frameworks = [stage.framework(name, role) for name, role in (("a", "x"), ("b", "x/b"), ("c", "y"))]
    stage.step("a in role x, b in x/b, c in y subscribe")
    for _ in range(7):
        decline_all(*frameworks)
        stage.step("all is declined")


@scenario(agents=1)
def tasks_in_the_tree_count_for_their_parents(stage: Stage) -> None:
    a = stage.framework("a", "x/a")
    stage.step("a subscribes in x/a")
    a.launch(a.held()[0], "cpus:2;mem:64")
    stage.step("a runs a task", timed=False)
    b, c, d = stage.framework("b", "x/b"), stage.framework("c", "y"), stage.framework("d", "x")
    for _ in range(6):
        decline_all(a, b, c, d)
        stage.step("b in x/b, c in y and d in x are there; all is declined")


@scenario(agents=1)
def unequal_tasks_give_an_order(stage: Stage) -> None:
    frameworks = [stage.framework("a", "a")]
    stage.step("a subscribes")
    for name, cpus in (("b", 3), ("c", 2), ("d", 1)):
        before = frameworks[-1]
        before.launch(before.held()[0], f"cpus:{cpus};mem:64", task=f"of {before.name}")
        stage.step(f"{before.name} runs a task with {cpus} cpus", timed=False)
        frameworks.append(stage.framework(name, name))
        decline_all(*frameworks)
        stage.step(f"{name} is there; all is declined")
    for _ in range(4):
        decline_all(*frameworks)
        stage.step("all is declined")
