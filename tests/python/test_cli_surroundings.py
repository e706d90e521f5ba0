"""The command line in every kind of surroundings: ignored signals, closed files, readers that go, programs of each form."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.python.support import WAIT_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REMESOS = [sys.executable, "-m", "mesos"]
STARTS_NONE = "import sys\nfrom mesos import _cli as cli\ncli.Script = None\nsys.exit(cli.main())"
"""The command, which fails if it starts a script."""
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
"""The environment in which Python writes what was printed when it ends."""
SLEEPER = """
import os, pathlib, time
here = pathlib.Path(__file__).parent
try:
    (here / "fds").write_text(" ".join(os.readlink(f"/proc/self/fd/{n}") for n in (0, 1, 2)))
    print("asleep")
    time.sleep(600)
except KeyboardInterrupt:
    (here / "interrupted").touch()
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> str:
    """A script that ends quietly on Ctrl-C only, once it has said that it is asleep."""
    path = tmp_path / "sleeper.py"
    path.write_text(SLEEPER)
    return str(path)


def ignoring(*numbers: int) -> Callable[[], None]:
    return lambda: [signal.signal(number, signal.SIG_IGN) for number in numbers] and None


def heeding(*numbers: int) -> Callable[[], None]:
    """Whoever runs the tests may have these ignored, as `nohup` does."""
    return lambda: [signal.signal(number, signal.SIG_DFL) for number in numbers] and None


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def await_sleeper(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert "asleep\n" in iter(process.stdout.readline, ""), "the script runs"


def catches(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(re.findall(r"SigCgt:\s*(\w+)", status)[0], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_local_leaves_a_signal_ignored_that_was(number: int) -> None:
    """As `nohup` has SIGHUP ignored, and a shell its background jobs SIGINT."""
    with subprocess.Popen(
        [*REMESOS, "local", "--port", "0"], stdout=subprocess.PIPE, text=True, preexec_fn=ignoring(number)
    ) as process:
        url = re.search(r"web page at (http://\S+),", first_line(process))
        assert url
        process.send_signal(number)
        with urllib.request.urlopen(url[1] + "/state", timeout=WAIT_SECONDS) as response:
            assert response.status == 200
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0


def test_local_outlives_a_terminal_under_nohup() -> None:
    with subprocess.Popen(
        ["nohup", *REMESOS, "local", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        first_line(process)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_run_ends_on_a_signal_that_is_not_ignored(sleeper: str, number: int, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*REMESOS, "run", sleeper],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heeding(number),
    ) as process:
        await_sleeper(process)
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 0
    assert (tmp_path / "interrupted").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_run_starts_no_script_once_it_is_to_end(sleeper: str, number: int) -> None:
    """An interpreter that is interrupted while it starts says so as of a fatal error."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(select.PIPE_BUF))
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_NONE, "run", sleeper],
        stdout=writer,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=heeding(number),
    ) as process:
        last = signal.SIGHUP if number == signal.SIGHUP else signal.SIGTERM  # Python itself catches SIGINT
        wait_until(lambda: catches(process.pid, last), "the signal has a handler", WAIT_SECONDS)
        process.send_signal(number)
        assert (process.wait(WAIT_SECONDS), process.communicate()[1]) == (0, b"")
    os.close(reader)
    os.close(writer)


def test_the_script_ignores_what_was_ignored(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import signal\nprint(*(signal.getsignal(n) == signal.SIG_IGN for n in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)))"
    )
    done = subprocess.run(
        [*REMESOS, "run", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=ignoring(signal.SIGHUP, signal.SIGINT),
    )
    assert "True True False\n" in done.stdout


def test_a_script_that_ignores_ctrl_c_is_ended_by_sigterm_at_once(sleeper: str) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [*REMESOS, "run", "--for", "1", sleeper],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=ignoring(signal.SIGINT),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - started < 11, "a second, and none of the ten that a script may take to end"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("end", ["--for", "Ctrl-C"])
def test_run_with_closed_standard_files(sleeper: str, closed: str, end: str, tmp_path: Path) -> None:
    """The next files that are opened must not get their descriptors: the script would write to a socket."""
    command = " ".join([*REMESOS, "run", "--for 4" if end == "--for" else "", sleeper, closed])
    with subprocess.Popen(
        ["sh", "-c", f"exec {command}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        if end == "Ctrl-C":
            wait_until((tmp_path / "fds").exists, "the script runs", WAIT_SECONDS)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, err) == (0, "")
    assert ("0 task(s)." in out) == (">&-" not in closed.replace("2>&-", ""))
    opened = (tmp_path / "fds").read_text().split()
    assert all(name == "/dev/null" or name.startswith("pipe:") for name in opened), opened


def test_run_ends_quietly_when_the_reader_of_its_output_goes(sleeper: str) -> None:
    with subprocess.Popen(
        [*REMESOS, "run", sleeper], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        await_sleeper(process)
        process.stdout.close()
        assert process.wait(WAIT_SECONDS) == 128 + signal.SIGPIPE
        assert process.stderr.read() == ""


@pytest.fixture
def without_reader() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize(
    "arguments", [["local", "--port", "0"], ["run", os.devnull], ["--help"], ["--version"], ["run", "--help"]]
)
def test_output_that_nobody_reads_ends_it_quietly(without_reader: int, arguments: list[str]) -> None:
    done = subprocess.run(
        [*REMESOS, *arguments],
        stdout=without_reader,
        stderr=subprocess.PIPE,
        timeout=WAIT_SECONDS,
        env=BUFFERED,
        check=False,
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_run_starts_no_script_if_nobody_reads_its_output(without_reader: int, sleeper: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTS_NONE, "run", sleeper],
        stdout=without_reader,
        stderr=subprocess.PIPE,
        timeout=WAIT_SECONDS,
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize("arguments", [["local", "--port", "0"], ["run", os.devnull], ["--version"]])
def test_output_to_a_full_device_is_one_clear_line(arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*REMESOS, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=WAIT_SECONDS, env=BUFFERED, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"remesos: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("option", [["--port", "x"], ["--port", "1.5"], ["--agents", "3.5"], ["--agents", ""]])
@pytest.mark.parametrize("command", [["local"], ["run", "script.py"]])
def test_an_option_that_is_no_number_is_named(command: list[str], option: list[str]) -> None:
    done = subprocess.run(
        [*REMESOS, command[0], *option, *command[1:]], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert done.returncode == 2
    assert f"argument {option[0]}: expected a whole number, got {option[1]!r}\n" in done.stderr
