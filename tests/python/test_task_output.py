"""What `remesos run` shows of its tasks, however much they print and whatever they make of their files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.python.support import wait_until

REMESOS = [sys.executable, "-m", "mesos"]
IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""What nohup and shells have background jobs ignore."""
RSS_MAX_KB = 100 * 1024
# A framework of one task for each argument, which ends with the last of them.
SCRIPT = """
import sys
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
class Tasks(Scheduler):
    commands = sys.argv[1:]
    left = len(commands)
    def resourceOffers(self, driver, offers):
        tasks = [mesos_pb2.TaskInfo(name=c, slave_id=offers[0].slave_id) for c in self.commands]
        self.commands = []
        for number, task in enumerate(tasks):
            task.task_id.value = "task%d" % number
            task.command.value = task.name
            for name, amount in (("cpus", 0.1), ("mem", 32)):
                task.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
        driver.launchTasks(offers[0].id, tasks)
    def statusUpdate(self, driver, status):
        if status.state not in (mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING):
            self.left -= 1
            if not self.left:
                driver.stop()
MesosSchedulerDriver(Tasks(), mesos_pb2.FrameworkInfo(user="", name="tasks"), "local").run()
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return str(path)


def run(script: str, *commands: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*REMESOS, "run", script, *commands],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_tasks_ignore_no_signal_that_the_command_ignores(script: str) -> None:
    done = subprocess.run(
        [*REMESOS, "run", script, "exec grep SigIgn /proc/self/status"],
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: [signal.signal(n, signal.SIG_IGN) for n in IGNORED] and None,
    )
    (line,) = shown(done)
    kept_by_libc = (1 << 31) | (1 << 32)  # signals 32 and 33, which no program can set
    assert int(line.removeprefix("[task0] SigIgn:\t"), 16) & ~kept_by_libc == 0


def shown(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """The lines of standard output but for the command's own."""
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.decode().split("\n")[:-1] if not line.startswith("remesos: ")]


def peak_kb(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "--for"])
@pytest.mark.parametrize("reads", [True, False], ids=["a reader", "a reader that stands still"])
def test_tasks_that_print_without_end_take_no_memory_and_do_not_delay_the_end(
    script: str, how: str, reads: bool, tmp_path: Path
) -> None:
    options = ["--for", "6"] if how == "--for" else []
    command = [*REMESOS, "run", *options, script, "yes", "yes >&2", "yes | tr -d '\\n'"]
    with (
        (tmp_path / "out").open("wb") as file,
        subprocess.Popen(
            command,
            stdout=file if reads else subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # for the script's traceback, which would wait for a reader too
        ) as process,
    ):
        asked = time.monotonic() + 6
        if reads:
            wait_until(lambda: (tmp_path / "out").stat().st_size > 100, "the tasks print")
        else:
            assert process.stdout is not None
            process.stdout.readline()
        time.sleep(2)
        peak = peak_kb(process.pid)
        if how != "--for":
            asked = time.monotonic()
            process.send_signal(getattr(signal, how))
        assert process.wait(30) == 0
        took = time.monotonic() - asked
    assert peak < RSS_MAX_KB
    assert took < 9, "about a second, and none of the ten that a script may take to end"


def test_what_is_left_out_is_said_once_for_each_task(script: str) -> None:
    done = run(script, "head -c 30000000 /dev/zero | tr '\\0' '\\n'; echo the end", "echo little")
    lines = shown(done)
    assert "[task1] little" in lines
    assert lines.index("[task0] the end") > 1000
    said = [line for line in done.stdout.decode().splitlines() if line.startswith("remesos: [task")]
    first = re.fullmatch(
        r"remesos: \[task0\] stdout grows too fast .* in full; (\S+/stdout) has what is left out", said[0]
    )
    assert first
    number = re.fullmatch(r"remesos: \[task0\] (\d+) bytes of stdout were left out", said[1])
    assert number
    assert said[2:] == []
    # A byte was a line.
    assert lines.count("[task0] ") + int(number[1]) == 30_000_000


