"""What the embedded cluster says of itself to tools: the keys and values of the real one, for the same scene."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.allocation.client import Framework, post
from tests.apache_mesos import ApacheMesos
from tests.python.support import Recorder, capable, executor, filters, framework, running, task, task_of, wait_until

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = {
    "MESOS_RESOURCES": "cpus:8;mem:8192;disk:20000;ports:[31000-32000];cpus(r):2;mem(r/s):100",
    "MESOS_ATTRIBUTES": "rack:a;level:5;ports:[1-2,5-6]",
    "MESOS_DOMAIN": '{"fault_domain": {"region": {"name": "x"}, "zone": {"name": "y"}}}',
    "MESOS_CLUSTER": "testing",
    "MESOS_WEIGHTS": "r=2",
}
PATHS = ["/state", "/slaves", "/frameworks", "/tasks", "/state-summary", "/slave(1)/state"]
# Which build it is, and what says when something happened or where it is.
BUILD = {"git_sha", "git_tag", "build_date", "build_time", "build_user"}
VARYING = {"start_time", "elected_time", "registered_time", "unregistered_time", "timestamp", "directory", "container"}
# The real one shows each of its many flags; the embedded one those that decide how it works, and its web page shows messages.
DELIBERATE = {"flags", "message"}
# The real agent leaves the tasks of a framework that is gone as they were when it killed them.
KILLED = "/state: 'TASK_KILLED' is 'TASK_RUNNING' on the real one"


def get(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as response:
        return json.load(response)


def launch(scheduler: Recorder, driver: Any) -> None:
    """Runs a command task that ends, then one with all that shows and one on an executor; the rest is offered once."""
    offer = scheduler.offer()
    # The real master does not count the end of a task that is over before its start was told.
    done = task(offer, "sleep 1")
    done.task_id.value = "done"
    driver.launchTasks(offer.id, [done], filters(0))
    offer = scheduler.offer()
    while sum(resource.scalar.value for resource in offer.resources if resource.name == "cpus") < 10:
        driver.declineOffer(offer.id, filters(0))
        offer = scheduler.offer()
    command = task(offer, "sleep 600", cpus=0.5)
    command.name, command.task_id.value = "a command", "command"
    command.labels.labels.add(key="a", value="b")
    command.discovery.visibility, command.discovery.name = mesos_pb2.DiscoveryInfo.CLUSTER, "found"
    command.command.environment.variables.add(name="E", value="x")
    custom = task_of(offer, executor(), "running")
    custom.task_id.value = "custom"
    driver.launchTasks(offer.id, [command, custom], filters(0))
    wanted = {"command", "custom"}
    while wanted:
        status = scheduler.wait("statusUpdate")
        if status.state == mesos_pb2.TASK_RUNNING:
            wanted.discard(status.task_id.value)


def is_quiet(address: str) -> bool:
    """Whether the ended task is completed everywhere, and the rest is offered."""
    [shown] = get(address, "/state")["frameworks"]
    if not shown["offers"]:
        return False
    [of_agent] = get(address, "/slave(1)/state")["frameworks"]
    return len(shown["completed_tasks"]) == 1 and len(of_agent["completed_executors"]) == 1


def seen_of(address: str) -> dict[str, Any]:
    info = framework(
        roles=["r"],
        capabilities=capable("MULTI_ROLE", "RESERVATION_REFINEMENT"),
        principal="p",
        webui_url="http://w",
        failover_timeout=100,
        checkpoint=True,
    )
    info.labels.labels.add(key="k", value="v")
    scheduler = Recorder()
    with running(address, scheduler, info) as driver:
        launch(scheduler, driver)
        wait_until(lambda: is_quiet(address), "all is acknowledged")
        seen = {path: get(address, path) for path in PATHS}
    wait_until(lambda: not get(address, "/slave(1)/state")["frameworks"], "the agent has put the framework aside", 30)
    seen["/slave(1)/state at the end"] = get(address, "/slave(1)/state")
    wait_until(lambda: not get(address, "/state")["frameworks"], "the framework is completed")
    seen["/state at the end"] = get(address, "/state")
    return seen


def plain(value: Any) -> Any:
    """Without ids and what else varies, and with lists in one order."""
    if isinstance(value, dict):
        skipped = BUILD | VARYING | DELIBERATE
        return {key: plain(item) for key, item in value.items() if key not in skipped}
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return sorted(items, key=json.dumps)
    if isinstance(value, str):
        value = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-\d{4})?(-O\d+)?", "ID", value)
        return re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", value)
    return value


def keyed(seen: dict[str, Any], port: int) -> Any:
    """As the embedded one has it too: without the framework that the real one was started with."""
    text = json.dumps(plain(seen)).replace(f": {port}", ': "PORT"')
    return without_boot(json.loads(text))


def without_boot(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_boot(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_boot(item) for item in value if not (isinstance(item, dict) and item.get("name") == "boot")]
    return value


def differences(real: Any, ours: Any, place: str) -> list[str]:
    """What is different, each with its place."""
    if isinstance(real, dict) and isinstance(ours, dict):
        found = [f"{place}: no {key}" for key in real.keys() - ours.keys()]
        found += [f"{place}: {key} is not the real one's" for key in ours.keys() - real.keys()]
        return found + [
            line for key in real.keys() & ours.keys() for line in differences(real[key], ours[key], f"{place}/{key}")
        ]
    if isinstance(real, list) and isinstance(ours, list) and len(real) == len(ours):
        return [
            line for n, pair in enumerate(zip(real, ours, strict=True)) for line in differences(*pair, f"{place}[{n}]")
        ]
    return [] if real == ours else [f"{place}: {ours!r} is {real!r} on the real one"]


def test_tools_read_what_they_read_of_the_real_one(
    apache_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ApacheMesos(apache_home, tmp_path / "real", flags=FLAGS) as real:
        expected = keyed(seen_of(real.address), real.port)
    for name, value in FLAGS.items():
        monkeypatch.setenv(name, value)
    with LocalCluster() as cluster:
        ours = keyed(seen_of(cluster.address), int(cluster.address.partition(":")[2]))
    assert [line for line in differences(expected, ours, "") if not line.endswith(KILLED)] == []


def test_flags_are_those_that_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOS_WEIGHTS", "a=2")
    with LocalCluster(attributes="rack:a", offer_timeout=60, token="0123456789abcdef") as cluster:
        master, agent = get(cluster.address, "/flags")["flags"], get(cluster.address, "/slave(1)/flags")["flags"]
        assert master == get(cluster.address, "/state")["flags"]
        assert "0123456789abcdef" not in json.dumps([master, agent])
    assert (master["weights"], master["offer_timeout"]) == ("a=2", "1mins")
    assert (agent["attributes"], agent["executor_shutdown_grace_period"]) == ("rack:a", "5secs")


def test_dynamic_reservations_are_shown() -> None:
    info = framework(roles=["r"], capabilities=capable("MULTI_ROLE", "RESERVATION_REFINEMENT"))
    scheduler = Recorder()
    with (
        LocalCluster(resources="cpus:4;mem:1024", allocation_interval=0.1) as cluster,
        running(cluster.address, scheduler, info) as driver,
    ):
        offer = scheduler.offer()
        reserve = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.RESERVE)
        reserved = reserve.reserve.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR)
        reserved.scalar.value = 1
        reserved.allocation_info.role = "r"
        reserved.reservations.add(type=mesos_pb2.Resource.ReservationInfo.DYNAMIC, role="r")
        driver.acceptOffers([offer.id], [reserve], filters(0))
        scheduler.offer(lambda offer: any(resource.reservations for resource in offer.resources))
        [slave] = get(cluster.address, "/state")["slaves"]
    assert slave["reserved_resources"] == {"r": {"cpus": 1, "gpus": 0, "mem": 0, "disk": 0}}
    assert (slave["resources"]["cpus"], slave["unreserved_resources"]["cpus"]) == (4, 3)


def test_deactivated_agents_and_offer_constraints_are_shown(master: str) -> None:
    constraint = {"selector": {"attribute_name": "rack"}, "predicate": {"exists": {}}}
    constraints = {"role_constraints": {"x": {"groups": [{"attribute_constraints": [constraint]}]}}}
    picky = Framework(master, "picky", ("x",), subscribe={"offer_constraints": constraints})
    picky.connect()
    agent = get(master, "/state")["slaves"][0]["id"]
    try:
        assert post(master, "/api/v1", {"type": "DEACTIVATE_AGENT", "deactivate_agent": {"agent_id": {"value": agent}}})
        state = get(master, "/state")
        assert {shown["id"] == agent: (shown["active"], shown["deactivated"]) for shown in state["slaves"]} == {
            True: (False, True),
            False: (True, False),
        }
        assert (state["activated_slaves"], state["deactivated_slaves"]) == (1, 1)
        shown = next(shown for shown in state["frameworks"] if shown["name"] == "picky")
        assert shown["offer_constraints"] == constraints
    finally:
        post(master, "/api/v1", {"type": "REACTIVATE_AGENT", "reactivate_agent": {"agent_id": {"value": agent}}})
        picky.call("TEARDOWN")


def test_metrics_have_the_real_one_s_names_and_values(
    apache_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def snapshot(address: str) -> dict[str, float]:
        # The real one, whose processes are in one with its tests' driver, takes what does not answer within this time out.
        values: dict[str, float] = get(address, "/metrics/snapshot?timeout=2secs")
        # What is counted of each framework has its id; tests/endpoints compares it.
        return {name: value for name, value in values.items() if "/frameworks/" not in name}

    def measured(address: str) -> dict[str, float]:
        scheduler = Recorder()
        with running(address, scheduler, framework(roles=["r"], capabilities=capable("MULTI_ROLE"))) as driver:
            launch(scheduler, driver)
            wait_until(lambda: is_quiet(address), "all is acknowledged")
            wait_until(lambda: snapshot(address).get("master/tasks_finished"), "the task's end is counted")
            return snapshot(address)

    with ApacheMesos(apache_home, tmp_path / "real", flags=FLAGS) as real:
        expected = measured(real.address)
    for name, value in FLAGS.items():
        monkeypatch.setenv(name, value)
    with LocalCluster() as cluster:
        ours = measured(cluster.address)
    assert ours.keys() - expected.keys() == set()
    # What depends on time, chance and the machine; the real one has registered the framework that starts it, and repeats what
    # is acknowledged late.
    varying = (
        "uptime_secs",
        "system/",
        "_framework",
        "messages_decline",
        "status_update",
        "event_queue",
        "dropped_messages",
        "messages_launch",
        "allocation_runs",
        "offered_or_allocated",
        "shares/dominant",
        "slave/",
    )
    differing = {name: (ours[name], expected[name]) for name in ours if ours[name] != pytest.approx(expected[name])}
    assert {name: pair for name, pair in differing.items() if not any(word in name for word in varying)} == {}
    # Tools that watch a cluster look at these.
    assert {"master/elected", "master/cpus_percent", "master/tasks_running", "slave/mem_used"} <= ours.keys()
