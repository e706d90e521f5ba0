"""Nothing that a task or an executor of the embedded cluster starts outlives it, whatever group or session it is in."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.support import Recorder, alive, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]

# A child in a group of its own, one in a session of its own, a daemon whose parent is gone, and a daemon that ignores
# what can be ignored.
FAMILY = """
import os, signal, subprocess, sys, time
def sleeper(**options):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], **options).pid
pids = [sleeper(process_group=0), sleeper(start_new_session=True)]
reader, writer = os.pipe()
for stubborn in False, True:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT) if stubborn else ():
                signal.signal(number, signal.SIG_IGN)
            os.write(writer, b"%d\\n" % os.getpid())
            time.sleep(600)
        os._exit(0)
    os.wait()
with open(reader) as pipe:
    pids += [int(pipe.readline()) for _ in range(2)]
print(*pids, flush=True)
"""

EXECUTOR = f"""
import os, sys
from mesos.interface import Executor, mesos_pb2
from mesos.native import MesosExecutorDriver
class Parent(Executor):
    def launchTask(self, driver, task):
        exec({FAMILY!r}, {{}})
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=task.task_id, state=mesos_pb2.TASK_RUNNING))
    def killTask(self, driver, task):
        os._exit(1)
MesosExecutorDriver(Parent()).run()
"""


def python(code: str, path: Path) -> str:
    """A shell command that runs some code."""
    path.write_text(code)
    return f"exec {sys.executable} {path}"


def started(cluster: LocalCluster) -> list[int]:
    """The processes of FAMILY in the only task, which has written all of them."""
    output = cluster.tasks()[0].sandbox / "stdout"
    wait_until(lambda: output.exists() and output.read_text().endswith("\n"), "the family is there")
    return [int(pid) for pid in output.read_text().split()]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def none_of(pids: list[int]) -> Callable[[], bool]:
    return lambda: not any(alive(pid) for pid in pids)


@pytest.mark.parametrize("ending", ["the task ends", "KILL", "SIGKILL", "TEARDOWN", "stop"])
def test_what_a_task_started_is_gone_after(ending: str, embedded: LocalCluster, tmp_path: Path) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        code = FAMILY + f"while not os.path.exists({str(tmp_path / 'end')!r}): time.sleep(.01)\n"
        launched = task(offer, python(code, tmp_path / "family.py"))
        driver.launchTasks(offer.id, [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        pids = started(embedded)
        assert all(alive(pid) for pid in pids)
        if ending == "the task ends":
            (tmp_path / "end").touch()
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
            assert none_of(pids)(), "nobody is left when the task is over"
        elif ending == "KILL":
            driver.killTask(launched.task_id)
            killed = scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED)
            assert killed.message == "Command terminated with signal Terminated"
            assert none_of(pids)(), "nobody is left when the task is over"
        elif ending == "SIGKILL":
            os.kill(status.container_status.executor_pid, signal.SIGKILL)
            killed = scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
            assert killed.message == "Command terminated with signal Killed"
        elif ending == "TEARDOWN":
            driver.stop()
        else:
            embedded.stop()
            assert none_of(pids)(), "nobody is left when the cluster is stopped"
        wait_until(none_of(pids), "what the task started is gone", 5)


@pytest.mark.parametrize("ending", ["KILL", "SIGKILL", "TEARDOWN", "stop"])
def test_what_an_executor_started_is_gone_after(ending: str, embedded: LocalCluster, tmp_path: Path) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "")
        launched.ClearField("command")
        launched.executor.executor_id.value = "parent"
        launched.executor.command.value = python(EXECUTOR, tmp_path / "executor.py")
        driver.launchTasks(offer.id, [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        pids = started(embedded)
        assert all(alive(pid) for pid in pids)
        if ending == "KILL":
            driver.killTask(launched.task_id)
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
            assert none_of(pids)(), "nobody is left when the executor is over"
        elif ending == "SIGKILL":
            os.kill(status.container_status.executor_pid, signal.SIGKILL)
        elif ending == "TEARDOWN":
            driver.stop()
        else:
            embedded.stop()
            assert none_of(pids)(), "nobody is left when the cluster is stopped"
        wait_until(none_of(pids), "what the executor started is gone", 8)


def test_tasks_start_with_no_signal_blocked_or_ignored() -> None:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    ignored = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        with (
            LocalCluster(resources="cpus:1;mem:64") as cluster,
            running(cluster.address, scheduler := Recorder()) as driver,
        ):
            offer = scheduler.offer()
            launched = task(offer, "grep -E '^Sig(Blk|Ign)' /proc/self/status")
            driver.launchTasks(offer.id, [launched])
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
            seen = (cluster.tasks()[0].sandbox / "stdout").read_text().split()
        kept_by_libc = (1 << 31) | (1 << 32)  # signals 32 and 33, which no program can set
        assert seen[::2] == ["SigBlk:", "SigIgn:"]
        assert [int(mask, 16) & ~kept_by_libc for mask in seen[1::2]] == [0, 0]
    finally:
        signal.signal(signal.SIGUSR2, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def test_stop_returns_although_a_reaper_is_stopped(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "sleep 600 & exec sleep 600")
        driver.launchTasks(offer.id, [launched])
        first = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        os.kill(parent_of(first), signal.SIGSTOP)
        embedded.stop()
        assert not alive(first)


def test_a_reaper_that_is_killed_takes_its_task_along(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "sleep 600 & echo $!; wait")
        driver.launchTasks(offer.id, [launched])
        first = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        pids = [first, *started(embedded)]
        os.kill(parent_of(first), signal.SIGKILL)
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
        wait_until(none_of(pids), "the task and its group are gone", 5)


def test_a_task_does_not_keep_the_memory_of_the_cluster_s_process(embedded: LocalCluster) -> None:
    ballast = bytearray(b"x") * (256 << 20)
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "exec sleep 600")
        driver.launchTasks(offer.id, [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        reaper = parent_of(status.container_status.executor_pid)
        assert reaper != os.getpid()

        def held() -> int:
            lines = Path(f"/proc/{reaper}/smaps_rollup").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))

        wait_until(lambda: held() < 100 << 10, "the memory is given back")
        assert len(ballast) == 256 << 20


CLUSTER = f"""
import os, sys, time
sys.path.insert(0, {str(ROOT)!r})
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from tests.python.support import Recorder, running, task, wait_until
cluster = LocalCluster(resources="cpus:64;mem:64000")
scheduler = Recorder()
command, count = sys.argv[1], int(sys.argv[2])
with running(cluster.address, scheduler) as driver:
    offer = scheduler.offer()
    tasks = []
    for index in range(count):
        tasks.append(task(offer, f"exec {{command}} {{index}}"))
    driver.launchTasks(offer.id, tasks)
    statuses = [scheduler.state(each.task_id.value, mesos_pb2.TASK_RUNNING) for each in tasks]
    print("running", flush=True)
    {{}}
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can set the setuid bit on a program of root's")
def test_stop_returns_although_a_task_runs_a_program_of_another_user() -> None:
    of_root = (
        "open(f'/proc/{statuses[0].container_status.executor_pid}/status').read().split('Uid:')[1].split()[0] == '0'"
    )
    then = f"wait_until(lambda: {of_root}, 'it is of root'); "
    then += "begun = time.monotonic(); cluster.stop(); print(time.monotonic() - begun, flush=True)"
    with tempfile.TemporaryDirectory() as directory:
        program = shutil.copy(shutil.which("setpriv") or "setpriv", directory)
        Path(program).chmod(0o4755)
        Path(directory).chmod(0o755)
        nobody = CLUSTER.replace("cluster =", "os.setgid(65534); os.setuid(65534); cluster =", 1).replace("{}", then)
        arguments = [sys.executable, "-c", nobody, f"{program} --reuid 0 sleep 20", "1"]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            assert float(process.stdout.readline()) < 8


