"""pymesos.subprocess: who may connect, and what is left when a process, a fork, an executor or a master ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google.protobuf
import mesos
import pytest
from mesos.errors import MesosError
from mesos.local import LocalCluster
from mesos.pymesos.subprocess import CONFIG, PIPE, Popen, StartError, check_output, scheduler
from mesos.pymesos.subprocess._connections import Door, Keys, connect
from mesos.pymesos.subprocess._loop import Loop, Stream

from tests.apache_mesos import ApacheMesos, environment, wants_credential
from tests.python.support import WAIT_SECONDS, alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import os, signal, sys, time
from mesos.pymesos.subprocess import *
CONFIG.update(default_cpus=0.1, default_mem=32)
"""


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    CONFIG.update(default_cpus=0.1, default_mem=32)
    yield
    scheduler._stop()
    CONFIG.clear()


@pytest.fixture
def embedded(embedded: LocalCluster) -> Iterator[LocalCluster]:
    """The frameworks end before their cluster, as they do in a process that ends."""
    yield embedded
    scheduler._stop()


def program(text: str, master: str, **options: Any) -> subprocess.Popen[bytes]:
    variables = {**environment(), "MESOS_MASTER": master}
    return subprocess.Popen([sys.executable, "-c", PROGRAM + text], env=variables, stdout=subprocess.PIPE, **options)


# The end of a process.

CHILD = "p = Popen('sleep 100 & echo $! $$; wait', shell=True)\n"


def check_end(master: str, end: str, status: int) -> None:
    with program(f"{CHILD}sys.stdin.readline()\n{end}", master, stdin=PIPE, stderr=PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        pids = [int(each) for each in process.stdout.readline().split()]
        assert all(map(alive, pids))
        process.stdin.close()
        assert process.wait(WAIT_SECONDS) == status
        wait_until(lambda: not any(map(alive, pids)), "the children end")


@pytest.mark.parametrize(("end", "status"), [("", 0), ("os.kill(os.getpid(), signal.SIGKILL)", -9)])
def test_children_end_with_the_process_that_started_them(master: str, end: str, status: int) -> None:
    check_end(master, end, status)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("os._exit(4)", 4),
        ("raise ValueError", 1),
        ("os.kill(os.getpid(), signal.SIGINT); p.wait()", -2),
    ],
)
def test_children_end_however_the_process_ends(embedded: LocalCluster, end: str, status: int) -> None:
    check_end(embedded.address, end, status)


def test_children_read_and_write_what_the_process_does(master: str) -> None:
    text = "call(['cat']); call('echo out; echo err >&2', shell=True)"
    with program(text, master, stdin=PIPE, stderr=PIPE) as process:
        output, errors = process.communicate(b"some input", WAIT_SECONDS)
    assert (output, process.returncode) == (b"some inputout\n", 0)
    assert errors.endswith(b"err\n")


def test_children_without_standard_files_get_none(embedded: LocalCluster) -> None:
    text = "sys.exit(call('readlink /proc/self/fd/0 >&2', shell=True))"
    with program(text, embedded.address, preexec_fn=lambda: os.close(0), stderr=PIPE) as process:
        _, errors = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, errors) == (0, b"/dev/null\n")


def test_a_terminal_is_read_and_written_without_a_change_to_it(embedded: LocalCluster) -> None:
    ours, theirs = os.openpty()
    text = "call(['sh', '-c', 'read x; echo got $x']); print(os.get_blocking(0), os.get_blocking(1), flush=True)"
    process = program(text, embedded.address, stdin=theirs, stderr=theirs)
    os.write(ours, b"hello\n")
    assert process.communicate(timeout=WAIT_SECONDS)[0] == b"got hello\nTrue True\n"
    os.close(ours)
    os.close(theirs)


def test_an_executor_has_as_many_children_as_there_are_resources_for() -> None:
    text = """
import resource
from mesos.local import LocalCluster
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
with LocalCluster(agents=1, resources="cpus:8;mem:8192") as cluster:
    CONFIG["master"] = cluster.address
    assert check_output("ulimit -Sn", shell=True) == b"100\\n"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    children = [Popen("read x; echo $x", shell=True, stdin=PIPE, stdout=PIPE) for _ in range(25)]
    print([each.communicate(b"hello")[0] for each in children] == [b"hello\\n"] * 25)
"""
    with program(text, "") as process:  # each child needs an offer of its own
        assert process.communicate(timeout=3 * WAIT_SECONDS)[0] == b"True\n"


# A fork.


def test_a_fork_has_children_of_its_own_and_leaves_those_of_its_parent_alone(master: str) -> None:
    text = """
p = Popen(["cat"], stdin=PIPE, stdout=PIPE)
pid = os.fork()
if not pid:
    for refused in (p.poll, p.wait, p.communicate, p.kill, p.cancel):
        try:
            refused()
        except RuntimeError as error:
            assert "this is a fork" in str(error)
        else:
            os._exit(9)
    own = check_output(["echo", "fork"])
    sys.exit(7 if own == b"fork\\n" else 8)  # runs the exit handlers
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
print(p.communicate(b"still here")[0])
"""
    with program(text, master) as process:
        assert process.communicate(timeout=WAIT_SECONDS)[0] == b"b'still here'\n"


