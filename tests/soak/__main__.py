"""Soak: ``python -m tests.soak [KIND...]``. Memory, threads and descriptors have to stay flat.

``load`` is an hour at full load. The others are lifetimes in one process: of drivers, embedded clusters, asyncio loops
with a framework, drivers of executors, event streams of operators, forked children with a driver, and pools of workers.

Each kind is a process of its own, whose memory, threads, descriptors and children are sampled 40 times, after a
garbage collection. The first quarter is the warm-up. It is flat if, after that: there are no more threads, descriptors
or children at the end; malloc's and Python's memory grow no more than the kind's rule says, by the median of the slopes
between all pairs of samples; and resident memory grows by no more than 5 % and 2 MB. The exit status is 1 if something
is not flat.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from tests.soak.lives import LIVES, surroundings
from tests.soak.load import full
from tests.soak.measure import COUNTED, Rule, Sample, Samples, table

SAMPLES = 40
SETTLE_SECONDS = 2
OF_A_LIFE = Rule(heap_bytes=64, python_blocks=0.05)
OF_A_TASK = Rule(heap_bytes=0.5, python_blocks=0.001)


def soak_load(seconds: float) -> list[tuple[float, Sample]]:
    """Sample a process under full load."""
    done = Samples(SAMPLES + 1)
    with full() as ended:
        began = time.monotonic()
        for number in range(SAMPLES + 1):
            time.sleep(max(0, began + number * seconds / SAMPLES - time.monotonic()))
            done.take(ended())
    return done.all()


def soak_lives(kind: str, scale: float) -> list[tuple[float, Sample]]:
    """Sample a process between lifetimes."""
    live, number = LIVES[kind]
    each = max(1, round(number * scale / SAMPLES))
    with surroundings(kind) as address:
        live(address)
        done = Samples(SAMPLES + 1)
        before = done.take(1)
        for turn in range(1, SAMPLES + 1):
            for _ in range(each):
                live(address)
            settle(before)
            before = done.take(1 + each * turn)
    return done.all()


def settle(before: Sample) -> None:
    """Wait a moment for the ends of threads and children that were told to end, if there are more than before."""
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        now = Sample.take()
        if all(getattr(now, name) <= getattr(before, name) for name in COUNTED):
            return
        time.sleep(0.02)  # the end of a thread of another library has no event


def play(kind: str, seconds: float, scale: float) -> int:
    """Soak this process, and print what came of it."""
    began = time.monotonic()
    done = soak_load(seconds) if kind == "load" else soak_lives(kind, scale)
    took = time.monotonic() - began
    print(f"\n### {kind}: {done[-1][0]:.0f} in {took:.0f} s\n\n{table(done)}\n")
    wrong = (OF_A_TASK if kind == "load" else OF_A_LIFE).broken(done)
    print("\n".join(["not flat:", *wrong]) if wrong else "flat", flush=True)
    return 1 if wrong else 0


def main() -> int:
    kinds = ["load", *LIVES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", nargs="*", choices=[*kinds, []], help=f"of {', '.join(kinds)}; all")
    parser.add_argument("--seconds", type=float, default=3600, help="how long the load lasts (default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1, help="a factor of the numbers of lifetimes")
    parser.add_argument("--play", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        return play(options.kind[0], options.seconds, options.scale)
    failed = 0
    for kind in options.kind or kinds:
        command = [sys.executable, "-m", "tests.soak", "--play", kind]
        command += ["--seconds", str(options.seconds), "--scale", str(options.scale)]
        failed += subprocess.run(command, env=environment(), check=False).returncode != 0
    print(f"\n{failed} not flat")
    return 1 if failed else 0


def environment() -> dict[str, str]:
    """Without what would point drivers elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MESOS_", "REMESOS_"))}


if __name__ == "__main__":
    sys.exit(main())
