"""What happens to a framework, its connections and its clusters, round by round."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.apache_mesos import ZooKeeper
from tests.apache_mesos.election import Election, master_info
from tests.chaos.stage import Stage, Unbalanced
from tests.chaos.towns import Apache, Embedded, Town
from tests.python.proxy import Proxy
from tests.python.split_proxy import POINTS, SplitProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STOPPED_SECONDS = 120
CUTS_BETWEEN_PAUSES = 10
DISK_MB = 64
DESCRIPTORS = 64


@dataclass
class Play:
    """A scenario with its surroundings: where, with which API, how often, and from which seed."""

    towns: Callable[[Path, int], Town]
    face: str
    times: int
    seed: int
    directory: Path
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.stage: Stage | None = None

    def town(self, name: str | Path = "work", agents: int = 2) -> Town:
        """A cluster that is up, on a directory of its own."""
        made = self.towns(self.directory / name, agents)
        made.start()
        return made

    @contextlib.contextmanager
    def staged(self, towns: list[Town], master: str, log: Path | None = None) -> Iterator[Stage]:
        """The framework under load; stopped at the end, or killed if something is wrong."""
        self.stage = stage = Stage(towns, master, self.face, self.seed, self.directory, log)
        try:
            stage.until(lambda: stage.books.connected, "registration")
            yield stage
            stage.end()
        finally:
            stage.kill()

    def rounds(self, stage: Stage, ends: int = 10, longest: float = 0.5) -> Iterator[int]:
        """The numbers of the rounds, each of which begins a moment after some tasks have ended."""
        for number in range(1, self.times + 1):
            stage.work(ends)
            time.sleep(self.chance.uniform(0, longest))  # when things happen is left to chance
            yield number
            books = stage.books
            self.say(f"round {number}: {len(books.tasks)} launched, {len(books.running())} running")


def master(play: Play) -> None:
    """Kill the master and its agents with SIGKILL, and start them again."""
    town = play.town()
    with stopping(town), play.staged([town], town.address) as stage:
        for _ in play.rounds(stage):
            before = stage.registrations()
            stage.hurt("killed")
            town.crash()
            stage.crashed.add(town.address)
            town.start()
            stage.reconnected(before)
            stage.hurt("started again")
            stage.pause()


def connections(play: Play) -> None:
    """Cut the stream of events, the connections for calls, or both: between messages, and within them."""
    town = play.town()
    with stopping(town), SplitProxy(town.address) as proxy, play.staged([town], proxy.address) as stage:
        for number in play.rounds(stage, ends=1, longest=0.1):
            cut(stage, proxy, play.chance)
            if number % CUTS_BETWEEN_PAUSES == 0 or number == play.times:
                stage.pause()


def cut(stage: Stage, proxy: SplitProxy, chance: random.Random) -> None:
    """One cut, and what follows from it."""
    before, way = stage.registrations(), chance.choice(["stream", "calls", "both"])
    if way != "stream":
        cut_calls(stage, proxy, chance)
    if way != "calls":
        amid = chance.random() < 0.5
        stage.hurt(f"the stream is cut{' amid an event' if amid else ''}")
        proxy.cut_stream(amid)
        stage.reconnected(before)


def cut_calls(stage: Stage, proxy: SplitProxy, chance: random.Random) -> None:
    """Cut the connections for calls as they are, or that of the next call at some point of its life."""
    if chance.random() < 0.4:
        how = chance.choice(["cut", "reset", "half"])
        stage.hurt(f"connections for calls end: {how}")
        proxy.end_calls(how)
        return
    point = chance.choice(POINTS)
    proxy.cut_at(point, lambda _: True)
    stage.until(lambda: not proxy.pending, "call that could be cut")
    stage.hurt(f"a call was cut: {point}")


def leader(play: Play) -> None:
    """Move the leader's node in ZooKeeper: to another cluster, to the same one again, or to none for a while."""
    with contextlib.ExitStack() as stack:
        towns = [play.town(name, agents=1) for name in ("first", "second")]
        for town in towns:
            stack.enter_context(stopping(town))
        election = stack.enter_context(elections(play))
        election.lead(towns[0].address)
        stage = stack.enter_context(play.staged(towns, election.url))
        for _ in play.rounds(stage):
            move(stage, election, play.chance.choice(towns), play.chance)
            stage.pause()
        for town in towns:
            move(stage, election, town, play.chance)
            stage.pause()