def test_a_fork_that_lives_on_does_not_keep_children_of_its_parent(master: str) -> None:
    text = f"""
{CHILD}
q = Popen("echo piped", shell=True, stdout=PIPE)
if not os.fork():
    sys.stdin.readline()
    os._exit(0)
assert q.stdout.read() == b"piped\\n", "the fork has the other end of the pipe"
sys.stdout.close(); os.close(1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with program(text, master, stdin=PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        pids = [int(each) for each in process.stdout.readline().split()]
        assert process.wait(WAIT_SECONDS) == -9
        wait_until(lambda: not any(map(alive, pids)), "the children end though the fork lives")
        process.stdin.close()


# The end of an executor and of a master.


def killed_executor(child: Popen) -> int:
    assert child.stdout is not None
    executor = int(child.stdout.readline())
    os.kill(executor, signal.SIGKILL)
    return child.wait(WAIT_SECONDS)


def test_a_child_whose_executor_is_killed_has_an_unknown_end_and_the_next_one_runs(master: str) -> None:
    CONFIG["master"] = master
    with Popen("echo $PPID; sleep 100; echo no", shell=True, stdout=PIPE) as child:
        assert killed_executor(child) == -255
        assert child.stdout is not None
        assert child.stdout.read() == b""
    assert check_output(["echo", "next"]) == b"next\n"


def test_children_of_a_master_that_is_gone_have_an_unknown_end() -> None:
    with LocalCluster() as cluster:
        CONFIG["master"] = cluster.address
        child = Popen("echo before; exec sleep 100", shell=True, stdout=PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"before\n"
    with child:
        assert child.wait(WAIT_SECONDS) == -255


@pytest.mark.apache
def test_children_of_a_real_master_that_is_gone_have_an_unknown_end(apache_home: Path, tmp_path: Path) -> None:
    flags = wants_credential(tmp_path / "credentials", "someone", "secret")
    with ApacheMesos(apache_home, tmp_path / "mesos", flags=flags) as cluster:
        CONFIG["master"] = cluster.address
        with pytest.raises(StartError, match="no principal was given"):
            Popen(["true"])
        CONFIG.update(principal="someone", secret="secret")
        child = Popen("echo before; exec sleep 100", shell=True, stdout=PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"before\n"
        cluster.kill()
        with child:
            # Its executor kills it, since the agent is gone, and may still be able to say so.
            assert child.wait(WAIT_SECONDS) in (-255, -signal.SIGKILL)


def test_a_master_that_is_gone_for_a_while_does_not_matter_to_children_that_run(embedded: LocalCluster) -> None:
    CONFIG["master"] = embedded.address
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        embedded.restart_master()
        assert child.communicate(b"hello", WAIT_SECONDS) == (b"hello", None)
        assert child.returncode == 0
    assert check_output(["echo", "next"]) == b"next\n"


def test_a_child_of_an_agent_that_is_lost_is_killed_and_its_end_is_unknown(embedded: LocalCluster) -> None:
    CONFIG["master"] = embedded.address
    with Popen("echo $$; sleep 100; echo no", shell=True, stdout=PIPE) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        for agent in embedded.agents:
            agent.disconnect(at_once=True)
        assert child.wait(WAIT_SECONDS) == -255
        wait_until(lambda: not alive(pid), "the child is killed")


def test_a_framework_that_is_removed_ends_its_children_and_another_one_is_started(embedded: LocalCluster) -> None:
    CONFIG["master"] = embedded.address
    with Popen(["sleep", "100"]) as child:
        framework = scheduler.running()
        framework.driver.stop()
        # Whether its executor reports that it has killed it is left to chance.
        assert child.wait(WAIT_SECONDS) in (-9, -255)
        with pytest.raises(StartError, match="driver already aborted"):
            framework.submit(child._child)
    assert check_output(["echo", "next"]) == b"next\n"
    assert scheduler.running() is not framework


def children_of(pid: int) -> list[str]:
    """The ids of the processes that a process has started and not reaped."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(path.parent.name)
    return found


def test_neither_zombies_nor_threads_are_left(embedded: LocalCluster) -> None:
    CONFIG["master"] = embedded.address
    with Popen("echo $PPID; exec sleep 100", shell=True, stdout=PIPE) as child:
        assert child.stdout is not None
        executor = int(child.stdout.readline())
        assert len(children_of(executor)) == 1
        child.kill()
        assert child.wait(WAIT_SECONDS) == -9
    assert alive(executor)
    assert children_of(executor) == []
    scheduler._stop()
    wait_until(lambda: not any("pymesos" in each.name for each in threading.enumerate()), "the threads end")


def test_another_master_has_a_framework_of_its_own(embedded: LocalCluster) -> None:
    CONFIG["master"] = embedded.address
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child, LocalCluster() as other:
        CONFIG["master"] = other
        assert check_output(["echo", "other"]) == b"other\n"
        assert len(other.frameworks) == 1
        assert child.communicate(b"first") == (b"first", None)
        scheduler._stop()


