"""An embedded cluster leaves nothing in the temporary directory, however its process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.python.support import alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = f"""
import ctypes, os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from tests.python.support import Recorder, running, task
cluster = LocalCluster()
scheduler = Recorder()
with running(cluster, scheduler) as driver:
    offer = scheduler.offer()
    launched = task(offer, "trap '' TERM; echo here; while :; do sleep 1; done")
    driver.launchTasks(offer.id, [launched])
    status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
    print(status.container_status.executor_pid, flush=True)
    ENDING
"""


def in_session(session: int) -> list[int]:
    """The processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == session:
            found.append(int(path.parent.name))
    return found


def kill_session(pid: int) -> None:
    for each in in_session(pid):
        os.kill(each, signal.SIGKILL)


@pytest.mark.parametrize(
    "ending",
    [
        lambda pid: os.kill(pid, signal.SIGKILL),
        lambda pid: os.killpg(pid, signal.SIGKILL),
        kill_session,
        lambda pid: os.kill(pid, signal.SIGTERM),
        lambda pid: os.killpg(pid, signal.SIGINT),
        "os._exit(3)",
        "os.abort()",
        "ctypes.string_at(0)",
        "raise RuntimeError",
        "cluster.stop()",
        "cluster.reset()",
    ],
    ids=["kill", "killpg", "session", "term", "interrupt", "_exit", "abort", "crash", "raise", "stop", "reset"],
)
def test_nothing_is_left_in_the_temporary_directory(ending: str | Callable[[int], None], tmp_path: Path) -> None:
    code = CODE.replace("ENDING", ending if isinstance(ending, str) else "sys.stdin.read()")
    with subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stdout is not None
        task = int(process.stdout.readline())
        if not isinstance(ending, str):
            assert list(tmp_path.iterdir())
            ending(process.pid)
        process.wait(20)
    wait_until(lambda: not alive(task), "the task is gone")
    wait_until(lambda: not list(tmp_path.iterdir()), "the temporary directory is empty", seconds=20)
