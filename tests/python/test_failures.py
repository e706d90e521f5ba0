"""What aborted a driver reaches whoever runs it, and is reported once."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import traceback
import weakref
from pathlib import Path
from typing import Any

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError, DriverAbortedError, DriverTimeoutError
from mesos.interface import mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver

from tests.python.support import Recorder, exit_status_of_executor, framework, running


def fail(*_: Any) -> None:
    raise ValueError("oops")


def failing(master: str, **on: Any) -> MesosSchedulerDriver:
    return MesosSchedulerDriver(Recorder(**(on or {"registered": fail})), framework(), master)


@pytest.mark.usefixtures("callbacks_may_raise")
class TestException:
    def test_it_is_what_a_callback_raised(self, master: str) -> None:
        driver = failing(master)
        assert driver.exception is None
        assert driver.run() == mesos_pb2.DRIVER_ABORTED
        assert isinstance(driver.exception, ValueError)
        assert traceback.extract_tb(driver.exception.__traceback__)[-1].name == "fail"

    def test_it_is_what_error_was_told(self, master: str) -> None:
        told: list[str] = []
        scheduler = Recorder(error=lambda _, message: told.append(message))
        driver = MesosSchedulerDriver(scheduler, framework(role="a/../b"), master)
        assert driver.run() == mesos_pb2.DRIVER_ABORTED
        scheduler.wait("error")
        assert isinstance(driver.exception, DriverAbortedError)
        assert str(driver.exception) == told[0]

    def test_a_failure_in_error_does_not_hide_why_it_was_called(self, capfd: pytest.CaptureFixture[str]) -> None:
        driver = failing("nowhere", error=fail)
        assert driver.start() == mesos_pb2.DRIVER_ABORTED
        assert isinstance(driver.exception, DriverAbortedError)
        assert "'nowhere'" in str(driver.exception)
        assert capfd.readouterr().err.count("ValueError: oops\n") == 1

    def test_there_is_none_for_abort_and_stop(self, master: str) -> None:
        for end in (lambda driver, *_: driver.abort(), lambda driver, *_: driver.stop()):
            driver = failing(master, registered=end)
            assert driver.run(check=True) == driver.join(check=True) > mesos_pb2.DRIVER_RUNNING
            assert driver.exception is None

    def test_it_lets_the_driver_be_collected(self, master: str) -> None:
        driver = failing(master)
        driver.run()
        driver.stop()
        driver.join()
        here = weakref.ref(driver)
        del driver
        # The thread that made the callback lets go of the driver a moment after join() returned.
        until = time.monotonic() + 10
        while gc.collect() or here() is not None:
            assert time.monotonic() < until


class TestCheck:
    def test_run_and_join_raise_the_very_exception(self, master: str, capfd: pytest.CaptureFixture[str]) -> None:
        driver = failing(master)
        depths = []
        for wait in (driver.run, driver.join, driver.join):
            with pytest.raises(ValueError, match="oops") as raised:
                wait(check=True)
            assert raised.value is driver.exception
            assert raised.traceback[-1].name == "fail"
            depths.append(len(raised.traceback))
        assert depths[1] == depths[2], "a traceback does not grow with those who raise it"
        shown = capfd.readouterr().err
        assert shown == "Failed to call scheduler's registered\n", "who waits has the traceback"

    def test_pytest_s_hook_is_not_told_what_is_raised_elsewhere(self, master: str) -> None:
        """Without the fixture ``callbacks_may_raise``: a warning would fail this test."""
        with pytest.raises(ValueError, match="oops"):
            failing(master).run(check=True)

    @pytest.mark.usefixtures("callbacks_may_raise")
    def test_everyone_who_waits_is_told(self, master: str) -> None:
        registered, go = threading.Event(), threading.Event()

        def wait_and_fail(*_: Any) -> None:
            registered.set()
            assert go.wait(30)
            fail()

        driver = failing(master, registered=wait_and_fail)
        driver.start()
        raised: list[BaseException] = []

        def wait() -> None:
            try:
                driver.join(check=True)
            except ValueError as error:
                raised.append(error)

        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert registered.wait(30)
        go.set()
        for thread in threads:
            thread.join()
        assert raised == [driver.exception] * 3

    def test_what_error_was_told(self, master: str) -> None:
        with pytest.raises(DriverAbortedError, match=r"a/\.\./b"):
            MesosSchedulerDriver(Recorder(), framework(role="a/../b"), master).run(check=True)
        with pytest.raises(DriverAbortedError, match="'nowhere'"):
            MesosSchedulerDriver(Recorder(), framework(), "nowhere").run(check=True)

    def test_a_program_prints_the_traceback_once(self, master: str) -> None:
        for run, code in (("run()", 0), ("run(check=True)", 1)):
            done = program(master, f"driver.{run}")
            assert done.returncode == code
            lines = done.stderr.splitlines()
            assert lines[:2] == ["Failed to call scheduler's registered", "Traceback (most recent call last):"]
            assert lines[-1] == "ValueError: oops"
            assert done.stderr.count("Traceback") == done.stderr.count("ValueError: oops") == 1


class TestTimeout:
    def test_a_driver_that_runs(self, master: str) -> None:
        with running(master, Recorder()) as driver:
            assert driver.join(timeout=0) == driver.join(timeout=0.01) == mesos_pb2.DRIVER_RUNNING
            with pytest.raises(DriverTimeoutError, match=r"has not ended after 0\.01 seconds"):
                driver.join(check=True, timeout=0.01)
            with pytest.raises(TimeoutError):
                driver.join(check=True, timeout=0)

    def test_a_driver_that_ends(self, master: str) -> None:
        scheduler = Recorder()
        with running(master, scheduler) as driver:
            scheduler.wait("registered")
            threading.Timer(0.1, driver.stop).start()
            assert driver.join(timeout=1e300) == mesos_pb2.DRIVER_STOPPED
            assert driver.join(check=True, timeout=0) == mesos_pb2.DRIVER_STOPPED

    def test_what_is_no_time(self) -> None:
        for driver in (failing("localhost:1"), MesosExecutorDriver(Recorder())):
            for bad in (-1, float("nan")):
                with pytest.raises(ArgumentValueError, match="zero or more seconds as timeout"):
                    driver.join(timeout=bad)
            with pytest.raises(ArgumentTypeError, match="a number of seconds as timeout, got str '1'"):
                driver.join(timeout="1")  # type: ignore[arg-type]


class TestHook:
    def test_a_hook_is_told(
        self, master: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        told: list[threading.ExceptHookArgs] = []
        monkeypatch.setattr(threading, "excepthook", told.append)
        driver = failing(master)
        driver.run()
        assert [(args.exc_type, args.exc_value) for args in told] == [(ValueError, driver.exception)]
        assert traceback.extract_tb(told[0].exc_traceback)[-1].name == "fail"
        assert capfd.readouterr().err.count("Traceback") == 1

    def test_a_hook_that_raises_is_reported(
        self, master: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(threading, "excepthook", lambda _: 1 / 0)
        assert failing(master).run() == mesos_pb2.DRIVER_ABORTED
        shown = capfd.readouterr().err
        assert "ValueError: oops\n" in shown
        assert "ZeroDivisionError: division by zero\n" in shown

    def test_pytest_fails_a_test_whose_callback_raises(self, tmp_path: Path) -> None:
        test = tmp_path / "test_swallowed.py"
        test.write_text(
            "from mesos.interface import Scheduler, mesos_pb2\n"
            "from mesos.local import LocalCluster\n"
            "from mesos.native import MesosSchedulerDriver\n"
            "class S(Scheduler):\n"
            "    def registered(self, *_): raise AssertionError('must be seen')\n"
            "def test_it():\n"
            "    with LocalCluster() as cluster:\n"
            "        MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user='', name='t'), cluster.address).run()\n"
        )
        command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", str(test)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
        assert done.returncode == 1
        assert "PytestUnhandledThreadExceptionWarning" in done.stdout
        assert "AssertionError: must be seen" in done.stdout


def program(master: str, ending: str, raised: str = 'ValueError("oops")') -> subprocess.CompletedProcess[str]:
    code = f"""
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
class S(Scheduler):
    def registered(self, driver, framework_id, master_info):
        raise {raised}
driver = MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="program"), {master!r})
{ending}
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)


def test_system_exit_keeps_its_way(master: str) -> None:
    for run in ("run()", "run(check=True)"):
        done = program(master, f"driver.{run}", "SystemExit(7)")
        assert (done.returncode, done.stderr) == (7, "")


def test_an_executor_s_driver_has_the_same(master: str) -> None:
    code = """
import sys
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2
class Raising(Executor):
    def launchTask(self, driver, task): raise ValueError("oops")
driver = MesosExecutorDriver(Raising())
try:
    driver.run(check=True)
except ValueError as error:
    assert error is driver.exception
    sys.exit(7)
"""
    assert exit_status_of_executor(master, code) == 7
