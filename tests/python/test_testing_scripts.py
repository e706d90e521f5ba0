"""``ScriptRunner``: programs in processes of their own against a cluster."""

from __future__ import annotations

import signal
import textwrap
import time
import zipfile
from typing import TYPE_CHECKING

import pytest
from mesos.errors import ArgumentValueError
from mesos.local import LocalCluster
from mesos.testing import Mesos, ScriptRunner

from tests.python.support import alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMEWORK = """
import sys
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

class Hello(Scheduler):
    def registered(self, driver, framework_id, master_info):
        print("registered", *sys.argv[1:])
        {registered}
        driver.stop()

info = mesos_pb2.FrameworkInfo(user="", name="hello")
driver = MesosSchedulerDriver(Hello(), info, "zk://master.example.org:2181/mesos")
sys.exit({end})
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    def written(source: str) -> Path:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(source))
        return path

    return written


def framework(registered: str = "pass", end: str = "driver.run() != mesos_pb2.DRIVER_STOPPED") -> str:
    return FRAMEWORK.format(registered=registered, end=end)


def test_a_program_runs_on_the_cluster_whatever_master_it_names(master: str, program: Callable[[str], Path]) -> None:
    result = ScriptRunner(master).run(program(framework()), "with", "arguments")
    assert (result.exit_status, result.stdout, result.exception) == (0, "registered with arguments\n", None)
    assert result.check() is result


def test_a_callbacks_exception_is_the_programs(embedded: LocalCluster, program: Callable[[str], Path]) -> None:
    # The program ignores the driver's status, so that its exit status tells nothing.
    result = ScriptRunner(embedded).run(program(framework("raise KeyError('task-7')", "driver.run() * 0")))
    assert result.exit_status == 0
    assert isinstance(result.exception, KeyError)
    assert result.exception.args == ("task-7",)
    assert "in registered" in result.exception.__notes__[0]
    assert result.stderr.count("KeyError: 'task-7'") == 1
    with pytest.raises(AssertionError, match=r"(?s)exit status 0.*stdout:\nregistered.*KeyError") as caught:
        result.check()
    assert caught.value.__cause__ is result.exception
    # It is raised in the main thread, with check=True, and told once.
    result = ScriptRunner(embedded).run(program(framework("raise KeyError('task-7')", "driver.run(check=True)")))
    assert (result.exit_status, repr(result.exception)) == (1, "KeyError('task-7')")
    assert result.stderr.count("KeyError: 'task-7'") == 1


@pytest.mark.parametrize(
    ("source", "exit_status", "exception", "stderr"),
    [
        ("import sys; sys.exit(7)", 7, "None", ""),
        ("import sys; sys.exit('no task')", 1, "None", "no task\n"),
        ("open('/absent')", 1, "FileNotFoundError(2, 'No such file or directory')", None),
        ("class Own(Exception): pass\nraise Own('mine')", 1, "ScriptError('Own: mine')", None),
        ("def f():\n    class Local(Exception): pass\n    raise Local('x')\nf()", 1, "ScriptError('Local: x')", None),
        ("import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()", 0, "ZeroDivisionError('division by zero')", None),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "None", ""),
        ("", 0, "None", ""),
    ],
)  # fmt: skip
def test_how_a_program_ends(
    embedded: LocalCluster,
    program: Callable[[str], Path],
    source: str,
    exit_status: int,
    exception: str,
    stderr: str | None,
) -> None:
    result = ScriptRunner(embedded).run(program(source))
    assert (result.exit_status, repr(result.exception)) == (exit_status, exception)
    if stderr is None:
        # The traceback is that of the program alone, as without the runner.
        assert result.stderr.startswith(("Traceback (most recent call last):\n  File ", "Exception in thread "))
        assert "runpy" not in result.stderr
        assert "_child.py" not in result.stderr
    else:
        assert result.stderr == stderr


def test_what_a_program_is_given(embedded: LocalCluster, program: Callable[[str], Path], tmp_path: Path) -> None:
    source = """
    import os, sys
    sys.path[0], __name__  # as Python has them
    print(sys.stdin.read(), os.environ["COLOUR"], os.environ["REMESOS_MASTER"], os.getcwd(), __name__, sys.argv[0])
    print(sys.path[0], "mesos" in sys.modules and "mesos._core" in sys.modules)
    """
    path = program(source)
    below = tmp_path / "below"
    below.mkdir()
    result = ScriptRunner(embedded).run(path, input="words", env={"COLOUR": "red"}, cwd=below)
    assert result.stdout.split() == [
        "words", "red", embedded.address, str(below), "__main__", str(path), str(tmp_path), "False",
    ]  # fmt: skip


def test_modules_directories_and_archives_run_too(embedded: LocalCluster, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "part.py").write_text("name = 'part'")
    (package / "__main__.py").write_text("import sys; print(__name__, sys.argv[1:])")
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.write(package / "__main__.py", "__main__.py")
    runner = ScriptRunner(embedded)
    for result in (
        runner.run(package, "a"),
        runner.run(tmp_path / "program.zip", "a"),
        runner.run("-m", "package", "a", cwd=tmp_path),
    ):
        assert (result.stdout, result.stderr) == ("__main__ ['a']\n", "")
    with pytest.raises(ArgumentValueError, match="which does not exist"):
        runner.run(tmp_path / "absent.py")


def test_a_program_that_does_not_end_is_killed_with_what_it_started(
    embedded: LocalCluster, program: Callable[[str], Path]
) -> None:
    path = program("import subprocess\nprint(subprocess.Popen(['sleep', '100']).pid, flush=True)\ninput()\n")
    # Its input is empty, so that it fails at once, but its child holds its output.
    before = time.monotonic()
    with pytest.raises(AssertionError, match=r"(?s)did not end within 5 seconds.*stdout:\n\d+.*EOFError") as caught:
        ScriptRunner(embedded).run(path, timeout=5)
    assert time.monotonic() - before < 20
    pid = int(str(caught.value).split("stdout:\n")[1].split()[0])
    wait_until(lambda: not alive(pid), "the end of the program's child")


def test_a_program_cannot_follow_a_clock_that_skips() -> None:
    with LocalCluster(time="skip") as cluster, pytest.raises(ArgumentValueError, match="has a clock of its own"):
        ScriptRunner(cluster)


def test_a_framework_that_a_program_left_is_a_leak(program: Callable[[str], Path]) -> None:
    source = framework("import os; os._exit(3)").replace('name="hello"', 'name="hello", failover_timeout=600')
    with pytest.raises(AssertionError, match="the test left behind: the framework 'hello'"), Mesos() as mesos:
        assert mesos.run_script(program(source)).exit_status == 3
