"""A framework that loses its agent and gets it back ten minutes later: short, quick, and the same each time."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from mesos.interface import Scheduler, mesos_pb2
from mesos.testing import Mesos, Run

from tests.python.support import task

AGAIN = int(os.environ.get("REMESOS_TRACES", "20"))
"""How often the test is run to compare its traces; 1,000 are equal."""


class Retrying(Scheduler):
    """Launches a task again if it was lost."""

    def __init__(self) -> None:
        self.attempts = 0

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            self.attempts += 1
            made = task(offer, "sleep 3600")
            made.task_id.value = f"task-{self.attempts}"
            driver.launchTasks(offer.id, [made])
            driver.suppressOffers()

    def statusUpdate(self, driver: Any, status: Any) -> None:
        if status.state == mesos_pb2.TASK_LOST:
            driver.reviveOffers()


@pytest.mark.mesos(agents=1, simulate=Run(seconds=3600))
def test_a_lost_agent_is_waited_for(mesos: Any, mesos_time: Any) -> None:
    framework = mesos.start(Retrying())
    framework.wait_for("task-1", "TASK_RUNNING")
    agent = mesos_time.agents[0]
    agent.disconnect()
    mesos_time.advance(600)
    assert framework.states("task-1")[-1] == "TASK_LOST"
    agent.reconnect()
    framework.wait_for("task-2", "TASK_RUNNING")


def test_its_trace_is_the_same_each_time_and_takes_a_moment() -> None:
    stories, seconds = set(), []
    for _ in range(AGAIN):
        before = time.monotonic()
        with Mesos(agents=1, simulate=Run(seconds=3600), time="skip") as mesos:
            test_a_lost_agent_is_waited_for(mesos, mesos.cluster)
            stories.add(mesos.story())
        seconds.append(time.monotonic() - before)
    assert len(stories) == 1
    (story,) = stories
    for words in ("agent unreachable on S0", "agent reregistered on S0", "task-2 TASK_RUNNING"):
        assert words in story
    # The machine may have other work.
    assert min(seconds) < 2
