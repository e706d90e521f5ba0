"""Executors on the embedded agent: how long one takes to be registered, beside a bare Python with the same imports, and
1,000 tasks through one executor, beside an executor of plain HTTP that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver

from benches.figures.participants import CLIENTS

HERE = Path(__file__).parent
IMPORTS = "from mesos.interface import Executor, mesos_pb2\nfrom mesos.native import MesosExecutorDriver\n"
REGISTER = """
class Registering(Executor):
    def registered(self, driver, *_):
        driver.stop()
MesosExecutorDriver(Registering()).run()
"""
RESOURCES = "cpus:1000;mem:1000000"
WAIT_SECONDS = 120


class Workload(Scheduler):
    """Launches tasks on one executor, and knows when all of them are finished."""

    def __init__(self, command: str, tasks: int) -> None:
        self.command, self.tasks = command, tasks
        self.launched, self.finished = 0, 0
        self.begun = 0.0
        self.offer: Any = None
        self.begins, self.done, self.answered = threading.Event(), threading.Event(), threading.Event()
        self.answer = b""

    def executor(self) -> mesos_pb2.ExecutorInfo:
        made = mesos_pb2.ExecutorInfo()
        made.executor_id.value = "one"
        made.command.value = self.command
        add(made.resources, cpus=0.1, mem=32)
        return made

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        self.offer = self.offer or offers[0]
        mine = [offer for offer in offers if offer.slave_id == self.offer.slave_id]
        if self.launched == 0:
            self.begun = time.perf_counter()
            driver.launchTasks(mine[0].id, [self.task() for _ in range(self.tasks)])
            self.begins.set()

    def task(self) -> mesos_pb2.TaskInfo:
        made = mesos_pb2.TaskInfo(name="bench", executor=self.executor(), slave_id=self.offer.slave_id)
        made.task_id.value = str(self.launched)
        add(made.resources, cpus=0.001, mem=0.1)
        self.launched += 1
        return made

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self.finished += status.state == mesos_pb2.TASK_FINISHED
        if self.finished == self.tasks:
            self.done.set()

    def frameworkMessage(self, driver: Any, executorId: Any, slaveId: Any, message: bytes) -> None:
        self.answer = message
        self.answered.set()


def add(resources: Any, **amounts: float) -> None:
    for name, amount in amounts.items():
        resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount


def tasks(cluster: LocalCluster, command: str, number: int) -> tuple[float, float | None]:
    """Wall seconds for a number of tasks, and the executor's CPU seconds if it reports them."""
    scheduler = Workload(command, number)
    driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="bench"), cluster.address)
    driver.start()
    if not scheduler.done.wait(WAIT_SECONDS):
        sys.exit(f"only {scheduler.finished} of {number} tasks finished")
    wall = time.perf_counter() - scheduler.begun
    cpu = None
    if "classic" in command:
        driver.sendFrameworkMessage(scheduler.executor().executor_id, scheduler.offer.slave_id, b"?")
        cpu = float(scheduler.answer) if scheduler.answered.wait(WAIT_SECONDS) else None
    driver.stop()
    driver.join()
    return wall, cpu


def start_up(cluster: LocalCluster) -> tuple[float, float]:
    """Seconds of a process that is registered as an executor, and of one that only imports what that takes.

    The executor is started by hand, in the name of one whose own process only sleeps.
    """
    scheduler = Workload("exec sleep 1000", 1)
    with MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="bench"), cluster.address) as driver:
        driver.start()
        scheduler.begins.wait()
        variables = {
            **os.environ,
            "MESOS_FRAMEWORK_ID": scheduler.offer.framework_id.value,
            "MESOS_EXECUTOR_ID": "one",
            "MESOS_SLAVE_ID": scheduler.offer.slave_id.value,
            "MESOS_SLAVE_PID": f"{scheduler.offer.url.path.strip('/')}@{cluster.address}",
            "MESOS_DIRECTORY": "/",
        }
        return seconds(IMPORTS + REGISTER, variables), seconds(IMPORTS, variables)


def seconds(code: str, variables: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=variables, check=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.executors", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with LocalCluster(resources=RESOURCES) as cluster:
        rounds = [start_up(cluster) for _ in range(options.rounds)]
        registered, bare = (statistics.median(times) for times in zip(*rounds, strict=True))
        print(
            f"an executor, to registered and its end: {registered * 1e3:.0f} ms; its imports alone: {bare * 1e3:.0f} ms"
        )
        print(f"registered / imports: {registered / bare:.2f}")
        rows = {}
        for path in (HERE / "classic_executor.py", CLIENTS / "noop_executor.py"):
            name, command = path.name, f"exec {sys.executable} {path}"
            rows[name] = tasks(cluster, command, options.tasks)
            wall, cpu = rows[name]
            told = f", {cpu * 1e6 / options.tasks:.0f} us of the executor's CPU each" if cpu is not None else ""
            print(f"{name}: {options.tasks} tasks in {wall:.2f} s, {options.tasks / wall:.0f} a second{told}")
        ours, plain = rows.values()
        print(f"classic / plain HTTP, wall: {ours[0] / plain[0]:.2f}")


if __name__ == "__main__":
    main()
