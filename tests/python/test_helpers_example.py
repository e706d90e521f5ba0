"""``examples/keep_running.py``: its scheduler is killed, and the next one takes the tasks over, on both masters."""

from __future__ import annotations

import contextlib
import runpy
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from mesos.helpers import Demand, Reconciliation, watched
from mesos.local import LocalCluster, Run

from tests.python.conftest import ROOT
from tests.python.support import framework, wait_until
from tests.python.test_helpers_demand import Spy
from tests.python.test_helpers_framework_id import completed, tear_down

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = ROOT / "examples" / "keep_running.py"


@contextlib.contextmanager
def started(master: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(EXAMPLE), master, str(folder)]
    with (
        (folder / "errors").open("a") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def running(process: subprocess.Popen[str], number: int) -> tuple[set[str], list[str]]:
    """Waits until so many tasks run; their ids, and all that was printed."""
    assert process.stdout is not None
    found: set[str] = set()
    lines = []
    for line in process.stdout:
        lines.append(line)
        words = line.split()
        if words[-1] == "TASK_RUNNING":
            found.add(words[1])
        if len(found) == number:
            return found, lines
    raise AssertionError(f"it has ended: {lines}")


def test_the_tasks_are_taken_over_from_a_scheduler_that_was_killed(master: str, tmp_path: Path) -> None:
    with started(master, tmp_path) as process:
        tasks, _ = running(process, 2)
        process.kill()
    framework_id = (tmp_path / "framework.id").read_text().strip()
    with started(master, tmp_path) as process:
        again, lines = running(process, 2)
        assert again == tasks
        assert not [line for line in lines if line.startswith("Launching")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, (tmp_path / "errors").read_text()
    assert (tmp_path / "framework.id").read_text().strip() == framework_id
    with started(master, tmp_path) as process:
        again, _ = running(process, 2)
        assert again == tasks
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, (tmp_path / "errors").read_text()
    assert not (tmp_path / "framework.id").exists()
    wait_until(lambda: framework_id in completed(master), "the framework is removed")


def test_a_framework_that_was_removed_begins_anew(master: str, tmp_path: Path) -> None:
    with started(master, tmp_path) as process:
        tasks, _ = running(process, 2)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    framework_id = (tmp_path / "framework.id").read_text().strip()
    tear_down(master, framework_id)
    with started(master, tmp_path) as process:
        again, lines = running(process, 2)
        assert again.isdisjoint(tasks)
        assert {line.split()[1] for line in lines if line.endswith("TASK_LOST\n")} == tasks
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, (tmp_path / "errors").read_text()


@pytest.mark.parametrize("seed", [0, 3, 6, 9])
def test_whatever_fails_the_tasks_run_again_afterwards(tmp_path: Path, seed: int) -> None:
    example = runpy.run_path(str(EXAMPLE))
    options: dict[str, Any] = {"time": "skip", "seed": seed, "simulate": Run(seconds=None), "agents": 2}
    with LocalCluster(**options) as cluster:
        demand = Demand(interval=1)
        scheduler = example["KeepRunning"](3, tmp_path / "tasks.json", demand)
        reconciliation = Reconciliation(lambda: dict(scheduler.tasks), longest=60, implicit=True)
        driver = Spy(
            watched(scheduler, demand, reconciliation), framework(failover_timeout=6000, checkpoint=True), cluster
        )
        with driver:
            driver.start()
            with cluster.chaos(seed=seed, rate=0.1):
                cluster.advance(300)
            asked = len(driver.sent)

            def settled() -> bool:
                alive = {task.id for task in cluster.tasks if task.state == "TASK_RUNNING"}
                return reconciliation.is_complete and len(alive) == 3 and alive == set(scheduler.tasks)

            cluster.run_until(settled)
            cluster.advance(10)
            assert settled()
            assert driver.sent[-1][0] == "suppress"
            # At most one pair in a second, and in each registration.
            assert asked < 600
