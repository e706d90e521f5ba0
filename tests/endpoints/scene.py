"""A cluster in one state, whichever master it is: frameworks, tasks, executors, and what operators set."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.allocation.client import Framework, amounts, launching, reservation, scalar, task_on, volume
from tests.python.support import EXECUTORS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.allocation.client import Offer

FLAGS = {
    "MESOS_RESOURCES": "cpus:8;mem:8192;disk:20000;ports:[31000-32000];cpus(r):2;mem(r/s):100",
    "MESOS_ATTRIBUTES": "rack:a;level:5;ports:[1-2,5-6]",
    "MESOS_DOMAIN": '{"fault_domain":{"region":{"name":"x"},"zone":{"name":"y"}}}',
    "MESOS_CLUSTER": "testing",
    "MESOS_WEIGHTS": "r=2",
}
AGENTS = 2
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
LABELS = {"labels": [{"key": "a", "value": "b"}, {"key": "without"}]}
WINDOW = {
    "machine_ids": [{"hostname": "elsewhere", "ip": "10.0.0.1"}, {"hostname": "downed"}],
    "unavailability": {"start": {"nanoseconds": 4_000_000_000_000_000_000}, "duration": {"nanoseconds": 5_000_000_000}},
}


def get(address: str, path: str) -> Any:
    """What JSON an endpoint answers."""
    with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as response:
        return json.load(response)


def send(address: str, path: str, body: Any, method: str = "POST") -> int:
    """Send a form, or JSON if it is no mapping of text; the status of the answer."""
    form = isinstance(body, dict) and all(isinstance(value, str) for value in body.values())
    data = urllib.parse.urlencode(body) if form else json.dumps(body)
    headers = {"Content-Type": FORM if form else JSON}
    request = urllib.request.Request(f"http://{address}{path}", data.encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        status: int = response.status
        return status


@contextlib.contextmanager
def played(address: str) -> Iterator[dict[str, str]]:
    """Bring a fresh cluster into the state; what names the ids of agents and frameworks are to have."""
    operate(address)
    first, second, gone = frameworks(address)
    try:
        run_tasks(first)
        end_tasks(first)
        gone.call("TEARDOWN")
        second.disconnect()
        wait_until(lambda: is_quiet(address), "all is acknowledged")
        wait_until(lambda: is_counted(address), "what is over is counted")
        # What was recovered piece by piece is offered as one.
        first.decline()
        first.wait_for_offers(AGENTS)
        yield names(address)
    finally:
        first.disconnect()


def operate(address: str) -> None:
    """What operators do: weights, quota, maintenance, reservations and volumes."""
    send(address, "/weights", [{"role": "w", "weight": 3.5}], "PUT")
    update = {"force": False, "quota_configs": [{"role": "l", "limits": {"cpus": {"value": 2.5}}}]}
    send(address, "/api/v1", {"type": "UPDATE_QUOTA", "update_quota": update})
    send(address, "/maintenance/schedule", {"windows": [WINDOW]})
    send(address, "/machine/down", [{"hostname": "downed"}])
    agent = min(get(address, "/slaves")["slaves"], key=lambda slave: str(slave["id"]))["id"]
    reserved = reservation("x", principal="p", labels=LABELS)
    on_agent = [scalar("disk", 100, reservations=[reserved]), scalar("cpus", 1, reservations=[reserved])]
    send(address, "/reserve", {"slaveId": agent, "resources": json.dumps(on_agent)})
    # Of what is reserved for the role: nothing is kept back from others, on which agent would be left to chance.
    send(address, "/quota", {"role": "x", "guarantee": amounts("cpus:1;disk:50")})
    made = volume(50, reserved)
    made["disk"]["persistence"]["principal"] = "p"
    send(address, "/create-volumes", {"slaveId": agent, "volumes": json.dumps([made])})


def frameworks(address: str) -> tuple[Framework, Framework, Framework]:
    """One that runs, one that leaves its connection, and one that ends."""
    info: dict[str, Any] = {
        "principal": "p",
        "webui_url": "http://w",
        "hostname": "h",
        "checkpoint": True,
        "failover_timeout": 100,
        "labels": LABELS,
    }
    constraint = {"selector": {"attribute_name": "rack"}, "predicate": {"exists": {}}}
    constraints = {"role_constraints": {"r": {"groups": [{"attribute_constraints": [constraint]}]}}}
    first = Framework(address, "first", ("r",), info=info, subscribe={"offer_constraints": constraints})
    second = Framework(address, "second", capabilities=())
    gone = Framework(address, "gone", ("r", "w"), subscribe={"suppressed_roles": ["r", "w"]})
    for framework in (second, gone, first):
        framework.connect()
        if framework is not first:
            framework.call("SUPPRESS")
            wait_until(lambda framework=framework: holds_nothing(address, framework), f"{framework.name} has no offers")
    return first, second, gone


def holds_nothing(address: str, framework: Framework) -> bool:
    """Decline what a framework that suppressed its offers has got until now; whether the master has no offer of it."""
    if framework.held():
        framework.decline(3600)
    assert framework.framework_id is not None
    known = {shown["id"]: shown for shown in get(address, "/state")["frameworks"]}
    return not known[framework.framework_id["value"]]["offers"]


def whole_offer(framework: Framework) -> Offer:
    """An offer of an agent whose resources are otherwise free, on the agent that was first to register."""
    framework.wait_for_offers(AGENTS)
    return min(framework.held(), key=lambda offer: str(offer.agent_id["value"]))


def run_tasks(framework: Framework) -> None:
    """Tasks that run: a command with all that shows, one with a check, and two on an executor.

    They are launched one after another, since ``/tasks`` shows them in the order of their first updates.
    """
    offer = whole_offer(framework)
    check = {"type": "COMMAND", "command": {"command": {"value": "exit 0"}}, "interval_seconds": 1000}
    health = {"type": "COMMAND", "command": {"value": "exit 0"}, "delay_seconds": 0, "interval_seconds": 1000}
    command = {
        "value": "exec sleep 1000",
        "environment": {"variables": [{"name": "E", "value": "x", "type": "VALUE"}]},
        "user": "root",
    }
    discovery = {
        "visibility": "CLUSTER",
        "name": "found",
        "ports": {"ports": [{"number": 80, "name": "http", "protocol": "tcp"}]},
        "labels": LABELS,
    }
    kill = {"grace_period": {"nanoseconds": 1_000_000_000}}
    more = {
        "labels": LABELS,
        "discovery": discovery,
        "kill_policy": kill,
        "max_completion_time": {"nanoseconds": 10**15},
    }
    one = task_on(offer, "cpus:0.5;mem:64", "command", command=command, health_check=health, **more)
    framework.accept([offer], launching(one))
    framework.wait_for("command", "TASK_RUNNING")
    offer = whole_offer(framework)
    checked = task_on(offer, "cpus:0.1;mem:32", "checked", command={"value": "exec sleep 1000"}, check=check)
    framework.accept([offer], launching(checked))
    framework.wait_for("checked", "TASK_RUNNING")
    offer = whole_offer(framework)
    executor = {
        "executor_id": {"value": "executor"},
        "name": "scripted",
        "source": "tests",
        "labels": LABELS,
        "command": {"value": f"exec {sys.executable} {EXECUTORS / 'scripted.py'} classic"},
        "resources": amounts("cpus:0.1;mem:32", **offer.allocation),
    }
    data = {"data": "cnVubmluZw=="}
    custom = [task_on(offer, "cpus:0.1;mem:32", f"custom-{n}", executor=executor, **data) for n in range(2)]
    framework.accept([offer], launching(*custom))
    for task in ("custom-0", "custom-1"):
        framework.wait_for(task, "TASK_RUNNING")
    framework.kill("custom-1")
    framework.wait_for("custom-1", "TASK_KILLED")


def end_tasks(framework: Framework) -> None:
    """Tasks that are over, one after another since what is over is shown in that order.

    They run for a second: the real master never counts the end of a task that is over before its agent has forwarded
    an earlier update (``Master::updateTask`` counts by the state of the update, not by the latest one).
    """
    for task, command, state in (
        ("done", "sleep 1; exit 0", "TASK_FINISHED"),
        ("failed", "sleep 1; exit 3", "TASK_FAILED"),
    ):
        offer = whole_offer(framework)
        framework.accept([offer], launching(task_on(offer, "cpus:0.1;mem:32", task, command={"value": command})))
        framework.wait_for(task, state)
    offer = whole_offer(framework)
    framework.accept([offer], launching(task_on(offer, "cpus:0.1;mem:32", "wrong")))
    framework.wait_for("wrong", "TASK_ERROR")


def is_quiet(address: str) -> bool:
    """Whether what is over is so everywhere, and nothing is to be recovered."""
    state = get(address, "/state")
    shown = {framework["name"]: framework for framework in state["frameworks"]}
    if len(shown) != 2 or shown["second"]["connected"]:
        return False
    path = "/" + min(state["slaves"], key=lambda slave: str(slave["id"]))["pid"].partition("@")[0]
    [of_agent] = get(address, f"{path}/state")["frameworks"]
    tasks = [len(executor["tasks"]) for executor in of_agent["executors"]]
    over = [len(executor["completed_tasks"]) for executor in of_agent["executors"]]
    # The health of a task is told once.
    command = next(task for task in shown["first"]["tasks"] if task["id"] == "command")
    checked = next(task for task in shown["first"]["tasks"] if task["id"] == "checked")
    return (
        sorted(tasks) == [1, 1, 1]
        and sorted(over) == [0, 0, 1]
        and len(of_agent["completed_executors"]) == 2
        and len(shown["first"]["completed_tasks"]) == 3
        and any("healthy" in status for status in command["statuses"])
        and any(status["state"] == "TASK_RUNNING" for status in checked["statuses"])
    )


def is_counted(address: str) -> bool:
    """Whether the ends of tasks are counted, which the real one does later."""
    metrics = get(address, "/metrics/snapshot?timeout=2secs")
    counted = [metrics.get(f"master/tasks_{state}") for state in ("finished", "failed", "killed")]
    return counted == [1, 1, 1] and "master/task_failed/source_executor/reason_command_executor_failed" in metrics


def names(address: str) -> dict[str, str]:
    """Names by the ids of agents and frameworks."""
    state = get(address, "/state")
    agents = sorted(state["slaves"], key=lambda slave: str(slave["id"]))
    named = {slave["id"]: f"AGENT-{number}" for number, slave in enumerate(agents)}
    # The real one's agents register in any order.
    for number, slave in enumerate(agents):
        named[slave["pid"].partition("@")[0] + "@"] = f"PATH-{number}@"
    for framework in state["frameworks"] + state["completed_frameworks"]:
        named[framework["id"]] = f"FRAMEWORK-{framework['name']}"
    return named


def paths_of_agents(address: str) -> list[str]:
    """The paths of the agents, the one first that was first to register."""
    agents = sorted(get(address, "/slaves")["slaves"], key=lambda slave: str(slave["id"]))
    return ["/" + slave["pid"].partition("@")[0] for slave in agents]
