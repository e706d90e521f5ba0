"""Agents that join and leave an embedded cluster while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError, ClusterError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.support import Recorder, alive, capable, framework, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

RESOURCES = {"cpus": 2, "mem": 1024, "disk": 1024, "ports": "[31000-31009]"}


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(resources=RESOURCES, attributes={"rack": "a"}) as cluster:
        yield cluster


def test_an_agent_that_is_added_is_offered(cluster: LocalCluster) -> None:
    scheduler = Recorder()
    with running(cluster, scheduler) as driver:
        scheduler.offer()
        added = cluster.add_agent(resources={"cpus": 7, "mem": 64}, hostname="late")
        assert (added.state, added.hostname, added.attributes) == ("active", "late", {"rack": "a"})
        assert (added.resources["cpus"], added.id[-3:]) == (7, "-S1")
        offer = scheduler.offer(lambda offer: offer.slave_id.value == added.id)
        assert offer.hostname == "late"
        launched = task(offer, "echo here; sleep 600")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        assert cluster.task(launched.task_id.value).agent_id == added.id
        assert cluster.agents == [cluster.agent(cluster.agents[0].id), added]


def test_what_is_said_of_an_added_agent_is_checked(cluster: LocalCluster) -> None:
    with pytest.raises(ArgumentValueError, match=r"expected a finite number from 0 as resources\['cpus'\], got -1"):
        cluster.add_agent(resources={"cpus": -1})
    with pytest.raises(ArgumentTypeError, match="expected a str as hostname, got int"):
        cluster.add_agent(hostname=5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentValueError, match="attributes: 'rack': expected name:value"):
        cluster.add_agent(attributes="rack")
    cluster.stop()
    with pytest.raises(ClusterError, match="is stopped"):
        cluster.add_agent()


@pytest.mark.parametrize("aware", [True, False])
def test_an_agent_that_is_killed_takes_its_tasks_with_it(cluster: LocalCluster, aware: bool) -> None:
    capabilities = capable("PARTITION_AWARE") if aware else []
    scheduler = Recorder()
    with running(cluster, scheduler, framework(checkpoint=True, capabilities=capabilities)) as driver:
        offer = scheduler.offer()
        launched = task(offer, "echo said; trap '' TERM; sleep 600 & wait")
        driver.launchTasks(offer.id, [launched])
        pid = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        agent, ran = cluster.agent(offer.slave_id.value), cluster.task(launched.task_id.value)
        wait_until(lambda: ran.stdout() == "said\n", "the task has written")
        agent.kill(at_once=True)
        assert agent.state == cluster.agent(agent.id).state == "killed"
        expected = "TASK_UNREACHABLE" if aware else "TASK_LOST"
        status = scheduler.state(launched.task_id.value, mesos_pb2.TaskState.Value(expected))
        assert status.message == "health check timed out"
        assert scheduler.wait("slaveLost").value == agent.id
        wait_until(lambda: not alive(pid), "the task is gone")
        assert cluster.task(ran.id).state == expected
        assert ran.stdout() == "said\n"
        with pytest.raises(ClusterError, match=f"has no agent '{agent.id}' that runs"):
            agent.kill()
        replaced = cluster.add_agent()
        scheduler.offer(lambda offer: offer.slave_id.value == replaced.id)


def test_an_agent_that_is_killed_is_not_unreachable_at_once(cluster: LocalCluster) -> None:
    scheduler = Recorder(unwanted=("slaveLost",))
    with running(cluster, scheduler) as driver:
        offer = scheduler.offer()
        other = cluster.add_agent()
        launched = task(offer, "sleep 600")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        cluster.agent(offer.slave_id.value).kill()
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_LOST)
        assert status.reason == mesos_pb2.TaskStatus.REASON_SLAVE_DISCONNECTED
        assert [agent.id for agent in cluster.agents] == [other.id, offer.slave_id.value]


def test_an_agent_that_is_removed_unregisters(cluster: LocalCluster) -> None:
    scheduler = Recorder()
    with running(cluster, scheduler, framework(checkpoint=True)) as driver:
        offer = scheduler.offer()
        launched = task(offer, "echo said; sleep 600")
        driver.launchTasks(offer.id, [launched])
        pid = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        agent = cluster.agent(offer.slave_id.value)
        wait_until(lambda: cluster.task(launched.task_id.value).stdout() == "said\n", "the task has written")
        agent.remove()
        assert agent.state == "removed"
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_LOST)
        assert status.message == "Agent localhost removed: the agent unregistered"
        assert scheduler.wait("slaveLost").value == agent.id
        wait_until(lambda: not alive(pid), "the task is gone")
        assert cluster.task(launched.task_id.value).state == "TASK_LOST"
    assert cluster.task(launched.task_id.value).stdout() == "said\n"
