"""What type checkers say of a framework: enums are types of their own, and drivers return one of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
from mesos import aio
from mesos.interface import mesos_pb2
from mesos.native import MesosSchedulerDriver
from mesos.operator import AgentClient, ContainerOutput, MasterClient
from mesos.v1.interface import agent_pb2, master_pb2
"""
RIGHT = [
    "mesos_pb2.TaskStatus(state=mesos_pb2.TASK_RUNNING)",
    'mesos_pb2.TaskStatus(state="TASK_RUNNING")',
    "mesos_pb2.TaskStatus().state = mesos_pb2.TaskState.Value('TASK_RUNNING')",
    "mesos_pb2.TaskStatus().reason = mesos_pb2.TaskStatus.REASON_EXECUTOR_TERMINATED",
    "state: mesos_pb2.TaskState.ValueType = mesos_pb2.TaskState.TASK_RUNNING",
    "name: str = mesos_pb2.TaskState.Name(mesos_pb2.TaskStatus().state)",
    "number: int = mesos_pb2.TASK_RUNNING",
    "def run(driver: MesosSchedulerDriver) -> str:\n    return mesos_pb2.Status.Name(driver.run())",
    "def ask(master: MasterClient) -> bool:\n    return master.get_health()",
    "def ask(master: MasterClient) -> dict[str, float]:\n    return master.get_metrics(timeout=2)",
    "def ask(master: MasterClient) -> master_pb2.Response.GetTasks:\n    return master.get_tasks()",
    "def ask(agent: AgentClient) -> ContainerOutput:\n    return agent.attach_container_output('a')",
    "def ask(master: MasterClient) -> master_pb2.Response:\n    return master.call(master_pb2.Call(type='GET_TASKS'))",
    "async def ask(master: aio.MasterClient) -> bool:\n    return await master.get_health()",
    "async def ask(agent: aio.AgentClient) -> aio.ContainerOutput:\n    return await agent.attach_container_output('a')",
    "async def ask(master: aio.MasterClient) -> list[master_pb2.Event]:\n    return [e async for e in master.events()]",
]
WRONG = [
    "mesos_pb2.TaskStatus(state=mesos_pb2.DRIVER_RUNNING)",
    "mesos_pb2.TaskStatus(state=3)",
    "mesos_pb2.TaskStatus().state = mesos_pb2.DRIVER_RUNNING",
    "mesos_pb2.TaskStatus().reason = mesos_pb2.TaskStatus.SOURCE_MASTER",
    "mesos_pb2.TaskState.Name(mesos_pb2.DRIVER_RUNNING)",
    "mesos_pb2.TaskStatus().nonsense",
    "mesos_pb2.TaskState.TASK_NONSENSE",
    "def run(driver: MesosSchedulerDriver) -> mesos_pb2.TaskState.ValueType:\n    return driver.run()",
    "def ask(master: MasterClient) -> str:\n    return master.get_health()",
    "def ask(master: MasterClient) -> None:\n    master.drain_agent()",
    "def ask(master: MasterClient) -> None:\n    master.drain_agent(5)",
    "def ask(master: MasterClient) -> None:\n    master.drain_agent('a', grace=5)",
    "def ask(master: MasterClient) -> None:\n    master.call(agent_pb2.Call())",
    "async def ask(master: aio.MasterClient) -> bool:\n    return master.get_health()",
    "async def ask(agent: aio.AgentClient) -> None:\n    await agent.wait_container('a', timeout='b')",
]


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in which mypy finds an error; each has one of the pieces above."""
    folder = tmp_path_factory.mktemp("typed")
    for kind, pieces in (("right", RIGHT), ("wrong", WRONG)):
        for number, piece in enumerate(pieces):
            (folder / f"{kind}{number}.py").write_text(f"{HEAD}{piece}\n")
    checker = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={folder / 'cache'}"]
    done = subprocess.run([*checker, str(folder)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    return {Path(line.partition(":")[0]).stem for line in lines if ": error: " in line}


@pytest.mark.parametrize("number", range(len(RIGHT)), ids=RIGHT)
def test_what_is_right_passes(errors: set[str], number: int) -> None:
    assert f"right{number}" not in errors


@pytest.mark.parametrize("number", range(len(WRONG)), ids=WRONG)
def test_what_is_wrong_is_an_error(errors: set[str], number: int) -> None:
    assert f"wrong{number}" in errors
