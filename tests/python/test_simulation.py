"""Tasks that are described instead of run, told of as the real ones are."""

from __future__ import annotations

import signal
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster, LocalTask, Run

from tests.python.support import (
    Recorder,
    capable,
    executor,
    filters,
    framework,
    running,
    task,
    task_of,
    wait_until,
)

RESOURCES = "cpus:4;mem:4096"
UUIDS_AND_TIMES = ("uuid", "timestamp", "container_status", "task_id", "slave_id", "executor_id")


def updates(scheduler: Recorder, task_id: str) -> list[mesos_pb2.TaskStatus]:
    """All updates of a task up to the terminal one, without what differs from run to run."""
    found: list[mesos_pb2.TaskStatus] = []
    while not found or found[-1].state in (
        mesos_pb2.TASK_STAGING,
        mesos_pb2.TASK_STARTING,
        mesos_pb2.TASK_RUNNING,
        mesos_pb2.TASK_KILLING,
    ):
        found.append(scheduler.wait("statusUpdate", lambda status: status.task_id.value == task_id))
    for status in found:
        for name in UUIDS_AND_TIMES:
            status.ClearField(name)
    return found


def outcome(simulate: Any, prepare: Any = lambda _: None, act: Any = lambda *_: None) -> list[mesos_pb2.TaskStatus]:
    """What is told of one command task; ``act`` gets the driver and the cluster's task when it runs."""
    scheduler = Recorder()
    info = framework(capabilities=capable("TASK_KILLING_STATE"))
    with (
        LocalCluster(resources=RESOURCES, simulate=simulate) as cluster,
        running(cluster.address, scheduler, info) as driver,
    ):
        offer = scheduler.offer()
        launched = task(offer)
        prepare(launched)
        scheduler.on["statusUpdate"] = lambda driver, status: (
            act(driver, cluster.tasks[0])
            if status.state == mesos_pb2.TASK_RUNNING and not status.HasField("healthy")
            else None
        )
        driver.launchTasks(offer.id, [launched], filters(0))
        return updates(scheduler, launched.task_id.value)


def command(text: str) -> Any:
    def prepare(launched: mesos_pb2.TaskInfo) -> None:
        launched.command.value = text

    return prepare


def kill(driver: Any, launched: LocalTask) -> None:
    driver.killTask(mesos_pb2.TaskID(value=launched.id))


def kill_when_ready(driver: Any, launched: LocalTask) -> None:
    """Kills the task when it has said that it is ready, as it does when signals no longer end it."""
    wait_until(lambda: launched.stdout() == "ready\n", "the task is ready")
    kill(driver, launched)


def graceful(text: str, seconds: float) -> Any:
    def prepare(launched: mesos_pb2.TaskInfo) -> None:
        launched.command.value = text
        launched.kill_policy.grace_period.nanoseconds = int(seconds * 10**9)

    return prepare


@pytest.mark.parametrize(
    ("run", "prepare", "act"),
    [
        (Run(), command("exit 0"), lambda *_: None),
        (Run(0.05, 3), command("sleep 0.05; exit 3"), lambda *_: None),
        (Run(signal=signal.SIGSEGV), command("kill -SEGV $$"), lambda *_: None),
        (Run(seconds=None), command("exec sleep 600"), kill),
        (
            Run(None, stop_seconds=None, stdout="ready\n"),
            graceful("trap '' TERM; echo ready; while :; do sleep 0.05; done", 0.3),
            kill_when_ready,
        ),
    ],
    ids=["finishes", "fails", "is ended by a signal", "is killed", "ignores SIGTERM"],
)
def test_a_described_task_is_told_of_as_the_same_task_that_runs(run: Run, prepare: Any, act: Any) -> None:
    described, real = outcome(run, prepare, act), outcome(None, prepare, act)
    for status in described + real:
        if "core dumped" in status.message:
            status.message = status.message.replace(" (core dumped)", "")
    assert described == real


def test_a_container_that_cannot_be_started_fails_its_task() -> None:
    (status,) = outcome(Run(error="no space left"))
    assert status.state == mesos_pb2.TASK_FAILED
    assert status.reason == mesos_pb2.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED
    assert status.message == "Failed to launch container: no space left"