@pytest.mark.parametrize("name", ["REMESOS_MASTER", "MESOS_MASTER"])
def test_the_environment_names_the_master(embedded: LocalCluster, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, embedded.address)
    assert check_output(["echo", "hello"]) == b"hello\n"
    assert len(embedded.frameworks) == 1


# Where the executor's modules are.


@pytest.mark.parametrize("by", ["PYTHONPATH", "an import"])
def test_a_package_that_is_not_installed_is_found_by_the_executor(master: str, tmp_path: Path, by: str) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    places = [str(Path(each.__path__[0]).parents[level]) for each, level in ((mesos, 0), (google.protobuf, 1))]
    text = f"{PROGRAM}\nprint(check_output(['echo', 'hello']), sys.prefix)"
    if by != "PYTHONPATH":
        text = f"import sys\nsys.path[:0] = {places!r}\n{text}"
    if by == "an import":
        # As if by a finder, which an interpreter that is told only the path does not have.
        text = text.replace("CONFIG.update", f"sys.path.remove({places[0]!r})\nCONFIG.update")
    variables = {"PYTHONPATH": os.pathsep.join(places) if by == "PYTHONPATH" else "", "MESOS_MASTER": master}
    command = [tmp_path / "venv" / "bin" / "python", "-c", text]
    with subprocess.Popen(command, env={**environment(), **variables}, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=WAIT_SECONDS)
    assert output.decode() == f"b'hello\\n' {tmp_path / 'venv'}\n"


def test_an_executor_that_does_not_start_says_so(master: str, monkeypatch: pytest.MonkeyPatch) -> None:
    CONFIG["master"] = master
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(StartError, match="TASK_FAILED"):
        Popen(["true"])


# Who may connect.


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop("test")
    yield loop
    loop.stop()


def listening(pid: int) -> set[str]:
    """The addresses at which a process listens, in hexadecimal."""
    inodes = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(each))
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


def test_a_process_listens_only_where_its_agents_reach_it(master: str) -> None:
    with program("call(['true']); print(flush=True); sys.stdin.readline()", master, stdin=PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert listening(process.pid) == {"0100007F"}
        process.communicate(b"\n")


def test_the_address_is_the_one_that_libprocess_is_told(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(loop)
    ip, port = door.address("127.0.0.1")
    assert ip == "127.0.0.1"
    assert door.address("127.0.0.1") == (ip, port)
    monkeypatch.setenv("LIBPROCESS_IP", "127.0.0.2")
    assert door.address("127.0.0.1")[0] == "127.0.0.2"
    monkeypatch.setenv("LIBPROCESS_ADVERTISE_IP", "192.0.2.1")
    assert door.address("127.0.0.1")[0] == "192.0.2.1"


def test_only_who_has_a_key_is_let_in_and_only_once(loop: Loop) -> None:
    door, received, there = Door(loop), [], threading.Event()

    def receive(stream: Stream) -> None:
        received.append(stream)
        there.set()

    keys = door.expect(receive)
    address = door.address("127.0.0.1")
    silent = socket.create_connection(address)
    for wrong in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", bytes(32)):
        with socket.create_connection(address, timeout=WAIT_SECONDS) as stranger:
            stranger.sendall(wrong)
            with contextlib.suppress(ConnectionResetError):
                assert stranger.recv(1) == b""
    stream = connect(address, keys)
    assert there.wait(WAIT_SECONDS)
    with pytest.raises(OSError, match="does not expect|reset"):
        connect(address, keys)
    forgotten = door.expect(receive)
    door.forget(forgotten)
    with pytest.raises(OSError, match="does not expect|reset"):
        connect(address, forgotten)
    assert len(received) == 1
    silent.close()
    stream.close()


def test_strangers_do_not_keep_others_out(loop: Loop) -> None:
    door, there = Door(loop), threading.Event()
    address = door.address("127.0.0.1")
    strangers = [socket.create_connection(address) for _ in range(200)]
    connect(address, door.expect(lambda stream: there.set())).close()
    assert there.wait(WAIT_SECONDS)
    wait_until(lambda: len(door._unknown) <= 128, "the oldest are closed")
    for each in strangers:
        each.close()


@pytest.mark.parametrize(("data", "words"), [(bytes(32), "another process listens"), (b"short", "does not expect")])
def test_an_executor_runs_nothing_for_another_process(data: bytes, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as impostor:
        threading.Thread(target=answer, args=(impostor, data), daemon=True).start()
        with pytest.raises(ConnectionError, match=words):
            connect(impostor.getsockname(), Keys.new())


def answer(listener: socket.socket, data: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(32)
        connection.sendall(data)


def test_a_process_that_cannot_be_reached_is_named(master: str, monkeypatch: pytest.MonkeyPatch) -> None:
    CONFIG["master"] = master
    monkeypatch.setenv("LIBPROCESS_ADVERTISE_IP", "127.0.0.9")
    began = time.monotonic()
    with pytest.raises(MesosError, match=r"not connected with its process at 127\.0\.0\.9:\d+: .*refused"):
        Popen(["true"])
    assert time.monotonic() - began < WAIT_SECONDS
