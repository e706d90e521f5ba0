"""Lifetimes: each function makes a thing, waits until it works, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import threading
from typing import TYPE_CHECKING, Any

from mesos import aio
from mesos.futures import MesosPoolExecutor
from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver
from mesos.operator import MasterClient

from tests.python.stub import Stub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_SECONDS = 30


class Registers(Scheduler):
    """Knows when it has registered."""

    def __init__(self) -> None:
        self.up = threading.Event()

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        self.up.set()


class Begins(Executor):
    def __init__(self) -> None:
        self.up = threading.Event()

    def registered(self, driver: Any, executorInfo: Any, frameworkInfo: Any, slaveInfo: Any) -> None:
        self.up.set()


def driver(master: str) -> None:
    scheduler = Registers()
    made = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="soak"), master)
    made.start()
    assert scheduler.up.wait(WAIT_SECONDS)
    made.stop()
    made.join()


def loop(master: str) -> None:
    async def main() -> None:
        async with aio.Framework("soak", master) as framework:
            async for event in framework:
                assert isinstance(event, aio.Subscribed)
                return

    asyncio.run(main())


def stream(master: str) -> None:
    with MasterClient(master).events(timeout=WAIT_SECONDS) as events:
        next(events)


def pool(master: str) -> None:
    with MesosPoolExecutor(master, cpus=0.1, mem=32) as made:
        assert made.submit(abs, -7).result(WAIT_SECONDS) == 7


def fork(master: str) -> None:
    """A child of a process that has drivers makes one of its own."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            driver(master)
            status = 0
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def executor(agent: str) -> None:
    os.environ["MESOS_SLAVE_PID"] = f"slave@{agent}"
    executor = Begins()
    made = MesosExecutorDriver(executor)
    made.start()
    assert executor.up.wait(WAIT_SECONDS)
    made.stop()
    made.join()


def cluster(_: str) -> None:
    with LocalCluster() as made:
        driver(made.address)


LIVES: dict[str, tuple[Callable[[str], None], int]] = {
    "drivers": (driver, 10_000),
    "clusters": (cluster, 1_000),
    "loops": (loop, 5_000),
    "executors": (executor, 5_000),
    "streams": (stream, 5_000),
    "forks": (fork, 500),
    "pools": (pool, 50),
}
"""What lives, and how often."""


@contextlib.contextmanager
def surroundings(kind: str) -> Iterator[str]:
    """What the things connect to, in a process of its own; its address."""
    play = {"executors": serve_agent, "clusters": None}.get(kind, serve_cluster)
    if play is None:
        yield ""
        return
    if kind == "executors":
        for name in ("FRAMEWORK_ID", "EXECUTOR_ID", "SLAVE_ID", "DIRECTORY"):
            os.environ[f"MESOS_{name}"] = "soak"
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=play, args=(there,))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join()
        # The process of multiprocessing that looks after shared memory is not ours.


def serve_cluster(pipe: Any) -> None:
    os.environ["MESOS_ALLOCATION_INTERVAL"] = "200ms"
    with LocalCluster(agents=1, resources="cpus:64;mem:65536") as made:
        pipe.send(made.address)
        pipe.recv()


def serve_agent(pipe: Any) -> None:
    with Stub(agent=True) as stub:
        pipe.send(stub.address)
        pipe.recv()
