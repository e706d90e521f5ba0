"""What happens to resources when their owners end."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

from tests.allocation.client import amounts, launching, task_on
from tests.allocation.scenarios import scenario
from tests.python.support import EXECUTORS

if TYPE_CHECKING:
    from tests.allocation.stage import Stage


@scenario()
def a_framework_is_torn_down(stage: Stage) -> None:
    a, _ = stage.framework("a"), stage.framework("b")
    stage.step("a and b subscribe")
    a.call("TEARDOWN")
    stage.step("a tears down")


@scenario(agents=1)
def a_framework_with_a_task_is_torn_down(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0])
    stage.step("a runs a task", timed=False)
    stage.framework("b")
    a.call("TEARDOWN")
    stage.step("b subscribes, a tears down", timed=False)


@scenario()
def a_framework_is_disconnected(stage: Stage) -> None:
    a, _ = stage.framework("a"), stage.framework("b")
    stage.step("a and b subscribe")
    a.disconnect()
    stage.step("a is disconnected")
    stage.connect(a)
    stage.step("a is back")


@scenario()
def a_framework_without_a_failover_timeout_is_disconnected(stage: Stage) -> None:
    a, _ = stage.framework("a", info={"failover_timeout": 0}), stage.framework("b")
    stage.step("a and b subscribe")
    a.disconnect()
    stage.step("a is disconnected")


@scenario(agents=1)
def a_disconnected_framework_keeps_its_tasks(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0])
    stage.step("a runs a task", timed=False)
    a.disconnect()
    stage.framework("b")
    stage.step("a is disconnected, b subscribes", timed=False)


@scenario(agents=1)
def a_disconnected_framework_keeps_its_turn(stage: Stage) -> None:
    frameworks = a, b, c = [stage.framework(name) for name in "abc"]
    stage.step("a, b and c subscribe")
    for number in range(2):
        frameworks[number].decline()
        stage.step("all is declined")
    a.disconnect()
    stage.connect(a)
    stage.step("a is disconnected and back")
    c.decline()
    stage.step("c declines")
    for framework in frameworks:
        framework.decline()
    b.call("SUPPRESS")
    stage.step("all is declined, b suppresses")


@scenario()
def a_framework_fails_over(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    again = stage.prepared("a2", framework_id=a.framework_id)
    stage.connect(again)
    stage.step("a2 takes over")


@scenario()
def suppression_survives_failover(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.call("SUPPRESS")
    a.decline()
    a.disconnect()
    stage.step("a suppresses, declines, and is disconnected")
    stage.connect(a)
    stage.step("a is back")


@scenario(agents=1)
def a_task_ends(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0])
    stage.step("a runs a task", timed=False)
    a.kill()
    stage.step("the task is killed", intervals=2)
    a.decline()
    stage.step("a declines")


@scenario(agents=1)
def a_task_that_is_refused_costs_nothing(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.launch(a.held()[0], "cpus:100;mem:64", wait="TASK_ERROR")
    stage.step("a launches more than there is")


@scenario(agents=1)
def an_executor_outlives_its_task(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    offer = a.held()[0]
    executor = {
        "type": "CUSTOM",
        "executor_id": {"value": "e"},
        "resources": amounts("cpus:1;mem:64", **offer.allocation),
        "command": {"value": f"exec {sys.executable} {EXECUTORS / 'scripted.py'} plain"},
    }
    words = base64.b64encode(b"running").decode()
    a.accept([offer], launching(task_on(offer, "cpus:2;mem:64", "t", data=words, executor=executor)))
    a.wait_for("t", "TASK_RUNNING")
    stage.step("a runs a task on an executor of its own", timed=False)
    a.kill()
    a.wait_for("t", "TASK_KILLED")
    stage.step("the task is killed", timed=False)
    a.decline()
    stage.step("a declines")
    a.call("SHUTDOWN", shutdown={"executor_id": {"value": "e"}, "agent_id": offer.agent_id})
    a.decline()
    stage.step("the executor is shut down; a declines", intervals=3, timed=False)
