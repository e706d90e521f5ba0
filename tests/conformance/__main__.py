"""Prints the table: each scenario, on each lane.

``python -m tests.conformance`` plays all; names or parts of names play these. ``--record`` writes down anew what
Apache's driver gives, ``--deliberate`` what ours gives if it differs (say why in ``docs/compatibility.md``). ``--excluded`` plays also
what cannot be the same through dicts, to see how it differs.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time

from tests.apache_mesos import install
from tests.conformance import DELIBERATE, RECORDED, Lane, Scenario, differences, lanes, scenarios
from tests.python.conftest import apache_mesos_home

SAME, PURPOSE, DIFFERENT, ABSENT = "same", "on purpose", "DIFFERENT", "-"


class Table:
    """What came of each play, and in what it differs."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self.cells: dict[tuple[str, str], str] = {}
        self.details: list[str] = []

    def play(self, lane: Lane, chosen: list[Scenario]) -> None:
        for scenario in chosen:
            if scenario.on(lane.name, excluded=self._options.excluded):
                begun = time.monotonic()
                verdict = self.cells[scenario.name, lane.name] = self._judge(lane, scenario)
                print(f"{lane.name} {time.monotonic() - begun:5.1f} s  {scenario.name}: {verdict}", file=sys.stderr)

    def _judge(self, lane: Lane, scenario: Scenario) -> str:
        trace = lane.play(scenario)
        if self._options.verbose:
            self.details.append(f"--- {scenario.name}, {lane.title}\n{trace}")
        if lane.name == "a" and self._options.record:
            RECORDED.mkdir(exist_ok=True)
            (RECORDED / f"{scenario.name}.txt").write_text(trace)
            return "recorded"
        if lane.name in self._options.deliberate and differences(scenario.recorded(), trace):
            DELIBERATE.mkdir(exist_ok=True)
            name = f"{scenario.name}.embedded" if lane.name == "c" else scenario.name
            (DELIBERATE / f"{name}.txt").write_text(trace)
        different = differences(scenario.expected(lane.name), trace)
        if different:
            self.details.append(f"--- {scenario.name}, {lane.title}:\n" + "\n".join(different))
            return DIFFERENT
        return PURPOSE if scenario.deliberate(lane.name) else SAME

    def show(self, chosen: list[Scenario], titles: dict[str, str]) -> None:
        width = max(len(scenario.name) for scenario in chosen)
        for name, title in titles.items():
            print(f"{name}: {title}")
        print(f"{'scenario':{width}}  " + "  ".join(f"{name:10}" for name in titles))
        for scenario in chosen:
            cells = (self.cells.get((scenario.name, name), ABSENT) for name in titles)
            print(f"{scenario.name:{width}}  " + "  ".join(f"{cell:10}" for cell in cells))
        print(*self.details, sep="\n")
        bad = sum(cell == DIFFERENT for cell in self.cells.values())
        print(f"{len(chosen)} scenarios, {len(self.cells)} plays, {bad} different")
        sys.exit(1 if bad else 0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of scenarios' names")
    parser.add_argument("--record", action="store_true", help="write down what Apache's driver gives")
    parser.add_argument("--deliberate", default="", help="lanes whose differences are on purpose: b, c")
    parser.add_argument("--lanes", default="abcde")
    parser.add_argument("--excluded", action="store_true", help="play what is excluded through dicts")
    parser.add_argument("--verbose", action="store_true", help="print every trace")
    options = parser.parse_args()
    chosen = [s for s in scenarios() if not options.names or any(name in s.name for name in options.names)]
    real = set(options.lanes) & {"a", "b", "e"}
    home = install(apache_mesos_home()) if real else None
    table = Table(options)
    with lanes(home) as made:
        played = [lane for lane in made.values() if lane.name in options.lanes]
        first = [lane for lane in played if options.record and lane.name == "a"]
        for together in (first, [lane for lane in played if lane not in first]):
            threads = [threading.Thread(target=table.play, args=(lane, chosen)) for lane in together]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        table.show(chosen, {lane.name: lane.title for lane in played})


main()
