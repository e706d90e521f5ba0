"""Two hundred forced disconnects in a row on the real Mesos: cut connections, killed masters, moved leaders."""

from __future__ import annotations

import json
import os
import queue
import random
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.interface import Scheduler, mesos_pb2

from tests.apache_mesos import ApacheMesos, ZooKeeper
from tests.apache_mesos.election import Election, master_info
from tests.python.proxy import Proxy
from tests.python.support import filters, framework, running, task

if TYPE_CHECKING:
    from collections.abc import Iterator

DISCONNECTS = 200
SETTLED = 60
WAIT_SECONDS = 100  # longer than the heartbeats that have to be missed before a silent stream counts as dead
TERMINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR", "TASK_DROPPED", "TASK_GONE"}


class Side:
    """A real cluster behind a proxy that writes down what schedulers send."""

    def __init__(self, mesos: ApacheMesos) -> None:
        self.mesos = mesos
        self.proxy = Proxy(mesos.address)
        self.open: set[str] = set()

    def reconcile(self, driver: Any) -> None:
        """Ask for those of its tasks that have not ended, as frameworks do when they are registered again."""
        if self.open:
            statuses = [mesos_pb2.TaskStatus(state=mesos_pb2.TASK_STAGING) for _ in self.open]
            for status, name in zip(statuses, sorted(self.open), strict=True):
                status.task_id.value = name
            driver.reconcileTasks(statuses)


class Watcher(Scheduler):
    """Launches one task an offer, and holds every acknowledgement against the end of its callback."""

    def __init__(self, sides: list[Side]) -> None:
        self.sides, self.side = sides, sides[0]
        self.connections: queue.Queue[str] = queue.Queue()
        self.launched = threading.Event()
        self.wanted = False
        self.early: list[str] = []
        self.delivered: set[bytes] = set()

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        self.reregistered(driver, masterInfo)

    def reregistered(self, driver: Any, masterInfo: Any) -> None:
        self.side = next(side for side in self.sides if side.mesos.port == masterInfo.port)
        self.side.reconcile(driver)
        self.connections.put("registered")

    def disconnected(self, driver: Any) -> None:
        self.connections.put("disconnected")

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            if self.wanted:
                self.wanted = False
                made = task(offer, "exit 0")
                self.side.open.add(made.task_id.value)
                driver.launchTasks(offer.id, [made], filters(0))
                self.launched.set()
            else:
                driver.declineOffer(offer.id, filters(0.3))

    def statusUpdate(self, driver: Any, status: Any) -> None:
        uuid = status.uuid
        if uuid and uuid not in self.delivered:
            self.delivered.add(uuid)
            time.sleep(0.002)  # time in which an acknowledgement could leave too soon
            if any(uuid in side.proxy.sent for side in self.sides):
                self.early.append(str(status))
        if mesos_pb2.TaskState.Name(status.state) in TERMINAL:
            for side in self.sides:
                side.open.discard(status.task_id.value)

    def wait(self, event: str) -> None:
        try:
            while self.connections.get(timeout=WAIT_SECONDS) != event:
                pass
        except queue.Empty:
            pytest.fail(f"not {event} for {WAIT_SECONDS} s; {self.told()}")

    def told(self) -> str:
        """What the masters know of the framework, for a failure's message."""
        return "; ".join(
            f"{side.mesos.address}: "
            + ", ".join(
                f"active={f['active']} used={f['used_resources']} offers={len(f['offers'])} tasks={len(f['tasks'])}"
                for f in json.loads(side.mesos.get("/state"))["frameworks"]
            )
            for side in self.sides
        )


@pytest.fixture
def sides(apache_home: Path, tmp_path: Path) -> Iterator[list[Side]]:
    with (
        ApacheMesos(apache_home, tmp_path / "one") as one,
        ApacheMesos(apache_home, tmp_path / "two") as two,
    ):
        made = [Side(one), Side(two)]
        yield made
        for side in made:
            side.proxy.close()


def lead(election: Election, side: Side) -> None:
    """Have the master lead, reached through its proxy."""
    info = master_info(side.mesos.address)
    port = int(side.proxy.address.rpartition(":")[2])
    election.write({**info, "port": port, "address": {"hostname": "localhost", "ip": "127.0.0.1", "port": port}})


def held() -> tuple[int, int, float]:
    """Threads, open files, and memory in MB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    threads = len(os.listdir("/proc/self/task"))
    return threads, len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def growth(before: tuple[int, int, float]) -> str | None:
    """What there is more of than before, once the proxies have let go of the connections that were cut."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        threads, files, memory = (now - then for now, then in zip(held(), before, strict=True))
        # Two connections with their proxies are six files; a leak would be of one a disconnect, or more.
        if threads <= 10 and files <= 20 and memory <= 15:
            return None
        if time.monotonic() > until:
            return f"{threads} threads, {files} files, {memory:.1f} MB more"
        time.sleep(0.1)  # nothing tells when


@pytest.mark.apache
@pytest.mark.timeout(500)
def test_two_hundred_disconnects(sides: list[Side], zookeeper: ZooKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "20ms")
    chance = random.Random(7)
    watcher = Watcher(sides)
    leader = sides[0]
    before = (0, 0, 0.0)
    with Election(zookeeper) as election:
        lead(election, leader)
        with running(election.url, watcher, framework(failover_timeout=10000, checkpoint=True)) as driver:
            watcher.wait("registered")
            for number in range(DISCONNECTS):
                watcher.launched.clear()
                watcher.wanted = True
                assert watcher.launched.wait(WAIT_SECONDS), f"no offer after {number} disconnects; {watcher.told()}"
                # Somewhere in the life of the task: at its launch, its updates, their acknowledgements, or after it.
                time.sleep(chance.uniform(0, 0.3))
                if number % 10 == 3:
                    leader = sides[1] if leader is sides[0] else sides[0]
                    lead(election, leader)
                elif number % 10 == 7:
                    leader.mesos.kill()
                    leader.mesos.start()
                    leader.proxy.cut()
                else:
                    leader.proxy.cut()
                watcher.wait("disconnected")
                watcher.wait("registered")
                if number == SETTLED:
                    before = held()
            grown = growth(before)
            for side in sides:
                if side is not leader:
                    leader = side
                    lead(election, side)
                    watcher.wait("registered")
                finish(driver, side)
    assert watcher.early == []
    assert grown is None


def finish(driver: Any, side: Side) -> None:
    """Wait until each task of this cluster is known to have ended."""
    until = time.monotonic() + WAIT_SECONDS
    while side.open:
        assert time.monotonic() < until, f"no terminal update of {side.open}"
        side.reconcile(driver)
        time.sleep(0.5)  # between two questions, as frameworks ask them
