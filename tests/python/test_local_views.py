"""What can be seen of an embedded cluster while it runs, and after it has stopped."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError, ClusterError, TaskStateError, TaskTimeoutError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver

from tests.python.support import Recorder, framework, heard, running, task, wait_until

if TYPE_CHECKING:
    from pathlib import Path

RESOURCES = {"cpus": 2, "mem": 1024, "disk": 1024, "ports": "[31000-31009]"}


def launch(driver: MesosSchedulerDriver, scheduler: Recorder, command: str, task_id: str = "mine") -> mesos_pb2.Offer:
    offer = scheduler.offer()
    launched = task(offer, command)
    launched.task_id.value = task_id
    driver.launchTasks(offer.id, [launched])
    return offer


def test_agents_frameworks_tasks_and_offers_can_be_seen() -> None:
    scheduler = Recorder()
    with (
        LocalCluster(agents=2, resources=RESOURCES, attributes={"rack": "a", "level": 3}) as cluster,
        running(cluster, scheduler, framework(name="seen", principal="p", role="r")) as driver,
    ):
        agents = cluster.agents
        assert [agent.hostname for agent in agents] == ["localhost", "localhost"]
        assert agents[0].id.endswith("-S0")
        assert agents[1].id.endswith("-S1")
        assert agents[0].resources == {"cpus": 2, "mem": 1024, "disk": 1024, "gpus": 0, "ports": "[31000-31009]"}
        assert agents[0].attributes == {"rack": "a", "level": 3}
        assert agents[0].state == "active"
        offer = scheduler.offer()
        assert offer.id.value in [seen.id for seen in cluster.offers]
        [seen] = [seen for seen in cluster.offers if seen.id == offer.id.value]
        assert (seen.framework_id, seen.agent_id, seen.role) == (offer.framework_id.value, offer.slave_id.value, "r")
        assert seen.resources["cpus"] == 2
        [known] = cluster.frameworks
        assert (known.id, known.name, known.roles, known.principal) == (offer.framework_id.value, "seen", ["r"], "p")
        assert (known.connected, known.active, known.completed) == (True, True, False)
        launched = task(offer, "sleep 600")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        [ran] = cluster.tasks
        assert (ran.id, ran.name, ran.framework) == (launched.task_id.value, "test", "seen")
        assert (ran.framework_id, ran.agent_id) == (known.id, offer.slave_id.value)
        assert ran.executor_id == ran.id
        assert (ran.state, ran.states, ran.is_over) == ("TASK_RUNNING", ["TASK_STARTING", "TASK_RUNNING"], False)
        assert [cluster.task(ran.id), cluster.agent(ran.agent_id)] == [ran, cluster.agent(ran.agent_id)]
        assert cluster.framework("seen") == cluster.framework(known.id) == known
        driver.killTask(ran.id)
        assert ran.wait("TASK_KILLED") is ran
        assert ran.state == "TASK_KILLED"


def test_representations_say_what_it_is() -> None:
    scheduler = Recorder()
    with LocalCluster(resources=RESOURCES) as cluster, running(cluster, scheduler) as driver:
        offer = scheduler.offer()
        [agent] = cluster.agents
        shown = "cpus:2;mem:1024;disk:1024;ports:[31000-31009]"
        assert repr(agent) == f"<LocalAgent {agent.id} on localhost, active, {shown}>"
        assert (
            repr(cluster.offers)
            == f"[<LocalOffer {offer.id.value} of {agent.id} to {offer.framework_id.value}, {shown}>]"
        )
        assert repr(cluster.frameworks) == f"[<LocalFramework 'test' {offer.framework_id.value}, connected>]"
        launched = task(offer, "exit 0")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        assert repr(cluster.tasks) == f"[<LocalTask '{launched.task_id.value}' of 'test' on {agent.id}, TASK_FINISHED>]"


def test_what_is_not_there_is_a_lookup_error() -> None:
    with LocalCluster() as cluster:
        with pytest.raises(LookupError, match="has no task 'none'"):
            cluster.task("none")
        with pytest.raises(LookupError, match="has no agent 'none'"):
            cluster.agent("none")
        with pytest.raises(LookupError, match="has no framework 'none'"):
            cluster.framework("none")
        with pytest.raises(ArgumentTypeError, match="expected a str as the id of the task, got 5"):
            cluster.task(5)  # type: ignore[arg-type]


def test_waiting_for_a_task() -> None:
    scheduler = Recorder()
    with LocalCluster() as cluster, running(cluster, scheduler) as driver:
        launch(driver, scheduler, "sleep 600")
        scheduler.state("mine", mesos_pb2.TASK_RUNNING)
        mine = cluster.task("mine").wait("TASK_RUNNING")
        with pytest.raises(TaskTimeoutError, match=r"'mine' is TASK_RUNNING, not TASK_FINISHED, after 0.05 seconds"):
            mine.wait(timeout=0.05)
        with pytest.raises(ArgumentValueError, match=r"expected the name of a state.* got 'RUNNING'"):
            mine.wait("RUNNING")


def test_a_task_that_ends_otherwise_ends_the_wait_at_once() -> None:
    scheduler = Recorder()
    with LocalCluster() as cluster, running(cluster, scheduler) as driver:
        launch(driver, scheduler, "mkfifo go; read line < go; echo $line; echo why >&2; exit 3")
        scheduler.state("mine", mesos_pb2.TASK_RUNNING)
        mine = cluster.task("mine")
        wait_until((mine.sandbox / "go").is_fifo, "the task waits")
        timer = threading.Timer(0.1, lambda: (mine.sandbox / "go").write_text("said\n"))
        timer.start()
        begun = time.monotonic()
        with pytest.raises(
            TaskStateError, match="task 'mine' is TASK_FAILED, not TASK_FINISHED; the end of its stderr: why"
        ):
            mine.wait("TASK_FINISHED", 30)
        assert time.monotonic() - begun < 5
        assert mine.wait("TASK_RUNNING").state == "TASK_FAILED", "it has been in this state"
        assert (mine.stdout(), mine.stderr()) == ("said\n", "why\n")
        timer.join()


def test_views_and_output_stay_when_the_cluster_stops() -> None:
    scheduler = Recorder()
    with LocalCluster(agents=2, resources=RESOURCES) as cluster, running(cluster, scheduler) as driver:
        launch(driver, scheduler, "head -c 2000000 /dev/zero | tr '\\0' x; echo; echo last; echo oops >&2")
        scheduler.state("mine", mesos_pb2.TASK_FINISHED)
        launch(driver, scheduler, "echo more; sleep 600", "other")
        scheduler.state("other", mesos_pb2.TASK_RUNNING)
        mine, other = cluster.task("mine"), cluster.task("other")
        wait_until(lambda: other.stdout() == "more\n", "the task has written")
        assert len(mine.stdout()) == 2000006
        agents, frameworks = cluster.agents, cluster.frameworks
        cluster.stop()
        assert cluster.is_stopped
        assert not mine.sandbox.exists()
        assert cluster.agents == agents
        assert cluster.frameworks == frameworks
        assert [seen.state for seen in cluster.agents] == ["active", "active"]
        assert cluster.task("mine") == mine
        assert len(mine.stdout()) == 2**20
        assert mine.stdout().endswith("x\nlast\n")
        assert mine.stderr() == "oops\n"
        assert cluster.task("other").state == "TASK_RUNNING"
        assert other.stdout() == "more\n"
        with pytest.raises(
            ClusterError, match="task 'other' is TASK_RUNNING, not TASK_FINISHED, and the cluster has stopped"
        ):
            other.wait()


def test_output_in_a_directory_of_ones_own_is_read_from_it(tmp_path: Path) -> None:
    scheduler = Recorder()
    with LocalCluster(work_dir=tmp_path) as cluster, running(cluster, scheduler) as driver:
        launch(driver, scheduler, "echo mine; rm stderr; ln -s /etc/passwd stderr")
        scheduler.state("mine", mesos_pb2.TASK_FINISHED)
        mine = cluster.task("mine")
        assert (mine.stdout(), mine.stderr()) == ("mine\n", ""), "what is no regular file is not read"
    assert mine.stdout() == "mine\n"


def test_stopping_a_cluster_stops_its_drivers_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Recorder(unwanted=("error", "disconnected"))
    with LocalCluster() as other, LocalCluster() as cluster:
        driver = MesosSchedulerDriver(scheduler, framework(name="left"), cluster)
        elsewhere = MesosSchedulerDriver(Recorder(), framework(name="elsewhere"), other)
        stopped = MesosSchedulerDriver(Recorder(), framework(name="stopped"), cluster)
        for each in (driver, elsewhere, stopped):
            assert each.start() == mesos_pb2.DRIVER_RUNNING
        stopped.stop()
        scheduler.offer()
        begun = time.monotonic()
        expected = (
            f"The embedded cluster at {cluster.address} stops, so the driver of framework 'left', which still ran"
        )
        with caplog.at_level(logging.WARNING), heard(expected) as said:
            cluster.stop()
            assert driver.join(timeout=10, check=True) == mesos_pb2.DRIVER_STOPPED
            assert time.monotonic() - begun < 8
            assert said.wait(10)
        assert "framework 'stopped'" not in caplog.text
        assert elsewhere.abort() == mesos_pb2.DRIVER_ABORTED, "it still ran"


def test_waiting_for_a_task_moves_the_time_of_a_cluster_that_skips() -> None:
    scheduler = Recorder()
    run = Run(seconds=3600, stdout="done")
    with LocalCluster(time="skip", simulate=run) as cluster, running(cluster, scheduler) as driver:
        cluster.run_until(lambda: cluster.offers)
        launch(driver, scheduler, "described")
        cluster.run_until(lambda: cluster.tasks)
        begun = cluster.time()
        mine = cluster.task("mine")
        with pytest.raises(TaskTimeoutError):
            mine.wait(timeout=600)
        assert mine.wait(timeout=7200).state == "TASK_FINISHED"
        assert 3600 <= cluster.time() - begun < 3610
        assert mine.stdout() == "done"
        cluster.reset()
        assert cluster.time() >= begun + 3600
        assert [agent.state for agent in cluster.agents] == ["active"]
        assert cluster.tasks == []
