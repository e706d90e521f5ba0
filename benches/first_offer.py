"""How long after its registration a framework gets its first offer, through each client's API.

The times are from the callback of the registration to that of the first offers; the ratios are to the classic API's.
mesoshttp itself takes 15 seconds: it handles an event when the next one comes, which is the second heartbeat.
``benches.figures`` has the time with the master ``local``, from the making of the driver.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from mesos import pymesos
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.mesoshttp import MesosClient
from mesos.native import MesosSchedulerDriver

from benches.figures.ratios import Spread
from benches.figures.report import spread

if TYPE_CHECKING:
    from collections.abc import Callable

    Play = Callable[[str], float]


class Timed:
    """Notes when the framework was registered, and how long after it the first offers came."""

    def __init__(self) -> None:
        self.registered_at = 0.0
        self.seconds = 0.0

    def registered(self, *_: Any) -> None:
        self.registered_at = time.perf_counter()

    def offered(self) -> None:
        self.seconds = self.seconds or time.perf_counter() - self.registered_at

    def resourceOffers(self, driver: Any, _: Any) -> None:
        self.offered()
        driver.stop()


class Classic(Timed, Scheduler):
    """For the classic API."""


class Pymesos(Timed, pymesos.Scheduler):
    """For pymesos' API."""


def with_classic(master: str) -> float:
    scheduler = Classic()
    MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="bench"), master).run()
    return scheduler.seconds


def with_pymesos(master: str) -> float:
    scheduler = Pymesos()
    pymesos.MesosSchedulerDriver(scheduler, {"user": "", "name": "bench"}, master).run()
    return scheduler.seconds


def with_mesoshttp(master: str) -> float:
    timed = Timed()
    client = MesosClient([f"http://{master}"])

    def offered(_: Any) -> None:
        timed.offered()
        client.stop = True

    client.on(MesosClient.SUBSCRIBED, timed.registered)
    client.on(MesosClient.OFFERS, offered)
    client.register()
    return timed.seconds


PLAYS: dict[str, Play] = {"classic": with_classic, "pymesos": with_pymesos, "mesoshttp": with_mesoshttp}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.first_offer", description=__doc__)
    parser.add_argument("--master", help="the address of a real master, instead of an embedded cluster")
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    with LocalCluster() as cluster:
        master = arguments.master or cluster.address
        rounds = [{name: play(master) for name, play in PLAYS.items()} for _ in range(arguments.rounds)]
    for name in PLAYS:
        milliseconds = Spread.of(times[name] * 1e3 for times in rounds)
        ratio = Spread.of(times[name] / times["classic"] for times in rounds)
        print(f"{name:12}{spread(milliseconds):30} ms, ratio {spread(ratio)}")


if __name__ == "__main__":
    main()
