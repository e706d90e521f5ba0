"""A framework, or an executor, whose callbacks take their time: ``slow_framework.py FACE ADDRESS SLOW READ``.

The first ``SLOW`` callbacks take 10 ms each, and further ones no time. It ends after ``READ`` of them, each of which has
the next number, and prints JSON: its memory in kB when it began to count and at its most, and how often it was
disconnected.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from mesos import aio, mesoshttp, pymesos
from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver

SECONDS = 0.01


def memory(which: str) -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(which))


class Count:
    """What came so far."""

    def __init__(self, slow: int, read: int) -> None:
        self.slow, self.read = slow, read
        self.came, self.disconnected = 0, 0
        self.over = threading.Event()

    def begin(self) -> None:
        self.memory = memory("VmRSS")

    def takes(self, name: str) -> float:
        """Counts an event by the number in its name; returns how long its callback is to take."""
        if self.came < self.read:
            assert int(name) == self.came, f"expected {self.came}, got {name}"
            self.came += 1
        return SECONDS if self.came <= self.slow else 0

    def after(self) -> None:
        """The callback is about to return."""
        if self.came >= self.read:
            self.over.set()

    def wait(self, name: str) -> None:
        time.sleep(self.takes(name))
        self.after()

    def report(self) -> None:
        peak = memory("VmHWM")
        print(json.dumps({"memory": self.memory, "peak": peak, "disconnected": self.disconnected, "came": self.came}))


class Counting:
    """What a scheduler and an executor count alike."""

    def __init__(self, count: Count) -> None:
        self.count = count

    def registered(self, *_: Any) -> None:
        self.count.begin()

    def disconnected(self, *_: Any) -> None:
        self.count.disconnected += 1


class Slow(Counting, Scheduler):
    def statusUpdate(self, driver: Any, status: Any) -> None:
        self.count.wait(status.task_id.value)


class SlowDicts(Slow, pymesos.Scheduler):
    def statusUpdate(self, driver: Any, status: Any) -> None:
        self.count.wait(status["task_id"]["value"])


class SlowExecutor(Counting, Executor):
    def launchTask(self, driver: Any, task: Any) -> None:
        self.count.wait(task.task_id.value)


def run(driver: Any, count: Count) -> None:
    driver.start()
    count.over.wait()
    driver.stop(*[True] * (not isinstance(driver, MesosExecutorDriver)))
    driver.join()


def classic(count: Count, address: str) -> None:
    run(MesosSchedulerDriver(Slow(count), mesos_pb2.FrameworkInfo(user="", name="slow"), address), count)


def dicts(count: Count, address: str) -> None:
    run(pymesos.MesosSchedulerDriver(SlowDicts(count), {"user": "", "name": "slow"}, address), count)


def executor(count: Count, address: str) -> None:
    os.environ.update(MESOS_FRAMEWORK_ID="f", MESOS_EXECUTOR_ID="e", MESOS_SLAVE_ID="s", MESOS_DIRECTORY="/")
    os.environ["MESOS_SLAVE_PID"] = f"slave(1)@{address}"
    run(MesosExecutorDriver(SlowExecutor(count)), count)


def awaited(count: Count, address: str) -> None:
    async def consume() -> None:
        async with aio.Framework("slow", address) as framework:
            async for event in framework:
                match event:
                    case aio.Subscribed():
                        count.begin()
                    case aio.Disconnected():
                        count.disconnected += 1
                    case aio.Update(status):
                        await asyncio.sleep(count.takes(status.task_id.value))
                        count.after()
                if count.over.is_set():
                    return

    asyncio.run(consume())


def handled(count: Count, address: str) -> None:
    client = mesoshttp.MesosClient(mesos_urls=[f"http://{address}"])

    def updated(update: Any) -> None:
        count.wait(update["status"]["task_id"]["value"])
        if count.over.is_set():
            client.disconnect_framework()

    def disconnected(_: Any) -> None:
        count.disconnected += 1

    client.on(mesoshttp.MesosClient.SUBSCRIBED, lambda _: count.begin())
    client.on(mesoshttp.MesosClient.UPDATE, updated)
    client.on(mesoshttp.MesosClient.DISCONNECTED, disconnected)
    client.register()


FACES = {"classic": classic, "dicts": dicts, "aio": awaited, "mesoshttp": handled, "executor": executor}


if __name__ == "__main__":
    counting = Count(int(sys.argv[3]), int(sys.argv[4]))
    FACES[sys.argv[1]](counting, sys.argv[2])
    counting.report()
