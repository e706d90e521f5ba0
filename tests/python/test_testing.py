"""``mesos.testing.Mesos``: frameworks on a cluster, and what fails a test."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import ArgumentValueError, DriverAbortedError
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver
from mesos.testing import Mesos, Run

from tests.python.support import framework as info_of
from tests.python.support import task

if TYPE_CHECKING:
    from collections.abc import Iterator


class Launcher(Scheduler):
    """Launches one task with a command."""

    def __init__(self, command: str = "exit 0") -> None:
        self.command = command
        self.launched = False

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            made = task(offer, self.command)
            made.task_id.value = "task-1"
            driver.launchTasks(offer.id, [] if self.launched else [made])
            self.launched = True


class Raising(Launcher):
    """Fails in a callback, as a test's assertion does."""

    def statusUpdate(self, driver: Any, status: Any) -> None:
        assert status.state == mesos_pb2.TASK_LOST, "the callback's own assertion"


@pytest.fixture(params=["embedded", pytest.param("apache_mesos", marks=pytest.mark.apache)])
def bed(request: pytest.FixtureRequest) -> Iterator[Mesos]:
    """The same tests on the embedded cluster and on the real Mesos."""
    cluster = None if request.param == "embedded" else request.getfixturevalue("apache_mesos").address
    with Mesos(cluster) as mesos:
        yield mesos


def test_a_framework_is_started_and_waited_for(bed: Mesos) -> None:
    scheduler = Launcher("sleep 0.01")
    framework = bed.start(scheduler, failover_timeout=60, capabilities=["PARTITION_AWARE"])
    status = framework.wait_for("task-1", "TASK_FINISHED")
    assert (status.task_id.value, status.state) == ("task-1", mesos_pb2.TASK_FINISHED)
    assert framework.states("task-1") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    assert framework.wait_for(None, "TASK_RUNNING").task_id.value == "task-1"
    assert [call.tasks[0].task_id.value for call in framework.calls if call.arguments.get("tasks")] == ["task-1"]
    assert framework.wait_for_callback("registered").arguments[0].value == framework.id
    assert framework.scheduler is scheduler
    framework.stop()
    assert framework.join() == mesos_pb2.DRIVER_STOPPED


def test_the_story_has_calls_and_callbacks_in_order(bed: Mesos) -> None:
    framework = bed.start(Launcher(), name="launcher")
    framework.wait_for("task-1", "TASK_FINISHED")
    told = [line.partition("launcher ")[2] for line in bed.story().splitlines() if " launcher " in line]
    kinds = [line.partition("(")[0] for line in told]
    assert kinds[:3] == ["-> start", "<- registered", "<- resourceOffers"]
    launched = next(i for i, line in enumerate(told) if line.startswith("-> launchTasks") and "[task-1]" in line)
    updates = [line for line in told[launched:] if line.startswith("<- statusUpdate(task-1 ")]
    assert [re.findall("TASK_[A-Z]+", line)[0] for line in updates] == framework.states("task-1")


def test_a_callbacks_exception_ends_the_wait_and_is_raised_there(bed: Mesos) -> None:
    framework = bed.start(Raising())
    with pytest.raises(AssertionError, match="the callback's own assertion") as caught:
        framework.wait_for("task-1", "TASK_FINISHED")
    assert caught.traceback[-1].name == "statusUpdate"
    bed.check()  # the test has received it


def test_a_master_that_refuses_a_framework_ends_the_wait(bed: Mesos) -> None:
    framework = bed.start(Launcher(), role="not/../valid")
    with pytest.raises(DriverAbortedError, match="role"):
        framework.wait_for_callback("registered")


def test_a_task_that_ends_otherwise_ends_the_wait(bed: Mesos) -> None:
    framework = bed.start(Launcher("exit 3"))
    with pytest.raises(AssertionError, match="'task-1' ended with task-1 TASK_FAILED: .*3.*, not in TASK_FINISHED"):
        framework.wait_for("task-1", "TASK_FINISHED", timeout=20)
    assert framework.wait_for("task-1", "TASK_FAILED").state == mesos_pb2.TASK_FAILED


def test_a_wait_ends_with_the_driver_and_with_its_timeout() -> None:
    with Mesos() as mesos:
        framework = mesos.start(Scheduler(), name="idle")
        with pytest.raises(AssertionError, match=r"idle did not see the task 'x' in TASK_RUNNING within 0\.01 seconds"):
            framework.wait_for("x", "TASK_RUNNING", timeout=0.01)
        threading.Timer(0.05, framework.stop).start()
        with pytest.raises(AssertionError, match=r"did not see the task 'x' .*: its driver is DRIVER_STOPPED"):
            framework.wait_for("x", "TASK_RUNNING")
        with pytest.raises(
            ArgumentValueError, match="name of a state, such as 'TASK_RUNNING', as state, got 'RUNNING'"
        ):
            framework.wait_for("x", "RUNNING")


