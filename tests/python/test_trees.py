"""Nothing that a task or an executor of the embedded cluster starts outlives it, whatever group or session it is in."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.support import Recorder, alive, filters, running, task, wait_until

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
    output = cluster.tasks[0].sandbox / "stdout"
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
        wait_until(none_of(pids), "what the task started is gone")


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
        wait_until(none_of(pids), "what the executor started is gone")


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
            seen = (cluster.tasks[0].sandbox / "stdout").read_text().split()
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
    statuses = dict()  # noqa: C408
    while len(statuses) < count:
        status = scheduler.wait("statusUpdate", lambda status: status.state == mesos_pb2.TASK_RUNNING)
        statuses[status.task_id.value] = status
    print("running", flush=True)
    {{}}
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can set the setuid bit on a program of root's")
def test_stop_returns_although_a_task_runs_a_program_of_another_user() -> None:
    of_root = "open(f'/proc/{next(iter(statuses.values())).container_status.executor_pid}/status').read().split('Uid:')[1].split()[0] == '0'"
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
            assert float(process.stdout.readline()) < 15, "the task's program takes 20"


# As FAMILY, quickly: one in a session of its own, and a daemon whose parent is gone.
DAEMONS = """
setsid sleep 600 & session=$!
daemon=$(setsid sleep 600 > /dev/null & echo $!)
echo $$ $session $daemon >> {file}
wait
"""

ENDINGS = """
    for ending in sys.stdin:
        match ending.strip():
            case "KILL":
                left = {each.task_id.value for each in tasks}
                for each in tasks:
                    driver.killTask(each.task_id)
                while left:
                    killed = scheduler.wait("statusUpdate", lambda status: status.state == mesos_pb2.TASK_KILLED)
                    left.discard(killed.task_id.value)
            case "TEARDOWN":
                driver.stop()
            case "stop":
                cluster.stop()
            case "fork":
                if os.fork() == 0:
                    time.sleep(600)
        print("done", flush=True)
