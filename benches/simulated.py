"""Simulated tasks through the whole of it: cluster, HTTP, driver and a framework in Python.

``simulated.py [AGENTS] [TASKS]``. One line: time, CPU time of the process, and memory, per task too. The cluster's own
share is in ``simulation.rs``.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from typing import Any

from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver

AT_ONCE = 100


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Many(Scheduler):
    def __init__(self, number: int) -> None:
        self.number, self.launched, self.ended = number, 0, 0
        self.done = threading.Event()

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            number = min(self.number - self.launched, AT_ONCE)
            driver.launchTasks(offer.id, [self.task(offer) for _ in range(number)])

    def task(self, offer: mesos_pb2.Offer) -> mesos_pb2.TaskInfo:
        self.launched += 1
        task = mesos_pb2.TaskInfo(name="simulated", task_id={"value": str(self.launched)}, slave_id=offer.slave_id)
        task.command.value = "true"
        task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 0.01
        return task

    def statusUpdate(self, driver: Any, status: mesos_pb2.TaskStatus) -> None:
        self.ended += status.state == mesos_pb2.TASK_FINISHED
        if self.ended == self.number:
            self.done.set()


def main(agents: int = 100, tasks: int = 10_000) -> None:
    scheduler = Many(tasks)
    with LocalCluster(agents=agents, resources="cpus:4;mem:4096", simulate=Run(seconds=1)) as cluster:
        memory, cpu, began = peak_kb(), cpu_seconds(), time.perf_counter()
        driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="many"), cluster.address)
        driver.start()
        scheduler.done.wait()
        took, cpu, memory = time.perf_counter() - began, cpu_seconds() - cpu, peak_kb() - memory
        driver.stop()
        driver.join()
    print(
        f"{agents} agents, {tasks} tasks: {took:.1f} s, {tasks / took:.0f} tasks/s; "
        f"{cpu / tasks * 1e6:.0f} us of CPU and {memory / tasks:.1f} kB each"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
