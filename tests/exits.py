"""Ends processes at random moments: ``python -m tests.exits 2000``. None may hang or crash, and each has its status.

Most processes run a scheduler with tasks on one embedded cluster; others a framework of asyncio, a pool of workers, a
stream of operator events, or a cluster of their own. The seed decides on everything: how a process ends and when, what
its callbacks, its log and its other threads do meanwhile. A failure shows the seed, with which
``python -m tests.exits --seed SEED 1`` makes the same process again.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import dataclasses
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from mesos import aio
from mesos.futures import MesosPoolExecutor
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver
from mesos.operator import MasterClient

if TYPE_CHECKING:
    from collections.abc import Callable

HANG_SECONDS = 60
LATEST_SECONDS = 0.5
CODE = 7


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one process does."""

    ending: str
    seconds: float
    """From the start of the driver to the end."""
    kind: str
    """``scheduler``, or one of :data:`OTHERS`."""
    callbacks: str
    log: str
    threads: int
    """Daemon threads that call the driver."""

    @classmethod
    def of(cls, seed: int) -> Plan:
        chance = random.Random(seed)
        kind = chance.choice(["scheduler"] * len(OTHERS) + sorted(OTHERS))
        return cls(
            kind=kind,
            ending=chance.choice(sorted(ENDINGS if kind == "scheduler" else OTHER_ENDINGS)),
            seconds=chance.choice([0, chance.uniform(0, LATEST_SECONDS)]),
            callbacks=chance.choice(["quick", "sleeping", "computing"]),
            log=chance.choice(["quiet", "debug", "slow", "slow"]),
            threads=chance.choice([0, 0, 1, 4]),
        )

    @property
    def status(self) -> int:
        return (ENDINGS if self.kind == "scheduler" else OTHER_ENDINGS)[self.ending][0]


class Load(Scheduler):
    """Launches a task on each offer, and may raise SystemExit in a callback."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.exits, self.number = plan, threading.Event(), 0

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            self.number += 1
            task = mesos_pb2.TaskInfo(name="load", slave_id=offer.slave_id, data="text")
            task.task_id.value = f"{os.getpid()}-{self.number}"
            task.command.value = "exit 0"
            task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 0.1
            driver.launchTasks(offer.id, [task], mesos_pb2.Filters(refuse_seconds=0))
        self._go_on()

    def statusUpdate(self, driver: Any, status: Any) -> None:
        assert status.data is not None
        self._go_on()

    def _go_on(self) -> None:
        if self.exits.is_set():
            sys.exit(CODE)
        if self.plan.callbacks == "sleeping":
            time.sleep(0.02)
        elif self.plan.callbacks == "computing":
            sum(range(200_000))


class SlowHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        time.sleep(0.001)


def end_in_a_callback(scheduler: Load, wait: Callable[[], Any]) -> None:
    scheduler.exits.set()
    wait()


def raise_error() -> None:
    raise ValueError("as planned")


# The exit status, and what a process does at its end.
ENDINGS: dict[str, tuple[int, Callable[[Load, MesosSchedulerDriver], Any]]] = {
    "returns": (0, lambda scheduler, driver: None),
    "stops": (0, lambda scheduler, driver: (driver.stop(), driver.join())),
    "stops and does not wait": (0, lambda scheduler, driver: driver.stop()),
    "stops with failover": (0, lambda scheduler, driver: driver.stop(True)),
    "aborts": (0, lambda scheduler, driver: driver.abort()),
    "sys.exit": (CODE, lambda scheduler, driver: sys.exit(CODE)),
    "os._exit": (CODE, lambda scheduler, driver: os._exit(CODE)),
    "an exception": (1, lambda scheduler, driver: raise_error()),
    "SIGINT": (-signal.SIGINT, lambda scheduler, driver: (os.kill(os.getpid(), signal.SIGINT), driver.join())),
    "sys.exit in a callback, joined": (CODE, lambda s, driver: end_in_a_callback(s, driver.join)),
    "sys.exit in a callback, not joined": (CODE, lambda s, driver: end_in_a_callback(s, lambda: time.sleep(30))),
}


# The same of processes that run something else, which a function stops.
OTHER_ENDINGS: dict[str, tuple[int, Callable[[Callable[[], object]], Any]]] = {
    "returns": (0, lambda stop: None),
    "stops": (0, lambda stop: stop()),
    "sys.exit": (CODE, lambda stop: sys.exit(CODE)),
    "os._exit": (CODE, lambda stop: os._exit(CODE)),
    "an exception": (1, lambda stop: raise_error()),
    "SIGINT": (-signal.SIGINT, lambda stop: (os.kill(os.getpid(), signal.SIGINT), time.sleep(30))),
}


def start_aio(master: str) -> Callable[[], object]:
    """A framework in a loop of a daemon thread."""
    framework, loop = aio.Framework("exits", master), asyncio.new_event_loop()

    async def main() -> None:
        async for event in framework:
            if isinstance(event, aio.Offers):
                await framework.decline(event.offers)

    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(framework.start(), loop).result()
    asyncio.run_coroutine_threadsafe(main(), loop)
    return lambda: asyncio.run_coroutine_threadsafe(framework.stop(), loop).result()


def start_pool(master: str) -> Callable[[], object]:
    """A pool with calls that have not ended."""
    pool = MesosPoolExecutor(master, cpus=0.1, mem=32)
    for _ in range(20):
        pool.submit(time.sleep, 0.01)
    return pool.shutdown


def start_stream(master: str) -> Callable[[], object]:
    """A daemon thread that waits for events."""
    events = MasterClient(master).events()
    threading.Thread(target=collections.deque, args=(events, 0), daemon=True).start()
    return events.close


def start_cluster(_: str) -> Callable[[], object]:
    """An embedded cluster with a scheduler."""
    cluster = LocalCluster()
    plan = Plan("returns", 0, "scheduler", "quick", "quiet", 0)
    MesosSchedulerDriver(Load(plan), mesos_pb2.FrameworkInfo(user="", name="exits"), cluster.address).start()
    return cluster.stop


OTHERS: dict[str, Callable[[str], Callable[[], object]]] = {
    "aio": start_aio,
    "cluster": start_cluster,
    "pool": start_pool,
    "stream": start_stream,
}


def play(plan: Plan, master: str) -> None:
    """Be one of the processes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if plan.log != "quiet":
        log = logging.getLogger("mesos")
        log.addHandler(SlowHandler() if plan.log == "slow" else logging.NullHandler())
        log.setLevel("DEBUG")
    if plan.kind != "scheduler":
        stop = OTHERS[plan.kind](master)
        time.sleep(plan.seconds)
        OTHER_ENDINGS[plan.ending][1](stop)
        return
    scheduler = Load(plan)
    driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="exits"), master)
    driver.start()
    for _ in range(plan.threads):
        threading.Thread(target=call, args=(driver,), daemon=True).start()
    time.sleep(plan.seconds)
    ENDINGS[plan.ending][1](scheduler, driver)


