"""The interpreter's end: whatever goes on at that moment, the process ends soon and with the right exit status."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import exits

if TYPE_CHECKING:
    from mesos.local import LocalCluster

PREPARED = """
import logging, os, sys, threading, time
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
master, reached = sys.argv[1], threading.Event()
class Slow:  # lets the other threads go on while the interpreter ends
    def __del__(self, sleep=time.sleep):
        sleep(0.3)
slow = Slow()
def log_with(emit):
    class Handler(logging.Handler):
        pass
    Handler.emit = lambda self, record: emit()
    logging.getLogger("mesos").addHandler(Handler())
    logging.getLogger("mesos").setLevel("DEBUG")
def start(scheduler):
    driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="end"), master)
    driver.start()
    return driver
class Quiet(Scheduler):
    def registered(self, driver, *_):
        reached.set()
def never():
    reached.set()
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""


def end(master: str, program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PREPARED + program, master]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("times", range(3))
def test_log_records_that_wait_do_not_outlive_the_interpreter(embedded: LocalCluster, times: int) -> None:
    done = end(
        embedded.address,
        """
log_with(lambda: time.sleep(0.001))
driver = start(Quiet())
assert reached.wait(30)
for _ in range(3000):
    driver.reviveOffers()
sys.exit(5)
""",
    )
    assert (done.returncode, done.stderr) == (5, "")


@pytest.mark.parametrize("times", range(3))
def test_daemon_threads_may_call_the_driver_until_the_end(embedded: LocalCluster, times: int) -> None:
    done = end(
        embedded.address,
        """
log_with(lambda: time.sleep(0.001))
driver = start(Quiet())
assert reached.wait(30)
def call():
    while True:
        driver.reviveOffers()
for _ in range(4):
    threading.Thread(target=call, daemon=True).start()
time.sleep(0.1)
sys.exit(5)
""",
    )
    assert (done.returncode, done.stderr) == (5, "")


@pytest.mark.parametrize("times", range(3))
def test_daemon_threads_may_use_bytes_fields_until_the_end(times: int) -> None:
    done = end(
        "",
        """
def use():
    while True:
        status = mesos_pb2.TaskStatus(data="text")
        status.data = "abc" + status.data
for _ in range(4):
    threading.Thread(target=use, daemon=True).start()
time.sleep(0.05)
sys.exit(5)
""",
    )
    assert (done.returncode, done.stderr) == (5, "")


@pytest.mark.parametrize("handler", ["never", "lambda: (reached.set(), threading.Event().wait())"])
def test_a_log_handler_that_never_returns_does_not_hold_the_exit_up(embedded: LocalCluster, handler: str) -> None:
    done = end(embedded.address, f"log_with({handler})\ndriver = start(Quiet())\nassert reached.wait(30)\nsys.exit(5)")
    assert (done.returncode, done.stderr) == (5, "")


def test_a_callback_that_never_returns_does_not_hold_the_exit_up(embedded: LocalCluster) -> None:
    done = end(
        embedded.address,
        """
class Never(Scheduler):
    def registered(self, driver, *_):
        never()
driver = start(Never())
assert reached.wait(30)
sys.exit(5)
""",
    )
    assert (done.returncode, done.stderr) == (5, "")


