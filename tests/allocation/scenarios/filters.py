"""What is refused is not offered again for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.allocation.scenarios import scenario

if TYPE_CHECKING:
    from tests.allocation.stage import Stage


@scenario()
def a_filter_of_two_seconds(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.decline(2)
    stage.step("a declines for 2 s", intervals=4)


@scenario()
def a_filter_shorter_than_the_interval(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.decline(0.1)
    stage.step("a declines for 0.1 s", intervals=3)


@scenario()
def the_default_filter(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.decline(None)
    stage.step("a declines", intervals=7)


@scenario()
def a_negative_filter_is_the_default_one(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.decline(-1)
    stage.step("a declines for -1 s", intervals=7)


@scenario()
def a_filter_holds_for_one_framework(stage: Stage) -> None:
    a, _ = stage.framework("a"), stage.framework("b")
    stage.step("a and b subscribe")
    a.decline(1000)
    stage.step("a declines for long")


@scenario()
def a_filter_holds_for_one_agent(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    one, other = a.held()
    a.decline(1000, [one])
    a.decline(0, [other])
    stage.step("a declines one agent for long, and the other")


@scenario(alike=True)
def a_filter_holds_for_one_role(stage: Stage) -> None:
    a = stage.framework("a", "x", "y")
    stage.step("a subscribes in x and y")
    a.decline(1000)
    stage.step("a declines for long")
    a.decline(0)
    stage.step("a declines")


@scenario()
def a_filter_lets_more_than_was_refused_pass(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0], seconds=1000)
    stage.step("a runs a task, and refuses what it leaves", timed=False)
    a.kill()
    a.wait_for("t", "TASK_KILLED")
    stage.step("the task is killed", timed=False)


@scenario()
def what_a_launch_leaves_is_offered_again(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0], "cpus:2.5;mem:100.5")
    stage.step("a runs a task", timed=False)


@scenario()
def what_a_launch_leaves_is_filtered(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0], seconds=None)
    stage.step("a runs a task with the default filter", timed=False)
    stage.framework("b")
    stage.step("b subscribes")


@scenario()
def a_filter_ends_with_the_subscription(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.decline(1000)
    stage.step("a declines for long")
    a.disconnect()
    stage.step("a is gone")
    stage.connect(a)
    stage.step("a is back")
