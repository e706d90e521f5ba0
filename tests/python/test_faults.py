"""Faults on request, on the embedded cluster. ``test_faults_compared.py`` has those that the real Mesos can have too."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import ClusterError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.support import capable, executor, framework, running, task, task_of, wait_until
from tests.python.test_faults_compared import Witness, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mesos.native import MesosSchedulerDriver

REREGISTERED = mesos_pb2.TaskStatus.REASON_SLAVE_REREGISTERED
AGAIN = "TASK_RUNNING EXECUTOR uuid executor_id ()"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCluster]:
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
    with LocalCluster(agents=2, resources={"cpus": 4, "mem": 4096}) as made:
        yield made


@contextlib.contextmanager
def witness(
    cluster: LocalCluster, *capabilities: str, made: Callable[..., Any] | None = None, **fields: Any
) -> Iterator[tuple[Witness, MesosSchedulerDriver, mesos_pb2.TaskStatus]]:
    """A framework whose task runs."""
    scheduler = Witness()
    fields = {"failover_timeout": 600, "checkpoint": True, **fields}
    info = framework(capabilities=capable(*capabilities), **fields)
    with running(cluster.address, scheduler, info) as driver:
        status = scheduler.run_task(driver, made)
        yield scheduler, driver, status


def without_repetition(trace: list[str]) -> list[str]:
    """Without the update that an agent may send again, depending on whether it was acknowledged."""
    return [line for line in trace if line != AGAIN]


@pytest.mark.parametrize(("capabilities", "state"), [(["PARTITION_AWARE"], "TASK_UNREACHABLE"), ([], "TASK_LOST")])
def test_an_agent_that_cannot_be_reached_and_comes_back(
    cluster: LocalCluster, capabilities: list[str], state: str
) -> None:
    with witness(cluster, *capabilities) as (scheduler, driver, status):
        agent = cluster.agent(status.slave_id.value)
        agent.disconnect(at_once=True)
        scheduler.wait("slaveLost")
        assert agent.refresh().state == "unreachable"
        scheduler.ask(driver, status)
        agent.reconnect()
        scheduler.wait("statusUpdate", lambda status: status.reason == REREGISTERED)
        assert agent.refresh().state == "active"
        scheduler.ask(driver, status)
    assert without_repetition(scheduler.trace) == [
        f"{state} MASTER SLAVE_REMOVED unreachable_time (health check timed out)",
        "slaveLost",
        f"{state} MASTER RECONCILIATION unreachable_time (Reconciliation: Task is unreachable)",
        "TASK_RUNNING MASTER SLAVE_REREGISTERED (Unreachable agent re-reregistered)",
        "TASK_RUNNING MASTER RECONCILIATION (Reconciliation: Latest task state)",
    ]


def test_what_is_sent_to_an_agent_that_cannot_be_reached_comes_late(cluster: LocalCluster) -> None:
    with witness(cluster, "PARTITION_AWARE") as (scheduler, driver, status):
        agent = cluster.agent(status.slave_id.value)
        agent.disconnect()
        driver.killTask(status.task_id)
        scheduler.ask(driver, status)
        agent.reconnect()
        scheduler.state(status.task_id.value, mesos_pb2.TASK_KILLED)
    assert scheduler.trace == [
        "TASK_RUNNING MASTER RECONCILIATION (Reconciliation: Latest task state)",
        "TASK_KILLED EXECUTOR uuid executor_id (Command terminated with signal Terminated)",
    ]


def test_an_agent_that_is_gone_shuts_down_when_it_comes_back(cluster: LocalCluster) -> None:
    with witness(cluster, "PARTITION_AWARE") as (scheduler, _, status):
        agent = cluster.agent(status.slave_id.value)
        agent.disconnect(at_once=True)
        scheduler.wait("slaveLost")
        agent.mark_gone()
        scheduler.state(status.task_id.value, mesos_pb2.TASK_GONE_BY_OPERATOR)
        assert agent.refresh().state == "gone"
        task_seen = cluster.task(status.task_id.value)
        agent.reconnect()
        assert task_seen.state == "TASK_GONE_BY_OPERATOR"


def test_an_agent_that_recovers(cluster: LocalCluster) -> None:
    with witness(cluster, "PARTITION_AWARE") as (scheduler, driver, status):
        agent = cluster.agent(status.slave_id.value)
        assert agent.restart() == agent.id
        assert agent.refresh().state == "disconnected"
        scheduler.ask(driver, status)
        driver.killTask(status.task_id)
        scheduler.state(status.task_id.value, mesos_pb2.TASK_KILLED)
        assert agent.refresh().state == "active"
    assert without_repetition(scheduler.trace) == [
        "TASK_RUNNING MASTER RECONCILIATION (Reconciliation: Latest task state)",
        "TASK_KILLED EXECUTOR uuid executor_id (Command terminated with signal Terminated)",
    ]


def test_tasks_without_checkpointing_end_with_their_agent(cluster: LocalCluster) -> None:
    with witness(cluster, "PARTITION_AWARE", checkpoint=False) as (scheduler, driver, status):
        cluster.agent(status.slave_id.value).restart()
        scheduler.state(status.task_id.value, mesos_pb2.TASK_LOST)
        scheduler.ask(driver, status)
    assert scheduler.trace == [
        "TASK_LOST MASTER SLAVE_DISCONNECTED (Agent localhost disconnected)",
        "TASK_GONE MASTER RECONCILIATION (Reconciliation: Task is unknown to the agent)",
    ]


def test_an_agent_that_recovers_a_custom_executor(cluster: LocalCluster) -> None:
    def made(offer: mesos_pb2.Offer) -> mesos_pb2.TaskInfo:
        return task_of(offer, executor(), "running")

    with witness(cluster, "PARTITION_AWARE", made=made) as (scheduler, driver, status):
        agent = cluster.agent(status.slave_id.value)
        agent.restart()
        scheduler.offer(lambda offer: offer.slave_id.value == agent.id)
        scheduler.ask(driver, status)
        driver.killTask(status.task_id)
        scheduler.state(status.task_id.value, mesos_pb2.TASK_KILLED)
    lines = [line for line in scheduler.trace if "RECONCILIATION" in line or "KILLED" in line]
    assert [line.split()[0] for line in lines] == ["TASK_RUNNING", "TASK_KILLED"]


def test_an_executor_that_does_not_subscribe_again_is_gone(cluster: LocalCluster) -> None:
    def made(offer: mesos_pb2.Offer) -> mesos_pb2.TaskInfo:
        return task_of(offer, executor(), "running")

    with witness(cluster, "PARTITION_AWARE", made=made) as (scheduler, _, status):
        cluster.task(status.task_id.value).kill_process(signal.SIGSTOP)
        cluster.agent(status.slave_id.value).restart()
        gone = scheduler.state(status.task_id.value, mesos_pb2.TASK_GONE)
    line = "TASK_GONE AGENT EXECUTOR_REREGISTRATION_TIMEOUT uuid executor_id (Executor did not reregister within 2secs)"
    assert shown(gone).replace("SLAVE EXE", "AGENT EXE") == line


def test_an_agent_that_lost_its_memory_is_another_one(cluster: LocalCluster) -> None:
    with witness(cluster, "PARTITION_AWARE") as (scheduler, _, status):
        agent = cluster.agent(status.slave_id.value)
        new = cluster.agent(agent.restart(memory=False))
        assert new != agent
        assert agent.refresh().state == "removed"
        scheduler.wait("slaveLost")
        scheduler.offer(lambda offer: offer.slave_id.value == new.id)
        assert new.refresh().state == "active"
    why = "Agent localhost removed: a new agent registered at the same address"
    assert scheduler.trace == [f"TASK_LOST MASTER SLAVE_REMOVED ({why})", "slaveLost"]


@pytest.mark.parametrize("memory", [True, False])
def test_a_master_that_is_restarted(cluster: LocalCluster, memory: bool) -> None:
    with witness(cluster, "PARTITION_AWARE") as (scheduler, driver, status):
        cluster.restart_master(memory=memory)
        scheduler.wait("reregistered")
        scheduler.offers_of_agents(2)
        scheduler.ask(driver, status)
        driver.killTask(status.task_id)
        scheduler.state(status.task_id.value, mesos_pb2.TASK_KILLED)
    unknown = "TASK_RUNNING MASTER SLAVE_REREGISTERED (Unknown agent reregistered)"
    # Agents that the registry does not have may come before the framework, which is then told nothing.
    assert [line for line in without_repetition(scheduler.trace) if memory or line != unknown] == [
        "disconnected",
        "reregistered",
        "TASK_RUNNING MASTER RECONCILIATION (Reconciliation: Latest task state)",
        "TASK_KILLED EXECUTOR uuid executor_id (Command terminated with signal Terminated)",
    ]


def test_a_task_whose_process_is_killed(cluster: LocalCluster) -> None:
    with witness(cluster) as (scheduler, _, status):
        cluster.task(status.task_id.value).kill_process()
        scheduler.state(status.task_id.value, mesos_pb2.TASK_FAILED)
        with pytest.raises(ClusterError, match="does not run"):
            cluster.task(status.task_id.value).kill_process()
    words = "TASK_FAILED EXECUTOR COMMAND_EXECUTOR_FAILED uuid executor_id"
    assert scheduler.trace == [f"{words} (Command terminated with signal Killed)"]


def test_a_task_that_handles_a_signal(cluster: LocalCluster) -> None:
    def made(offer: mesos_pb2.Offer) -> mesos_pb2.TaskInfo:
        return task(offer, "trap 'exit 0' USR1; while true; do sleep 0.05; done")

    with witness(cluster, made=made) as (scheduler, _, status):
        cluster.task(status.task_id.value).kill_process(signal.SIGUSR1)
        assert scheduler.wait("statusUpdate").state in (mesos_pb2.TASK_FINISHED, mesos_pb2.TASK_FAILED)


@pytest.mark.parametrize("custom", [False, True])
def test_an_executor_that_is_killed(cluster: LocalCluster, custom: bool) -> None:
    def made(offer: mesos_pb2.Offer) -> mesos_pb2.TaskInfo:
        return task_of(offer, executor(), "running") if custom else task(offer, "sleep 300")

    with witness(cluster, made=made) as (scheduler, _, status):
        cluster.task(status.task_id.value).kill_executor()
        scheduler.state(status.task_id.value, mesos_pb2.TASK_FAILED)
        if custom:
            assert scheduler.trace[0] == "executorLost"
    assert scheduler.trace[-1] == "TASK_FAILED SLAVE EXECUTOR_TERMINATED uuid executor_id (Executor terminated)"


def test_a_disk_that_is_full(cluster: LocalCluster) -> None:
    with witness(cluster) as (scheduler, driver, status):
        agent = cluster.agent(status.slave_id.value)
        agent.exhaust_disk()
        failed = scheduler.state(status.task_id.value, mesos_pb2.TASK_FAILED)
        assert failed.reason == mesos_pb2.TaskStatus.REASON_CONTAINER_LIMITATION_DISK

        def launch() -> str:
            offer = scheduler.offer(lambda offer: offer.slave_id.value == agent.id)
            made = task(offer, "exit 0")
            driver.launchTasks(offer.id, [made])
            return made.task_id.value

        failed = scheduler.state(launch(), mesos_pb2.TASK_FAILED)
        assert failed.reason == mesos_pb2.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED
        assert failed.message.endswith("No space left on device")
        agent.free_disk()
        scheduler.state(launch(), mesos_pb2.TASK_FINISHED)


def test_an_offer_that_is_rescinded(cluster: LocalCluster) -> None:
    scheduler = Witness()
    with running(cluster.address, scheduler):
        scheduler.offer()
        offer = cluster.offers[0]
        offer.rescind()
        assert scheduler.wait("offerRescinded").value == offer.id
        with pytest.raises(ClusterError, match="not outstanding"):
            offer.rescind()


def test_a_framework_that_may_not_subscribe(cluster: LocalCluster) -> None:
    with witness(cluster) as (scheduler, _, _status):
        seen = cluster.frameworks[0]
        seen.refuse(2)
        seen.disconnect()
        with pytest.raises(ClusterError, match="not connected"):
            seen.disconnect()
        scheduler.wait("reregistered")
        assert seen.refresh().connected
    assert without_repetition(scheduler.trace) == ["disconnected", "reregistered"]


def test_credentials_that_are_rejected(cluster: LocalCluster) -> None:
    scheduler = Witness()
    with cluster.reject_authentication(), running(cluster.address, scheduler):
        scheduler.wait("error")
    with running(cluster.address, scheduler):
        scheduler.wait("registered")


def test_an_update_that_is_lost_comes_again_after_ten_seconds(cluster: LocalCluster) -> None:
    scheduler = Witness()
    with running(cluster.address, scheduler) as driver:
        offer = scheduler.offer()
        made = task(offer, "sleep 300")
        with cluster.updates(lose=1.0):
            driver.launchTasks(offer.id, [made])
            wait_until(lambda: cluster.tasks, "the task comes to its agent")
            cluster.task(made.task_id.value).wait("TASK_STARTING")
        assert scheduler.trace == []
        scheduler.state(made.task_id.value, mesos_pb2.TASK_STARTING)
        scheduler.state(made.task_id.value, mesos_pb2.TASK_RUNNING)


def test_updates_that_come_late_and_twice(cluster: LocalCluster) -> None:
    scheduler = Witness()
    with cluster.updates(delay=0.2, duplicate=1.0), running(cluster.address, scheduler) as driver:
        offer = scheduler.offer()
        driver.launchTasks(offer.id, [task(offer)])
        scheduler.wait("statusUpdate", lambda status: status.state == mesos_pb2.TASK_FINISHED)
        scheduler.wait("statusUpdate", lambda status: status.state == mesos_pb2.TASK_FINISHED)
    states = [event.arguments[0].state for event in scheduler.seen if event.name == "statusUpdate"]
    assert states == sorted(
        states, key=[mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING, mesos_pb2.TASK_FINISHED].index
    )
    assert len(states) == 6


def test_a_stopped_cluster_has_no_faults() -> None:
    cluster = LocalCluster()
    agent = cluster.agents[0]
    cluster.stop()
    with pytest.raises(ClusterError, match="stopped"):
        cluster.restart_master()
    with pytest.raises(ClusterError, match="stopped"):
        agent.disconnect()
