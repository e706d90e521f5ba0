"""What a task that ended gives back is offered again at once on a ``LocalCluster``, and with the next batch elsewhere."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster

from tests.python.support import WAIT_SECONDS, Recorder, filters, running, task

TASKS = 20


class Many(Scheduler):
    """Runs tasks that end at once, each on one CPU, and declines what it does not need for no time at all."""

    def __init__(self) -> None:
        self.launched = self.finished = 0
        self.done = threading.Event()

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            cpus = int(sum(resource.scalar.value for resource in offer.resources if resource.name == "cpus"))
            number = min(cpus, TASKS - self.launched)
            self.launched += number
            driver.launchTasks(offer.id, [task(offer, "true", cpus=1) for _ in range(number)], filters(0))

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self.finished += status.state == mesos_pb2.TASK_FINISHED
        if self.finished == TASKS:
            self.done.set()


def test_many_short_tasks_do_not_wait_for_batch_allocations() -> None:
    scheduler = Many()
    with (
        LocalCluster(agents=2, resources="cpus:1;mem:1024", allocation_interval=600) as cluster,
        running(cluster.address, scheduler),
    ):
        assert scheduler.done.wait(WAIT_SECONDS), f"{scheduler.finished} of {TASKS} tasks have ended"


@pytest.mark.parametrize("chosen", ["argument", "variable"])
def test_what_comes_back_can_wait_for_the_next_batch_as_with_the_real_mesos(
    chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chosen == "variable":
        monkeypatch.setenv("REMESOS_LOCAL_ALLOCATE_ON_RECOVERY", "false")
    arguments: Any = {"allocate_on_recovery": False} if chosen == "argument" else {}
    scheduler = Recorder()
    with (
        LocalCluster(resources="cpus:1;mem:1024", allocation_interval=600, **arguments) as cluster,
        running(cluster.address, scheduler) as driver,
    ):
        offer = scheduler.offer()
        scheduler.unwanted = ("resourceOffers",)
        launched = task(offer, "true", cpus=1)
        driver.launchTasks(offer.id, [launched], filters(0))
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        # The answer to this comes after an offer that is made at once.
        driver.reconcileTasks([mesos_pb2.TaskStatus(task_id={"value": "unknown"}, state=mesos_pb2.TASK_RUNNING)])
        scheduler.wait("statusUpdate", lambda status: status.task_id.value == "unknown")
