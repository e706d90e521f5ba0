"""Full load: a scheduler and an embedded cluster in one process, as many described tasks as they can do."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AGENTS = 10
AT_ONCE = 50
"""On each agent."""
TASK_SECONDS = 0.02


class Full(Scheduler):
    """Has as many tasks on each agent as there is room for."""

    def __init__(self) -> None:
        self.launched, self.ended = 0, 0

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            cpus = sum(each.scalar.value for each in offer.resources if each.name == "cpus")
            driver.launchTasks(offer.id, [self._task(offer) for _ in range(int(cpus + 0.5))])

    def _task(self, offer: Any) -> Any:
        self.launched += 1
        task = mesos_pb2.TaskInfo(name="soak", task_id={"value": f"task-{self.launched}"}, slave_id=offer.slave_id)
        task.command.value = "true"
        task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 1
        return task

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self.ended += status.state == mesos_pb2.TASK_FINISHED


@contextlib.contextmanager
def full() -> Iterator[Callable[[], int]]:
    """A cluster under load; gives a function that tells how many tasks have ended."""
    scheduler = Full()
    options: dict[str, Any] = {"simulate": Run(seconds=TASK_SECONDS), "allocation_interval": 0.02}
    with LocalCluster(agents=AGENTS, resources={"cpus": AT_ONCE, "mem": 4096}, **options) as cluster:
        driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="soak"), cluster)
        driver.start()
        try:
            yield lambda: scheduler.ended
        finally:
            driver.stop()
            driver.join()
