"""CPU per event of ``mesos.aio`` beside the callback of the classic API: updates and offers that come as fast as they
are taken, and updates each of which comes when the one before is acknowledged. What counts are the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import flood
from flood import Counter, cpu_seconds
from mesos import aio
from mesos.interface import mesos_pb2
from mesos.native import MesosSchedulerDriver


class OneByOne(flood.Master):
    """Sends the next update when the one before is acknowledged."""

    def __init__(self, number: int) -> None:
        super().__init__("update", 0)
        self._chunks = iter([flood.chunk(event) for event in flood.events("update", number)])
        self._connection: socket.socket | None = None

    def _stream(self, connection: socket.socket) -> None:
        super()._stream(connection)
        self._connection = connection
        connection.sendall(next(self._chunks))

    def _acknowledged(self) -> None:
        if self._connection is not None:
            self._connection.sendall(next(self._chunks, b""))

    def _answer(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb", 1 << 18)
        while stream.readline():
            headers = {}
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                headers[name.lower()] = value.strip()
            stream.read(int(headers[b"content-length"]))
            if b"mesos-stream-id" in headers:
                connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                self._acknowledged()
            else:
                self._stream(connection)


def classic(address: str, number: int) -> float:
    scheduler = Counter(number)
    driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="flood"), address)
    driver.start()
    scheduler.over.wait()
    driver.stop()
    driver.join()
    return cpu_seconds() - scheduler.cpu


async def events(address: str, number: int) -> float:
    counter = Counter(number)
    async with aio.Framework("flood", address) as framework:
        async for event in framework:
            match event:
                case aio.Update(status):
                    counter.statusUpdate(None, status)
                case aio.Offers(offers):
                    counter.resourceOffers(None, offers)
                case aio.Subscribed():
                    counter.registered()
            if counter.left == 0:
                break
    return cpu_seconds() - counter.cpu


def asyncio_(address: str, number: int) -> float:
    return asyncio.run(events(address, number))


def uvloop_(address: str, number: int) -> float:
    import uvloop

    return uvloop.run(events(address, number))


def measure(way: Callable[[str, int], float], kind: str, number: int) -> float:
    """Microseconds of CPU of this process for each, acknowledgements included."""
    command = [sys.executable, __file__, "--serve", kind, "--number", str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as master:
        assert master.stdout is not None
        address = f"127.0.0.1:{int(master.stdout.readline())}"
        took = way(address, number)
        master.kill()
    return took * 1e6 / number


def serve(kind: str, number: int) -> None:
    master: Any = OneByOne(number) if kind == "alone" else flood.Master(kind, number)
    print(master.port, flush=True)
    threading.Thread(target=master.serve).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=["update", "offer", "alone"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.number)
        return
    ways = {"classic": classic, "asyncio": asyncio_, "uvloop": uvloop_}
    print(f"{'CPU per':10}{'classic (us)':>14}{'asyncio (us)':>14}{'ratio':>8}{'uvloop (us)':>14}{'ratio':>8}   spread")
    for kind in ("update", "offer", "alone"):
        number = options.number // 10 if kind == "alone" else options.number
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                took[name].append(measure(way, kind, number))
        middle = {name: statistics.median(each) for name, each in took.items()}
        ratios = [ours / least for ours, least in zip(took["asyncio"], took["classic"], strict=True)]
        shown = "".join(
            f"{middle[name]:14.2f}{middle[name] / middle['classic']:8.2f}" for name in ("asyncio", "uvloop")
        )
        print(f"{kind:10}{middle['classic']:14.2f}{shown}   {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