"""


class Daemons:
    """A process with an embedded cluster on which tasks run that daemonize."""

    def __init__(self, count: int, directory: Path) -> None:
        (directory / "daemons.sh").write_text(DAEMONS.format(file=directory / "pids"))
        command = f"sh {directory / 'daemons.sh'}"
        arguments = [sys.executable, "-c", CLUSTER.replace("{}", ENDINGS.strip()), command, str(count)]
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.count, self.directory = count, directory
        self.pids: list[int] = []

    def end(self, ending: str) -> None:
        """Return when this is done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if ending == "SIGKILL":
            self.process.kill()
            return
        self.process.stdin.write(f"{ending}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def __enter__(self) -> Daemons:
        with contextlib.ExitStack() as on_failure:
            on_failure.push(self.__exit__)
            assert self.process.stdout is not None
            assert self.process.stdout.readline() == "running\n"
            written = self.directory / "pids"
            wait_until(written.exists, "the first has daemonized")
            wait_until(lambda: written.read_text().count("\n") == self.count, "all have daemonized")
            self.pids = [int(pid) for pid in written.read_text().split()]
            on_failure.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with self.process:
            pass


@pytest.mark.parametrize("ending", ["KILL", "TEARDOWN", "stop", "SIGKILL"])
def test_500_tasks_that_daemonize_are_gone_after(ending: str, tmp_path: Path) -> None:
    with Daemons(500, tmp_path) as daemons:
        assert sum(map(alive, daemons.pids)) == 3 * 500
        daemons.end(ending)
        wait_until(none_of(daemons.pids), "all are gone")


def test_a_forked_child_of_a_killed_cluster_keeps_no_task_alive(tmp_path: Path) -> None:
    with Daemons(10, tmp_path) as daemons:
        daemons.end("fork")
        daemons.end("SIGKILL")
        wait_until(none_of(daemons.pids), "all are gone")


def test_the_directory_of_a_cluster_is_gone_after_sigkill(tmp_path: Path) -> None:
    with Daemons(1, tmp_path) as daemons:
        sandbox = Path(f"/proc/{daemons.pids[0]}/cwd").resolve()
        directory = next(path for path in sandbox.parents if path.name.startswith("remesos-"))
        assert directory.exists()
        daemons.end("SIGKILL")
        wait_until(lambda: not directory.exists(), "the directory is gone")


def spawner_of(first: int) -> int:
    """The process that started the reaper of a container."""
    spawner = parent_of(parent_of(first))
    assert Path(f"/proc/{spawner}/comm").read_text() == "remesos-spawner\n"
    return spawner


def test_a_spawner_that_is_killed_takes_its_tasks_along_and_is_replaced(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "setsid sleep 600 & echo $!; wait")
        driver.launchTasks(offer.id, [launched], filters(0))
        first = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        pids = [first, *started(embedded)]
        os.kill(spawner_of(first), signal.SIGKILL)
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
        assert none_of(pids)(), "nobody is left when the task is over"
        offer = scheduler.offer()
        again = task(offer, "true")
        driver.launchTasks(offer.id, [again])
        scheduler.state(again.task_id.value, mesos_pb2.TASK_FINISHED)


def test_tasks_start_and_stop_returns_although_the_spawner_is_stopped(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "exec sleep 600")
        driver.launchTasks(offer.id, [launched], filters(0))
        first = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        spawner = spawner_of(first)
        os.kill(spawner, signal.SIGSTOP)
        offer = scheduler.offer()
        again = task(offer, "true")
        driver.launchTasks(offer.id, [again])
        scheduler.state(again.task_id.value, mesos_pb2.TASK_FINISHED)
        os.kill(spawner, signal.SIGSTOP)
        embedded.stop()
        assert not alive(first)


def test_what_a_killed_reaper_leaves_is_killed(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, f"{sys.executable} -c {shlex.quote(FAMILY)}; wait")
        launched.command.value += "; sleep 600"
        driver.launchTasks(offer.id, [launched])
        first = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        pids = [first, *started(embedded)]
        os.kill(parent_of(first), signal.SIGKILL)
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
        wait_until(none_of(pids), "all that the task started is gone")


@contextlib.contextmanager
def traced(pid: int) -> Iterator[None]:
    """Holds a process as a debugger does, so that only SIGKILL gets through; it is gone at the end."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(16, pid, None, None) == 0, f"PTRACE_ATTACH: {os.strerror(ctypes.get_errno())}"
    os.waitpid(pid, 0x40000000)
    # Who traces a process is told of its end before its parent is.
    mourner = threading.Thread(target=os.waitpid, args=(pid, 0x40000000))
    mourner.start()
    yield
    mourner.join()


@pytest.mark.slow
def test_a_reaper_that_does_not_answer_is_killed_with_what_it_kept(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "exec sleep 600")
        driver.launchTasks(offer.id, [launched])
        first = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        with traced(parent_of(first)):
            embedded.stop()
        wait_until(none_of([first]), "the task is gone")


def test_a_pipe_in_place_of_a_tasks_output_does_not_block_its_start(embedded: LocalCluster, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stdout")
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "pipe.tar", "stdout"], check=True)
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "true")
        launched.command.uris.add(value=str(tmp_path / "pipe.tar"))
        driver.launchTasks(offer.id, [launched])
        failed = scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
        assert "cannot make stdout and stderr: No such device or address" in failed.message


PRELOADED = """
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from tests.python.support import Recorder, running, task
scheduler = Recorder()
with LocalCluster() as cluster, running(cluster.address, scheduler) as driver:
    offer = scheduler.offer()
    launched = task(offer, "true")
    driver.launchTasks(offer.id, [launched])
    print(mesos_pb2.TaskState.Name(scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED).state))