def test_what_a_task_prints_in_one_go_is_shown_as_a_whole(script: str) -> None:
    lines = shown(run(script, "seq 100000", "seq 100000 >&2; echo end"))
    assert [line for line in lines if line.startswith("[task0]")] == [f"[task0] {n}" for n in range(1, 100_001)]


def test_a_long_line_is_shown_in_parts(script: str) -> None:
    lines = shown(run(script, "head -c 100000 /dev/zero | tr '\\0' x; echo; printf rest"))
    assert max(map(len, lines)) < 10_000
    assert "".join(line.removeprefix("[task0] ") for line in lines) == "x" * 100_000 + "rest"


def test_characters_that_drive_a_terminal_are_made_visible(script: str) -> None:
    command = r"printf '\033[2J\tred\a \302\233 \342\200\256 \303\274\r\n10%%\r20%%\nbad \377\n'"
    assert shown(run(script, command)) == [
        r"[task0] \x1b[2J" + "\tred" + r"\x07 \x9b \u202e ü",
        "[task0] 10%",
        "[task0] 20%",
        "[task0] bad \ufffd",
    ]


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, b"? and ?"),
        ({"PYTHONIOENCODING": "ascii:strict"}, b"? and ?"),
        ({"PYTHONIOENCODING": "latin-1"}, b"\xfc and ?"),
        ({"PYTHONIOENCODING": "utf-8"}, "ü and ✓".encode()),
    ],
)
def test_what_the_encoding_of_standard_output_lacks_is_replaced(
    script: str, environment: dict[str, str], text: bytes
) -> None:
    source = Path(script).read_text().replace('"task%d"', '"a-long-name-%d"')
    Path(script).write_text(source)
    done = run(script, r"printf '\303\274 and \342\234\223\n'", environment=environment)
    assert (done.returncode, done.stderr.count(b"Error")) == (0, 0), done.stderr
    mark = "[a-long-n…] ".encode() if environment["PYTHONIOENCODING"] == "utf-8" else b"[a-long-n?] "
    assert mark + text + b"\n" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "mkfifo fifo; mv fifo stdout",
        "rm stdout; ln -s /etc/passwd stdout",
        "rm stdout; ln -s /dev/zero stdout",
        "rm stdout; mkdir stdout",
        "mv stdout other; ln -s other stdout",
    ],
)
def test_what_is_no_regular_file_is_not_read(script: str, command: str) -> None:
    started = time.monotonic()
    done = run(script, f"{command}; sleep 1; echo told >&2")
    assert time.monotonic() - started < 20
    assert shown(done) == []
    assert b"[task0] told\n" in done.stderr
    assert done.stdout.count(b"remesos: [task0] stdout is not a regular file and is not shown\n") == 1


def test_a_writer_of_a_fifo_in_the_place_of_its_output_is_left_alone(script: str) -> None:
    """Opening the FIFO for a moment would let the writer go on, and end it by SIGPIPE."""
    command = "mkfifo fifo; mv fifo stdout; echo x > stdout & p=$!; sleep 1; kill $p && echo waiting >&2"
    assert b"[task0] waiting\n" in run(script, command).stderr