def call(driver: MesosSchedulerDriver) -> None:
    while True:
        status = mesos_pb2.TaskStatus(task_id={"value": "nobody's"}, state=mesos_pb2.TASK_RUNNING, data="text")
        driver.reconcileTasks([status])
        assert status.data == "text"
        time.sleep(0.0002)


def failure(seed: int, master: str) -> str | None:
    """Run the process of this seed; what went wrong with it, if anything did."""
    plan = Plan.of(seed)
    command = [sys.executable, "-m", "tests.exits", "--play", master, "--seed", str(seed), "1"]
    started = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"seed {seed}: {plan} hangs"
    silent = done.stderr == "" or plan.ending in ("an exception", "SIGINT")
    if done.returncode == plan.status and silent:
        return None
    took = time.monotonic() - started
    return f"seed {seed}: {plan} ended with {done.returncode} after {took:.1f} s, expected {plan.status}\n{done.stderr}"


def run(seeds: range, at_once: int) -> list[str]:
    """Run the processes of these seeds on one cluster; what went wrong."""
    with LocalCluster(agents=2, resources="cpus:64;mem:65536") as cluster, ThreadPoolExecutor(at_once) as pool:
        return [failed for failed in pool.map(lambda seed: failure(seed, cluster.address), seeds) if failed]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int, help="how many processes")
    parser.add_argument("--seed", type=int, help="of the first one (default: a random one)")
    parser.add_argument("--at-once", type=int, default=2, help="how many at a time (default: %(default)s)")
    parser.add_argument("--play", metavar="MASTER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    first = random.randrange(10**9) if options.seed is None else options.seed
    if options.play:
        play(Plan.of(first), options.play)
        return 0
    os.environ["MESOS_ALLOCATION_INTERVAL"] = "100ms"
    started, seeds = time.monotonic(), range(first, first + options.number)
    failures = run(seeds, options.at_once)
    plans = [Plan.of(seed) for seed in seeds]
    ends = collections.Counter(f"{plan.kind}: {plan.ending}" for plan in plans)
    print("\n".join(failures + [f"{number:5} {end}" for end, number in sorted(ends.items())]))
    print(f"{len(failures)} of {options.number} failed, first seed {first}, {time.monotonic() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