"""


def test_tasks_run_although_a_library_is_preloaded() -> None:
    library = next(Path("/lib").rglob("libm.so.6"))
    ran = subprocess.run(
        [sys.executable, "-c", PRELOADED],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout) == (0, "TASK_FINISHED\n"), ran.stderr


# Leaves a process when it has given back its memory, which takes a while, and ends with success.
LEAVING = """
import os, subprocess, sys
ballast = b"x" * (512 << 20)
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True).pid
os.write(1, b"%d\\n" % left)
os._exit(0)
"""


def test_what_a_process_leaves_that_ends_beside_its_killed_reaper_is_killed(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, f"{sys.executable} -c {shlex.quote(LEAVING)}; sleep 600")
        driver.launchTasks(offer.id, [launched])
        first = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        reaper = parent_of(first)
        left = started(embedded)
        os.kill(reaper, signal.SIGKILL)
        wait_until(none_of([first, *left]), "all that the task started is gone")


def test_no_process_of_a_cluster_is_a_child_of_this_one_but_the_spawner(embedded: LocalCluster) -> None:
    children = subprocess.run(["ps", "-o", "comm=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    assert embedded.address
    assert children.stdout.split().count("remesos-spawner") >= 1
    assert "remesos-reaper" not in children.stdout


SCRIPT = f"""
import os, subprocess, sys, time
print(os.getpid(), subprocess.Popen(["sleep", "600"], start_new_session=True).pid, flush=True)
exec({FAMILY!r})
time.sleep(600)
"""


def test_a_script_and_what_it_started_are_gone_after_sigkill_of_remesos_run(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = [sys.executable, "-m", "mesos", "run", str(tmp_path / "script.py")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout is not None
        own_lines = (line for line in run.stdout if not line.startswith("remesos:"))
        pids = [int(pid) for line in itertools.islice(own_lines, 2) for pid in line.split()]
        assert len(pids) == 6
        assert all(alive(pid) for pid in pids)
        run.kill()
        wait_until(none_of(pids), "all are gone")


@pytest.mark.parametrize("ending", ["it takes too long", "the task is killed"])
@pytest.mark.parametrize("kind", ["check", "health check"])
def test_what_a_check_started_is_gone_when(ending: str, kind: str, commander: str, tmp_path: Path) -> None:
    (tmp_path / "check.py").write_text(
        FAMILY.replace("print(*pids", f"print(*pids, file=open({str(tmp_path / 'pids')!r}, 'w')") + "time.sleep(600)"
    )
    written = tmp_path / "pids"
    scheduler = Recorder()
    with running(commander, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "exec sleep 600")
        often = {"delay_seconds": 0, "interval_seconds": 600, "timeout_seconds": 3 if "long" in ending else 600}
        if kind == "check":
            launched.check.MergeFrom(mesos_pb2.CheckInfo(type=mesos_pb2.CheckInfo.COMMAND, **often))
            launched.check.command.command.value = f"exec {sys.executable} {tmp_path / 'check.py'}"
        else:
            launched.health_check.MergeFrom(mesos_pb2.HealthCheck(type=mesos_pb2.HealthCheck.COMMAND, **often))
            launched.health_check.command.value = f"exec {sys.executable} {tmp_path / 'check.py'}"
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        wait_until(lambda: written.exists() and written.read_text().endswith("\n"), "the check runs")
        pids = [int(pid) for pid in written.read_text().split()]
        if ending == "the task is killed":
            assert all(alive(pid) for pid in pids)
            driver.killTask(launched.task_id)
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED)
        wait_until(none_of(pids), "what the check started is gone")


@pytest.mark.parametrize("ending", ["the task ends", "KILL"])
def test_what_a_command_task_started_is_gone_on_any_agent_when(ending: str, commander: str, tmp_path: Path) -> None:
    written, end = tmp_path / "pids", tmp_path / "end"
    code = FAMILY.replace("print(*pids", f"print(*pids, file=open({str(written)!r}, 'w')")
    code += f"while not os.path.exists({str(end)!r}): time.sleep(.01)\n"
    scheduler = Recorder()
    with running(commander, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, python(code, tmp_path / "family.py"))
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        wait_until(lambda: written.exists() and written.read_text().endswith("\n"), "the family is there")
        pids = [int(pid) for pid in written.read_text().split()]
        assert all(alive(pid) for pid in pids)
        if ending == "KILL":
            driver.killTask(launched.task_id)
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED)
        else:
            end.touch()
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        assert none_of(pids)(), "nobody is left when the task is over"
