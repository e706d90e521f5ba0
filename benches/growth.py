"""How CPU and memory grow: tasks in flight, offers per event, calls without an answer, frameworks, agents, executors.

Each part is one series of sizes, each of which runs in a process of its own: CPU for one of what there is to do, memory
at its most for one of what the driver or the cluster has to know at once, and what is left of it at the end. ``growth``
is the exponent between the two largest sizes: 0 if each costs the same however many there are. A series of which it is
more than 0.25 above what is expected is marked. ``growth.rs`` has the master by itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import growth_cluster

HERE = Path(__file__).resolve().parent
COUNTED = 20_000
"""So many events are measured."""
TOLERATED = 0.25
IN_FLIGHT = (10, 1_000, 50_000)


@dataclasses.dataclass(frozen=True)
class Series:
    """What is measured at each size.

    :param unit: what the CPU is for, each
    :param kept: what the memory is for, each
    :param expected: the exponent that the work itself has
    """

    name: str
    face: str
    kind: str
    unit: str
    kept: str
    sizes: tuple[int, ...]
    expected: float = 0.0


FACES = ("classic", "dicts", "aio")
SERIES = [
    *(Series(f"updates, {face}", face, "updates", "update", "task", IN_FLIGHT) for face in FACES),
    Series("updates not acknowledged", "explicit", "updates", "update", "task", IN_FLIGHT),
    *(
        Series(f"offers per event, {face}", face, "offers", "offer", "offer", (10, 100, 1_000, 10_000))
        for face in FACES
    ),
    Series("declines, outstanding offers", "classic", "outstanding", "offer and decline", "offer", IN_FLIGHT),
    Series("calls at once", "classic", "unanswered", "call", "call", IN_FLIGHT),
    Series("updates of an executor at once", "classic", "executor", "update", "update", IN_FLIGHT),
    Series("cluster: tasks in flight", "cluster", "tasks", "task", "task", (10, 1_000, 50_000)),
    Series("cluster: frameworks", "cluster", "frameworks", "task", "framework", (1, 10, 100, 1_000)),
    Series("cluster: agents", "cluster", "agents", "task", "agent", (1, 10, 100, 1_000)),
    Series("cluster: executors of an agent", "cluster", "executors", "task", "executor", (10, 100, 1_000)),
    Series("cluster: subscribed operators", "cluster", "watchers", "task", "operator", (1, 10, 100, 1_000), expected=1),
]


def of_driver(series: Series, size: int) -> dict[str, float]:
    filled = size if series.kind in ("updates", "outstanding") else 0
    counted = max(COUNTED, 2 * size) if series.kind in ("offers", "unanswered", "executor") else COUNTED
    counted -= counted % size if filled == 0 else 0
    numbers = [str(size), str(filled + counted)]
    serve = [sys.executable, str(HERE / "growth_stub.py"), series.kind, *numbers]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as stub:
        assert stub.stdout is not None
        port = stub.stdout.readline().strip()
        client = [sys.executable, str(HERE / "growth_client.py"), series.face, series.kind]
        arguments = [str(size), str(filled), str(counted), port]
        measured = subprocess.run([*client, *arguments], stdout=subprocess.PIPE, text=True, check=True)
        stub.kill()
    found: dict[str, float] = json.loads(measured.stdout)
    return found


def measure(series: Series, size: int, rounds: int) -> dict[str, float]:
    """The medians of some rounds."""
    one = growth_cluster.measure if series.face == "cluster" else None
    runs = [one(series.kind, size) if one else of_driver(series, size) for _ in range(rounds)]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def growth(sizes: tuple[int, ...], figures: list[float]) -> float:
    return math.log(figures[-1] / figures[-2]) / math.log(sizes[-1] / sizes[-2])


def report(series: Series, rounds: int) -> dict[str, Any]:
    measured = [measure(series, size, rounds) for size in series.sizes]
    us = [each["us"] for each in measured]
    grown = growth(series.sizes, us)
    print(f"\n{series.name}: us of CPU for each {series.unit}, kB for each {series.kept}")
    for size, each in zip(series.sizes, measured, strict=True):
        peak, left = each["peak_kb"] / size, each["left_kb"] / size
        ratio = each["us"] / us[0]
        print(f"{size:>10}{each['us']:>12.2f} us{ratio:>8.2f}{peak:>12.2f} kB{left:>12.2f} kB left", flush=True)
    marked = "  !" if grown > series.expected + TOLERATED else ""
    print(f"{'growth':>10}{grown:>12.2f}   expected {series.expected:.2f}{marked}")
    return {**dataclasses.asdict(series), "measured": measured, "growth": grown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="the series whose names have this in them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="PATH", type=Path, help="write the figures there too")
    options = parser.parse_args()
    reports = [report(series, options.rounds) for series in SERIES if options.only in series.name]
    if options.json is not None:
        options.json.write_text(json.dumps(reports, indent=2) + "\n")


if __name__ == "__main__":
    main()
