"""A scheduler of many simulated tasks, for benchmarks and for the test of the web page."""

from __future__ import annotations

import threading
from typing import Any

from mesos.interface import Scheduler, mesos_pb2


class Many(Scheduler):
    """Launches ``number`` tasks; ``done`` is set when ``enough`` of them have reached a state.

    :param state: of ``mesos_pb2.TaskState``
    :param enough: all of them if it is None
    :param at_once: how many tasks go to one offer
    """

    def __init__(self, number: int, state: int, enough: int | None = None, at_once: int = 1000) -> None:
        self.number, self.state, self.at_once = number, state, at_once
        self.enough = number if enough is None else enough
        self.launched, self.reached = 0, 0
        self.done = threading.Event()

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            count = min(self.number - self.launched, self.at_once)
            driver.launchTasks(offer.id, [self.task(offer) for _ in range(count)])

    def task(self, offer: Any) -> Any:
        self.launched += 1
        task = mesos_pb2.TaskInfo(name="simulated", task_id={"value": f"task-{self.launched}"}, slave_id=offer.slave_id)
        task.command.value = "true"
        task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 0.001
        return task

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self.reached += status.state == self.state
        if self.reached == self.enough:
            self.done.set()
