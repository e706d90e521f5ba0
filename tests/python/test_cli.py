"""The command line."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from mesos import _cli as cli

from tests.python.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

REMESOS = [sys.executable, "-m", "mesos"]
HELLO = str(ROOT / "examples" / "hello_world.py")


def test_run_shows_the_tasks_output_and_ends_with_a_summary() -> None:
    done = subprocess.run(
        [*REMESOS, "run", "--for", "2", HELLO], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert re.search(r"^remesos: Web page at http://127\.0\.0\.1:\d+$", done.stdout, re.M)
    shown = re.findall(r"^\[(\w{8})…\] hello from \S+, task (\S+)$", done.stdout, re.M)
    assert shown
    assert all(task.startswith(mark) for mark, task in shown)
    launched = len(re.findall(r"^Launching task ", done.stdout, re.M))
    # The last one may be launched as the time is over.
    assert launched - 1 <= len(shown) <= launched
    ends = r"\d+ TASK_FINISHED(, 1 TASK_KILLED)?"
    # What the script prints may come in the middle of a line that its other thread prints.
    summary = rf"remesos: ({launched}|{launched - 1}) task\(s\): {ends}\. The web page was at http://127\.0\.0\.1:\d+$"
    assert re.search(summary, done.stdout, re.M)
    assert "from REMESOS_MASTER, instead of zk://localhost:2181/mesos" in done.stderr


def test_run_shows_what_an_executor_says_once(tmp_path: Path) -> None:
    executor = tmp_path / "executor.py"
    executor.write_text(
        """
from mesos.interface import Executor, mesos_pb2
from mesos.native import MesosExecutorDriver
class E(Executor):
    def launchTask(self, driver, task):
        print("running", task.name)
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=task.task_id, state=mesos_pb2.TASK_FINISHED))
MesosExecutorDriver(E()).run()
"""
    )
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import sys
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
class S(Scheduler):
    number = 0
    def resourceOffers(self, driver, offers):
        for offer in offers if self.number < 3 else ():
            task = mesos_pb2.TaskInfo(name="number %d" % self.number, slave_id=offer.slave_id)
            task.task_id.value = str(self.number)
            task.executor.executor_id.value = "worker"
            task.executor.command.value = sys.executable + " " + {str(executor)!r}
            for name, amount in (("cpus", 0.1), ("mem", 32)):
                task.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
            driver.launchTasks(offer.id, [task], mesos_pb2.Filters(refuse_seconds=0))
            self.number += 1
    def statusUpdate(self, driver, status):
        if status.task_id.value == "2":
            driver.stop()
MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="f"), "local").run()
"""
    )
    done = subprocess.run([*REMESOS, "run", str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^\[(.*)\] (running .*)$", done.stdout, re.M) == [
        ("worker", f"running number {number}") for number in range(3)
    ]


def test_run_ends_on_ctrl_c() -> None:
    with subprocess.Popen(
        [*REMESOS, "run", HELLO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if "hello from" in line:
                break
        process.send_signal(signal.SIGINT)
        seen += process.stdout.readlines()
        assert process.wait(30) == 0
    assert "Stopping" in "".join(seen)
    assert re.search(r"remesos: \d+ task\(s\): .*TASK_(FINISHED|KILLED)", seen[-1])


@pytest.mark.parametrize("attempt", range(3))
def test_run_ends_on_ctrl_c_in_a_terminal(attempt: int) -> None:
    """The terminal sends the signal to both, the command and its script."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*REMESOS, "run", HELLO])
    seen, told = b"", False
    with contextlib.suppress(OSError):  # what reading from a terminal gives when all have left it
        while data := os.read(terminal, 4096):
            seen += data
            if b"hello from" in seen and not told:
                told = os.write(terminal, b"\x03") == 1
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert seen.count(b"Stopping") == 1, "the script is told once"
    # The task that said hello may be about to end when the cluster does.
    assert re.search(rb"TASK_(FINISHED|KILLED)\. The web page was at", seen)


def test_run_ends_on_a_sigterm_that_only_it_gets_in_a_terminal() -> None:
    """Unlike Ctrl-C, which the terminal sends to the script too."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*REMESOS, "run", HELLO])
    seen, told = b"", 0.0
    with contextlib.suppress(OSError):  # what reading from a terminal gives when all have left it
        while data := os.read(terminal, 4096):
            seen += data
            if b"hello from" in seen and not told:
                told = time.monotonic()
                os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert time.monotonic() - told < cli._GRACE_SECONDS
    os.close(terminal)
    assert seen.count(b"Stopping") == 1


def test_run_gives_the_script_its_arguments_and_takes_its_exit_status(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys; print(sys.argv[1:]); sys.exit(5)")
    done = subprocess.run(
        [*REMESOS, "run", str(script), "a", "--for", "b"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 5
    assert "['a', '--for', 'b']\n" in done.stdout
    assert "remesos: 0 task(s)." in done.stdout


def test_run_kills_a_script_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, time\nfor n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)\ntime.sleep(600)"
    )
    monkeypatch.setattr(cli, "_GRACE_SECONDS", 0.5)
    assert cli.main(["run", "--for", "3", str(script)]) == 1
    assert "The script did not end; killing it" in capfd.readouterr().out


def test_local_runs_until_ctrl_c() -> None:
    command = [*REMESOS, "local", "--port", "0", "--agents", "2", "--resources", "cpus:1;mem:64"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = re.search(r"http://\S+?(?=,)", line)
        assert url, line
        with urllib.request.urlopen(url[0] + "/slaves", timeout=30) as response:
            assert response.read().count(b'"hostname"') == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.communicate()[1] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nosuch.py"], "expected a Python program as SCRIPT, got 'nosuch.py', which does not exist"),
        (["run", "-m", "nosuch"], "expected a Python module as MODULE, got 'nosuch', which does not exist"),
        (["run", "-m", "json.nosuch"], "got 'json.nosuch', which does not exist"),
        (["run", "-m", "json.tool.nosuch"], "got 'json.tool.nosuch', which does not exist"),
        (["run", "-m", "os.path.nosuch"], "got 'os.path.nosuch', which does not exist"),
        (["run", "-m", "json"], "got 'json', a package without __main__.py"),
        (["run", str(ROOT / "docs")], "docs', which has no __main__.py"),
        (["local", "--port", "99999"], "expected 0 to 65535 as port, got 99999"),
        (["local", "--port", "-1"], "expected 0 to 65535 as port, got -1"),
        (["run", "--agents", "-1", HELLO], "expected 1 to 1000 as agents, got -1"),
        (["local", "--work-dir", ""], "expected the path of a directory as work_dir, got ''"),
        (["local", "--resources", ""], "expected at least one resource as resources, got ''"),
        (["local", "--agents", "0"], "expected 1 to 1000 as agents, got 0"),
        (["local", "--port", "0", "--resources", "cpus=1"], "'cpus=1' is not a valid list of resources"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("remesos: ")
    assert message in shown
    assert shown.count("\n") == 1


def test_a_port_in_use_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert cli.main(["local", "--port", port]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "abc", "nan", ""])
def test_a_bad_duration_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "--for", seconds, HELLO])
    assert f"argument --for: expected a number of seconds above 0, got '{seconds}'" in capsys.readouterr().err