def test_a_described_task_starts_no_process_and_makes_no_directory(tmp_path: Path) -> None:
    scheduler = Recorder()
    with (
        LocalCluster(agents=3, resources=RESOURCES, work_dir=tmp_path, simulate=Run()) as cluster,
        running(cluster.address, scheduler) as driver,
    ):
        before = list(Path("/proc/self/task").iterdir())
        for offer in scheduler.offers_of_agents(3):
            launched = task(offer)
            driver.launchTasks(offer.id, [launched], filters(600))
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        assert len(list(Path("/proc/self/task").iterdir())) <= len(before)
        assert [str(path) for path in tmp_path.rglob("*") if path.is_dir()] == [str(tmp_path / "agents")]


def test_what_a_described_task_writes_is_in_its_sandbox() -> None:
    scheduler = Recorder()
    run = Run(seconds=None, stdout="out\n", stderr="err\n")
    with (
        LocalCluster(resources=RESOURCES, simulate=run) as cluster,
        running(cluster.address, scheduler) as driver,
    ):
        offer = scheduler.offer()
        launched = task(offer)
        driver.launchTasks(offer.id, [launched], filters(0))
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        (shown,) = list(cluster.tasks() if callable(cluster.tasks) else cluster.tasks)
        assert (Path(shown.sandbox) / "stdout").read_text() == "out\n"
        assert (Path(shown.sandbox) / "stderr").read_text() == "err\n"


def test_a_described_task_sends_further_updates_and_ends_with_a_terminal_one() -> None:
    progress = mesos_pb2.TaskStatus(state=mesos_pb2.TASK_RUNNING, message="half", data=b"50")
    run = Run(None, statuses=[(0.1, "TASK_LOST"), (timedelta(seconds=0.05), progress)])
    told = outcome(run)
    states = [mesos_pb2.TaskState.Name(status.state) for status in told]
    assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_RUNNING", "TASK_LOST"]
    assert (told[2].message, told[2].data) == ("half", b"50")


def test_health_checks_of_a_described_task_find_what_is_described() -> None:
    def checked(launched: mesos_pb2.TaskInfo) -> None:
        check = launched.health_check
        check.type, check.command.value = mesos_pb2.HealthCheck.COMMAND, "exit 1"
        check.delay_seconds, check.interval_seconds, check.consecutive_failures = 0, 0.05, 2

    told = outcome(Run(None, healthy=[(1, False)]), checked)
    found = [status.healthy for status in told if status.HasField("healthy")]
    assert (found[0], found[-1], told[-1].state) == (True, False, mesos_pb2.TASK_KILLED)


def test_a_callable_decides_for_each_task_and_none_runs_it() -> None:
    seen: list[mesos_pb2.TaskInfo] = []

    def simulate(described: mesos_pb2.TaskInfo) -> Run | None:
        seen.append(described)
        return Run(exit_status=7) if described.name == "described" else None

    def named(name: str) -> Any:
        def prepare(launched: mesos_pb2.TaskInfo) -> None:
            launched.name = name
            launched.command.value = "exit 5"

        return prepare

    assert outcome(simulate, named("described"))[-1].message == "Command exited with status 7"
    assert outcome(simulate, named("real"))[-1].message == "Command exited with status 5"
    assert [described.command.value for described in seen] == ["exit 5", "exit 5"]
    assert isinstance(seen[0], mesos_pb2.TaskInfo)


def test_an_exception_in_the_callable_fails_the_task_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", reported.append)

    def simulate(_: mesos_pb2.TaskInfo) -> Run:
        raise LookupError("no such row")

    (status,) = outcome(simulate)
    assert status.message == "Failed to launch container: simulate raised LookupError: no such row"
    assert [report.exc_type for report in reported] == [LookupError]


