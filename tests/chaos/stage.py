"""One framework in a process of its own, the clusters that it uses, and the pauses in which the books are compared."""

from __future__ import annotations

import collections
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.books import Books
from tests.chaos.towns import executors, ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.chaos.towns import Town

ROOT = Path(__file__).resolve().parents[2]
PAUSE_SECONDS = 120
"""For an update that is repeated after 10, 20 and 40 seconds."""
RECONNECT_SECONDS = 60
STOP_SECONDS = 30
LOOK_SECONDS = 0.05


class Unbalanced(Exception):
    """The books do not balance, or something else went wrong that ends a scenario."""


@dataclass(frozen=True)
class Sample:
    """What the framework's process has."""

    threads: int
    descriptors: int
    kilobytes: int

    @classmethod
    def of(cls, pid: int) -> Sample:
        status = Path(f"/proc/{pid}/status").read_text()
        resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        return cls(len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd")), int(resident))


class Stage:
    """Where a scenario plays.

    :param towns: the clusters
    :param master: what the framework takes as its master
    :param log: where it writes its log, at the level DEBUG
    """

    def __init__(
        self, towns: Sequence[Town], master: str, face: str, seed: int, directory: Path, log: Path | None = None
    ) -> None:
        self.towns, self.samples = list(towns), list[Sample]()
        self.leader = self.towns[0]
        self.crashed: set[str] = set()
        """The addresses of masters that have forgotten completed tasks."""
        self.pauses = 0
        self.story: list[str] = []
        """What was broken and mended, and when, by the clock of the journal."""
        self._launches, self._errors = directory / "launches", directory / "stderr"
        self._launches.touch()
        journal = directory / "journal"
        journal.touch()
        self.books = Books(journal)
        arguments = [face, master, str(journal), str(self._launches), str(seed), *([str(log)] if log else [])]
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.framework", *arguments],
                cwd=ROOT,
                env={**os.environ, "MESOS_REGISTRATION_BACKOFF_FACTOR": "50ms"},
                stdin=subprocess.PIPE,
                stderr=errors,
            )

    def tell(self, command: str) -> None:
        """Tell the framework's process something."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()

    def until(self, is_so: Callable[[], object], what: str, seconds: float = RECONNECT_SECONDS) -> None:
        """Wait until something is in the books."""
        until = time.monotonic() + seconds
        while not (self.books.read() and is_so()):
            self.check()
            if time.monotonic() > until:
                raise Unbalanced(f"no {what} within {seconds} s")
            time.sleep(LOOK_SECONDS)  # it is in another process

    def hurt(self, what: str) -> None:
        """Note that something is being broken or mended."""
        self.books.read()
        self.books.last_fault = time.monotonic()
        self.story.append(f"{self.books.last_fault:.3f} {what}")

    def work(self, ends: int) -> None:
        """Wait until the framework was told the ends of so many more tasks."""
        enough = self._ended() + ends
        self.until(lambda: self._ended() >= enough, "work is done")

    def _ended(self) -> int:
        return len(self.books.tasks) - len(self.books.running())

    def registrations(self) -> int:
        """How often the framework has registered or reregistered."""
        counts = self.books.read().counts
        return counts["registered"] + counts["reregistered"]

    def reconnected(self, since: int) -> None:
        """Wait until the framework is connected, and has registered since."""
        self.until(lambda: self.books.connected and self.registrations() > since, "reregistration")

    def pause(self) -> None:
        """Stop the load, compare the books with what the masters know until they agree, and go on."""
        self._settle()
        self.pauses += 1
        self.samples.append(Sample.of(self.process.pid))
        self.tell("resume")

    def _settle(self) -> None:
        self.tell("pause")
        until = time.monotonic() + PAUSE_SECONDS
        while differences := self._differences():
            self.check()
            if time.monotonic() > until:
                raise Unbalanced("\n".join(self._told(differences)))
            time.sleep(LOOK_SECONDS * 4)  # the master does not tell

    def check(self) -> None:
        """The framework's process must run, and its driver must have done nothing wrong.

        :raises Unbalanced: it has
        """
        if self.books.faults:
            raise Unbalanced("\n".join(self.books.faults))
        if self.process.poll() is not None:
            raise Unbalanced(f"the framework ended with {self.process.returncode}\n{self._errors.read_text()}")

    def _differences(self) -> list[str]:
        """The framework's books are read on both sides of the master's: the master's may be newer than the first."""
        self.books.read()
        try:
            told = [(town, ledger(town, self.books.framework)) for town in self.towns]
        except OSError as error:
            return [f"no answer of a master: {error}"]
        self.books.read()
        differences = []
        for town, known in told:
            remembers = town.address not in self.crashed
            differences += self.books.compare(known, town is self.leader, remembers)
        return differences

    def _told(self, differences: list[str]) -> list[str]:
        lines = [f"the books do not balance after {PAUSE_SECONDS} s: {len(differences)} differences"]
        for each in differences[:5]:
            lines += [f"    {each}", self.books.story(each.partition(":")[0])]
        return lines

    def look(self) -> None:
        """Have the driver say that it runs."""
        looks = len(self.books.looks)
        self.tell("look")
        self.until(lambda: len(self.books.looks) > looks, "answer of the framework's process")
        if not self.books.looks[-1]["running"]:
            raise Unbalanced("the driver does not run")

    def limit_descriptors(self, most: int) -> None:
        """Allow the framework's process no more descriptors than this."""
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (most, most))

    def end(self) -> None:
        """Stop the framework. Its process must end in order, and nothing of it may be left.

        :raises Unbalanced: something is wrong
        """
        self.look()
        # An agent of the real Mesos keeps an executor for good that was to be launched when its framework was removed.
        self._settle()
        self.tell("stop")
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unbalanced("the framework's process hangs at its end") from None
        self.books.read()
        wrong = [*self.books.faults, *self._growth(), *self._launched_twice()]
        errors = self._errors.read_text()
        if status or "Traceback" in errors or "panicked" in errors:
            wrong.append(f"the framework ended with {status}\n{errors}")
        wrong += [f"{name}: this executor does not end" for name in self._left()]
        if wrong:
            raise Unbalanced("\n".join(wrong))

    def _left(self) -> list[str]:
        """The executors that still run a while after the master that leads has removed the framework."""
        until, left = time.monotonic() + STOP_SECONDS, list[str]()
        while time.monotonic() < until:
            left = executors(self.leader, self.books.framework)
            if not left:
                break
            time.sleep(LOOK_SECONDS * 4)  # no event tells
        return left

    def kill(self) -> None:
        """End the framework's process, if it runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()

    def _growth(self) -> list[str]:
        """Threads or descriptors that the last quarter of the pauses never saw as few as the first did."""
        quarter = max(1, len(self.samples) // 4)
        first, last = self.samples[:quarter], self.samples[-quarter:]
        grown = []
        for what in ("threads", "descriptors"):
            before, after = max(getattr(s, what) for s in first), min(getattr(s, what) for s in last)
            if after > before + 1:  # the thread of helpers, and a connection for calls, come and go
                grown.append(f"{what} of the framework's process grew from {before} to {after}")
        return grown

    def _launched_twice(self) -> list[str]:
        launched = collections.Counter(self._launches.read_text().split())
        return [f"{name}: executors were told {n} times to launch it" for name, n in launched.items() if n > 1]
