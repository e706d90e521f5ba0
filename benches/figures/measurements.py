"""What is measured: a function for each thing, which returns one reading of one participant."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mesos.local import LocalCluster

from benches.figures.flood_master import flood
from benches.figures.participants import AGAINST, APACHE, CLIENTS, DASK, FLOOR, OURS, PYMESOS, ROOT, Absent, mesos_home
from tests.apache_mesos import ApacheMesos

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from benches.figures.participants import Participant

    Values = dict[str, float]
    Read = Callable[["Setting", Participant], Values]

MODULES = ("mesos.interface.mesos_pb2", "mesos.scheduler")
AGENTS = 2
MEGABYTE = 1e6


@dataclass(frozen=True)
class Sizes:
    """How much work a reading is.

    :param tasks: past some 3,000 of an executor, a real agent itself slows down
    :param flood: updates or offers
    :param slow_flood: of them for pymesos, which takes a hundred times as long for each
    :param floor: tasks, updates or offers, of which each takes a few microseconds
    :param commands: tasks on the embedded cluster
    """

    tasks: int = 2000
    flood: int = 20_000
    slow_flood: int = 2000
    floor: int = 20_000
    commands: int = 200


QUICK = Sizes(tasks=200, flood=2000, slow_flood=500, floor=5000, commands=40)


class Setting:
    """What readings need: the sizes, a wheel, and a cluster, which is started when it is first wanted.

    :param embedded: whether the cluster is an embedded one, instead of the real Mesos
    :param wheel: the wheel to be weighed; by default the newest one in ``dist/``
    """

    def __init__(self, sizes: Sizes, embedded: bool = False, wheel: Path | None = None) -> None:
        self.sizes, self.embedded = sizes, embedded
        self._wheel = wheel
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Setting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def master(self) -> str:
        """The address of a cluster with two agents.

        :raises Absent: there is no real Mesos
        """
        if self.embedded:
            cluster = LocalCluster(agents=AGENTS, resources={"cpus": 8, "mem": 8192})
            return self._stack.enter_context(cluster).address
        home, work = mesos_home(), self.directory()
        flags = {"MESOS_ALLOCATION_INTERVAL": "200ms"}
        return self._stack.enter_context(ApacheMesos(home, work, agents=AGENTS, flags=flags)).address

    @property
    def wheel(self) -> Path:
        """The wheel to be weighed.

        :raises Absent: there is none
        """
        wheels = (
            [self._wheel] if self._wheel else sorted(ROOT.glob("dist/*.whl"), key=lambda file: file.stat().st_mtime)
        )
        if not wheels:
            raise Absent("no wheel in dist/: `make wheels` makes one")
        return wheels[-1]

    def directory(self) -> Path:
        """A directory that goes with the setting."""
        made = tempfile.TemporaryDirectory(prefix="remesos-bench-", ignore_cleanup_errors=True)
        return Path(self._stack.enter_context(made))


@dataclass(frozen=True)
class Measurement:
    """Something that is measured.

    :param participants: the names of those of whom it can be measured
    :param read: makes one reading
    :param once: whether a second reading would be the same
    """

    name: str
    participants: tuple[str, ...]
    read: Read
    once: bool = False


def tasks(setting: Setting, who: Participant) -> Values:
    if who.name == FLOOR:
        return who.run("floor.py", "task", setting.sizes.floor)
    if setting.embedded and who.name == APACHE:
        raise Absent("Apache's driver speaks to Apache's masters alone, not to an embedded one")
    executor = f"exec {sys.executable} {CLIENTS / 'noop_executor.py'}"
    return who.run(client("tasks", who), setting.master, setting.sizes.tasks, executor)


def updates(setting: Setting, who: Participant) -> Values:
    return flooded(setting, who, "update")


def offers(setting: Setting, who: Participant) -> Values:
    return flooded(setting, who, "offer")


def flooded(setting: Setting, who: Participant, kind: str) -> Values:
    if who.name == FLOOR:
        return who.run("floor.py", kind, setting.sizes.floor)
    number = setting.sizes.slow_flood if who.name == PYMESOS else setting.sizes.flood
    with flood(kind, number) as address:
        return who.run(client("flood", who), address, number)


def first_offer(setting: Setting, who: Participant) -> Values:
    variables = {"MESOS_WORK_DIR": str(setting.directory())} if who.name == APACHE else {}
    return who.run("first_offer.py", **variables)


def imports(_: Setting, who: Participant) -> Values:
    return who.run("imports.py", *(["pymesos"] if who.name == PYMESOS else MODULES))


def wheel(setting: Setting, who: Participant) -> Values:
    if who.name == OURS:
        return {"size_mb": setting.wheel.stat().st_size / MEGABYTE}
    egg = next(mesos_home().glob("eggs/mesos.scheduler-*.egg"))
    return {"size_mb": egg.stat().st_size / MEGABYTE}


def commands(setting: Setting, who: Participant) -> Values:
    return who.run("commands_dask.py" if who.name == DASK else "commands.py", setting.sizes.commands)


def client(work: str, who: Participant) -> str:
    """The program for this API."""
    return f"{work}_pymesos.py" if who.name == PYMESOS else f"{work}_classic.py"


TASKS = Measurement("tasks", (OURS, AGAINST, APACHE, PYMESOS, FLOOR), tasks)
UPDATES = Measurement("updates", (OURS, AGAINST, PYMESOS, FLOOR), updates)
OFFERS = Measurement("offers", (OURS, AGAINST, PYMESOS, FLOOR), offers)
WHEEL = Measurement("wheel", (OURS, APACHE), wheel, once=True)
FIRST_OFFER = Measurement("first offer", (OURS, AGAINST, APACHE), first_offer)
IMPORTS = Measurement("imports", (OURS, AGAINST, APACHE, PYMESOS), imports)
COMMANDS = Measurement("commands", (OURS, AGAINST, DASK), commands)
