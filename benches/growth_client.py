"""What ``growth.py`` measures of a driver, in a process of its own.

``growth_client.py FACE KIND SIZE FILLED COUNTED PORT`` prints JSON: microseconds of this process's CPU for each of
``COUNTED`` events or calls that come after ``FILLED`` others, and its memory above the start in kB, at its most and
after the driver's end.
"""

from __future__ import annotations

import asyncio
import collections
import gc
import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos import aio, pymesos
from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE_KB = 4


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KB


class Meter:
    """Counts events: the first ones are not measured."""

    def __init__(self, filled: int, counted: int) -> None:
        self._filled, self._counted, self._came = filled, counted, 0
        self._start, self._cpu, self._peak = 0, 0.0, 0
        self.over = threading.Event()

    def begin(self) -> None:
        """The driver is registered."""
        self._start, self._cpu = memory_kb(), cpu_seconds()

    def count(self, number: int = 1) -> None:
        before, self._came = self._came, self._came + number
        if before < self._filled <= self._came:
            self._cpu = cpu_seconds()
        if self._came >= self._filled + self._counted and not self.over.is_set():
            self._cpu = cpu_seconds() - self._cpu
            self._peak = memory_kb()
            self.over.set()

    def report(self) -> None:
        gc.collect()
        us, start = self._cpu * 1e6 / self._counted, self._start
        print(json.dumps({"us": us, "peak_kb": self._peak - start, "left_kb": memory_kb() - start}))


class Classic(Scheduler):
    """With ``outstanding``, declines the oldest offer when there are more."""

    def __init__(self, meter: Meter, outstanding: int | None = None) -> None:
        self._meter, self._outstanding = meter, outstanding
        self._offers: collections.deque[Any] = collections.deque()

    def registered(self, *_: Any) -> None:
        self._meter.begin()

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self._meter.count()

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        if self._outstanding is not None:
            for each in offers:
                self._offers.append(each.id)
                if len(self._offers) > self._outstanding:
                    driver.declineOffer(self._offers.popleft())
        self._meter.count(len(offers))

    def frameworkMessage(self, driver: Any, *_: Any) -> None:
        self._meter.over.set()


class Dicts(pymesos.Scheduler):
    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def registered(self, *_: Any) -> None:
        self._meter.begin()

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self._meter.count()

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        self._meter.count(len(offers))


class Told(Executor):
    def __init__(self) -> None:
        self.registered_, self.all = threading.Event(), threading.Event()

    def registered(self, *_: Any) -> None:
        self.registered_.set()

    def frameworkMessage(self, driver: Any, message: Any) -> None:
        self.all.set()


def flooded(driver: Any, meter: Meter) -> None:
    driver.start()
    meter.over.wait()
    driver.stop(True)
    driver.join()


async def awaited(meter: Meter, address: str) -> None:
    async with aio.Framework("growth", address) as framework:
        async for event in framework:
            match event:
                case aio.Subscribed():
                    meter.begin()
                case aio.Update():
                    meter.count()
                case aio.Offers(offers):
                    meter.count(len(offers))
            if meter.over.is_set():
                return


def bursts(meter: Meter, size: int, counted: int, ask: Callable[[int], Any], wait: Callable[[], Any]) -> None:
    """Asks for so much at once, again and again, and waits each time until the other side has all."""
    meter.begin()
    for first in range(0, counted, size):
        for each in range(first, first + size):
            ask(each)
        wait()
        meter.count(size)


def unanswered(meter: Meter, size: int, counted: int, address: str) -> None:
    came = Meter(0, 1)
    driver = MesosSchedulerDriver(Classic(came), mesos_pb2.FrameworkInfo(user="", name="growth"), address)
    registered = threading.Event()
    came.begin = registered.set  # type: ignore[method-assign]
    driver.start()
    registered.wait()

    def wait() -> None:
        came.over.wait()
        came.over.clear()

    bursts(meter, size, counted, lambda each: driver.killTask(f"task-{each}"), wait)
    driver.stop(True)
    driver.join()


def executor(meter: Meter, size: int, counted: int, port: str) -> None:
    pid = f"slave(1)@127.0.0.1:{port}"
    os.environ.update(
        MESOS_FRAMEWORK_ID="f", MESOS_EXECUTOR_ID="e", MESOS_SLAVE_ID="s", MESOS_SLAVE_PID=pid, MESOS_DIRECTORY="/"
    )
    told = Told()
    driver = MesosExecutorDriver(told)
    driver.start()
    told.registered_.wait()
    status = mesos_pb2.TaskStatus(state=mesos_pb2.TASK_RUNNING)

    def ask(each: int) -> None:
        status.task_id.value = f"task-{each}"
        driver.sendStatusUpdate(status)

    def wait() -> None:
        told.all.wait()
        told.all.clear()

    bursts(meter, size, counted, ask, wait)
    driver.stop()
    driver.join()


def measure(face: str, kind: str, size: int, filled: int, counted: int, port: str) -> None:
    meter, address = Meter(filled, counted), f"127.0.0.1:{port}"
    if kind == "unanswered":
        unanswered(meter, size, counted, address)
    elif kind == "executor":
        executor(meter, size, counted, port)
    elif face == "aio":
        asyncio.run(awaited(meter, address))
    elif face == "dicts":
        flooded(pymesos.MesosSchedulerDriver(Dicts(meter), {"user": "", "name": "growth"}, address), meter)
    else:
        scheduler = Classic(meter, size if kind == "outstanding" else None)
        info = mesos_pb2.FrameworkInfo(user="", name="growth")
        # Whoever acknowledges by hand, and does not, leaves all updates to be acknowledged.
        flooded(MesosSchedulerDriver(scheduler, info, address, face != "explicit"), meter)
    meter.report()


if __name__ == "__main__":
    measure(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]), sys.argv[6])
