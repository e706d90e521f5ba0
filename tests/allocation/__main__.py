"""Plays the scenarios whose names contain one of NAME, or all, and prints what differs."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.allocation import Embedded, Lane, Real, Scenario, differences, read_record, scenarios, write_record
from tests.apache_mesos.install import install
from tests.python.conftest import apache_mesos_home

PLAYS_OF_A_RECORD = 3
SAME, DIFFERS = "same", "differs"


class Plays:
    """The traces of all lanes."""

    def __init__(self) -> None:
        self.traces: dict[tuple[str, str], list[str]] = {}
        self._begun = time.monotonic()

    def on(self, lanes: list[Lane], chosen: list[Scenario]) -> None:
        """Plays on these lanes at the same time."""
        threads = [threading.Thread(target=self._play, args=(lane, chosen)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _play(self, lane: Lane, chosen: list[Scenario]) -> None:
        def took(scenario: Scenario, trace: list[str]) -> None:
            self.traces[lane.title, scenario.name] = trace
            print(f"{time.monotonic() - self._begun:5.1f} s  {lane.title}: {scenario.name}", file=sys.stderr)

        lane.play(chosen, took)


def record(lane: Lane, chosen: list[Scenario]) -> None:
    """Plays on the real Mesos, and keeps the traces that are not the same."""
    kept = read_record()
    kept.update({scenario.name: [] for scenario in chosen})
    for _ in range(PLAYS_OF_A_RECORD):
        plays = Plays()
        plays.on([lane], chosen)
        for (_, name), trace in plays.traces.items():
            if trace not in kept[name]:
                kept[name].append(trace)
    write_record(kept)
    for name, traces in kept.items():
        if len(traces) > 1:
            print(f"{name}: {len(traces)} traces")


class Table:
    """What each scenario gave, against the record and, if it is played too, against the real one."""

    def __init__(self, plays: Plays, lanes: list[Lane], verbose: bool) -> None:
        self._plays, self._lanes, self._verbose = plays, lanes, verbose
        self._recorded = read_record()
        self._details: list[str] = []

    def show(self, chosen: list[Scenario]) -> int:
        """Prints it; how many differ."""
        width = max(len(scenario.name) for scenario in chosen)
        print(f"{'scenario':{width}}  " + "  ".join(f"{lane.title:12}" for lane in self._lanes))
        bad = 0
        for scenario in chosen:
            cells = self._judge(scenario)
            bad += any(cell == DIFFERS for cell in cells)
            print(f"{scenario.name:{width}}  " + "  ".join(f"{cell:12}" for cell in cells))
        print(*self._details, sep="\n")
        print(f"{len(chosen)} scenarios, {bad} differ")
        return bad

    def _judge(self, scenario: Scenario) -> list[str]:
        expected = self._recorded.get(scenario.name, [])
        cells = []
        for lane in self._lanes:
            trace = self._plays.traces[lane.title, scenario.name]
            different = differences(expected, trace)
            cells.append(DIFFERS if different else SAME)
            if different:
                self._details += [f"--- {scenario.name}: {lane.title}", *different]
            if self._verbose:
                self._details += [f"--- {scenario.name}, as played: {lane.title}", *trace]
            if lane.title == Real.title:
                # What is played beside it is held against what it gives today, too.
                expected = [*expected, trace]
        return cells


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.allocation", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a scenario's name")
    parser.add_argument("--only", choices=[Real.title, Embedded.title], help="play on one, and compare with the record")
    parser.add_argument("--record", action="store_true", help="keep what the real one gives in three plays")
    parser.add_argument("--verbose", action="store_true", help="print every trace")
    options = parser.parse_args()
    chosen = [s for s in scenarios() if not options.names or any(name in s.name for name in options.names)]
    with tempfile.TemporaryDirectory() as directory:
        lanes: list[Lane] = []
        if options.record or options.only != Embedded.title:
            lanes.append(Real(Path(directory), install(apache_mesos_home())))
        if options.record:
            record(lanes[0], chosen)
            return
        if options.only != Real.title:
            lanes.append(Embedded(Path(directory)))
        plays = Plays()
        plays.on(lanes, chosen)
        sys.exit(1 if Table(plays, lanes, options.verbose).show(chosen) else 0)


main()
