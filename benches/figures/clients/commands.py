# An embedded cluster that is made as it comes, and N tasks `true` on 8 slots: commands.py N

import sys
import threading
import time

from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver
from usage import cpu_seconds, report

AGENTS, CPUS = 2, 4


class Commands(Scheduler):
    """Launches a task on each CPU that it is offered."""

    def __init__(self, number):
        self.number, self.launched, self.finished = number, 0, 0
        self.done = threading.Event()

    def resourceOffers(self, driver, offers):
        for offer in offers:
            cpus = int(sum(resource.scalar.value for resource in offer.resources if resource.name == "cpus"))
            wanted = min(cpus, self.number - self.launched)
            driver.launchTasks(offer.id, [self.task(offer) for _ in range(wanted)])

    def task(self, offer):
        self.launched += 1
        task = mesos_pb2.TaskInfo(name="short", task_id={"value": str(self.launched)}, slave_id=offer.slave_id)
        task.command.value = "true"
        task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 1
        return task

    def statusUpdate(self, driver, status):
        self.finished += status.state == mesos_pb2.TASK_FINISHED
        if self.finished == self.number:
            self.done.set()


def main(number):
    scheduler = Commands(int(number))
    wall, cpu = time.perf_counter(), cpu_seconds()
    with LocalCluster(agents=AGENTS, resources={"cpus": CPUS, "mem": 4096}) as cluster:
        driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="short"), cluster.address)
        driver.start()
        scheduler.done.wait()
        report(wall_s=time.perf_counter() - wall, cpu_s=cpu_seconds() - cpu)
        driver.stop()
        driver.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
