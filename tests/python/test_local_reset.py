"""An embedded cluster that is used again, as if it were new."""

from __future__ import annotations

import json
import logging
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import ClusterError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver

from tests.python.support import Recorder, alive, framework, heard, running, task

if TYPE_CHECKING:
    from collections.abc import Iterator

RESOURCES = {"cpus": 2, "mem": 1024}


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(agents=2, resources=RESOURCES, weights={"a": 2}) as cluster:
        yield cluster


def ask(cluster: LocalCluster, call: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = urllib.request.Request(f"{cluster.url}/api/v1", json.dumps(call).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        text = response.read()
    return json.loads(text) if text else None


def run_one(cluster: LocalCluster, command: str = "exit 0") -> str:
    scheduler = Recorder(unwanted=("error",))
    with running(cluster, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, command)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
    return launched.task_id.value


def test_a_cluster_that_is_reset_is_as_at_its_start(cluster: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Recorder(unwanted=("error",))
    driver = MesosSchedulerDriver(scheduler, framework(failover_timeout=600), cluster)
    driver.start()
    offer = scheduler.offer()
    launched = task(offer, "trap '' TERM; sleep 600 & wait")
    driver.launchTasks(offer.id, [launched])
    pid = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
    sandbox = cluster.tasks[0].sandbox
    before, token = cluster.agents, cluster.token
    cluster.add_agent()
    before[0].kill()
    before[1].deactivate()
    ask(cluster, {"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": [{"role": "a", "weight": 5}]}})
    with caplog.at_level(logging.WARNING), heard("is reset, so the driver of framework 'test'") as said:
        cluster.reset()
        assert driver.join(timeout=10, check=True) == mesos_pb2.DRIVER_STOPPED
        assert said.wait(10)
    assert not alive(pid)
    assert not sandbox.exists()
    assert (cluster.tasks, cluster.frameworks, cluster.offers) == ([], [], [])
    assert [agent.state for agent in cluster.agents] == ["active", "active"]
    assert not {agent.id for agent in cluster.agents} & {agent.id for agent in before}
    assert [record["kind"] for record in cluster.history()] == ["agent_added", "agent_added"]
    weights = ask(cluster, {"type": "GET_WEIGHTS"})["get_weights"]["weight_infos"]
    assert weights == [{"role": "a", "weight": 2.0}]
    assert cluster.token == token
    run_one(cluster)
    assert [known.name for known in cluster.frameworks] == ["test"]


def test_a_framework_may_not_come_back_after_a_reset(cluster: LocalCluster) -> None:
    scheduler = Recorder()
    with running(cluster, scheduler) as driver:
        framework_id = scheduler.offer().framework_id
        cluster.reset()
        assert driver.join(timeout=10) == mesos_pb2.DRIVER_STOPPED
    again = Recorder()
    with running(cluster, again, framework(id=framework_id)):
        assert again.wait("error") == "Framework has been removed"


def test_a_cluster_can_be_reset_many_times(cluster: LocalCluster) -> None:
    work_dir = Path(cluster.task(run_one(cluster)).sandbox)
    while work_dir.name != "agents":
        work_dir = work_dir.parent
    for _ in range(3):
        cluster.reset()
        ran = cluster.task(run_one(cluster, "echo here"))
        assert ran.stdout() == "here\n"
        assert len(list(work_dir.iterdir())) <= 2, "former agents leave nothing"
    cluster.stop()
    assert ran.stdout() == "here\n"
    with pytest.raises(ClusterError, match="is stopped"):
        cluster.reset()


def test_the_sandboxes_in_a_directory_of_ones_own_stay(tmp_path: Path) -> None:
    with LocalCluster(work_dir=tmp_path) as cluster:
        sandbox = cluster.task(run_one(cluster, "echo here")).sandbox
        cluster.reset()
        run_one(cluster)
        assert (sandbox / "stdout").read_text() == "here\n"
