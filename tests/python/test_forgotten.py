"""Drivers that nobody holds any more, and clusters that end before their drivers."""

from __future__ import annotations

import doctest
import gc
import json
import threading
import urllib.request
import weakref
from typing import Any

import pytest
from mesos import bytestr, local
from mesos.executor import _driver as executor_driver
from mesos.interface import Executor, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver
from mesos.scheduler import _driver as scheduler_driver

from tests.python.stub import Stub
from tests.python.support import Recorder, framework, heard, running, wait_until

WORDS = "is no longer referenced; it disconnects from the master"


@pytest.fixture(autouse=True)
def _what_is_let_go_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "mesos")


def started(master: str, scheduler: Recorder, **fields: Any) -> MesosSchedulerDriver:
    driver = MesosSchedulerDriver(scheduler, framework(**fields), master)
    assert driver.start() == mesos_pb2.DRIVER_RUNNING
    return driver


def frameworks(master: str, which: str = "frameworks") -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{master}/state", timeout=30) as response:
        return {each["id"]: each for each in json.load(response)[which]}


def registered(scheduler: Recorder) -> str:
    scheduler.wait("registered")
    framework_id: str = scheduler.seen[-1].arguments[0].value
    return framework_id


def test_a_forgotten_driver_gives_its_offers_back_and_does_not_tear_its_framework_down(master: str) -> None:
    scheduler = Recorder()
    driver = started(master, scheduler, failover_timeout=3600)
    framework_id = registered(scheduler)
    scheduler.offers_of_agents(2)
    with heard(WORDS) as told:
        del driver
        assert told.wait(30)
    second = Recorder()
    with running(master, second):
        second.offers_of_agents(2)
        left = frameworks(master)[framework_id]
        assert not left["active"]
        assert not left["connected"]
    with running(master, Recorder(), framework(id={"value": framework_id})):
        wait_until(lambda: frameworks(master)[framework_id]["active"], "it is taken over, and then removed")


def test_a_forgotten_driver_without_a_failover_timeout_is_removed(master: str) -> None:
    scheduler = Recorder()
    driver = started(master, scheduler)
    framework_id = registered(scheduler)
    del driver
    wait_until(lambda: framework_id not in frameworks(master), "the framework is gone")


def test_a_driver_that_only_its_scheduler_holds_is_collected(master: str) -> None:
    scheduler: Any = Recorder()
    scheduler.driver = started(master, scheduler)
    scheduler.wait("registered")
    gone = weakref.ref(scheduler.driver)
    del scheduler
    wait_until(lambda: gc.collect() is not None and gone() is None, "the driver is collected")


def test_a_driver_that_is_run_is_held(master: str) -> None:
    go = threading.Event()
    scheduler = Recorder(registered=lambda *_: go.wait(30), resourceOffers=lambda driver, _: driver.stop())
    thread = threading.Thread(target=MesosSchedulerDriver(scheduler, framework(), master).run)
    thread.start()
    scheduler.wait("registered")
    gc.collect()
    go.set()
    scheduler.wait("resourceOffers")
    thread.join(30)
    assert not thread.is_alive()


def test_the_last_reference_may_go_in_a_callback(master: str) -> None:
    held: list[MesosSchedulerDriver] = []
    ready, gone = threading.Event(), threading.Event()
    scheduler = Recorder(resourceOffers=lambda *_: ready.wait(30) and held.clear())
    held.append(started(master, scheduler))
    weakref.finalize(held[0], gone.set)
    ready.set()
    framework_id = registered(scheduler)
    assert gone.wait(30)
    wait_until(lambda: framework_id not in frameworks(master), "the framework is gone")


def test_an_executor_s_driver_that_is_forgotten_sees_to_its_last_update(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stub(agent=True) as stub:
        variables = {"FRAMEWORK_ID": "f", "EXECUTOR_ID": "e", "SLAVE_ID": "s", "DIRECTORY": "/"}
        for name, value in {**variables, "SLAVE_PID": f"slave(1)@{stub.address}"}.items():
            monkeypatch.setenv(f"MESOS_{name}", value)
        driver = MesosExecutorDriver(Executor())
        driver.start()
        stub.wait(lambda s: s.subscriptions, "the executor subscribes")
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id={"value": "t"}, state=mesos_pb2.TASK_FINISHED))
        with heard("The executor's driver is no longer referenced") as told:
            del driver
            assert told.wait(30)
        stub.wait(lambda s: s.accepted, "the update arrives")


def test_the_end_of_a_block_stops_the_driver(master: str) -> None:
    scheduler = Recorder()
    with MesosSchedulerDriver(scheduler, framework(), master) as driver:
        assert driver.start() == mesos_pb2.DRIVER_RUNNING
        framework_id = registered(scheduler)
    assert driver.join() == mesos_pb2.DRIVER_STOPPED
    wait_until(lambda: framework_id in frameworks(master, "completed_frameworks"), "it was torn down")


def test_a_block_that_raises_stops_the_driver(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    driver = MesosSchedulerDriver(scheduler, framework(), embedded.address)
    driver.start()
    with pytest.raises(ZeroDivisionError), driver:
        raise ZeroDivisionError
    assert driver.join() == mesos_pb2.DRIVER_STOPPED


@pytest.mark.parametrize("address", ["{}", "http://{}/", "localhost:{port}"])
def test_a_driver_stops_with_the_cluster_in_its_process(address: str) -> None:
    scheduler = Recorder()
    with LocalCluster() as cluster:
        master = address.format(cluster.address, port=cluster.address.rpartition(":")[2])
        driver = started(master, scheduler)
        scheduler.wait("registered")
    assert driver.join() == mesos_pb2.DRIVER_STOPPED


def test_a_driver_stops_when_nobody_holds_the_cluster_in_its_process_any_more() -> None:
    scheduler = Recorder()
    cluster = LocalCluster()
    driver = started(cluster.address, scheduler)
    scheduler.wait("registered")
    del cluster
    assert driver.join() == mesos_pb2.DRIVER_STOPPED


def test_a_driver_of_another_master_is_not_stopped(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler):
        scheduler.wait("registered")
        LocalCluster().stop()
        scheduler.offer()


@pytest.mark.parametrize("module", [scheduler_driver, executor_driver, bytestr, local])
def test_the_examples_in_docstrings_do_what_they_show(module: Any) -> None:
    assert doctest.testmod(module).failed == 0
