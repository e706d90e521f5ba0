"""What the framework did and was told, from its journal, and whether a master's own state agrees."""

from __future__ import annotations

import collections
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.chaos.load import OVER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.towns import Ledger

NOBODYS = {"TASK_GONE", "TASK_LOST"}
NOTHING = "nothing"
STORY_LINES = 12
ON_ITS_WAY_SECONDS = 2
"""So long after an update was delivered, its acknowledgement or the same update may be on its way."""
ELSEWHERE = {"TASK_UNKNOWN", "TASK_UNREACHABLE"}
"""What a master says of tasks that another one, or the next one, may know."""


@dataclass
class Task:
    """A task as its framework knows it."""

    agent: str
    is_long: bool = False
    """Whether it ends only when it is killed."""
    state: str = "TASK_STAGING"
    by_agent: bool = False
    """Whether an agent has sent an update of it."""
    ended: bool = False
    """Whether an agent has told its end."""


@dataclass
class Books:
    """Follows a journal, line by line."""

    journal: Path
    tasks: dict[str, Task] = field(default_factory=dict)
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    faults: list[str] = field(default_factory=list)
    """What the driver did that it must not do."""
    looks: list[dict[str, Any]] = field(default_factory=list)
    framework: str = ""
    master: str = ""
    """The id of the last master that the framework has registered with."""
    connected: bool = False
    last_fault: float = 0.0
    """When the last thing was broken or mended, by the monotonic clock of the machine."""
    _position: int = 0
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    """The ids of updates, with the number of disconnections until they were delivered last, and when that was."""
    _offers: set[str] = field(default_factory=set)

    def read(self) -> Books:
        """Read on."""
        with self.journal.open() as file:
            file.seek(self._position)
            while (line := file.readline()).endswith("\n"):
                self._position = file.tell()
                self._enter(json.loads(line))
        return self

    def running(self) -> dict[str, Task]:
        """The tasks that are not over."""
        return {name: task for name, task in self.tasks.items() if task.state not in OVER}

    def story(self, name: str) -> str:
        """The lines of the journal that name a task, or are of its connection."""
        lines = self.journal.read_text().splitlines()
        told = [line for line in lines if f'"{name}"' in line]
        return "\n".join(f"      {line}" for line in told[-STORY_LINES:])

    def _enter(self, line: dict[str, Any]) -> None:
        self.counts[line["kind"]] += 1
        getattr(self, f"_{line['kind']}", lambda _: None)(line)

    def _wrong(self, what: str, line: dict[str, Any]) -> None:
        self.faults.append(f"{what}: {json.dumps(line)}")

    def _registered(self, line: dict[str, Any]) -> None:
        self._up(line)
        if self.framework not in ("", line["framework"]):
            self._wrong(f"the framework was {self.framework}", line)
        self.framework = line["framework"]

    def _reregistered(self, line: dict[str, Any]) -> None:
        self._up(line)

    def _up(self, line: dict[str, Any]) -> None:
        if self.connected:
            self._wrong("registered twice without a disconnection", line)
        self.connected, self.master = True, line["master"]

    def _disconnected(self, line: dict[str, Any]) -> None:
        if not self.connected:
            self._wrong("disconnected twice", line)
        self.connected = False
        self._offers.clear()

    def _offered(self, line: dict[str, Any]) -> None:
        if not self.connected:
            self._wrong("offers while disconnected", line)
        for offer in line["offers"]:
            if offer in self._offers:
                self._wrong("an offer twice", line)
            self._offers.add(offer)

    def _rescinded(self, line: dict[str, Any]) -> None:
        if not self.connected:
            self._wrong("rescinded while disconnected", line)

    def _launch(self, line: dict[str, Any]) -> None:
        for name in line["tasks"]:
            self.tasks[name] = Task(line["agent"], name in line["long"])

    def _update(self, line: dict[str, Any]) -> None:
        task = self.tasks.get(line["task"])
        if task is None:
            return self._wrong("an update of a task that was never launched", line)
        self._count(line)
        if line["uuid"]:
            task.by_agent = True
        if line["state"] in ELSEWHERE:
            return None
        if task.state in OVER:
            # Who asks for a task that has just ended is told that nobody knows it.
            is_stale = line["reason"] == "REASON_RECONCILIATION" and line["state"] in NOBODYS
            # A master tells the latest state first, if it is asked before its agent has told all that led to it.
            is_story = line["uuid"] and not task.ended and task.state not in NOBODYS and line["state"] not in OVER
            task.ended |= bool(line["uuid"]) and line["state"] == task.state
            if not (is_stale or is_story or line["state"] == task.state):
                self._wrong(f"it was {task.state}", line)
            return None
        task.state = line["state"]
        task.ended |= bool(line["uuid"]) and task.state in OVER
        return None

    def _count(self, line: dict[str, Any]) -> None:
        """An update that was acknowledged must not come again, unless its acknowledgement may have been lost."""
        uuid = line["uuid"]
        if not uuid:
            self.counts["answers"] += 1
        elif uuid in self._seen:
            self.counts["duplicates"] += 1
            disconnections, delivered = self._seen[uuid]
            is_late = line["time"] > delivered + ON_ITS_WAY_SECONDS
            if is_late and disconnections == self.counts["disconnected"] and self.last_fault < delivered - 1:
                self._wrong("an acknowledged update again", line)
        if uuid:
            self._seen[uuid] = self.counts["disconnected"], line["time"]

    def _error(self, line: dict[str, Any]) -> None:
        self._wrong("an error", line)

    def _look(self, line: dict[str, Any]) -> None:
        self.looks.append(line)

    def compare(self, ledger: Ledger, leads: bool = True, remembers: bool = True) -> list[str]:
        """What a master's state says otherwise.

        :param leads: if false, the master may know what the framework was not told yet, and may have got no launch
        :param remembers: whether the master has shown every completed task since the framework registered
        """
        differences = [f"{missing} agents have not registered"] if (missing := ledger.missing) and leads else []
        for name, state in [*ledger.active.items(), *ledger.completed.items()]:
            believed = self._believed(name)
            if believed != state and (leads or believed in OVER or believed == NOTHING):
                differences.append(f"{name}: the master has it as {state}, the framework as {believed}")
            elif leads and name in ledger.active and not self.tasks[name].is_long:
                differences.append(f"{name}: it has not ended")
        for name, task in self.tasks.items():
            if task.agent not in ledger.agents or name in ledger.active or name in ledger.completed:
                continue
            if (task.state not in OVER and (leads or task.by_agent)) or (task.ended and remembers):
                differences.append(f"{name}: the framework has it as {task.state}, the master does not have it")
        return differences + [f"{name}: its end waits for an acknowledgement" for name in ledger.unread if leads]

    def _believed(self, name: str) -> str:
        task = self.tasks.get(name)
        return NOTHING if task is None else task.state
