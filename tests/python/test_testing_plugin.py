"""The pytest plugin, in runs of their own: with xdist, with unittest, and with neither."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

FRAMEWORKS = """
from mesos.interface import Scheduler, mesos_pb2

def task(offer, command="exit 0", name="task-1"):
    made = mesos_pb2.TaskInfo(name=name, task_id={"value": name}, slave_id=offer.slave_id)
    made.command.value = command
    for resource, amount in (("cpus", 0.1), ("mem", 32)):
        made.resources.add(name=resource, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    return made

class Launcher(Scheduler):
    def __init__(self, command="exit 0"):
        self.command = command
        self.launched = False

    def resourceOffers(self, driver, offers):
        for offer in offers:
            tasks = [] if self.launched else [task(offer, self.command)]
            driver.launchTasks(offer.id, tasks, mesos_pb2.Filters(refuse_seconds=3600))
            self.launched = True

class Wrong(Launcher):
    def statusUpdate(self, driver, status):
        assert status.state == mesos_pb2.TASK_LOST, "as the test's author expected"
"""
LAUNCHES = """
from frameworks import Launcher

def test_launch(mesos):
    framework = mesos.start(Launcher())
    framework.wait_for("task-1", "TASK_FINISHED")
    assert framework.states("task-1") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Runs a test file in a pytest of its own, with the plugin as it is installed."""

    def run_file(source: str, *arguments: Any) -> pytest.RunResult:
        pytester.makepyfile(frameworks=FRAMEWORKS, test_it=source)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=60)

    return run_file


def test_a_test_starts_a_framework(run: Run) -> None:
    run(LAUNCHES).assert_outcomes(passed=1)


def test_the_plugin_imports_nothing_until_a_fixture_is_used(run: Run) -> None:
    source = """
    import sys
    import pytest

    def loaded():
        return [name for name in sys.modules if name.split(".")[0] in ("mesos", "mesos_pb2", "google")]

    def test_nothing():
        assert "pytest_remesos" in sys.modules
        assert loaded() == []

    def test_the_plugin_has_no_hook_on_this_test(request):
        assert not any("mesos" in name for name in request.fixturenames)

    def test_a_fixture_imports_it(mesos_cluster):
        assert "mesos.testing" in loaded()
    """
    run(source).assert_outcomes(passed=3)
    code = "import sys; before = set(sys.modules); import pytest; known = set(sys.modules); import pytest_remesos; print(sorted(set(sys.modules) - known))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['pytest_remesos']\n"


def test_an_assertion_in_a_callback_fails_the_test_with_the_story(run: Run) -> None:
    result = run("""
    from frameworks import Wrong

    def test_that_looks_green(mesos):
        framework = mesos.start(Wrong())
        framework.driver.join()

    def test_the_next_one(mesos):
        pass
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([
        "*AssertionError: as the test's author expected*",
        "*What happened at the Mesos cluster*",
        "*SUBSCRIBE (Wrong)*",
        "*offer sent on S? *",
        "*Wrong <- resourceOffers(*",
        "*Wrong -> launchTasks(O*[[]task-1[]]*",
        "*ACCEPT*",
        "*task status task-1 TASK_STARTING*",
        "*Wrong !! statusUpdate raised AssertionError: as the test's author expected*",
    ])  # fmt: skip


def test_a_failed_test_shows_what_else_went_wrong(run: Run) -> None:
    result = run("""
    from frameworks import Wrong

    def test_both(mesos):
        mesos.start(Wrong()).driver.join()
        assert False, "the test's own"
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*AssertionError: the test's own", "*Besides, AssertionError: as the test's author expected*"]
    )


def test_an_exception_in_a_driver_of_the_tests_own_fails_it(run: Run) -> None:
    run("""
    import pytest
    from frameworks import Wrong
    from mesos.interface import mesos_pb2
    from mesos.native import MesosSchedulerDriver

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_that_looks_green(mesos_cluster):
        MesosSchedulerDriver(Wrong(), mesos_pb2.FrameworkInfo(user="", name="own"), mesos_cluster).run()
    """).assert_outcomes(failed=1)


def test_a_timeout_and_a_wrong_state_fail_the_test_with_the_story(run: Run) -> None:
    result = run("""
    from frameworks import Launcher

    def test_state(mesos):
        mesos.start(Launcher("exit 7")).wait_for("task-1", "TASK_FINISHED")

    def test_timeout(mesos):
        mesos.start(Launcher("sleep 100")).wait_for("task-1", "TASK_FINISHED", timeout=0.5)
    """)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([
        "*'task-1' ended with task-1 TASK_FAILED: *7*, not in TASK_FINISHED",
        "*What happened at the Mesos cluster*",
        "*did not see the task 'task-1' in TASK_FINISHED within 0.5 seconds*",
        "*What happened at the Mesos cluster*",
    ])  # fmt: skip
    # The package's own frames are left out.
    result.stdout.no_fnmatch_line("*_framework.py:*")


def test_what_is_left_behind_fails_the_test_and_no_other(run: Run) -> None:
    result = run("""
    import subprocess
    import threading
    import pytest
    from mesos.interface import Scheduler, mesos_pb2
    from mesos.native import MesosSchedulerDriver

    done = threading.Event()
    processes = []

    def test_thread(mesos_cluster):
        threading.Thread(target=done.wait, name="forgotten").start()

    def test_process(mesos_cluster):
        processes.append(subprocess.Popen(["sleep", "100"]))

    def test_driver(mesos_cluster):
        driver = MesosSchedulerDriver(Scheduler(), mesos_pb2.FrameworkInfo(user="", name="own"), mesos_cluster)
        driver.start()
        processes.append(driver)

    @pytest.mark.mesos(leaks=False)
    def test_allowed(mesos_cluster):
        test_thread(mesos_cluster)

    def test_nothing(mesos):
        assert mesos.cluster.frameworks == []

    def test_without_the_plugin():
        test_thread(None)

    def test_end():
        done.set()
        processes[0].kill()
        processes[0].wait()
    """)
    result.assert_outcomes(passed=7, errors=3)
    result.stdout.fnmatch_lines([
        "*the test left behind: the thread 'forgotten'",
        "*the test left behind: the process * (sleep 100)",
        "*the test left behind: the driver <MesosSchedulerDriver DRIVER_RUNNING, *>*",
    ])  # fmt: skip


def test_tests_share_a_cluster_that_is_reset_between_them(run: Run) -> None:
    run("""
    import pytest
    from frameworks import Launcher

    seen = []

    @pytest.fixture(scope="session")
    def mesos_options():
        return {"agents": 3}

    @pytest.mark.parametrize("number", range(3))
    def test_launch(mesos, mesos_cluster, number):
        assert mesos.cluster is mesos_cluster
        assert (len(mesos_cluster.agents), mesos_cluster.tasks, mesos_cluster.frameworks) == (3, [], [])
        mesos.start(Launcher("sleep 100")).wait_for("task-1", "TASK_RUNNING")
        seen.append(mesos_cluster.address)
        assert len(set(seen)) == 1

    def test_that_stops_it(mesos_cluster):
        mesos_cluster.stop()

    def test_that_gets_another(mesos_cluster):
        assert len(mesos_cluster.agents) == 3

    @pytest.mark.mesos(agents=5)
    def test_that_wants_another(mesos_cluster):
        assert len(mesos_cluster.agents) == 5
    """).assert_outcomes(passed=6)


def test_time_passes_at_once(run: Run) -> None:
    run("""
    import time
    from frameworks import Launcher
    from mesos.testing import Run
    import pytest

    @pytest.mark.mesos(simulate=Run(seconds=86400))
    def test_a_day(mesos, mesos_time):
        before = time.monotonic()
        framework = mesos.start(Launcher())
        framework.wait_for("task-1", "TASK_RUNNING")
        framework.wait_for("task-1", "TASK_FINISHED", timeout=100_000)
        assert 86400 <= mesos_time.time() - 946684800 < 86500
        assert time.monotonic() - before < 20
    """).assert_outcomes(passed=1)


def test_with_xdist_each_process_has_a_cluster(run: Run) -> None:
    result = run(
        """
    import os
    import pytest
    from frameworks import Launcher, Wrong

    @pytest.mark.parametrize("number", range(8))
    def test_launch(mesos, number, tmp_path):
        mesos.start(Launcher()).wait_for("task-1", "TASK_FINISHED")
        (tmp_path.parent.parent / f"{mesos.cluster.address} {os.getpid()}").touch()

    def test_wrong(mesos):
        mesos.start(Wrong()).wait_for("task-1", "TASK_FINISHED")
    """,
        "-n", "2", "--basetemp", "base",
    )  # fmt: skip
    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(["*What happened at the Mesos cluster*"])


UNITTEST = """
import unittest
from frameworks import Launcher, Wrong
from mesos.testing import MesosTestCase

class TestFramework(MesosTestCase):
    mesos_options = {"agents": 2}

    def test_launch(self):
        framework = self.mesos.start(Launcher())
        framework.wait_for("task-1", "TASK_FINISHED")
        self.assertEqual(len(self.mesos.cluster.agents), 2)

    def test_that_looks_green(self):
        self.mesos.start(Wrong()).driver.join()

    def test_left(self):
        import threading
        threading.Thread(target=threading.Event().wait, name="forgotten", daemon=True).start()

    def test_skipped(self):
        self.skipTest("for a reason")

if __name__ == "__main__":
    unittest.main()
"""


def test_unittest_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(frameworks=FRAMEWORKS, test_it=UNITTEST)
    done = subprocess.run([sys.executable, "test_it.py"], cwd=pytester.path, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "FAILED (failures=2, skipped=1)", done.stderr
    for words in ("AssertionError: as the test's author expected", "Wrong -> launchTasks(", "the thread 'forgotten'"):
        assert words in done.stderr


def test_unittest_in_pytest(run: Run) -> None:
    result = run(UNITTEST)
    result.assert_outcomes(passed=1, failed=2, skipped=1)
    result.stdout.fnmatch_lines(["*AssertionError: as the test's author expected*"])


@pytest.mark.apache
@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_real_cluster(run: Run, apache_mesos: Any, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    arguments = ["--mesos-master", apache_mesos.address] if way == "option" else []
    if way == "variable":
        monkeypatch.setenv("REMESOS_TEST_MASTER", apache_mesos.address)
    result = run(
        LAUNCHES + """
import pytest
from mesos.testing import MesosTestCase

def test_address(mesos_cluster):
    assert len(mesos_cluster.agents) == 2

def test_driver_of_its_own(mesos_cluster):
    from mesos.interface import mesos_pb2
    from mesos.native import MesosSchedulerDriver

    class Stopping(Launcher):
        def registered(self, driver, framework_id, master_info):
            driver.stop()

    info = mesos_pb2.FrameworkInfo(user="", name="own")
    assert MesosSchedulerDriver(Stopping(), info, mesos_cluster).run(check=True) == mesos_pb2.DRIVER_STOPPED

def test_fault(mesos):
    framework = mesos.start(Launcher("sleep 100"))
    framework.wait_for("task-1", "TASK_RUNNING")
    mesos.cluster.restart_master()

def test_fault_of_an_agent(mesos_cluster):
    mesos_cluster.agents[0].disconnect()

def test_time(mesos_time):
    mesos_time.advance(600)

@pytest.mark.mesos(agents=7)
def test_options(mesos):
    pass

class TestCase(MesosTestCase):
    def test_launch(self):
        self.mesos.start(Launcher()).wait_for("task-1", "TASK_FINISHED")
""",
        *arguments,
        "-rs",
    )  # fmt: skip
    result.assert_outcomes(passed=4, skipped=4)
    result.stdout.fnmatch_lines([
        f"*needs the embedded cluster: there is no restart_master of the cluster at {apache_mesos.address}*",
        "*needs an embedded cluster with time='skip'*",
        "*needs an embedded cluster with agents=7*",
    ], consecutive=False)  # fmt: skip
