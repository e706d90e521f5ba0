"""CPU per event with asyncio beside the classic callback, from the same stub master: updates with their implicit
acknowledgements, and offers; as a flood, and one at a time, so that the loop waits for each.

Each figure is the median of several runs, with the smallest and the largest. What counts is the ratio.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from benches.figures.flood_master import KINDS, flood
from benches.figures.participants import Participant
from benches.figures.ratios import Spread
from benches.figures.report import spread

FACES = {"classic": ["flood_classic.py"], "asyncio": ["flood_aio.py", "asyncio"], "uvloop": ["flood_aio.py", "uvloop"]}


def measure(face: str, kind: str, number: int) -> float:
    """Microseconds of CPU of a scheduler's process for each."""
    client, *loop = FACES[face]
    with flood(kind, number) as address:
        scheduler = Participant(face, sys.executable, dict(os.environ))
        used: float = scheduler.run(client, address, number, *loop)["cpu_us"]
    return used


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.aio", description=__doc__)
    parser.add_argument("--number", type=int, default=20000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    faces = [face for face in FACES if face != "uvloop" or importlib.util.find_spec("uvloop")]
    if "uvloop" not in faces:
        print("uvloop is not installed, and left out")
    print(f"{'CPU per event':18}{'us, median (min to max)':30}ratio to classic")
    for kind in KINDS:
        # One after the other, so that a busy machine disturbs all of them alike.
        runs = [{face: measure(face, kind, options.number) for face in faces} for _ in range(options.runs)]
        for face in faces:
            used = Spread.of(run[face] for run in runs)
            ratio = Spread.of(run[face] / run["classic"] for run in runs)
            print(f"{kind + ', ' + face:18}{spread(used):30}{spread(ratio)}")


if __name__ == "__main__":
    main()
