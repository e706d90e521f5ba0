"""The classic driver held against Apache's own, scenario by scenario.

A scenario is written once, in Python that runs on 2.7 and 3 (``play/``), and prints a trace of calls, what they
returned, and callbacks. It is played on three lanes: Apache's driver on the real Mesos, ours on the real Mesos, ours on
the embedded cluster; and most on two more: pymesos' API behind the classic interface (``play/dicts.py``), on both masters. What Apache's driver gave is recorded in ``recorded/``; if ours differs on purpose, what it
gives is in ``deliberate/``, and ``docs/compatibility.md`` says why. ``python -m tests.conformance`` prints the table.
"""

from __future__ import annotations

import abc
import contextlib
import difflib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos.local import LocalCluster

from tests.apache_mesos import (
    ALLOCATION_INTERVAL,
    ApacheMesos,
    ZooKeeper,
    credentials,
    environment,
    python27_environment,
)
from tests.apache_mesos.election import Election
from tests.conformance.through_dicts import EXCLUDED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

HERE = Path(__file__).resolve().parent
RECORDED, DELIBERATE = HERE / "recorded", HERE / "deliberate"
EXECUTORS = HERE.parent / "executors"
RESOURCES = "cpus:8;mem:8192;disk:20000;ports:[31000-32000]"
AGENTS = 2
PLAY_SECONDS = 60
IDLE_SECONDS = 10
MASTERS = {"d": "c", "e": "b"}
"""Lanes that play through dicts, and the lanes of the classic driver on the same masters, of which they give the traces."""
# What a call of ours that raises is held to: an exception that code written for Apache's catches too.
ANY_EXCEPTION = "raises Exception"


@dataclass(frozen=True)
class Scenario:
    """One of ``play/scenarios``."""

    name: str
    needs: dict[str, Any] = field(hash=False)

    def on(self, lane: str, *, excluded: bool = False) -> bool:
        """Whether it can be played on this lane. With `excluded`, through dicts too if it differs there."""
        if lane in MASTERS and self.name in EXCLUDED and not excluded:
            return False
        return MASTERS.get(lane, lane) in self.needs.get("lanes", "abc")

    def recorded(self) -> str:
        """What Apache's driver gave."""
        return (RECORDED / f"{self.name}.txt").read_text()

    def expected(self, lane: str) -> str:
        """What this lane has to give."""
        path = self.deliberate(lane)
        return path.read_text() if path is not None else self.recorded()

    def deliberate(self, lane: str) -> Path | None:
        """Where a difference on purpose is written down."""
        names = {"a": [], "b": [self.name], "c": [f"{self.name}.embedded", self.name]}[MASTERS.get(lane, lane)]
        paths = [DELIBERATE / f"{name}.txt" for name in names]
        return next((path for path in paths if path.exists()), None)


@cache
def scenarios() -> list[Scenario]:
    """Every scenario, in the order in which they are written."""
    listed = subprocess.run([sys.executable, str(HERE / "play")], capture_output=True, text=True, check=True)
    return [Scenario(name, needs) for name, _, needs in json.loads(listed.stdout)]


def differences(expected: str, actual: str) -> list[str]:
    """The lines in which a trace differs from what is expected; none if an exception is only more precise."""
    wanted, got = expected.splitlines(), actual.splitlines()
    if len(wanted) == len(got):
        pairs = zip(wanted, got, strict=True)
        if all(one == other or more_precise(one, other) for one, other in pairs):
            return []
    return list(difflib.unified_diff(wanted, got, "expected", "got", lineterm="", n=1))[2:]


def more_precise(expected: str, got: str) -> bool:
    call, found, _ = expected.partition(ANY_EXCEPTION)
    return bool(found) and got.startswith(f"{call}raises ")


