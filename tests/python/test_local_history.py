"""What an embedded cluster tells of what happened in it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.support import Recorder, filters, framework, running, task, wait_until

RESOURCES = {"cpus": 2, "mem": 1024}
KEYS = {
    "time",
    "kind",
    "call",
    "framework_id",
    "agent_id",
    "executor_id",
    "task_id",
    "offer_id",
    "state",
    "reason",
    "source",
    "message",
}


def told(records: list[dict[str, Any]]) -> list[str]:
    return [" ".join(filter(None, (each["kind"], each["call"], each["state"]))) for each in records]


def test_the_history_of_a_task_is_in_order() -> None:
    scheduler = Recorder()
    begun = time.time()
    with LocalCluster(resources=RESOURCES, allocation_interval=60, allocate_on_recovery=False) as cluster:
        with running(cluster, scheduler, framework(name="told")) as driver:
            offer = scheduler.offer()
            launched = task(offer, "exit 3")
            driver.launchTasks(offer.id, [launched], filters(600))
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
            wait_until(lambda: told(cluster.history()).count("call ACKNOWLEDGE") == 3, "each update is acknowledged")
        cluster.framework("told").refresh()
        cluster.stop()
        records = cluster.history()
        [agent], [ran], [known] = cluster.agents, cluster.tasks, cluster.frameworks
    assert all(set(record) == KEYS for record in records)
    times = [record["time"] for record in records]
    assert times == sorted(times)
    assert begun - 1 < times[0] <= times[-1] <= time.time() + 1
    expected = [
        "agent_added",
        "call SUBSCRIBE",
        "framework_subscribed",
        "offer_sent",
        "call ACCEPT",
        "task_status TASK_STARTING",
        "call ACKNOWLEDGE",
        "task_status TASK_RUNNING",
        "call ACKNOWLEDGE",
        "task_status TASK_FAILED",
        "call ACKNOWLEDGE",
        "call TEARDOWN",
        "framework_removed",
        "framework_disconnected",
    ]
    assert [each for each in told(records) if each in expected] == expected
    [accept] = [record for record in records if record["call"] == "ACCEPT"]
    assert (accept["offer_id"], accept["task_id"]) == (offer.id.value, ran.id)
    assert accept["message"] == f"LAUNCH {ran.id}"
    [failed] = [record for record in records if record["state"] == "TASK_FAILED"]
    assert failed["message"] == "Command exited with status 3"
    assert (failed["reason"], failed["source"]) == ("REASON_COMMAND_EXECUTOR_FAILED", "SOURCE_EXECUTOR")
    assert (failed["framework_id"], failed["agent_id"], failed["executor_id"]) == (known.id, agent.id, ran.id)
    assert told(ran.history()) == expected[4:11]
    assert "offer_sent" in told(agent.history())
    assert told(known.history())[-1] == "framework_disconnected"


def test_what_operators_and_faults_do_is_told() -> None:
    scheduler, info = Recorder(), framework(failover_timeout=600)
    with LocalCluster(resources=RESOURCES) as cluster, running(cluster, scheduler, info):
        offer = scheduler.offer()
        [agent] = cluster.agents
        agent.deactivate()
        scheduler.wait("offerRescinded")
        added = cluster.add_agent()
        added.kill(at_once=True)
        cluster.framework("test").disconnect()
        scheduler.wait("reregistered")
        records = cluster.history()
        [deactivate] = [record for record in records if record["kind"] == "operator_call"]
        assert (deactivate["call"], deactivate["agent_id"]) == ("DEACTIVATE_AGENT", agent.id)
        [rescinded] = [r for r in records if r["kind"] == "offer_rescinded" and r["agent_id"] is None][:1]
        assert rescinded["offer_id"] == offer.id.value
        assert [each for each in told(added.history()) if each != "offer_sent"] == [
            "agent_added",
            "fault",
            "agent_disconnected",
            "agent_unreachable",
            "agent_lost",
        ]
        [broken] = [record for record in records if record["kind"] == "fault" and record["framework_id"]]
        assert broken["message"] == f"the connection of framework {offer.framework_id.value} breaks"


def test_refused_calls_are_told() -> None:
    with LocalCluster(resources=RESOURCES) as cluster:
        call = {"type": "KILL", "framework_id": {"value": "none"}, "kill": {"task_id": {"value": "mine"}}}
        request = urllib.request.Request(
            f"{cluster.url}/api/v1/scheduler", json.dumps(call).encode(), {"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(request, timeout=10)
        asked, refused = cluster.history()[-2:]
    assert (asked["kind"], refused["kind"]) == ("call", "call_refused")
    assert [(each["call"], each["framework_id"], each["task_id"]) for each in (asked, refused)] == [
        ("KILL", "none", "mine")
    ] * 2
    assert refused["message"] == "Framework cannot be found"