@pytest.mark.parametrize("wrong", [7, "Run"])
def test_a_callable_that_returns_something_else_fails_the_task(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    (status,) = outcome(lambda _: wrong)
    assert f"expected a mesos.local.Run or None from simulate, got {wrong!r}" in status.message


def test_tasks_of_a_custom_executor_are_described_without_a_process() -> None:
    scheduler = Recorder()
    with (
        LocalCluster(resources=RESOURCES, simulate=lambda info: Run(None if info.data else 0)) as cluster,
        running(cluster.address, scheduler, framework(capabilities=capable("TASK_KILLING_STATE"))) as driver,
    ):
        offer = scheduler.offer()
        made = executor()
        made.command.value = "exit 1"
        quick, endless = task_of(offer, made), task_of(offer, made, "endless")
        driver.launchTasks(offer.id, [quick, endless], filters(0))
        told = [status.state for status in updates(scheduler, quick.task_id.value)]
        assert told == [mesos_pb2.TASK_RUNNING, mesos_pb2.TASK_FINISHED]
        driver.killTask(endless.task_id)
        assert updates(scheduler, endless.task_id.value)[-1].state == mesos_pb2.TASK_KILLED
        offer = scheduler.offer()
        again = task_of(offer, made)
        driver.launchTasks(offer.id, [again], filters(0))
        scheduler.state(again.task_id.value, mesos_pb2.TASK_FINISHED)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seconds": -1}, ArgumentValueError, "expected a finite number from 0 as seconds, got -1"),
        ({"seconds": "1"}, ArgumentTypeError, "expected a number of seconds or a timedelta as seconds, got '1'"),
        ({"exit_status": 256}, ArgumentValueError, "expected 0 to 255 as exit_status, got 256"),
        ({"signal": "KILL"}, ArgumentTypeError, "expected an int as signal, got 'KILL'"),
        ({"stdout": b""}, ArgumentTypeError, "expected a str as stdout, got b''"),
        ({"statuses": [1]}, ArgumentTypeError, "expected pairs of a time and a value as statuses, got 1 among them"),
        ({"statuses": [(1, "RUNNING")]}, ArgumentValueError, "expected the name of a state such as 'TASK_RUNNING'"),
        ({"healthy": 1}, ArgumentTypeError, "expected pairs of a time and a value as healthy, got 1"),
        ({"check": "0"}, ArgumentTypeError, "expected pairs of a time and a value as check, got '0'"),
    ],
)
def test_a_description_that_is_not_valid_names_the_argument(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        Run(**arguments)
    assert message in str(raised.value)


def test_simulate_is_a_run_or_callable() -> None:
    with pytest.raises(ArgumentTypeError, match="expected a Run, or a callable"):
        LocalCluster(simulate=30)  # type: ignore[arg-type]


def test_a_thousand_agents_start_and_stop_at_once() -> None:
    began = time.monotonic()
    with LocalCluster(agents=1000, resources=RESOURCES, simulate=Run()) as cluster:
        assert cluster.address
    assert time.monotonic() - began < 10


def test_a_task_of_a_group_that_is_described_as_failing_ends_the_others() -> None:
    scheduler = Recorder()

    def simulate(described: mesos_pb2.TaskInfo) -> Run:
        return Run(0.1, 1) if described.name == "failing" else Run(None)

    with (
        LocalCluster(resources=RESOURCES, simulate=simulate) as cluster,
        running(cluster.address, scheduler) as driver,
    ):
        offer = scheduler.offer()
        failing, endless = task(offer), task(offer)
        failing.name = "failing"
        operation = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.LAUNCH_GROUP)
        on = operation.launch_group.executor
        on.type, on.executor_id.value = mesos_pb2.ExecutorInfo.DEFAULT, "group"
        on.framework_id.value = offer.framework_id.value
        for name, amount in (("cpus", 0.1), ("mem", 32), ("disk", 1)):
            on.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
        operation.launch_group.task_group.tasks.extend([failing, endless])
        driver.acceptOffers([offer.id], [operation], filters(0))
        ended = {}
        while len(ended) < 2:
            status = scheduler.wait("statusUpdate", lambda s: s.state in (mesos_pb2.TASK_FAILED, mesos_pb2.TASK_KILLED))
            ended[status.task_id.value] = status.state
        assert ended == {
            failing.task_id.value: mesos_pb2.TASK_FAILED,
            endless.task_id.value: mesos_pb2.TASK_KILLED,
        }


def test_described_tasks_follow_the_clock_of_the_cluster() -> None:
    scheduler = Recorder()
    hour = 3600
    with (
        LocalCluster(resources=RESOURCES, time="skip", simulate=Run(seconds=hour)) as cluster,
        running(cluster, scheduler) as driver,  # type: ignore[arg-type]
    ):
        cluster.run_until(lambda: any(event.name == "resourceOffers" for event in scheduler.events.queue))
        offer = scheduler.offer()
        launched = task(offer)
        driver.launchTasks(offer.id, [launched], filters(0))
        began = cluster.time()
        scheduler.on["statusUpdate"] = lambda _, status: scheduler.seen.append(status)
        cluster.run_until(
            lambda: any(getattr(s, "state", None) == mesos_pb2.TASK_FINISHED for s in scheduler.seen), 7200
        )
        assert hour <= cluster.time() - began < hour + 1
