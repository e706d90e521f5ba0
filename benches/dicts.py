"""CPU per status update with its acknowledgement, and per offer, through dicts: ``mesos.pymesos`` beside pymesos,
from a master that sends as fast as they take them; and what the conversion of a message takes beside protobuf's own.

What counts are the ratios.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from google.protobuf.json_format import MessageToDict
from mesos import _core

from benches.figures.flood_master import flood, offer, update
from benches.figures.participants import Absent, Participant, pymesos


def measure(who: Participant, kind: str, number: int) -> float:
    """Microseconds of CPU of a scheduler's process for each, acknowledgements included."""
    with flood(kind, number) as address:
        used: float = who.run("flood_pymesos.py", address, number)["cpu_us"]
    return used


def conversion(kind: str, number: int) -> tuple[float, float]:
    """Microseconds to make a dict of a message's bytes, here and with protobuf's own ``json_format``."""
    made = (update if kind == "update" else offer)(0)
    name, data = made.DESCRIPTOR.full_name, made.SerializeToString()
    begin = time.perf_counter()
    for _ in range(number):
        _core.to_dict(name, data)
    middle = time.perf_counter()
    for _ in range(number):
        MessageToDict(type(made).FromString(data), preserving_proto_field_name=True)
    return (middle - begin) * 1e6 / number, (time.perf_counter() - middle) * 1e6 / number


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.dicts", description=__doc__)
    parser.add_argument("--number", type=int, default=20000)
    parser.add_argument("--pymesos", metavar="PYTHON", help="a Python that has pymesos; by default, one is made")
    options = parser.parse_args()
    try:
        other = pymesos(options)
    except Absent as reason:
        print(f"not beside pymesos: {reason}")
        other = None
    print(f"{'CPU per':10}{'remesos (us)':>16}{'pymesos (us)':>16}{'ratio':>10}")
    for kind in ("update", "offer"):
        ours = measure(Participant("mesos.pymesos", sys.executable, dict(os.environ)), kind, options.number)
        if other is None:
            print(f"{kind:10}{ours:16.2f}{'-':>16}{'-':>10}")
            continue
        theirs = measure(other, kind, options.number // 10)
        print(f"{kind:10}{ours:16.2f}{theirs:16.2f}{ours / theirs:10.2f}")
    print(f"{'dict of':10}{'remesos (us)':>16}{'protobuf (us)':>16}{'ratio':>10}")
    for kind in ("update", "offer"):
        ours, theirs = conversion(kind, options.number)
        print(f"{kind:10}{ours:16.2f}{theirs:16.2f}{ours / theirs:10.2f}")


if __name__ == "__main__":
    main()
