"""The clusters that things happen to: the real Mesos, in a process that is killed, and the embedded one."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mesos.local import LocalCluster
from mesos.operator import MasterClient
from mesos.v1.interface import mesos_pb2

from tests.apache_mesos import ALLOCATION_INTERVAL, ApacheMesos
from tests.chaos.load import OVER

REMEMBERED = 100_000
"""Completed tasks of a framework that a master shows."""
RESOURCES = "cpus:8;mem:8192;disk:20000;ports:[31000-32000]"
ASK_SECONDS = 30


@dataclass
class Ledger:
    """What a master knows of the framework's tasks: their states by their ids."""

    missing: int = 0
    """How many agents have not registered."""
    agents: set[str] = field(default_factory=set)
    active: dict[str, str] = field(default_factory=dict)
    completed: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    """Tasks whose end an agent has told and nobody acknowledged."""


def ledger(town: Town, framework: str) -> Ledger:
    """Ask a master, and each of its agents."""
    master, made = MasterClient(town.address, timeout=ASK_SECONDS), Ledger()
    tasks = master.get_tasks()
    for into, found in (
        (made.active, [*tasks.tasks, *tasks.unreachable_tasks]),
        (made.completed, tasks.completed_tasks),
    ):
        for task in found:
            if task.framework_id.value == framework:
                into[task.task_id.value] = mesos_pb2.TaskState.Name(task.state)
    for agent in master.get_agents().agents:
        made.agents.add(agent.agent_info.id.value)
        ended = master.agent(agent).get_tasks().terminated_tasks
        made.unread += [task.task_id.value for task in ended if task.framework_id.value == framework]
    made.missing = town.agents - len(made.agents)
    made.unread += [name for name, state in made.active.items() if state in OVER]
    return made


def executors(town: Town, framework: str) -> list[str]:
    """The ids of the framework's executors that have not ended."""
    master, found = MasterClient(town.address, timeout=ASK_SECONDS), list[str]()
    for agent in master.get_agents().agents:
        infos = [each.executor_info for each in master.agent(agent).get_executors().executors]
        found += [info.executor_id.value for info in infos if info.framework_id.value == framework]
    return found


class Town(Protocol):
    """A cluster that can be hurt."""

    address: str
    agents: int

    def start(self) -> None:
        """Start it if it is not up; after a crash, on the same directory."""

    def is_up(self) -> bool:
        """Whether it runs."""

    def crash(self) -> None:
        """End master and agents at once, as SIGKILL does."""

    def stop(self) -> None:
        """End it in order."""


class Apache:
    """The real master and agents, in one process, with our program ``mesos-executor`` for command tasks.

    What stands in for Mesos' own program, which is not in Apache's package, does not subscribe again.
    """

    def __init__(self, home: Path, work_dir: Path, agents: int = 2) -> None:
        self.agents = agents
        launcher = work_dir.parent / f"{work_dir.name}-launcher"
        launcher.mkdir(parents=True, exist_ok=True)
        standins = Path(__file__).resolve().parents[1] / "apache_mesos" / "launcher"
        program = shutil.which("mesos-executor", path=str(Path(sys.executable).parent))
        assert program is not None
        for link, target in (("mesos-containerizer", standins / "mesos-containerizer"), ("mesos-executor", program)):
            (launcher / link).symlink_to(target)
        flags = {
            "MESOS_LAUNCHER_DIR": str(launcher),
            "MESOS_MAX_COMPLETED_TASKS_PER_FRAMEWORK": str(REMEMBERED),
            # Beside the work directory, so that the disk of that alone can be full.
            "MESOS_RUNTIME_DIR": str(work_dir.parent / f"{work_dir.name}-runtime"),
        }
        self._mesos = ApacheMesos(home, work_dir, agents=agents, flags=flags)
        self.address = self._mesos.address

    def start(self) -> None:
        if not self.is_up():
            self._mesos.kill()
            self._mesos.start()

    def is_up(self) -> bool:
        process = self._mesos._process
        return process is not None and process.poll() is None

    def crash(self) -> None:
        self._mesos.kill()

    def stop(self) -> None:
        self._mesos.stop()


class Embedded:
    """The embedded cluster. It crashes by request, because the kernel ends its tasks with its process."""

    def __init__(self, work_dir: Path, agents: int = 2) -> None:
        self.agents = agents
        options: dict[str, Any] = {"max_completed_tasks_per_framework": REMEMBERED, "work_dir": work_dir}
        self._cluster = LocalCluster(
            agents=agents, resources=RESOURCES, allocation_interval=ALLOCATION_INTERVAL, **options
        )
        self.address = self._cluster.address

    def start(self) -> None:
        """It is up."""

    def is_up(self) -> bool:
        return not self._cluster.is_stopped

    def crash(self) -> None:
        agents = self._cluster.agents
        self._cluster.restart_master()
        for agent in agents:
            agent.restart()

    def stop(self) -> None:
        self._cluster.stop(drivers=False)
