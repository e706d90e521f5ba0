"""The embedded cluster logs why a task failed, where its sandbox is, and what it wrote to stderr last."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.support import Recorder, executor, framework, running, task, task_of, wait_until


def failures(caplog: pytest.LogCaptureFixture, count: int) -> list[str]:
    """What was logged, once so many failures were; the log comes on a thread of its own."""

    def logged() -> list[str]:
        warnings = [r.getMessage() for r in caplog.records if r.name == "mesos" and r.levelno == logging.WARNING]
        # A driver of another test may still look for its master.
        return [warning for warning in warnings if warning.startswith("Task ")]

    wait_until(lambda: len(logged()) >= count, f"{count} failures")
    return logged()


def test_a_command_that_fails(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler, framework(name="fails\n")) as driver:
        offer = scheduler.offer()
        command = r"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do printf 'line %s\033[2J\n' $i >&2; done; exit 3"
        failed, fine, killed = (task(offer, each) for each in (command, "echo fine >&2", "sleep 600"))
        driver.launchTasks(offer.id, [failed, fine, killed])
        scheduler.state(killed.task_id.value, mesos_pb2.TASK_RUNNING)
        driver.killTask(killed.task_id)
        scheduler.state(killed.task_id.value, mesos_pb2.TASK_KILLED)
        (said,) = failures(caplog, 1)
        sandbox = next(t.sandbox for t in embedded.tasks if t.id == failed.task_id.value)
        assert said.splitlines() == [
            f"Task '{failed.task_id.value}' ended in TASK_FAILED: Command exited with status 3. "
            f"Framework: 'fails\\n', sandbox: {sandbox}, stderr ends with:",
            *(rf"    line {number}\u{{1b}}[2J" for number in range(3, 13)),
        ]


def test_a_task_of_an_executor_of_its_own(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Recorder()
    made = executor()
    made.command.value = "echo no such program >&2; exit 4"
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        driver.launchTasks(offer.id, [task_of(offer, made)])
        (said,) = failures(caplog, 1)
    assert "stderr ends with:\n    no such program" in said


def test_a_task_that_the_master_refuses(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        refused = task(offer, cpus=1000)
        driver.launchTasks(offer.id, [refused])
        status = scheduler.state(refused.task_id.value, mesos_pb2.TASK_ERROR)
        (said,) = failures(caplog, 1)
    assert said == f"Task '{refused.task_id.value}' ended in TASK_ERROR: {status.message}"


def test_a_stderr_that_is_no_file_is_not_read(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        made = [task(offer, f"rm stderr; {each}; exit 1") for each in ("mkfifo stderr", "ln -s /etc/passwd stderr")]
        driver.launchTasks(offer.id, made)
        said = failures(caplog, 2)
    assert all(each.endswith(", nothing on stderr") for each in said)


def test_a_failure_is_logged_once_however_often_it_is_told(
    embedded: LocalCluster, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler, info = Recorder(), framework(failover_timeout=60)
    with running(embedded.address, scheduler, info, implicitAcknowledgements=False) as driver:
        offer = scheduler.offer()
        failed = task(offer, "exit 1")
        driver.launchTasks(offer.id, [failed])
        for state in (mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING):
            driver.acknowledgeStatusUpdate(scheduler.state(failed.task_id.value, state))
        scheduler.state(failed.task_id.value, mesos_pb2.TASK_FAILED)
        driver.stop(failover=True)
    info.id.CopyFrom(offer.framework_id)
    offers: list[mesos_pb2.Offer] = []
    successor = Recorder(resourceOffers=lambda _, offered: offers.extend(offered))
    with running(embedded.address, successor, info) as driver:
        successor.state(failed.task_id.value, mesos_pb2.TASK_FAILED)
        driver.reconcileTasks([mesos_pb2.TaskStatus(task_id=failed.task_id, state=mesos_pb2.TASK_RUNNING)])
        successor.wait("statusUpdate")
        wait_until(lambda: offers, "there is an offer")
        driver.launchTasks(offers[0].id, [task(offers[0], "exit 2")])
        said = failures(caplog, 2)
    assert [each.partition(". ")[0].rpartition(" ")[2] for each in said] == ["1", "2"]


def test_the_sandbox_is_there(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        driver.launchTasks(offer.id, [task(offer, "echo kept > kept; exit 1")])
        (said,) = failures(caplog, 1)
        sandbox = Path(said.partition("sandbox: ")[2].partition(",")[0])
        assert "kept" in os.listdir(sandbox)


def test_a_cluster_keeps_sandboxes_only_if_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for keep in (None, tmp_path / "kept"):
        scheduler = Recorder()
        with LocalCluster(keep=keep) as cluster, running(cluster.address, scheduler) as driver:
            offer = scheduler.offer()
            failed = task(offer, "echo why >&2; exit 3")
            driver.launchTasks(offer.id, [failed])
            scheduler.state(failed.task_id.value, mesos_pb2.TASK_FAILED)
        assert [path.name for path in tmp_path.iterdir()] == ([] if keep is None else ["kept"])
    [sandbox] = (tmp_path / "kept").iterdir()
    assert (sandbox / "stderr").read_text() == "why\n"
    assert sandbox.stat().st_mode & 0o777 == 0o700
    wait_until(lambda: str(sandbox) in caplog.text, "where it is kept is logged")
