"""``MesosPoolExecutor`` while connections break, and agents, executors and masters fail."""

from __future__ import annotations

import doctest
import importlib
import itertools
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from mesos.futures import MesosPoolExecutor
from mesos.local import LocalCluster

from tests.python.proxy import Proxy
from tests.python.support import wait_until
from tests.python.test_futures import lines, note

if TYPE_CHECKING:
    from pathlib import Path

WAIT = 60


def noted(path: str, number: int) -> int:
    note(path, str(number))
    time.sleep(0.01)
    return number


def test_calls_run_once_while_connections_break(master: str, tmp_path: Path) -> None:
    proxy = Proxy(master)
    file = tmp_path / "calls"
    with MesosPoolExecutor(proxy.address, mem=64, max_workers=2) as pool:
        results = pool.map(noted, itertools.repeat(str(file), 400), range(400), timeout=WAIT)
        for count in (20, 100, 200, 300):
            wait_until(lambda count=count: len(lines(file)) >= count, "calls run")
            proxy.cut()
        assert list(results) == list(range(400))
    proxy.close()
    assert set(Counter(lines(file)).values()) == {1}


def test_large_results_arrive_while_connections_break(master: str) -> None:
    proxy = Proxy(master)
    data = os.urandom(1 << 20) * 8
    with MesosPoolExecutor(proxy.address, mem=64, max_workers=2) as pool:
        futures = [pool.submit(bytes.lower, data) for _ in range(4)]
        futures[0].result(WAIT)
        proxy.cut()
        assert all(future.result(WAIT) == data.lower() for future in futures)
    proxy.close()


def test_calls_go_on_with_another_master(embedded: LocalCluster, tmp_path: Path) -> None:
    file = tmp_path / "calls"
    with MesosPoolExecutor(embedded, mem=64, max_workers=2) as pool:
        results = pool.map(noted, itertools.repeat(str(file), 300), range(300), timeout=WAIT)
        wait_until(lambda: len(lines(file)) >= 50, "calls run")
        embedded.restart_master()
        assert list(results) == list(range(300))
    assert set(Counter(lines(file)).values()) == {1}


def test_workers_of_an_agent_that_comes_back_are_ended(embedded: LocalCluster) -> None:
    with MesosPoolExecutor(embedded, mem=64, max_workers=1) as pool:
        first = pool.submit(os.getppid).result(WAIT)
        (task,) = embedded.tasks
        agent = embedded.agent(task.agent_id)
        agent.disconnect(at_once=True)
        assert pool.submit(os.getppid).result(WAIT) != first
        agent.reconnect()
        wait_until(lambda: len([t for t in embedded.tasks if t.state == "TASK_RUNNING"]) == 1, "the worker ends")


@pytest.mark.parametrize("seed", range(2))
def test_calls_survive_random_faults(seed: int) -> None:
    faults = [
        "agent.restart",
        "task.kill_executor",
        "task.kill_process",
        "framework.disconnect",
        "cluster.restart_master",
    ]
    with (
        LocalCluster(agents=3, resources={"cpus": 2, "mem": 512}) as cluster,
        MesosPoolExecutor(cluster, mem=64, retries=1000) as pool,
    ):
        pool.submit(abs, 1).result(WAIT)
        with cluster.chaos(seed=seed, rate=1, faults=faults):
            assert list(pool.map(noted, itertools.repeat(os.devnull, 400), range(400), timeout=WAIT)) == list(
                range(400)
            )


@pytest.mark.parametrize("module", ["_executor", "_future"])
def test_the_examples_do_what_they_show(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"mesos.futures.{module}")).failed == 0
