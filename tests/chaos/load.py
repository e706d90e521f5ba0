"""What the framework under test launches, and the journal of all that it did and was told. Knows no driver."""

from __future__ import annotations

import base64
import json
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, Protocol

EXECUTOR = Path(__file__).with_name("executor.py")
SHORT_AT_ONCE = 6
LONG_AT_ONCE = 2
"""On each agent."""
LONGEST_SECONDS = 0.4
CPUS = 0.05
"""Of each task, and of each executor."""
OF_ONE_EXECUTOR = 300
"""Tasks, because an agent of the real Mesos becomes slow when an executor has had thousands."""
OVER = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE"}
OVER |= {"TASK_GONE_BY_OPERATOR"}


class Calls(Protocol):
    """What a framework asks of its driver, whichever API that has."""

    def launch(self, offer_id: str, agent_id: str, tasks: list[dict[str, Any]]) -> None: ...
    def decline(self, offer_id: str) -> None: ...
    def kill(self, task_id: str) -> None: ...


class Load:
    """A constant number of tasks, most of which are short. Long ones last until they are killed.

    Methods are called by the callbacks and by the thread of the commands.
    """

    def __init__(self, journal: IO[str], seed: int, launches: str) -> None:
        self._journal, self._chance, self._launches = journal, random.Random(seed), launches
        self._lock = threading.RLock()
        self._prefix, self._number, self._executor = f"{seed}-{os.getpid()}", 0, 0
        self._of_executor = OF_ONE_EXECUTOR
        self._long: dict[str, bool] = {}
        """The long tasks that are not over, and whether they are to be killed."""
        self._paused = False
        self.agents: dict[str, str] = {}
        """The tasks that are not over, with their agents."""

    def note(self, kind: str, **fields: Any) -> None:
        """Write a line of the journal, before what follows from it is done."""
        with self._lock:
            self._journal.write(json.dumps({"kind": kind, "time": time.monotonic(), **fields}) + "\n")
            self._journal.flush()

    def known(self) -> dict[str, str]:
        """The tasks that are not over, with the ids of their agents."""
        with self._lock:
            return dict(self.agents)

    def offered(self, calls: Calls, offer_id: str, agent_id: str, cpus: float) -> None:
        """Answer an offer."""
        # Launched under the lock: whoever asks for the known tasks meanwhile may reconcile them, and a master that is
        # asked first does not know them.
        with self._lock:
            tasks = [] if self._paused else self._new_tasks(agent_id, int(cpus / CPUS) - 1)
            if not tasks:
                return calls.decline(offer_id)
            names = [task["task_id"]["value"] for task in tasks]
            self.note("launch", tasks=names, long=[name for name in names if name in self._long], agent=agent_id)
            calls.launch(offer_id, agent_id, tasks)
            self.agents |= dict.fromkeys(names, agent_id)
            return None

    def updated(self, task_id: str, state: str, **fields: Any) -> None:
        with self._lock:
            self.note("update", task=task_id, state=state, **fields)
            if state in OVER:
                self.agents.pop(task_id, None)
                self._long.pop(task_id, None)

    def pause(self, calls: Calls, paused: bool) -> None:
        """Launch nothing for a while. Half of the long tasks are killed when launches go on."""
        with self._lock:
            if self._paused and not paused:
                for task in sorted(self._long):
                    self._long[task] |= self._chance.random() < 0.5
            self._paused = paused
        self.kill(calls)

    def kill(self, calls: Calls) -> None:
        """Kill the tasks that are to be killed, again, because a call may be lost while there is no master."""
        with self._lock:
            doomed = [task for task, killed in self._long.items() if killed]
        for task in doomed:
            calls.kill(task)

    def _new_tasks(self, agent_id: str, room: int) -> list[dict[str, Any]]:
        here = {task for task, agent in self.agents.items() if agent == agent_id}
        long = len(here & self._long.keys())
        new_long, new_short = LONG_AT_ONCE - long, SHORT_AT_ONCE - (len(here) - long)
        made = [self._new_task(10_000, of_command=self._chance.random() < 0.5) for _ in range(new_long)]
        made += [self._new_task(self._chance.uniform(0, LONGEST_SECONDS)) for _ in range(new_short)]
        # Each may bring an executor.
        made = made[: max(0, room // 2)]
        self._long |= {task["task_id"]["value"]: False for task in made[:new_long]}
        return made

    def _new_task(self, seconds: float, of_command: bool = False) -> dict[str, Any]:
        self._number += 1
        name = f"{self._prefix}-{self._number}"
        task: dict[str, Any] = {"name": "chaos", "task_id": {"value": name}, "resources": resources()}
        if of_command:
            return {**task, "command": {"value": f"exec sleep {seconds}"}}
        if self._of_executor >= OF_ONE_EXECUTOR:
            self._executor, self._of_executor = self._executor + 1, 0
        self._of_executor += 1
        task["data"] = base64.b64encode(f"{seconds:.3f}".encode()).decode()
        variables = [{"name": "CHAOS_LAUNCHES", "value": self._launches}]
        command = {"value": f"exec {sys.executable} {EXECUTOR}", "environment": {"variables": variables}}
        executor_id = {"value": f"executor-{self._prefix}-{self._executor}"}
        return {**task, "executor": {"executor_id": executor_id, "command": command, "resources": resources()}}


def resources() -> list[dict[str, Any]]:
    amounts = (("cpus", CPUS), ("mem", 8))
    return [{"name": name, "type": "SCALAR", "scalar": {"value": amount}} for name, amount in amounts]
