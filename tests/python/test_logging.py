"""What the logger `mesos` says: nothing by default, the way of things at INFO, the wire at DEBUG, and never a secret."""

from __future__ import annotations

import base64
import logging
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from mesos import _core
from mesos.interface import mesos_pb2
from mesos.native import MesosSchedulerDriver

from tests.python.stub import Reply, Stub
from tests.python.support import WAIT_SECONDS, Recorder, framework, heard, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesos.local import LocalCluster

SECRET = "s3cret-of-the-test"
QUIET = """
import sys, threading
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
class Once(Scheduler):
    def registered(self, driver, *_):
        driver.stop()
sys.exit(MesosSchedulerDriver(Once(), mesos_pb2.FrameworkInfo(user="", name="quiet"), sys.argv[1]).run() - 4)
"""
OLD_SETTINGS = {
    "GLOG_v": "2",
    "GLOG_logtostderr": "1",
    "GLOG_minloglevel": "0",
    "LIBPROCESS_IP": "192.0.2.1",
    "LIBPROCESS_PORT": "1",
    "LIBPROCESS_ADVERTISE_IP": "192.0.2.1",
    "LIBPROCESS_NUM_WORKER_THREADS": "8",
    "MESOS_LOGGING_LEVEL": "INFO",
    "MESOS_LOG_DIR": "/no/such/directory",
    "MESOS_NATIVE_LIBRARY": "/usr/local/lib/libmesos.so",
    "MESOS_NATIVE_JAVA_LIBRARY": "/usr/local/lib/libmesos.so",
}


@pytest.mark.parametrize("settings", [{}, OLD_SETTINGS], ids=["plain", "old settings"])
def test_nothing_is_printed_by_default(embedded: LocalCluster, settings: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUIET, embedded.address],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def play(address: str) -> MesosSchedulerDriver:
    scheduler = Recorder()
    credential = mesos_pb2.Credential(principal="alice", secret=SECRET)
    with running(address, scheduler, framework(principal="alice"), credential=credential) as driver:
        offer = scheduler.offer()
        made = task(offer)
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)
    return driver


def test_info_tells_the_way_of_things(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "mesos")
    play(embedded.address)
    # Records come on a thread of their own.
    wait_until(lambda: "Framework registered with " in caplog.text, "the registration is logged")
    assert f"New master detected at http://{embedded.address}" in caplog.text
    assert {record.name for record in caplog.records} == {"mesos"}
    assert all(record.levelname != "DEBUG" for record in caplog.records)


def test_debug_tells_the_wire_and_no_secret(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "mesos")
    driver = play(embedded.address)
    wait_until(lambda: "Sent TEARDOWN" in caplog.text, "the last call is logged")
    for told in ("Received Offers", "Sent ACCEPT", "Received Update", "Sent ACKNOWLEDGE", "Sent TEARDOWN"):
        assert told in caplog.text
    for secret in (SECRET, base64.b64encode(f"alice:{SECRET}".encode()).decode()):
        assert secret not in caplog.text
        assert secret not in repr(driver)


def root_to_debug() -> None:
    logging.getLogger().setLevel(logging.DEBUG)


def logger_to_debug() -> None:
    logging.getLogger("mesos").setLevel(logging.DEBUG)


def disabled_and_enabled() -> None:
    logging.getLogger("mesos").setLevel(logging.DEBUG)
    logging.disable()
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("change", [logger_to_debug, root_to_debug, disabled_and_enabled])
def test_a_level_changed_after_the_start_takes_effect(
    embedded: LocalCluster, caplog: pytest.LogCaptureFixture, change: Callable[[], None]
) -> None:
    # So that both levels are as before in the end.
    caplog.set_level("WARNING")
    caplog.set_level("NOTSET", "mesos")
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        assert "Sent " not in caplog.text
        change()
        with heard("Sent DECLINE") as said:
            driver.declineOffer(offer.id)
            assert said.wait(WAIT_SECONDS)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda: logging.getLogger("mesos").setLevel("INFO"), 20),
        (lambda: logging.getLogger("mesos").setLevel(1000), 50),
        (lambda: logging.getLogger("mesos").setLevel(-1), 1),
        (lambda: logging.disable(logging.WARNING), 31),
        (lambda: logging.disable(), 50),
    ],
)
def test_the_core_makes_no_record_that_is_not_wanted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, change: Callable[[], None], wanted: int
) -> None:
    caplog.set_level("DEBUG", "mesos")
    told: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(_core, "set_log_level", told.append)
        change()
    logging.disable(logging.NOTSET)
    assert told == [wanted]


def test_what_a_master_says_stays_on_the_line_of_its_record(caplog: pytest.LogCaptureFixture) -> None:
    body = "no\r\nCRITICAL forged\u2028\x1b[2J\x9b31m\ttabs and ü are fine".encode()
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    scheduler = Recorder()
    with (
        heard("The master refused") as said,
        Stub(lambda *_: Reply(head + body)) as stub,
        running(stub.address, scheduler) as driver,
    ):
        scheduler.wait("registered")
        driver.killTask("task")
        assert said.wait(WAIT_SECONDS)
    [told] = [record.getMessage() for record in caplog.records if "The master refused" in record.getMessage()]
    escaped = r"no\r\nCRITICAL forged\u{2028}\u{1b}[2J\u{9b}31m" + "\ttabs and ü are fine"
    assert told.endswith(f"HTTP 400: {escaped}")


@pytest.mark.slow
def test_records_that_wait_for_a_slow_handler_are_bounded(
    embedded: LocalCluster, caplog: pytest.LogCaptureFixture
) -> None:
    go, waits = threading.Event(), threading.Event()

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            waits.set()
            go.wait(100)

    logger, slow = logging.getLogger("mesos"), Slow()
    caplog.set_level("DEBUG", "mesos")
    logger.addHandler(slow)
    scheduler = Recorder()
    unknown = [mesos_pb2.TaskID(value=str(number)) for number in range(12_000)]
    try:
        with running(embedded.address, scheduler) as driver, heard("log records were dropped") as told:
            scheduler.wait("registered")
            assert waits.wait(30)
            for each in unknown:
                driver.killTask(each)
            # As many take a while on a busy machine.
            scheduler.wait("statusUpdate", lambda status: status.task_id == unknown[-1], seconds=90)
            go.set()
            assert told.wait(30)
    finally:
        go.set()
        logger.removeHandler(slow)
