"""A pool of two workers on an embedded cluster beside ``ProcessPoolExecutor`` and dask's ``LocalCluster``.

The work is the same: ``map`` of 1,000 calls that do nothing, and 24 calls that keep a CPU busy. All pools are warm.
What counts are the ratios, not the milliseconds of this machine. dask is left out if it is not installed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

from mesos.futures import MesosPoolExecutor
from mesos.local import LocalCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Map = Callable[[Callable[[int], int], list[int]], list[int]]

WORKERS = 2


def nothing(number: int) -> int:
    return number


def busy(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += number * number
    return total


@contextlib.contextmanager
def mesos() -> Iterator[Map]:
    with (
        LocalCluster(resources={"cpus": WORKERS, "mem": 1024}) as cluster,
        MesosPoolExecutor(cluster) as pool,
    ):
        yield lambda function, items: list(pool.map(function, items))


@contextlib.contextmanager
def processes() -> Iterator[Map]:
    # Workers of the others lead sessions, which Linux may schedule as groups of their own.
    with ProcessPoolExecutor(WORKERS, initializer=os.setsid) as pool:
        yield lambda function, items: list(pool.map(function, items))


@contextlib.contextmanager
def dask() -> Iterator[Map]:
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(os.setsid)
        # Results of pure functions would be those of the round before.
        yield lambda function, items: client.gather(client.map(function, items, pure=False))


def measure(run: Map, function: Callable[[int], int], items: list[int]) -> float:
    began = time.perf_counter()
    results = run(function, items)
    took = time.perf_counter() - began
    assert len(results) == len(items)
    return took * 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.pool", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--busy", type=int, default=5_000_000, help="rounds of the loop of each of the 24 calls")
    options = parser.parse_args()
    works: dict[str, tuple[Any, list[int]]] = {
        "1,000 calls that do nothing": (nothing, list(range(1000))),
        "24 calls that keep a CPU busy": (busy, [options.busy] * 24),
    }
    pools: dict[str, Any] = {"ProcessPoolExecutor": processes, "MesosPoolExecutor": mesos, "dask.distributed": dask}
    try:
        import distributed  # noqa: F401
    except ImportError:
        del pools["dask.distributed"]
        print("dask.distributed is not installed, and left out")
    for title, (function, items) in works.items():
        figures: dict[str, list[float]] = {name: [] for name in pools}
        with contextlib.ExitStack() as stack:
            maps = {name: stack.enter_context(pool()) for name, pool in pools.items()}
            for run in maps.values():
                run(busy, [1_000_000] * 8)
                run(nothing, list(range(100)))
            rounds = options.rounds if function is nothing else max(3, options.rounds // 2)
            for _ in range(rounds):
                for name, run in maps.items():
                    figures[name].append(measure(run, function, items))
        print(f"\n{title}, {WORKERS} workers, {rounds} rounds")
        ours = figures["MesosPoolExecutor"]
        for name, times in figures.items():
            ratios = [mine / theirs for mine, theirs in zip(ours, times, strict=True)]
            spread = f"ours / this: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"{name:22}{statistics.median(times):10.1f} ms ({min(times):.1f} to {max(times):.1f}); {spread}")


if __name__ == "__main__":
    main()
