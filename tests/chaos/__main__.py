"""Chaos on the real Mesos and on the embedded cluster: ``python -m tests.chaos [SCENARIO...]``.

A framework in a process of its own keeps both clusters busy and keeps books: what it launched, and what it was told of
it. Meanwhile something breaks, round after round, and is mended. In the pauses between, its books are compared with
what the master and its agents know; they have to balance. Nothing may be delivered twice, in the wrong order, or while
the driver is not connected, and the process may not grow. The exit status is 1 if something is wrong, with the story
of the tasks in question.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.apache_mesos.install import InstallError, install
from tests.chaos.faces import FACES
from tests.chaos.scenarios import SCENARIOS, TOWNS, Play
from tests.chaos.stage import ROOT, Stage, Unbalanced

HEAD = ("scenario", "master", "API", "rounds", "pauses", "tasks", "never began", "updates", "again")
HEAD += ("disconnected", "threads", "descriptors", "MB", "seconds", "")
NEVER_BEGAN = {"TASK_DROPPED", "TASK_GONE", "TASK_LOST"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], help=f"of {', '.join(SCENARIOS)}; all")
    parser.add_argument("--on", choices=sorted(TOWNS), action="append", help="which master; both")
    parser.add_argument("--face", choices=sorted(FACES), action="append", help="with which API; classic")
    parser.add_argument("--times", type=int, help="how many rounds; each scenario has its number")
    parser.add_argument("--seed", type=int, help="what is left to chance follows from it; a random one")
    parser.add_argument("--verbose", action="store_true", help="print a line for each round")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    for name in ("kazoo", "mesos"):  # which have much to say of what is broken here on purpose
        logging.getLogger(name).setLevel(logging.CRITICAL)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD), flush=True)
    failed = 0
    for name in options.scenario or SCENARIOS:
        for on in options.on or sorted(TOWNS):
            for face in options.face or ["classic"]:
                failed += play(name, on, face, options.times or SCENARIOS[name][1], seed, options.verbose)
    print(f"{failed} failed; seed {seed}")
    return 1 if failed else 0


def play(name: str, on: str, face: str, times: int, seed: int, verbose: bool) -> bool:
    """Play a scenario, and print its row. Returns whether it failed."""
    started, wrong = time.monotonic(), ""
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as directory:
        towns = TOWNS[on](installed() if on == "apache" else Path())
        made = Play(towns, face, times, seed, Path(directory), print if verbose else lambda _: None)
        try:
            SCENARIOS[name][0](made)
        except Unbalanced as error:
            wrong = f"{error}\n{kept(made)}"
        took = time.monotonic() - started
        figures = row(made.stage) if made.stage else [""] * 9
    cells = [name, on, face, str(times), *figures, f"{took:.0f}", "FAILED" if wrong else "balanced"]
    print("| " + " | ".join(cells) + " |", flush=True)
    if wrong:
        print(wrong, flush=True)
    return bool(wrong)


def installed() -> Path:
    """Where the real Mesos is laid out."""
    try:
        return install(Path(os.environ.get("REMESOS_APACHE_MESOS", ROOT / ".apache-mesos")))
    except InstallError as error:
        raise SystemExit(str(error)) from None


def kept(made: Play) -> str:
    """Keep what tells the story of a failure; where."""
    place = Path(tempfile.mkdtemp(prefix=f"chaos-failed-{made.seed}-"))
    for name in ("journal", "stderr"):
        shutil.copy(made.directory / name, place)
    stage = made.stage
    (place / "story").write_text("\n".join(stage.story if stage else []) + "\n")
    return f"the journal of the framework and the story of what was broken are in {place}"


def row(stage: Stage) -> list[str]:
    """The figures of a scenario."""
    books, samples = stage.books, stage.samples
    never = sum(task.state in NEVER_BEGAN and not task.by_agent for task in books.tasks.values())
    counts = [stage.pauses, len(books.tasks), never]
    counts += [books.counts[kind] for kind in ("update", "duplicates", "disconnected")]
    if not samples:
        return [*map(str, counts), "", "", ""]
    first, last = samples[0], samples[-1]
    grown = [(first.threads, last.threads), (first.descriptors, last.descriptors)]
    grown.append((first.kilobytes // 1024, last.kilobytes // 1024))
    return [*map(str, counts), *(f"{before} to {after}" for before, after in grown)]


if __name__ == "__main__":
    sys.exit(main())