def test_an_update_that_stops_the_driver_still_counts() -> None:
    class Stopping(Launcher):
        def statusUpdate(self, driver: Any, status: Any) -> None:
            if status.state == mesos_pb2.TASK_FINISHED:
                driver.stop()

    for _ in range(20):
        with Mesos() as mesos:
            mesos.start(Stopping()).wait_for("task-1", "TASK_FINISHED")


def test_a_condition_may_take_a_lock_that_callbacks_hold_while_they_call() -> None:
    lock = threading.Lock()

    class Locking(Launcher):
        done = 0

        def statusUpdate(self, driver: Any, status: Any) -> None:
            with lock:
                self.done += 1
                for _ in range(100):
                    driver.reviveOffers()

    def done() -> bool:
        with lock:
            return scheduler.done == 3

    scheduler = Locking()
    with Mesos() as mesos:
        assert mesos.start(scheduler).wait_until(done) is True


def test_an_exception_that_nobody_received_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="the callback's own assertion") as caught, Mesos() as mesos:
        framework = mesos.start(Raising(), name="raising")
        framework.driver.join()
    assert "raising <- statusUpdate(task-1" in caught.value.__notes__[0]
    assert "raising !! statusUpdate raised AssertionError: the callback's own assertion" in caught.value.__notes__[0]


def test_an_exception_that_was_looked_at_does_not_fail_the_test() -> None:
    with Mesos() as mesos:
        framework = mesos.start(Raising())
        framework.driver.join()
        assert isinstance(framework.exception, AssertionError)


@pytest.mark.usefixtures("callbacks_may_raise")
def test_exceptions_of_drivers_that_the_test_made_fail_it_too(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError, match="the callback's own assertion"), Mesos() as mesos:
        MesosSchedulerDriver(Raising(), info_of(), mesos.cluster).run()
    capfd.readouterr()
    # Not if the test receives it.
    with Mesos() as mesos, pytest.raises(AssertionError, match="the callback's own assertion"):
        MesosSchedulerDriver(Raising(), info_of(), mesos.cluster).run(check=True)


def test_system_exit_in_a_callback_does_not_end_the_tests() -> None:
    class Exiting(Launcher):
        def registered(self, driver: Any, framework_id: Any, master_info: Any) -> None:
            sys.exit(7)

    with Mesos() as mesos:
        framework = mesos.start(Exiting())
        with pytest.raises(AssertionError, match=r"the callback registered raised SystemExit\(7\)"):
            framework.join()


def test_a_failure_has_the_story() -> None:
    with pytest.raises(ZeroDivisionError) as caught, Mesos() as mesos:
        mesos.start(Launcher(), name="launcher").wait_for("task-1", "TASK_FINISHED")
        _ = 1 / 0
    (note,) = caught.value.__notes__
    assert note.startswith("What happened:")
    assert "launcher -> launchTasks(" in note


def test_a_mistake_in_a_scheduler_is_told_as_by_the_driver() -> None:
    class Near(Scheduler):
        def resourceOffer(self, driver: Any, offers: Any) -> None: ...

    with Mesos() as mesos, pytest.warns(match="resourceOffer .meant as resourceOffers"):
        mesos.start(Near())


def test_what_a_test_leaves_behind_fails_it() -> None:
    released = threading.Event()
    thread = threading.Thread(target=released.wait, name="left-over", daemon=True)
    made: list[Any] = []
    with pytest.raises(AssertionError, match="left behind") as caught, Mesos() as mesos:
        thread.start()
        made.append(subprocess.Popen(["sleep", "100"]))
        driver = MesosSchedulerDriver(Scheduler(), info_of(name="left"), mesos.cluster)
        driver.start()
        mesos.start(Scheduler()).wait_for_callback("registered")
        framework = mesos.start(Scheduler())
        framework.wait_until(lambda: len(mesos.cluster.frameworks) == 3)
    released.set()
    thread.join()
    made[0].kill()
    made[0].wait()
    assert str(caught.value).startswith("the test left behind: the thread 'left-over'; the process ")
    assert "(sleep 100); the driver <MesosSchedulerDriver DRIVER_RUNNING, 'left'" in str(caught.value)
    assert "; the framework 'left' with the id " in str(caught.value)
    assert str(caught.value).count("the framework") == 1
    # The cluster has stopped, and this driver with it.
    assert driver.join() == mesos_pb2.DRIVER_STOPPED


