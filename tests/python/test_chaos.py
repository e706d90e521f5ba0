"""Random faults from a seed: the same seed gives the same story, which can be replayed, and the cluster recovers."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from mesos._chaos import FAULTS, Step
from mesos.errors import ArgumentValueError
from mesos.local import LocalCluster, Run

from tests.python.support import Recorder, capable, framework, running, task
from tests.python.test_faults_compared import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

OVER = {"TASK_FINISHED", "TASK_FAILED", "TASK_LOST", "TASK_GONE", "TASK_DROPPED", "TASK_KILLED", "TASK_UNREACHABLE"}


class Busy(Recorder):
    """Launches a task wherever there is room, named by numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.launched = 0

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            if not any(resource.name == "cpus" and resource.scalar.value >= 1 for resource in offer.resources):
                driver.declineOffer(offer.id)
                continue
            self.launched += 1
            made = task(offer, cpus=1)
            made.task_id.value = f"task-{self.launched}"
            driver.launchTasks(offer.id, [made])


@contextlib.contextmanager
def busy(seed: int = 5) -> Iterator[LocalCluster]:
    """A cluster in virtual time that is kept busy with tasks of 30 seconds."""
    options: dict[str, Any] = {"time": "skip", "seed": seed, "simulate": Run(seconds=30), "allocation_interval": 1}
    with LocalCluster(agents=3, resources={"cpus": 4, "mem": 4096}, **options) as cluster:
        info = framework(
            name="busy", failover_timeout=6000, checkpoint=seed % 3 > 0, capabilities=capable("PARTITION_AWARE")
        )
        with running(cluster, Busy(), info):
            cluster.run_until(lambda: cluster.tasks)
            yield cluster


def test_the_same_seed_gives_the_same_history() -> None:
    histories, stories = [], []
    for _ in range(2):
        with busy() as cluster, cluster.chaos(seed=3, rate=0.1) as chaos:
            cluster.advance(200)
            stories.append(chaos.story())
            histories.append(cluster.history())
    assert stories[0] == stories[1]
    assert len(stories[0].splitlines()) > 10
    assert histories[0] == histories[1]


def test_a_story_can_be_replayed() -> None:
    with busy() as cluster, cluster.chaos(seed=4, rate=0.1) as chaos:
        cluster.advance(100)
        story, history = chaos.story(), cluster.history()
    with busy() as cluster:
        again = cluster.replay(story)
        cluster.run_until(lambda: again.is_over)
        assert again.story() == story
        told = cluster.history()
    shared = min(len(told), len(history))
    assert shared > 100
    assert told[:shared] == history[:shared]


@pytest.mark.parametrize("seed", range(6))
def test_a_cluster_recovers(seed: int) -> None:
    with busy(seed) as cluster:
        with cluster.chaos(seed=seed, rate=0.1):
            cluster.advance(200)
        cluster.advance(150)
        agents = [agent for agent in cluster.agents if agent.state != "removed"]
        assert [agent.state for agent in agents] == ["active"] * 3
        with urllib.request.urlopen(cluster.url + "/state") as response:
            state = json.load(response)
        known = [task for each in state["frameworks"] for task in each["tasks"] if task["state"] not in OVER]
        assert {task["id"] for task in known} == {task.id for task in cluster.tasks if task.state not in OVER}
        for agent in state["slaves"]:
            here = [task for task in known if task["slave_id"] == agent["id"]]
            assert agent["used_resources"]["cpus"] == len(here) == 4


@contextlib.contextmanager
def a_task_that_runs() -> Iterator[tuple[LocalCluster, Witness]]:
    """A cluster on which a framework with checkpointing has run a task for ten seconds."""
    scheduler = Witness()
    with LocalCluster(time="skip", simulate=Run(seconds=3600)) as cluster:
        info = framework(checkpoint=True, failover_timeout=600, capabilities=capable("PARTITION_AWARE"))
        with running(cluster, scheduler, info) as driver:
            cluster.run_until(lambda: cluster.offers)
            offer = scheduler.offer()
            driver.launchTasks(offer.id, [task(offer)])
            cluster.run_until(lambda: cluster.tasks and cluster.tasks[0].state == "TASK_RUNNING")
            cluster.advance(10)
            yield cluster, scheduler


def test_an_agent_is_unreachable_after_the_ping_timeout() -> None:
    with a_task_that_runs() as (cluster, scheduler):
        scheduler.trace.clear()
        cluster.agents[0].disconnect()
        cluster.advance(74)
        assert scheduler.trace == []
        cluster.advance(16)
        unreachable = "TASK_UNREACHABLE MASTER SLAVE_REMOVED unreachable_time (health check timed out)"
        assert scheduler.trace == [unreachable, "slaveLost"]
        cluster.agents[0].reconnect()
        cluster.advance(1)
        assert "TASK_RUNNING MASTER SLAVE_REREGISTERED (Unreachable agent re-reregistered)" in scheduler.trace


def test_an_agent_that_is_down_for_long_is_unreachable_until_it_is_back() -> None:
    with a_task_that_runs() as (cluster, _):
        agent = cluster.agents[0]
        agent.restart(down=120)
        cluster.advance(100)
        assert (agent.refresh().state, cluster.tasks[0].state) == ("unreachable", "TASK_UNREACHABLE")
        agent.deactivate()
        cluster.advance(30)
        assert (agent.refresh().state, cluster.tasks[0].state) == ("deactivated", "TASK_RUNNING")
        agent.reactivate()
        cluster.run_until(lambda: cluster.offers)


def test_an_update_is_repeated_after_ten_seconds_then_twenty() -> None:
    scheduler = Witness()
    with LocalCluster(time="skip", simulate=Run(seconds=3600)) as cluster, running(cluster, scheduler) as driver:
        cluster.run_until(lambda: cluster.offers)
        offer = scheduler.offer()
        with cluster.updates(lose=1.0):
            driver.launchTasks(offer.id, [task(offer)])
            cluster.run_until(lambda: cluster.tasks)
            cluster.advance(15)
        cluster.advance(14)
        assert scheduler.trace == []
        cluster.advance(1)
        assert [line.split()[0] for line in scheduler.trace] == ["TASK_STARTING", "TASK_RUNNING"]


def test_steps_are_written_and_read() -> None:
    for step in (
        Step(1.5, "agent", ("slave(1)",), "restart", {"memory": True, "down": 2.5}),
        Step(0.25, "task", ("it's [odd].name()",), "kill_process", {}),
        Step(12.0, "offer", ("a", "slave(2)"), "rescind", {}),
        Step(3.0, "cluster", (), "updates", {"lose": 0.5}),
    ):
        assert Step.parse(str(step)) == step
        assert Step.parse(f"{step}  # not possible: nothing is") == step


def test_what_is_wrong_is_said() -> None:
    with LocalCluster() as cluster:
        with pytest.raises(ArgumentValueError, match="more than 0"):
            cluster.chaos(seed=1, rate=0)
        with pytest.raises(ArgumentValueError, match="agent.restart"):
            cluster.chaos(seed=1, rate=1, faults=["agent.explode"])
        with pytest.raises(ArgumentValueError, match="not a line of a story"):
            cluster.replay("at noon the agent falls")
        assert "agent.mark_gone" not in FAULTS
        impossible = cluster.replay("0.0  agent['slave(9)'].restart(memory=True)")
        assert impossible.wait(10)
        assert "# not possible: no agent 'slave(9)'" in impossible.story()