# As FAMILY, quickly: a child in its group, one in a session of its own, and a daemon whose parent is gone.
DAEMONS = """
cd {directory}
sleep 600 & first=$!
setsid sleep 600 & second=$!
(setsid sh -c 'sleep 600 & echo $! > '$1.daemon)
echo $$ $first $second > $1.task
wait
"""


def pids_in(directory: Path) -> list[int]:
    """What DAEMONS wrote."""
    files = [*directory.glob("*.daemon"), *directory.glob("*.task")]
    return [int(pid) for file in files for pid in file.read_text().split()]


@contextlib.contextmanager
def many_daemons(count: int, then: str, directory: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process with an embedded cluster on which so many DAEMONS run, and which then does something."""
    script = directory / "daemons.sh"
    script.write_text(DAEMONS.format(directory=directory))
    arguments = [sys.executable, "-c", CLUSTER.replace("{}", then), f"sh {script}", str(count)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        wait_until(lambda: len(pids_in(directory)) == 4 * count, "all have daemonized", 30)
        try:
            yield process, pids_in(directory)
        finally:
            process.kill()


@pytest.mark.parametrize("forked", [False, True], ids=["alone", "with a forked child"])
def test_50_tasks_that_daemonize_are_gone_after_sigkill_of_the_cluster(forked: bool, tmp_path: Path) -> None:
    then = "print(os.fork() or time.sleep(600), flush=True); " if forked else ""
    with many_daemons(50, then + "sys.stdin.read()", tmp_path) as (process, pids):
        assert process.stdout is not None
        fork = int(process.stdout.readline()) if forked else None
        assert all(alive(pid) for pid in pids)
        process.kill()
        try:
            wait_until(none_of(pids), "all are gone", 5)
        finally:
            if fork is not None:
                os.kill(fork, signal.SIGKILL)


def test_the_directory_of_a_cluster_is_gone_after_sigkill(tmp_path: Path) -> None:
    then = "print(cluster.tasks()[0].sandbox, flush=True); sys.stdin.read()"
    with many_daemons(1, then, tmp_path) as (process, _):
        assert process.stdout is not None
        sandbox = Path(process.stdout.readline().strip())
        directory = next(path for path in sandbox.parents if path.name.startswith("remesos-"))
        assert directory.exists()
        process.kill()
        wait_until(lambda: not directory.exists(), "the directory is gone", 5)


def test_50_tasks_that_daemonize_are_gone_after_stop(tmp_path: Path) -> None:
    then = "sys.stdin.readline(); cluster.stop(); print('stopped', flush=True); sys.stdin.read()"
    with many_daemons(50, then, tmp_path) as (process, pids):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("stop\n")
        process.stdin.flush()
        assert process.stdout.readline() == "stopped\n"
        assert none_of(pids)(), "nobody is left when the cluster is stopped"
