"""Clusters to play on: the real Mesos and the embedded one, made with the same flags."""

from __future__ import annotations

import abc
import contextlib
import os
import queue
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mesos.local import LocalCluster, Run

from tests.allocation.masters import Master, SkippingMaster
from tests.allocation.stage import INTERVAL, Scenario, Stage
from tests.apache_mesos import ApacheMesos, environment
from tests.conformance import wait_idle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# How often a scenario is played at most, if the machine is too busy.
PLAYS = 3
RESOURCES = "cpus:8;mem:8192;disk:20000;ports:[31000-32000]"
# What is not as with Mesos unless a LocalCluster is told so.
AS_MESOS: dict[str, Any] = {"allocation_interval": INTERVAL, "allocate_on_recovery": False}

# Scenarios, and how often each has been played when this play is over.
Waiting: TypeAlias = "queue.SimpleQueue[tuple[Scenario, int]]"


class Lane(abc.ABC):
    """One kind of cluster. Several threads play on clusters of their own."""

    title: str
    # How many clusters play at the same time. They wait for batch allocations most of the time.
    workers: int

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir

    def play(self, scenarios: Iterable[Scenario], took: Callable[[Scenario, list[str]], None]) -> None:
        """Plays all of them, several at a time; ``took`` gets each trace as it is made."""
        waiting: Waiting = queue.SimpleQueue()
        for scenario in sorted(scenarios, key=lambda one: (one.fresh, one.cluster)):
            waiting.put((scenario, 1))
        workers = [threading.Thread(target=self._work, args=(waiting, took)) for _ in range(self.workers)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _work(self, waiting: Waiting, took: Callable[[Scenario, list[str]], None]) -> None:
        cluster: ApacheMesos | LocalCluster | None = None
        before: Scenario | None = None
        with contextlib.suppress(queue.Empty):
            while True:
                scenario, played = waiting.get_nowait()
                if cluster is not None and (before is None or not self.serves(before, scenario)):
                    cluster.stop()
                    cluster = None
                try:
                    if cluster is None:
                        cluster = self.cluster(scenario)
                    stage = Stage(self.master(cluster), scenario)
                    trace = stage.perform()
                    self.rest(cluster)
                    before = scenario
                    if stage.disturbed and played < PLAYS:
                        waiting.put((scenario, played + 1))
                    else:
                        took(scenario, trace)
                except Exception as error:  # it differs from whatever the other lane gives
                    took(scenario, [f"could not be played: {error!r}"])
                    before = None
        if cluster is not None:
            cluster.stop()

    def serves(self, before: Scenario, scenario: Scenario) -> bool:
        """Whether the cluster of the scenario before will do."""
        return not (before.fresh or scenario.fresh) and before.cluster == scenario.cluster

    def master(self, cluster: ApacheMesos | LocalCluster) -> Master:
        return Master(cluster.address)

    def rest(self, cluster: ApacheMesos | LocalCluster) -> None:
        """Waits until nothing of a scenario is left."""
        wait_idle(cluster.address)

    def _flags(self, scenario: Scenario) -> dict[str, str]:
        interval = {"MESOS_ALLOCATION_INTERVAL": f"{round(INTERVAL * 1000)}ms"}
        return {"MESOS_RESOURCES": RESOURCES, **interval, **dict(scenario.flags)}

    @abc.abstractmethod
    def cluster(self, scenario: Scenario) -> ApacheMesos | LocalCluster:
        """A started cluster with what the scenario needs."""


class Real(Lane):
    """The real Mesos."""

    title = "real"
    workers = 6

    def __init__(self, work_dir: Path, home: Path) -> None:
        super().__init__(work_dir)
        self._home = home

    def cluster(self, scenario: Scenario) -> ApacheMesos:
        work = Path(tempfile.mkdtemp(dir=self._work_dir))
        return ApacheMesos(self._home, work, agents=scenario.agents, flags=self._flags(scenario)).start()


class Embedded(Lane):
    """The embedded cluster, in virtual time and with simulated tasks."""

    title = "embedded"
    # They wait for nothing.
    workers = os.cpu_count() or 1
    _environment = threading.Lock()

    def cluster(self, scenario: Scenario) -> LocalCluster:
        """Made from the environment, as the real one is."""
        flags = {**self._flags(scenario), "MESOS_NUM_SLAVES": str(scenario.agents)}
        flags["MESOS_WORK_DIR"] = tempfile.mkdtemp(dir=self._work_dir)
        with self._environment:
            before = environment()
            os.environ.update(flags)
            try:
                return LocalCluster(simulate=Run(seconds=None), time="skip", **AS_MESOS)
            finally:
                for name in flags:
                    if name in before:
                        os.environ[name] = before[name]
                    else:
                        os.environ.pop(name, None)

    def master(self, cluster: ApacheMesos | LocalCluster) -> Master:
        assert isinstance(cluster, LocalCluster)
        return SkippingMaster(cluster)

    def rest(self, cluster: ApacheMesos | LocalCluster) -> None:
        """Each scenario has a cluster of its own."""

    def serves(self, before: Scenario, scenario: Scenario) -> bool:
        return False
