"""pymesos.subprocess on both masters: what children read, write and return, and how they are started and killed."""

from __future__ import annotations

import concurrent.futures
import doctest
import functools
import importlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.local import LocalCluster
from mesos.pymesos.subprocess import (
    CONFIG,
    DEVNULL,
    PIPE,
    STDOUT,
    CalledProcessError,
    Popen,
    TimeoutExpired,
    call,
    check_call,
    check_output,
    popen,
    scheduler,
)

from tests.python.support import WAIT_SECONDS, alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES = bytes(range(256)) * 8000


@pytest.fixture(scope="module", params=["embedded", pytest.param("apache_mesos", marks=pytest.mark.apache)])
def shared(request: pytest.FixtureRequest) -> Iterator[str]:
    """A master whose agents have the executor, for all tests that leave it there."""
    if request.param == "apache_mesos":
        yield request.getfixturevalue(request.param).address
    else:
        with LocalCluster(agents=2, resources="cpus:8;mem:8192") as cluster:
            yield cluster.address
            scheduler._stop()
    scheduler._stop()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("default_cpus", 0.1), ("default_mem", 32)):
        monkeypatch.setitem(CONFIG, name, value)


@pytest.fixture
def cluster(shared: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(CONFIG, "master", shared)
    return shared


def shell(text: str, **options: Any) -> Popen:
    return Popen(["sh", "-c", text], **options)


def write_forever(file: IO[bytes]) -> None:
    while True:
        file.write(BYTES)


# What a child reads and writes.


@pytest.mark.usefixtures("cluster")
def test_more_than_a_pipe_holds_is_read_and_written() -> None:
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        assert child.communicate(BYTES) == (BYTES, None)
    assert child.returncode == 0


@pytest.mark.usefixtures("cluster")
def test_both_outputs_are_read_at_once() -> None:
    with shell("head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero", stdout=PIPE, stderr=PIPE) as child:
        assert child.communicate() == (bytes(1_000_000), bytes(1_000_000))


@pytest.mark.usefixtures("cluster")
def test_the_output_of_a_call_is_complete_when_it_returns(tmp_path: Path) -> None:
    for number in range(3):
        path = tmp_path / str(number)
        with path.open("wb") as file:
            assert call(["head", "-c", "3000000", "/dev/zero"], stdout=file) == 0
            assert os.fstat(file.fileno()).st_size == 3_000_000
            # What another writes comes behind it.
            os.write(file.fileno(), b"end")
        assert path.read_bytes()[-4:] == b"\0end"


@pytest.mark.usefixtures("cluster")
def test_the_output_of_a_child_that_a_signal_ended_is_complete(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b") as file:
        assert call(["sh", "-c", "head -c 2000000 /dev/zero; kill -9 $$"], stdout=file) == -9
        assert os.fstat(file.fileno()).st_size == 2_000_000
    with shell("echo hello; kill $$", stdout=PIPE) as child:
        assert child.communicate() == (b"hello\n", None)
        assert child.returncode == -signal.SIGTERM


@pytest.mark.usefixtures("cluster")
def test_pipes_can_be_read_after_the_end_of_the_child() -> None:
    with shell("echo out; echo err >&2", stdout=PIPE, stderr=PIPE) as child:
        assert child.wait(WAIT_SECONDS) == 0
        assert child.stdout is not None
        assert child.stderr is not None
        assert (child.stdout.read(), child.stderr.read()) == (b"out\n", b"err\n")


@pytest.mark.usefixtures("cluster")
def test_a_child_answers_line_by_line() -> None:
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for line in (b"one\n", b"two\n"):
            child.stdin.write(line)
            assert child.stdout.readline() == line
        child.stdin.close()
        assert child.wait(WAIT_SECONDS) == 0


@pytest.mark.usefixtures("cluster")
def test_errors_go_to_their_file_or_in_their_order_to_the_output(tmp_path: Path) -> None:
    text = "for each in 1 2 3 4 5; do echo out; echo err >&2; done"
    assert check_output(text, shell=True, stderr=STDOUT) == b"out\nerr\n" * 5
    with (tmp_path / "err").open("w+b") as file:
        assert check_output(text, shell=True, stderr=file) == b"out\n" * 5
        file.seek(0)
        assert file.read() == b"err\n" * 5
    with (tmp_path / "both").open("w+b") as file:
        assert call(text, shell=True, stdout=file, stderr=STDOUT) == 0
        file.seek(0)
        assert file.read() == b"out\nerr\n" * 5


@pytest.mark.usefixtures("cluster")
def test_input_is_a_file_or_nothing_and_output_can_be_dropped(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(BYTES)
    with path.open("rb") as file:
        assert check_output(["md5sum"], stdin=file) == check_output(["md5sum", path])[:32] + b"  -\n"
    assert check_output(["cat"], stdin=DEVNULL) == b""
    assert check_output(["readlink", "/proc/self/fd/2"], stderr=DEVNULL) == b"/dev/null\n"


@pytest.mark.usefixtures("cluster")
def test_the_standard_files_are_pipes_that_can_be_opened_by_name() -> None:
    assert (
        check_output("cat /dev/stdin > /dev/stdout; echo err > /dev/stderr", shell=True, input=b"in", stderr=STDOUT)
        == b"inerr\n"
    )


@pytest.mark.usefixtures("cluster")
def test_a_child_whose_reader_is_gone_is_told_so() -> None:
    with Popen(["yes"], stdout=PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(2) == b"y\n"
        child.stdout.close()
        assert child.wait(WAIT_SECONDS) == -signal.SIGPIPE


@pytest.mark.usefixtures("cluster")
def test_a_child_reads_what_another_one_writes() -> None:
    with Popen(["yes"], stdout=PIPE) as first, Popen(["head", "-n", "2"], stdin=first.stdout, stdout=PIPE) as second:
        assert first.stdout is not None
        first.stdout.close()
        assert second.communicate(timeout=WAIT_SECONDS) == (b"y\ny\n", None)
        assert first.wait(WAIT_SECONDS) == -signal.SIGPIPE


@pytest.mark.usefixtures("cluster")
def test_a_child_that_nobody_reads_does_not_stop_others() -> None:
    with Popen(["yes"], stdout=PIPE) as full, Popen(["cat"], stdin=PIPE, stdout=PIPE) as waiting:
        assert check_output(["cat"], input=BYTES) == BYTES
        assert waiting.communicate(b"late") == (b"late", None)
        full.kill()
        assert full.wait(WAIT_SECONDS) == -9


@pytest.mark.usefixtures("cluster")
def test_a_writer_whose_child_is_gone_is_told_so() -> None:
    with Popen(["true"], stdin=PIPE) as child:
        assert child.wait(WAIT_SECONDS) == 0
        assert child.stdin is not None
        with pytest.raises(BrokenPipeError):
            write_forever(child.stdin)
    with Popen(["true"], stdin=PIPE) as child:
        assert child.communicate(BYTES) == (None, None)


@pytest.mark.usefixtures("cluster")
def test_pipes_are_text_if_it_is_wanted() -> None:
    with Popen(["cat"], stdin=PIPE, stdout=PIPE, universal_newlines=True, encoding="utf-8") as child:
        assert child.communicate("a\r\nä\n") == ("a\nä\n", None)
    assert check_output(["printf", "a\\r\\nb"], text=True) == "a\nb"
    with Popen(["cat"], 1, None, PIPE, PIPE, text=True) as child:
        assert child.stdin is not None
        assert isinstance(child.stdout, io.TextIOWrapper)
        child.stdin.write("line\n")
        assert child.stdout.readline() == "line\n"


@pytest.mark.usefixtures("cluster")
def test_what_a_child_leaves_behind_does_not_delay_the_end_but_is_still_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    with (tmp_path / "out").open("w+b") as file:
        assert call(["sh", "-c", "(read x <go; echo later) & echo now"], stdout=file, cwd=tmp_path, timeout=10) == 0
        assert os.pread(file.fileno(), 99, 0) == b"now\n"
        (tmp_path / "go").write_text("go\n")
        wait_until(lambda: os.pread(file.fileno(), 99, 0) == b"now\nlater\n", "what was left behind writes")


# How it is started.


@pytest.mark.usefixtures("cluster")
def test_the_working_directory_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OURS", "yes")
    assert check_output(["pwd"]) == os.fsencode(tmp_path) + b"\n"
    assert check_output("pwd", shell=True, cwd="/") == b"/\n"
    assert check_output("echo $OURS", shell=True) == b"yes\n"
    assert check_output(["/usr/bin/env"], env={"A": "1"}) == b"A=1\n"
    assert check_output(["/usr/bin/env"], env={}) == b""
    assert check_output(["name", "-c", "echo $0"], executable="/bin/sh") == b"name\n"


@pytest.mark.usefixtures("cluster")
def test_a_child_has_the_signals_and_the_files_that_a_local_one_has() -> None:
    shown = ["sh", "-c", "grep -E 'Sig(Blk|Ign|Cgt)|Shd' /proc/self/status; ls /proc/self/fd"]
    assert check_output(shown, stdin=DEVNULL) == subprocess.check_output(shown, stdin=DEVNULL, stderr=subprocess.PIPE)


@pytest.mark.usefixtures("cluster")
def test_bytes_and_paths_are_arguments(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"n\xff")
    path.write_bytes(b"content")
    assert check_output([b"cat", path]) == b"content"
    assert check_output(os.fsencode(f"cat '{path}'"), shell=True) == b"content"


@pytest.mark.usefixtures("cluster")
def test_a_function_is_called_in_the_child_before_the_program() -> None:
    assert check_output(["pwd"], preexec_fn=functools.partial(os.chdir, "/")) == b"/\n"
    with pytest.raises(subprocess.SubprocessError, match="Exception occurred in preexec_fn"):
        Popen(["true"], preexec_fn=functools.partial(os.chdir, "/no/such"))


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("arguments", "options", "error", "filename"),
    [
        (["/no/such", "1"], {}, FileNotFoundError, "/no/such"),
        (["true"], {"cwd": "/no/such"}, FileNotFoundError, "/no/such"),
        (["/etc/passwd"], {}, PermissionError, "/etc/passwd"),
        (["true", "\0"], {}, ValueError, None),
        ([], {}, IndexError, None),
    ],
)
def test_what_cannot_be_started_raises_what_it_raises_there(
    arguments: list[str], options: dict[str, Any], error: type[Exception], filename: str | None
) -> None:
    with pytest.raises(error) as raised:
        Popen(arguments, stdin=PIPE, stdout=PIPE, **options)
    assert getattr(raised.value, "filename", None) == filename
    assert "Traceback (most recent call last)" in raised.value.child_traceback  # type: ignore[attr-defined]


@pytest.mark.usefixtures("cluster")
def test_many_children_at_once() -> None:
    def one(number: int) -> bytes:
        output: bytes = check_output(["cat"], input=b"%d" % number * 1000)
        return output

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        assert list(pool.map(one, range(40))) == [b"%d" % number * 1000 for number in range(40)]


@pytest.mark.usefixtures("cluster")
def test_a_child_whose_task_is_lost_is_launched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    framework = scheduler.running()
    launch, taken = framework.driver.launchTasks, []

    def late(offer_id: Any, tasks: Any, filters: Any) -> None:
        """Launches with an offer that was taken by somebody else."""
        taken.append(tasks[0]["task_id"]["value"])
        if len(taken) == 1:
            framework.driver.declineOffer(offer_id)
        launch(offer_id, tasks, filters)

    monkeypatch.setattr(framework.driver, "launchTasks", late)
    assert check_output(["echo", "hello"]) == b"hello\n"
    assert taken == [taken[0], f"{taken[0]}-2"]


@pytest.mark.usefixtures("cluster")
def test_a_child_for_which_there_are_no_resources_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popen, "_STARTING_TIMEOUT", 0.5)
    with pytest.raises(
        RuntimeError, match=r"Too long to start! No agent has run it, with cpus:1000, mem:32, for 0\.5 s"
    ):
        Popen(["true"], cpus=1000, stdin=PIPE, stdout=PIPE)
    monkeypatch.undo()
    assert not any(each.procs_pending for each in scheduler._running)


def test_a_master_has_to_be_named_and_amounts_have_to_be_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CONFIG, "master", raising=False)
    with pytest.raises(ArgumentValueError, match=r'set CONFIG\["master"\] or the environment variable MESOS_MASTER'):
        Popen(["true"])
    with pytest.raises(ArgumentTypeError, match="expected a number as cpus, got 'many'"):
        Popen(["true"], cpus="many")  # type: ignore[arg-type]
    with pytest.raises(ArgumentValueError, match="expected a number of at least 0 as mem, got -1"):
        Popen(["true"], mem=-1)
    with pytest.raises(ValueError, match="only supported on Windows"):
        Popen(["true"], creationflags=1)


def test_the_environment_names_master_and_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MESOS_MASTER", "m:1"), ("DEFAULT_PRINCIPAL", "p"), ("DEFAULT_SECRET", "s")):
        monkeypatch.setenv(name, value)
    assert scheduler.settings() == ("m:1", "p", "s")
    for name, value in (("master", "n:1"), ("principal", "q"), ("secret", "t")):
        monkeypatch.setitem(CONFIG, name, value)
    assert scheduler.settings() == ("n:1", "q", "t")


# How it ends.


@pytest.mark.usefixtures("cluster")
def test_return_codes() -> None:
    assert [call(["sh", "-c", f"exit {code}"]) for code in (0, 3, 255)] == [0, 3, 255]
    assert check_call(["true"]) == 0
    with pytest.raises(CalledProcessError) as raised:
        check_call(args=["sh", "-c", "exit 3"])
    assert (raised.value.returncode, raised.value.cmd) == (3, ["sh", "-c", "exit 3"])
    with pytest.raises(CalledProcessError) as raised:
        check_output("echo before; exit 4", shell=True)
    assert (raised.value.returncode, raised.value.output) == (4, b"before\n")


def interrupt(child: Popen) -> None:
    child.send_signal(signal.SIGINT)


@pytest.mark.usefixtures("cluster")
def test_signals_reach_a_child_as_soon_as_it_is_there() -> None:
    for send, returncode in ((Popen.kill, -9), (Popen.terminate, -15), (interrupt, -2)):
        with Popen(["sleep", "100"]) as child:
            assert child.poll() is None
            send(child)
            assert child.wait(WAIT_SECONDS) == returncode
            assert child.poll() == returncode
            send(child)  # has no effect any longer
    with shell("trap 'echo caught; exit 5' USR1; echo ready; while :; do sleep 0.01; done", stdout=PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(0)
        with pytest.raises(OSError, match="Invalid argument"):
            child.send_signal(200)
        child.send_signal(signal.SIGUSR1)
        assert child.communicate(timeout=WAIT_SECONDS) == (b"caught\n", None)
        assert child.returncode == 5


@pytest.mark.usefixtures("cluster")
def test_a_time_out_loses_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    with shell("echo early; read x <go; echo $x", stdout=PIPE, cwd=tmp_path) as child:
        with pytest.raises(TimeoutExpired):
            child.wait(0.05)
        with pytest.raises(TimeoutExpired) as raised:
            child.communicate(timeout=2)
        assert (raised.value.output, raised.value.timeout) == (b"early\n", 2)
        (tmp_path / "go").write_text("late\n")
        assert child.communicate(timeout=WAIT_SECONDS) == (b"early\nlate\n", None)
        with pytest.raises(ValueError, match="Cannot send input after starting communication"):
            child.communicate(b"more")
    with pytest.raises(TimeoutExpired) as raised:
        check_output("echo early; exec sleep 100", shell=True, timeout=2)
    assert raised.value.output == b"early\n"
    with pytest.raises(TimeoutExpired):
        call(["sleep", "100"], timeout=0.1)


@pytest.mark.usefixtures("cluster")
def test_a_child_that_is_cancelled_is_killed_with_what_it_has_started() -> None:
    with shell("sleep 100 & echo $! $$; wait", stdout=PIPE) as child:
        assert child.stdout is not None
        pids = [int(each) for each in child.stdout.readline().split()]
        child.cancel()
        assert (child.returncode, child.wait()) == (-255, -255)
        assert child.stdout.read() == b""
        wait_until(lambda: not any(map(alive, pids)), "the processes are killed")
        child.cancel()
    with Popen(["true"]) as child:
        assert child.wait(WAIT_SECONDS) == 0
        child.cancel()
        assert child.returncode == 0


@pytest.mark.usefixtures("cluster")
def test_waits_of_several_threads_end() -> None:
    with Popen(["sleep", "100"]) as child, concurrent.futures.ThreadPoolExecutor(3) as pool:
        waits = [pool.submit(child.wait, WAIT_SECONDS) for _ in range(3)]
        child.kill()
        assert [each.result() for each in waits] == [-9, -9, -9]


@pytest.mark.usefixtures("cluster")
def test_nothing_is_left_open_of_children_that_ended() -> None:
    def files() -> int:
        return len(os.listdir("/proc/self/fd"))

    check_output(["true"])
    wait_until(lambda: not any(each.procs_launched for each in scheduler._running), "earlier children are over")
    before = files()
    for _ in range(5):
        check_output(["echo"], input=b"not read", stderr=STDOUT)
        with pytest.raises(FileNotFoundError):
            Popen(["/no/such"], stdin=PIPE, stdout=PIPE)
    wait_until(lambda: files() <= before, "the files are closed")


# Names.


def test_the_names_are_those_of_pymesos_and_those_that_time_outs_need() -> None:
    module = importlib.import_module("mesos.pymesos.subprocess")
    pymesos_ = {"Popen", "PIPE", "STDOUT", "call", "check_call", "check_output", "CalledProcessError"}
    assert set(module.__all__) == pymesos_ | {"CONFIG", "DEVNULL", "StartError", "TimeoutExpired"}
    assert (PIPE, STDOUT, DEVNULL) == (subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL)
    assert popen.CONFIG is scheduler.CONFIG is CONFIG


def test_the_name_pymesos_is_provided_for_frameworks_that_are_not_to_be_changed() -> None:
    compat = Path(__file__).resolve().parents[2] / "compat" / "pymesos"
    program = (
        f"import sys; sys.path.insert(0, {str(compat)!r})\n"
        "import mesos.pymesos.subprocess, pymesos\n"
        "from pymesos.subprocess import PIPE, Popen, check_output\n"
        "from pymesos.subprocess.scheduler import CONFIG\n"
        "assert pymesos.subprocess is mesos.pymesos.subprocess\n"
        "CONFIG['master'] = 'localquiet'\n"
        "print(check_output(['echo', 'hello'], cpus=0.1, mem=32))"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=PIPE, check=True, timeout=WAIT_SECONDS)
    assert done.stdout == b"b'hello\\n'\n"


def test_importing_starts_nothing() -> None:
    program = (
        "import threading, mesos.pymesos.subprocess, mesos.pymesos.subprocess.executor\n"
        "assert threading.active_count() == 1\n"
        "assert not mesos.pymesos.subprocess.scheduler._running"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=WAIT_SECONDS)


@pytest.mark.parametrize("name", ["popen", ""])
def test_the_examples_do_what_they_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIG, "master", "localquiet")
    done = doctest.testmod(importlib.import_module(f"mesos.pymesos.subprocess.{name}".rstrip(".")))
    assert done.attempted > 0
    assert done.failed == 0
