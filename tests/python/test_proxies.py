"""Masters behind a real nginx and a real haproxy: their limits on connections end calls' connections, and nothing else.

These proxies close the connection of a client after a number of requests, after every request, or once it has been
idle. The stream of events is one request that never ends, so none of this touches it: a driver stays registered, each
call arrives once, and each task ends once.
"""

from __future__ import annotations

import collections
import json
import queue
import random
import time
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from mesos.interface import mesos_pb2

from tests.proxies import HaProxy, Nginx
from tests.python.conftest import absent
from tests.python.support import WAIT_SECONDS, Recorder, executor, filters, running, task_of, wait_until

if TYPE_CHECKING:
    from pathlib import Path

CALLS = 5000
"""Calls on each master, over all variants."""
TASKS = 300
"""Tasks on each master, over all variants."""
BURST = 50
IDLE_SECONDS = 0.1
ORDINARY = {"resourceOffers", "offerRescinded", "statusUpdate"}
TERMINAL = {mesos_pb2.TaskState.Value(f"TASK_{name}") for name in ("FINISHED", "LOST", "FAILED", "KILLED", "ERROR")}


class Variant(NamedTuple):
    """A proxy with its settings, and which part of all calls and tasks goes through it."""

    kind: type[Nginx | HaProxy]
    settings: str
    part: float
    idle: bool = False
    """Whether it closes what is idle, without announcing it: a call may be on its way then."""


MILLISECONDS = round(IDLE_SECONDS * 1000)
VARIANTS = {
    "nginx-100-requests": Variant(Nginx, "keepalive_requests 100;", 0.4),
    "nginx-no-keepalive": Variant(Nginx, "keepalive_timeout 0;", 0.1),
    "nginx-idle": Variant(Nginx, f"keepalive_timeout {MILLISECONDS}ms;", 0.2, idle=True),
    "haproxy-idle": Variant(HaProxy, f"timeout http-keep-alive {MILLISECONDS}ms", 0.2, idle=True),
    "haproxy-close": Variant(HaProxy, "option httpclose", 0.1),
}


class Launcher(Recorder):
    """Launches a number of tasks, five an offer, and counts what comes of them and of calls about unknown tasks."""

    def __init__(self, number: int) -> None:
        super().__init__(resourceOffers=self._launch, statusUpdate=self._count)
        self.left = number
        self.launched: set[str] = set()
        self.updates: collections.Counter[str] = collections.Counter()
        self.ends: dict[str, list[mesos_pb2.TaskStatus]] = collections.defaultdict(list)

    def _launch(self, driver: Any, offers: list[mesos_pb2.Offer]) -> None:
        for offer in offers:
            made = [task_of(offer, executor("echo.py", "")) for _ in range(min(self.left, fitting(offer), 5))]
            self.left -= len(made)
            self.launched.update(each.task_id.value for each in made)
            if made:
                driver.launchTasks(offer.id, made, filters(0))
            else:
                driver.declineOffer(offer.id)

    def _count(self, _: Any, status: mesos_pb2.TaskStatus) -> None:
        self.updates[status.task_id.value] += 1
        if status.task_id.value in self.launched and status.state in TERMINAL:
            self.ends[status.task_id.value].append(status)

    def wait_for(self, what: str, done: Any) -> None:
        """Take callbacks until this is so; a lost subscription is the end."""
        while not done():
            try:
                event = self.events.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                raise AssertionError(
                    f"nothing for {WAIT_SECONDS} s; {what}: {len(self.updates)} known tasks, {len(self.ends)} ended"
                ) from None
            self.seen.append(event)
            assert event.name in ORDINARY, f"{event}; {what}: {len(self.updates)} known tasks, {len(self.ends)} ended"


def fitting(offer: mesos_pb2.Offer) -> int:
    """How many tasks of 0.1 CPUs and 32 MB an offer holds beside their executor, which takes as much again."""
    amounts: collections.Counter[str] = collections.Counter()
    for resource in offer.resources:
        amounts[resource.name] += resource.scalar.value
    return max(0, min(round(amounts["cpus"] * 10), int(amounts["mem"] / 32)) - 1)


def ask(driver: Any, name: str, number: int) -> None:
    """One call about a task that does not exist, which a master answers with one update."""
    unknown = mesos_pb2.TaskID(value=name)
    if number % 2:
        driver.killTask(unknown)
    else:
        driver.reconcileTasks([mesos_pb2.TaskStatus(task_id=unknown, state=mesos_pb2.TASK_STAGING)])


def unacknowledged(master: str, framework_id: str) -> list[str]:
    """Tasks of a framework that its master has not put away: those that run, or whose end is not acknowledged."""
    with urllib.request.urlopen(f"http://{master}/state", timeout=30) as response:
        state = json.load(response)
    (framework,) = (each for each in state["frameworks"] if each["id"] == framework_id)
    return [each["id"] for each in framework["tasks"]]


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_nothing_is_lost_or_doubled_behind_a_proxy(master: str, tmp_path: Path, variant: Variant) -> None:
    missing = variant.kind.missing()
    if missing:
        absent(missing)
    chance = random.Random(5)
    asked = [f"unknown-{number}" for number in range(round(CALLS * variant.part))]
    scheduler = Launcher(round(TASKS * variant.part))
    with (
        variant.kind(tmp_path / "proxy", master, variant.settings) as front,
        running(front.address, scheduler) as driver,
    ):
        scheduler.wait("registered")
        framework_id = scheduler.seen[-1].arguments[0].value
        for number, name in enumerate(asked):
            ask(driver, name, number)
            if variant.idle and number % BURST == BURST - 1:
                # About as long as the proxy keeps what is idle, so that a call meets the close now and then.
                time.sleep(IDLE_SECONDS * chance.uniform(0.8, 1.4))
        scheduler.wait_for("every call is answered", lambda: all(scheduler.updates[name] for name in asked))
        scheduler.wait_for(
            "every task ends", lambda: not scheduler.left and scheduler.ends.keys() == scheduler.launched
        )
        # A call that was sent twice is answered before this one.
        ask(driver, "last", 0)
        scheduler.state("last", mesos_pb2.TASK_LOST)
        wait_until(lambda: not unacknowledged(master, framework_id), "every update is acknowledged", 8)
    assert {name: scheduler.updates[name] for name in asked if scheduler.updates[name] != 1} == {}
    others = [event.name for event in scheduler.seen if event.name not in ORDINARY]
    assert others == ["registered"]
    check_ends(scheduler, variant)


def check_ends(scheduler: Launcher, variant: Variant) -> None:
    """Each task ended once; it is lost only if its launch met a close that nobody had announced."""
    finished = 0
    for name, ends in scheduler.ends.items():
        states = {mesos_pb2.TaskState.Name(status.state) for status in ends}
        assert len(states) == 1, (name, states)
        assert len([status for status in ends if status.uuid]) <= 1, name
        finished += states == {"TASK_FINISHED"}
    # One ACCEPT launches five of the tasks, and two of these calls may meet a close on a slow machine.
    least = len(scheduler.launched) * (0.8 if variant.idle else 1)
    assert finished >= least, f"{finished} of {len(scheduler.launched)} tasks finished"