def test_no_log_record_and_no_driver_begins_after_the_end(embedded: LocalCluster) -> None:
    done = end(
        embedded.address,
        """
import atexit
from mesos import _core
records = []
log_with(lambda: records.append(1))
def late():
    before = len(records)
    try:
        start(Quiet())
    except RuntimeError as error:
        print(error)
    print(len(records) - before)
atexit.register(late)
atexit.register(_core.shutdown)
driver = start(Quiet())
assert reached.wait(30)
""",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "no thread for callbacks: the interpreter is about to end\n0\n"


def test_a_forked_child_ends_though_its_parent_was_logging(embedded: LocalCluster) -> None:
    done = end(
        embedded.address,
        """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
log_with(lambda: None)
driver = start(Quiet())
assert reached.wait(30)
def call():
    while True:
        driver.reviveOffers()
for _ in range(2):
    threading.Thread(target=call, daemon=True).start()
for _ in range(50):
    child = os.fork()
    if child == 0:
        driver.reviveOffers()
        from mesos import _core
        _core.shutdown()
        os._exit(7)
    assert os.waitpid(child, 0)[1] == 7 << 8
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


INTERRUPTED = """
class Busy(Scheduler):
    def registered(self, driver, *_):
        prepare()
        reached.set()
        try:
            while True:
                time.sleep(0.01)
        except SystemExit:
            print("interrupted", flush=True)
            raise
driver = start(Busy())
assert reached.wait(30)
sys.exit(5)
"""


def test_a_callback_in_progress_is_interrupted_though_get_ident_is_another(embedded: LocalCluster) -> None:
    """As gevent does: ``get_ident`` gives greenlets' numbers."""
    patched = """
import _thread
real, main = threading.get_ident, threading.get_ident()
_thread.get_ident = threading.get_ident = lambda: main if real() == main else 1
prepare = lambda: None
"""
    done = end(embedded.address, patched + INTERRUPTED)
    assert (done.returncode, done.stdout, done.stderr) == (5, "interrupted\n", "")


def test_a_callback_in_progress_is_interrupted_though_it_started_another_driver(embedded: LocalCluster) -> None:
    done = end(embedded.address, "prepare = lambda: start(Scheduler())\n" + INTERRUPTED)
    assert (done.returncode, done.stdout, done.stderr) == (5, "interrupted\n", "")


def test_what_the_core_imports_by_name_is_imported_by_python_code_too() -> None:
    """Packers such as PyInstaller follow only that."""
    sources = sorted((Path(__file__).parents[2] / "src" / "python").glob("*.rs"))
    named = {name for source in sources for name in re.findall(r'import\(py, "([\w.]+)"\)', source.read_text())}
    assert {"mesos._exit", "traceback"} <= named
    program = f"import mesos.native, sys; print(sorted(set({sorted(named)}) - set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"


STARTED_WITH = """
import os, resource, sys
from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver
class Told(Scheduler):
    def error(self, driver, message):
        print(message)
def schedule():
    return MesosSchedulerDriver(Told(), mesos_pb2.FrameworkInfo(user="", name="few"), "127.0.0.1:1").start() - 2
def execute():
    return MesosExecutorDriver(Executor()).start() - 2
def cluster():
    LocalCluster().stop()
    return 0
def leave_only(free):
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for descriptor in taken[:free]:
        os.close(descriptor)
for start in (schedule, execute, cluster):
    for free in range(16):
        if os.fork() == 0:
            try:
                leave_only(free)
                status = start()
            except Exception as error:
                print(error)
                status = 1
            sys.stdout.flush()
            os._exit(status)
        print(start.__name__, free, os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


@pytest.mark.timeout(240)
def test_too_few_descriptors_are_a_clear_error() -> None:
    agent = {"FRAMEWORK_ID": "f", "EXECUTOR_ID": "e", "SLAVE_ID": "s", "SLAVE_PID": "s@127.0.0.1:1", "DIRECTORY": "/"}
    environment = {**os.environ, **{f"MESOS_{name}": value for name, value in agent.items()}}
    command = [sys.executable, "-c", "import logging; logging.disable()" + STARTED_WITH]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=True)
    assert done.stderr == ""
    ends = [line.split() for line in done.stdout.splitlines() if line.split()[0] in ("schedule", "execute", "cluster")]
    assert len(ends) == 3 * 16
    errors = [line for line in done.stdout.splitlines() if line.split() not in ends]
    assert all("Too many open files" in error for error in errors), errors
    # Whatever ends otherwise has said why, and with enough descriptors all is well.
    assert len(errors) == sum(status != "0" for *_, status in ends)
    assert all(status == "0" for _, free, status in ends if int(free) >= 14)


def test_processes_that_end_at_random_moments() -> None:
    """A few of them; ``python -m tests.exits 2000`` runs more."""
    assert exits.run(range(40), at_once=2) == []
