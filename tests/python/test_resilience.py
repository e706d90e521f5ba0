"""Connections that break, processes that fork or end: nothing is lost that was promised, and nothing is left."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver

from tests.python.proxy import Proxy
from tests.python.support import Recorder, framework, running, task


def test_cuts_lose_no_terminal_update(master: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
    proxy = Proxy(master)
    scheduler = Recorder()

    def finished() -> set[str]:
        updates = [event.arguments[0] for event in scheduler.seen if event.name == "statusUpdate"]
        return {update.task_id.value for update in updates if update.state == mesos_pb2.TASK_FINISHED}

    info = framework(failover_timeout=600)
    launched: list[str] = []
    with running(proxy.address, scheduler, info) as driver:
        for round_ in range(15):
            offer = scheduler.offer()
            made = [task(offer, f"sleep 0.{number}") for number in range(3)]
            driver.launchTasks(offer.id, made)
            waiting = {each.task_id.value for each in made}
            launched += waiting
            while waiting:  # a launch that a cut swallows is lost without a word, as with libmesos
                waiting.discard(scheduler.wait("statusUpdate").task_id.value)
            proxy.cut()
            scheduler.wait("disconnected")
            scheduler.wait("reregistered")
            if round_ % 5 == 4:
                driver.reconcileTasks([])
        # What was not acknowledged before a cut is sent again after ten seconds at the latest.
        until = time.monotonic() + 40
        while not finished().issuperset(launched):
            scheduler.wait("statusUpdate", seconds=until - time.monotonic())
    proxy.close()


def test_drivers_come_and_go_and_leave_nothing(embedded: LocalCluster) -> None:
    def once() -> None:
        scheduler = Recorder()
        with running(embedded.address, scheduler):
            scheduler.wait("registered")

    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    once()
    before = held()
    for _ in range(30):
        once()
    until = time.monotonic() + 5
    while (now := held()) > before:
        assert time.monotonic() < until, f"threads and descriptors grew from {before} to {now}"


def test_drivers_in_several_threads(embedded: LocalCluster) -> None:
    schedulers = [Recorder() for _ in range(8)]
    drivers = [MesosSchedulerDriver(scheduler, framework(), embedded.address) for scheduler in schedulers]
    threads = [threading.Thread(target=driver.run) for driver in drivers]
    for thread in threads:
        thread.start()
    for scheduler, driver in zip(schedulers, drivers, strict=True):
        scheduler.wait("registered")
        driver.stop()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def _register_in_child(master: str, results: Any) -> None:
    scheduler = Recorder()
    with running(master, scheduler):
        scheduler.wait("registered")
    results.put("registered")


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_makes_a_driver_of_its_own(embedded: LocalCluster, method: str) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler):
        scheduler.wait("registered")
        context = multiprocessing.get_context(method)
        results = context.Queue()
        child = context.Process(target=_register_in_child, args=(embedded.address, results))
        child.start()
        assert results.get(timeout=30) == "registered"
        child.join(30)
        assert child.exitcode == 0
        results.close()
        results.join_thread()
        child.close()


WAITS_FOR_ITSELF = "join() in a callback of the same driver blocks until another thread stops the driver; no callback is called in the meantime\n"


@pytest.mark.parametrize(
    ("busy", "warning"), [("while True: pass", ""), ("time.sleep(60)", ""), ("driver.join()", WAITS_FOR_ITSELF)]
)
def test_the_interpreter_ends_while_a_callback_does_not(embedded: LocalCluster, busy: str, warning: str) -> None:
    code = f"""
import threading, time
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
up = threading.Event()
class S(Scheduler):
    def registered(self, driver, framework_id, master_info):
        up.set()
        {busy}
driver = MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="busy"), {embedded.address!r})
driver.start()
assert up.wait(30)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, warning)


def test_a_slow_scheduler_holds_the_master_back_and_gets_everything(embedded: LocalCluster) -> None:
    go = threading.Event()
    scheduler = Recorder(registered=lambda *_: go.wait(30))
    with running(embedded.address, scheduler) as driver:
        tasks = [mesos_pb2.TaskStatus(task_id={"value": str(n)}, state=mesos_pb2.TASK_STAGING) for n in range(5000)]
        scheduler.wait("registered")
        driver.reconcileTasks(tasks)
        go.set()
        seen = [scheduler.wait("statusUpdate").task_id.value for _ in tasks]
    assert seen == [str(n) for n in range(5000)]