def test_a_callback_that_does_not_return_fails_the_test_and_one_that_does_may_still_fail_it() -> None:
    started, go_on = threading.Event(), threading.Event()

    class Waiting(Scheduler):
        def registered(self, driver: Any, framework_id: Any, master_info: Any) -> None:
            started.set()
            go_on.wait(60)
            assert not self.late

    scheduler = Waiting()
    scheduler.late = False  # type: ignore[attr-defined]
    with pytest.raises(
        AssertionError, match="left behind: a callback of <Framework 'Waiting' DRIVER_STOPPED> that has not"
    ):
        with Mesos() as mesos:
            mesos.start(scheduler)
            started.wait(60)
    go_on.set()
    started.clear()
    go_on.clear()
    scheduler.late = True  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match="late"), Mesos() as mesos:
        mesos.start(scheduler)
        started.wait(60)
        threading.Timer(0.1, go_on.set).start()


def test_leaks_may_be_allowed() -> None:
    with LocalCluster() as cluster, MesosSchedulerDriver(Scheduler(), info_of(), cluster) as driver:
        with Mesos(cluster, leaks=False):
            driver.start()


def test_a_framework_that_waits_for_its_failover_leaves_nothing(bed: Mesos) -> None:
    first = bed.start(Launcher("sleep 100"), failover_timeout=600)
    first.wait_for("task-1", "TASK_RUNNING")
    first.stop(failover=True)
    second = bed.start(Launcher(), failover_timeout=600, id={"value": first.id})
    second.wait_for_callback("registered")
    second.stop(failover=True)
    bed.close()
    if hasattr(bed.cluster, "tear_down"):
        assert first.id not in {each.id for each in bed.cluster.frameworks}


def test_the_master_is_the_tests_own_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMESOS_MASTER", "192.0.2.1:5050")
    with Mesos() as mesos:
        mesos.start(Scheduler()).wait_for_callback("registered")


def test_in_virtual_time_a_real_process_is_waited_for() -> None:
    with Mesos(time="skip") as mesos:
        framework = mesos.start(Launcher("sleep 0.1; exit 4"))
        framework.wait_for("task-1", "TASK_FAILED")
        assert framework.states("task-1") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
        with pytest.raises(AssertionError, match="'task-1' ended with task-1 TASK_FAILED: .*, not in TASK_FINISHED"):
            framework.wait_for("task-1", "TASK_FINISHED")


def test_in_virtual_time_a_wait_ends_with_a_callbacks_exception_with_the_driver_and_with_its_timeout() -> None:
    with Mesos(time="skip", simulate=Run(seconds=3600)) as mesos:
        raising = mesos.start(Raising())
        with pytest.raises(AssertionError, match="the callback's own assertion"):
            raising.wait_for("task-1", "TASK_RUNNING")
        framework = mesos.start(Scheduler(), name="idle")
        before = mesos.cluster.time()
        with pytest.raises(AssertionError, match=r"idle did not see the task 'x' in TASK_RUNNING within 600 seconds"):
            framework.wait_for("x", "TASK_RUNNING", timeout=600)
        assert mesos.cluster.time() - before == 600
        mesos.cluster.call_later(60, framework.stop)
        with pytest.raises(AssertionError, match="its driver is DRIVER_STOPPED"):
            framework.wait_for("x", "TASK_RUNNING")
        assert framework.join() == mesos_pb2.DRIVER_STOPPED


@pytest.mark.usefixtures("callbacks_may_raise")
def test_exceptions_of_other_functions_of_the_test_fail_it(capfd: pytest.CaptureFixture[str]) -> None:
    def describe(info: mesos_pb2.TaskInfo) -> Run:
        raise KeyError(info.task_id.value)

    with pytest.raises(KeyError, match="task-1"), Mesos(simulate=describe) as mesos:
        mesos.start(Launcher()).wait_for("task-1", "TASK_FAILED")
    with pytest.raises(ZeroDivisionError), Mesos(time="skip") as mesos:
        mesos.cluster.call_later(5, lambda: 1 / 0)
        mesos.cluster.advance(10)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_framework_that_fails_over_is_the_same_framework() -> None:
    with Mesos(time="skip", simulate=Run(seconds=3600)) as mesos:
        first = mesos.start(Launcher(), failover_timeout=600)
        first.wait_for("task-1", "TASK_RUNNING")
        first.stop(failover=True)
        mesos.cluster.advance(500)
        second = mesos.start(Scheduler(), failover_timeout=600, id={"value": first.id})
        second.wait_for_callback("registered")
        second.driver.reconcileTasks([])
        assert second.wait_for("task-1", "TASK_RUNNING").reason == mesos_pb2.TaskStatus.REASON_RECONCILIATION
        assert second.id == first.id