class Lane(abc.ABC):
    """A driver and clusters for it; one shared by the scenarios that leave it as it was, others made for one play."""

    def __init__(self, name: str, title: str, work_dir: Path) -> None:
        self.name, self.title = name, title
        self._work_dir = work_dir
        self._shared: ApacheMesos | LocalCluster | None = None
        self._zookeeper: ZooKeeper | None = None

    def command(self) -> list[str]:
        return [sys.executable]

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in environment().items() if not k.startswith(("MESOS_", "LIBPROCESS_", "REMESOS_MASTER"))}
        # What the drivers say of connections and callbacks that raise is not part of a trace.
        return {**kept, "PYTHONWARNINGS": "ignore", "CONFORMANCE_EXECUTOR": self.executor()}

    def executor(self) -> str:
        """The command of the scripted executor, on our driver."""
        return f"exec {sys.executable} {EXECUTORS / 'scripted.py'} classic"

    @abc.abstractmethod
    def cluster(self, flags: dict[str, str]) -> ApacheMesos | LocalCluster:
        """A started cluster."""

    def play(self, scenario: Scenario) -> str:
        """Plays a scenario; its trace."""
        with contextlib.ExitStack() as stack:
            stage = self._stage(scenario, stack)
            return self._perform(scenario, stage)

    def _stage(self, scenario: Scenario, stack: contextlib.ExitStack) -> _Stage:
        if not scenario.needs.get("own"):
            if self._shared is None:
                self._shared = self.cluster({})
            wait_idle(self._shared.address)
            return _Stage([self._shared.address])
        number = 2 if scenario.needs.get("zookeeper") else 1
        flags = self._flags(scenario)
        clusters = [stack.enter_context(_stopped(self.cluster(flags))) for _ in range(number)]
        if number == 1:
            return _Stage([clusters[0].address])
        if self._zookeeper is None:
            self._zookeeper = ZooKeeper(Path(tempfile.mkdtemp(dir=self._work_dir))).start()
        election = stack.enter_context(Election(self._zookeeper, f"/{uuid.uuid4()}"))
        election.lead(clusters[0].address)
        return _Stage([cluster.address for cluster in clusters], election)

    def _flags(self, scenario: Scenario) -> dict[str, str]:
        """The flags of a scenario's own cluster; credentials go into a file, as the master wants them."""
        flags = dict(scenario.needs.get("flags", {}))
        if "MESOS_CREDENTIALS" in flags:
            path = Path(tempfile.mkdtemp(dir=self._work_dir)) / "credentials"
            flags.update(credentials(path, *flags["MESOS_CREDENTIALS"].split()))
        return flags

    def _perform(self, scenario: Scenario, stage: _Stage) -> str:
        command = [*self.command(), str(HERE / "play"), stage.master, stage.state, scenario.name]
        sections: dict[str, list[str]] = defaultdict(list)
        with (
            tempfile.TemporaryFile("w+", dir=self._work_dir) as said,
            subprocess.Popen(
                command,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            ) as process,
        ):
            killer = threading.Timer(PLAY_SECONDS, process.kill)
            killer.start()
            self._listen(process, stage, sections)
            code = process.wait()
            killer.cancel()
            said.seek(0)
            last = said.read().splitlines()[-1:]
        if code < 0:
            sections["process"].append(f"killed by {signal.Signals(-code).name}")
        elif code == 1:
            sections["process"].append(f"exit 1: {last}")
        elif code:
            sections["process"].append(f"exit {code}")
        shown = (f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sorted(sections.items()))
        return "\n".join(shown)

    @staticmethod
    def _listen(process: subprocess.Popen[str], stage: _Stage, sections: dict[str, list[str]]) -> None:
        """Takes in what is written into the trace, and does what is demanded, until the process ends."""
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            written = json.loads(line)
            if isinstance(written, list):
                sections[written[0]].append(written[1])
                continue
            stage.meet(written["demand"])
            process.stdin.write("done\n")
            process.stdin.flush()

    def close(self) -> None:
        """Ends the shared cluster."""
        for server in (self._shared, self._zookeeper):
            if server is not None:
                server.stop()
        self._shared = self._zookeeper = None

    def __enter__(self) -> Lane:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class RealLane(Lane):
    """Ours on the real Mesos."""

    def __init__(self, name: str, title: str, work_dir: Path, home: Path) -> None:
        super().__init__(name, title, work_dir)
        self.home = home

    def cluster(self, flags: dict[str, str]) -> ApacheMesos:
        work = Path(tempfile.mkdtemp(dir=self._work_dir))
        return ApacheMesos(self.home, work, agents=AGENTS, flags={"MESOS_RESOURCES": RESOURCES, **flags}).start()


