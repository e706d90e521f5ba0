"""Measures the figures that remesos is to reach, and writes all readings as JSON.

Participants take turns, so that a busy moment of the machine hits all alike. benches/README.md tells how to read it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches.figures.machine import machine, revision
from benches.figures.measurements import QUICK, Setting, Sizes
from benches.figures.participants import AGAINST, FINDERS, MADE, find
from benches.figures.ratios import Figure
from benches.figures.report import document, surroundings, table
from benches.figures.rounds import Rounds
from benches.figures.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benches.figures.rows import Row

ROUNDS, QUICK_ROUNDS = 5, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; the status of its process."""
    options = parsed(arguments)
    rows = [row for row in ROWS if not options.rows or row.name in options.rows]
    sizes = QUICK if options.quick else Sizes()
    about = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "revision": revision()}
    present, absent = find(options, names(rows, options))
    about |= {"rounds": options.rounds, "sizes": asdict(sizes), "embedded": options.embedded, "absent": absent}
    about["participants"] = {name: who.run("about.py") for name, who in present.items()}
    refuse_debug_builds(about["participants"], options)
    show(surroundings(about))
    rounds = Rounds(present.values(), options.rounds, warm_up=not options.quick)
    with Setting(sizes, options.embedded, options.wheel) as setting:
        figures = list(played(rows, rounds, setting, absent))
    write(options.json, document(about, figures, rounds.readings))
    return 1 if rounds.failed else 0


def names(rows: Iterable[Row], options: argparse.Namespace) -> list[str]:
    """The participants of these rows. Another build is one only if it is named."""
    wanted = {name for row in rows for name in row.measurement.participants}
    return [name for name in FINDERS if name in wanted and (name != AGAINST or options.against)]


def played(rows: Iterable[Row], rounds: Rounds, setting: Setting, absent: dict[str, str]) -> Iterator[Figure]:
    """The figure of each row, which is also shown. Rows of the same measurement come one after the other."""
    for measurement, its_rows in itertools.groupby(rows, lambda row: row.measurement):
        rounds.play(measurement, setting)
        missing = {name: why for name, why in absent.items() if name in measurement.participants}
        for row in its_rows:
            figure = Figure(row, rounds.readings, missing | rounds.absent[measurement.name])
            show(["", *table(figure)])
            yield figure


def refuse_debug_builds(participants: dict[str, Any], options: argparse.Namespace) -> None:
    debug = [name for name, made in participants.items() if made.get("debug_build")]
    if debug and not options.debug_build:
        sys.exit(f"{' and '.join(debug)}: a debug build, whose figures say nothing; `make bench` measures a release")


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
    show(["", f"all readings: {path}"])


def show(lines: Iterable[str]) -> None:
    print("\n".join(lines), flush=True)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches.figures", description=__doc__)
    parser.add_argument("--rows", nargs="+", metavar="ROW", choices=[row.name for row in ROWS], help="only these rows")
    parser.add_argument(
        "--participants", nargs="+", metavar="NAME", choices=list(FINDERS), help="only these participants"
    )
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS} if it is not given, and {QUICK_ROUNDS} with --quick")
    parser.add_argument("--quick", action="store_true", help="less work in a reading, and no round to warm up")
    parser.add_argument("--against", type=Path, metavar="DIRECTORY", help="another build: holds its package mesos")
    parser.add_argument("--pymesos", metavar="PYTHON", help="a Python that has pymesos; by default, one is made")
    parser.add_argument("--wheel", type=Path, help="the wheel to weigh instead of the newest one in dist/")
    parser.add_argument("--embedded", action="store_true", help="an embedded cluster instead of the real Mesos")
    parser.add_argument("--debug-build", action="store_true", help="measure a debug build all the same")
    parser.add_argument("--json", type=Path, default=MADE / "figures.json", help="where readings go: %(default)s")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    return options


if __name__ == "__main__":
    sys.exit(main())
