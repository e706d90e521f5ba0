"""A cluster that is made, and 200 short tasks on 8 slots: ours beside dask's LocalCluster with processes.

``LocalCluster`` is used as it comes. A task is a process of its own here (``/bin/sh -c true``), and a call in a process
that waits for work there. ``pip install distributed`` for the comparison.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver

AGENTS, CPUS, TASKS = 2, 4, 200


class Short(Scheduler):
    """Launches a task on each CPU that it is offered."""

    def __init__(self) -> None:
        self.launched = self.finished = 0
        self.done = threading.Event()

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            cpus = int(sum(resource.scalar.value for resource in offer.resources if resource.name == "cpus"))
            number = min(cpus, TASKS - self.launched)
            driver.launchTasks(offer.id, [self.task(offer) for _ in range(number)])

    def task(self, offer: mesos_pb2.Offer) -> mesos_pb2.TaskInfo:
        self.launched += 1
        task = mesos_pb2.TaskInfo(name="short", task_id={"value": str(self.launched)}, slave_id=offer.slave_id)
        task.command.value = "true"
        task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 1
        return task

    def statusUpdate(self, driver: Any, status: mesos_pb2.TaskStatus) -> None:
        self.finished += status.state == mesos_pb2.TASK_FINISHED
        if self.finished == TASKS:
            self.done.set()


def ours() -> float:
    began = time.perf_counter()
    scheduler = Short()
    with LocalCluster(agents=AGENTS, resources={"cpus": CPUS, "mem": 4096}) as cluster:
        driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="short"), cluster.address)
        driver.start()
        assert scheduler.done.wait(60), f"{scheduler.finished} of {TASKS} tasks have ended"
        took = time.perf_counter() - began
        driver.stop()
        driver.join()
    return took


def nothing(number: int) -> int:
    return number


def dasks() -> tuple[float, float]:
    """The time from the beginning, and of the tasks alone."""
    from distributed import Client
    from distributed import LocalCluster as DaskCluster

    began = time.perf_counter()
    with (
        DaskCluster(
            n_workers=AGENTS * CPUS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        made = time.perf_counter()
        client.gather(client.map(nothing, range(TASKS), pure=False))
        ended = time.perf_counter()
    return ended - began, ended - made


def has_dask() -> bool:
    found = subprocess.run([sys.executable, "-c", "import distributed"], capture_output=True, check=False)
    return found.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    took = [ours() for _ in range(rounds)]
    print(f"{TASKS} tasks on {AGENTS * CPUS} CPUs, with the making of the cluster, median of {rounds} (slowest):")
    print(f"  mesos.local   {statistics.median(took):.2f} s ({max(took):.2f} s)")
    if not has_dask():
        print("  dask          not compared: distributed is not installed")
        return
    both = [dasks() for _ in range(rounds)]
    whole, alone = [statistics.median(times) for times in zip(*both, strict=True)]
    print(f"  dask          {whole:.2f} s ({max(times[0] for times in both):.2f} s), tasks alone {alone:.2f} s")


if __name__ == "__main__":
    main()
