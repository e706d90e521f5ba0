"""CPU per event with asyncio beside the classic callback, from the same stub master: updates with their implicit
acknowledgements, and offers; as a flood, and one at a time, so that the loop waits for each.

Each figure is the median of several runs, with the smallest and the largest. What counts is the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from mesos import aio
from mesos.interface import mesos_pb2
from mesos.native import MesosSchedulerDriver

sys.path.insert(0, str(Path(__file__).parent))
import flood

if TYPE_CHECKING:
    from collections.abc import Callable

FACES = ("classic", "asyncio", "uvloop")


class Master(flood.Master):
    """Floods, or sends an event when the one before was acknowledged."""

    def __init__(self, kind: str, number: int) -> None:
        super().__init__("update", number)
        self._events = list(map(flood.chunk, flood.events("update", number)))
        self._sent = 0

    def _stream(self, connection: Any, in_json: bool) -> None:
        self._connection = connection
        self._flood = b""
        super()._stream(connection, in_json)
        self._send_next()

    def _send_next(self) -> None:
        if self._sent < len(self._events):
            self._sent += 1
            self._connection.sendall(self._events[self._sent - 1])

    def answered(self) -> None:
        self._send_next()


def classic(address: str, kind: str, number: int) -> float:
    scheduler = flood.Counter(number)
    with MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="bench"), address) as driver:
        driver.start()
        scheduler.over.wait()
        return flood.cpu_seconds() - scheduler.cpu


async def events(address: str, number: int) -> float:
    left, begin = number, 0.0
    async with aio.Framework("bench", address) as framework:
        async for event in framework:
            match event:
                case aio.Subscribed():
                    begin = flood.cpu_seconds()
                case aio.Update(status):
                    assert status.state == mesos_pb2.TASK_FINISHED
                    left -= 1
                case aio.Offers(offers):
                    for each in offers:
                        assert len([resource.name for resource in each.resources]) == 4
                    left -= len(offers)
            if left == 0:
                return flood.cpu_seconds() - begin
    raise AssertionError("the framework ended early")


def measure(face: str, kind: str, number: int) -> float:
    """Microseconds of CPU of this process for each."""
    command = [sys.executable, __file__, "--serve", kind, "--number", str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as master:
        assert master.stdout is not None
        address = f"127.0.0.1:{int(master.stdout.readline())}"
        runs: dict[str, Callable[[], float]] = {
            "classic": lambda: classic(address, kind, number),
            "asyncio": lambda: asyncio.run(events(address, number)),
            "uvloop": lambda: uvloop.run(events(address, number)),
        }
        used = runs[face]()
        master.kill()
    return used * 1e6 / number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=20000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--serve", choices=["update", "offer", "single"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        kind = options.serve
        master = Master(kind, options.number) if kind == "single" else flood.Master(kind, options.number)
        print(master.port, flush=True)
        master.serve()
    print(f"{'CPU per event (us)':22}{'median':>10}{'min':>10}{'max':>10}{'ratio':>10}")
    for kind in ("update", "offer", "single"):
        # One after the other, so that a busy machine disturbs all of them alike.
        runs = [{face: measure(face, kind, options.number) for face in FACES} for _ in range(options.runs)]
        for face in FACES:
            used = [run[face] for run in runs]
            ratios = [run[face] / run["classic"] for run in runs]
            spread = f"{statistics.median(ratios):10.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"{kind + ', ' + face:22}{statistics.median(used):10.2f}{min(used):10.2f}{max(used):10.2f}{spread}")


if __name__ == "__main__":
    main()