class ApacheLane(RealLane):
    """Apache's driver on the real Mesos."""

    def command(self) -> list[str]:
        return [python27_environment(self.home)["MESOS_PYTHON27"]]

    def executor(self) -> str:
        """On plain HTTP: Apache has no executor driver for Python in its packages."""
        return f"exec {sys.executable} {EXECUTORS / 'scripted.py'} plain"

    def environment(self) -> dict[str, str]:
        ours = {k: v for k, v in super().environment().items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
        theirs = python27_environment(self.home)
        needed = {key: theirs[key] for key in ("LD_LIBRARY_PATH", "PYTHONPATH")}
        quiet = {"LIBPROCESS_IP": "127.0.0.1", "GLOG_minloglevel": "3", "PYTHONDONTWRITEBYTECODE": "1"}
        return {**ours, **needed, **quiet}


class EmbeddedLane(Lane):
    """Ours on the embedded cluster."""

    def cluster(self, flags: dict[str, str]) -> LocalCluster:
        # Lanes play side by side with each other and with tests: none may set the environment of this process.
        return LocalCluster(
            agents=AGENTS,
            resources=RESOURCES,
            work_dir=tempfile.mkdtemp(dir=self._work_dir),
            allocate_on_recovery=False,
            allocation_interval=ALLOCATION_INTERVAL,
            executor_registration_timeout=flags.get("MESOS_EXECUTOR_REGISTRATION_TIMEOUT"),
        )


class ThroughDicts(Lane):
    """Ours through the API of pymesos, whose messages are dicts."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "CONFORMANCE_DRIVER": "dicts"}


class EmbeddedDictsLane(ThroughDicts, EmbeddedLane):
    """Ours through dicts on the embedded cluster."""


class RealDictsLane(ThroughDicts, RealLane):
    """Ours through dicts on the real Mesos."""


class _Stage:
    """The master or masters of one play."""

    def __init__(self, addresses: list[str], election: Election | None = None) -> None:
        self._addresses, self._election = addresses, election
        self.master = addresses[0] if election is None else election.url
        self.state = addresses[0]

    def meet(self, demand: str) -> None:
        """Does what a scenario wants: `lead N` has the master of that number lead, and 0 none."""
        verb, number = demand.split()
        assert verb == "lead"
        assert self._election is not None
        self._election.lead(self._addresses[int(number) - 1] if int(number) else None)


def wait_idle(address: str) -> None:
    """Remove what is left of the frameworks before, and wait until nothing is."""
    until = time.monotonic() + IDLE_SECONDS
    while time.monotonic() < until:
        with urllib.request.urlopen(f"http://{address}/state", timeout=10) as response:
            state = json.load(response)
        if not state["frameworks"] and not any(agent["used_resources"]["cpus"] for agent in state["slaves"]):
            return
        for framework in state["frameworks"]:
            body = f"frameworkId={framework['id']}".encode()
            with contextlib.suppress(urllib.error.HTTPError):  # it is gone
                urllib.request.urlopen(f"http://{address}/teardown", body, timeout=10).close()
        time.sleep(0.02)  # nothing tells when


@contextlib.contextmanager
def _stopped(cluster: ApacheMesos | LocalCluster) -> Iterator[ApacheMesos | LocalCluster]:
    try:
        yield cluster
    finally:
        cluster.stop()


@contextlib.contextmanager
def lanes(home: Path | None) -> Iterator[dict[str, Lane]]:
    """The lanes; those of the real Mesos only if it is laid out."""
    work_dir = Path(tempfile.mkdtemp(prefix="remesos-conformance-"))
    made: list[Lane] = [
        EmbeddedLane("c", "ours on the embedded cluster", work_dir),
        EmbeddedDictsLane("d", "ours through dicts on the embedded cluster", work_dir),
    ]
    if home is not None:
        made.append(RealDictsLane("e", "ours through dicts on the real Mesos", work_dir, home))
        made.insert(0, RealLane("b", "ours on the real Mesos", work_dir, home))
        made.insert(0, ApacheLane("a", "Apache's on the real Mesos", work_dir, home))
    try:
        yield {lane.name: lane for lane in made}
    finally:
        for lane in made:
            lane.close()
        shutil.rmtree(work_dir, ignore_errors=True)