def move(stage: Stage, election: Election, town: Town, chance: random.Random) -> None:
    """Have a master lead, and wait until the framework has found it."""
    stage.hurt(f"{town.address} is to lead")
    if chance.random() < 0.3:
        election.lead(None)
        time.sleep(chance.uniform(0, 1))  # how long nobody leads is left to chance
    election.lead(town.address)
    stage.leader = town
    leads = master_info(town.address)["id"]
    stage.until(lambda: stage.books.connected and stage.books.master == leads, "registration with the leader")
    stage.hurt("it leads")


def suspended(play: Play) -> None:
    """Stop the framework's process with SIGSTOP for two minutes, and let it go on."""
    town = play.town()
    with stopping(town), play.staged([town], town.address) as stage:
        stage.pause()
        for _ in play.rounds(stage):
            stage.process.send_signal(signal.SIGSTOP)
            time.sleep(STOPPED_SECONDS)
            if Path(f"/proc/{stage.process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                raise Unbalanced("somebody else has sent SIGCONT")
            stage.hurt("goes on")
            stage.process.send_signal(signal.SIGCONT)
            stage.look()
            stage.pause()


def disk(play: Play) -> None:
    """Fill the disk that has the work directories of master and agents, and the framework's log."""
    with small_disk() as place:
        town = play.town(place / "work")
        with stopping(town), play.staged([town], town.address, log=place / "framework.log") as stage:
            for _ in play.rounds(stage):
                stage.hurt("the disk is full")
                fill(place / "filler")
                time.sleep(play.chance.uniform(2, 5))  # what is there to see happens, or does not
                stage.look()
                (place / "filler").unlink()
                if not town.is_up():
                    stage.crashed.add(town.address)
                    before = stage.registrations()
                    town.start()
                    stage.reconnected(before)
                stage.hurt("there is room")
                stage.pause()


def descriptors(play: Play) -> None:
    """Take all descriptors of the framework's process while its connections to master and ZooKeeper break."""
    with contextlib.ExitStack() as stack:
        town = play.town()
        stack.enter_context(stopping(town))
        proxy = stack.enter_context(contextlib.closing(Proxy(town.address)))
        election = stack.enter_context(elections(play))
        keeper = stack.enter_context(contextlib.closing(Proxy(election.zookeeper.address)))
        election.lead(proxy.address)
        stage = stack.enter_context(play.staged([town], f"zk://{keeper.address}/mesos"))
        stage.limit_descriptors(DESCRIPTORS)
        stage.pause()
        for _ in play.rounds(stage):
            before, hogged = stage.registrations(), stage.books.counts["hogged"]
            stage.hurt("no descriptors are left")
            stage.tell("hog")
            stage.until(lambda hogged=hogged: stage.books.counts["hogged"] > hogged, "descriptor left")
            proxy.cut()
            keeper.cut()
            time.sleep(play.chance.uniform(0.5, 3))  # so long nothing can be opened
            stage.look()
            stage.tell("free")
            stage.reconnected(before)
            stage.hurt("descriptors are free")
            stage.pause()


SCENARIOS: dict[str, tuple[Callable[[Play], None], int]] = {
    "master": (master, 50),
    "connections": (connections, 500),
    "leader": (leader, 50),
    "suspended": (suspended, 1),
    "disk": (disk, 5),
    "descriptors": (descriptors, 10),
}
"""The scenarios, with the number of their rounds."""


@contextlib.contextmanager
def stopping(town: Town) -> Iterator[Town]:
    try:
        yield town
    finally:
        town.stop()


@contextlib.contextmanager
def elections(play: Play) -> Iterator[Any]:
    """A real ZooKeeper, and who leads in it."""
    missing = ZooKeeper.missing()
    if missing:
        raise SystemExit(missing)
    with ZooKeeper(play.directory / "zookeeper") as server, Election(server) as election:
        yield election


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of :data:`DISK_MB`."""
    if os.geteuid() != 0:
        raise SystemExit("the scenario disk mounts a small file system, for which one has to be root")
    with tempfile.TemporaryDirectory(prefix="chaos-disk-") as place:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", place], check=True)
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


def fill(file: Path) -> None:
    """Write until nothing is left of the disk."""
    with file.open("wb", buffering=0) as filler:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while filler.write(os.urandom(size)):
                    pass


TOWNS: dict[str, Callable[[Path], Callable[[Path, int], Town]]] = {
    "apache": lambda home: lambda work, agents: Apache(home, work, agents),
    "embedded": lambda _: lambda work, agents: Embedded(work, agents),
}