def test_a_file_that_a_task_empties_is_read_from_its_beginning(script: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    task = f"echo before; while [ ! -e {go} ]; do sleep 0.05; done; : > stdout; sleep 1; echo x"
    with subprocess.Popen([*REMESOS, "run", script, task], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "[task0] before\n":
                go.touch()
    assert process.returncode == 0
    assert [line for line in lines if not line.startswith("remesos: ")] == ["[task0] before\n", "[task0] x\n"]


def kept(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.exists() else []


def test_the_output_of_a_failed_task_is_shown_once_and_its_sandbox_is_kept(script: str, tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path / "state")}
    done = run(script, "echo unique line >&2; exit 3", "echo fine", environment=environment)
    assert done.returncode == 0
    assert done.stderr.count(b"unique line") == 1
    assert b"Task 'task0' ended in TASK_FAILED: Command exited with status 3" in done.stderr
    [sandbox] = kept(tmp_path / "state" / "remesos" / "failed")
    assert f"Task 'task0' failed; its sandbox is kept in {sandbox}".encode() in done.stderr
    assert (sandbox / "stderr").read_text() == "unique line\n"


def test_where_sandboxes_are_kept_can_be_said(script: str, tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path / "state")}
    for arguments, expected in ((["--keep", str(tmp_path / "kept")], 1), (["--keep", ""], 0)):
        command = [*REMESOS, "run", *arguments, script, "exit 3"]
        subprocess.run(command, env={**os.environ, **environment}, capture_output=True, timeout=60, check=True)
        assert len(kept(tmp_path / "kept")) == 1
        assert kept(tmp_path / "state") == [], expected


def test_only_the_last_ten_are_kept(script: str, tmp_path: Path) -> None:
    for _ in range(2):
        command = [*REMESOS, "run", "--keep", str(tmp_path / "kept"), script, *["exit 3"] * 7]
        subprocess.run(command, capture_output=True, timeout=60, check=True)
    names = [path.name.partition("-")[2] for path in kept(tmp_path / "kept")]
    assert len(names) == 10
    assert len({name[4:] for name in names[3:]}) == 7, "all of the second run"


def test_python_programs_are_found(script: str) -> None:
    command = "python -c 'import mesos; print(1)'; printf '#!/usr/bin/env python\\nprint(2)\\n' > p; chmod +x p; ./p"
    assert shown(run(script, f'{command}; case "$PATH" in *:/usr/sbin:*) echo 3;; esac')) == [
        "[task0] 1",
        "[task0] 2",
        "[task0] 3",
    ]
    done = subprocess.run(
        [*REMESOS, "run", "--agent-path", script, "echo $PATH"], capture_output=True, timeout=60, check=True
    )
    assert b"[task0] /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" in done.stdout


def run_locally(script: str, *commands: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs the script by itself, so that it starts the cluster."""
    command = [sys.executable, script, *commands]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, timeout=60, check=True)


def test_a_local_master_shows_the_tasks_output(script: str, tmp_path: Path) -> None:
    done = run_locally(script, "echo hello; echo oops >&2; exit 3", "seq 10000", XDG_STATE_HOME=str(tmp_path))
    lines = done.stdout.decode().splitlines()
    assert [line for line in lines if line.startswith("[task1]")] == [f"[task1] {n}" for n in range(1, 10001)]
    assert "[task0] hello" in lines
    assert b"[task0] oops\n" in done.stderr
    # A program that configures no logging has warnings on standard error too.
    assert b"Task 'task0' ended in TASK_FAILED: Command exited with status 3" in done.stderr
    assert b"stderr ends with:\n    oops\n" in done.stderr
    [sandbox] = kept(tmp_path / "remesos" / "failed")
    assert f"its sandbox is kept in {sandbox}".encode() in done.stderr


def test_a_quiet_local_master_does_not(script: str) -> None:
    source = Path(script).read_text().replace('"local"', '"localquiet"')
    Path(script).write_text(source)
    done = run_locally(script, "echo hello")
    assert done.stdout == b""


@pytest.mark.parametrize("closed", ["sys.stdout.close()", "os.close(1)", "sys.stdout = None", "sys.stdout = Broken()"])
def test_a_local_master_without_standard_output(script: str, closed: str) -> None:
    source = "import os, sys\nclass Broken:\n  def write(self, text): raise OSError\n  def flush(self): pass\n" + closed
    Path(script).write_text(source + Path(script).read_text())
    run_locally(script, "echo hello; seq 1000; echo finished >&2")
