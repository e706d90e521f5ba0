"""A process that is paused, and a master that it keeps waiting, on purpose or not."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from mesos.v1.interface import scheduler_pb2

from tests.python.stub import Stub
from tests.python.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAMEWORK = """
import sys
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

class S(Scheduler):
    def registered(self, *_):
        print("registered", flush=True)
    def reregistered(self, *_):
        print("reregistered", flush=True)
    def disconnected(self, *_):
        print("disconnected", flush=True)
    def frameworkMessage(self, driver, executor, slave, message):
        print(message, flush=True)

MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="paused"), sys.argv[1]).run()
"""


def message(text: str) -> scheduler_pb2.Event:
    event = scheduler_pb2.Event(type=scheduler_pb2.Event.MESSAGE)
    event.message.agent_id.value, event.message.executor_id.value, event.message.data = "a", "e", text.encode()
    return event


@pytest.fixture
def master() -> Iterator[Stub]:
    with Stub(heartbeat=0.2) as stub:
        yield stub


@pytest.fixture
def paused(master: Stub) -> Iterator[subprocess.Popen[str]]:
    """A framework whose process was stopped when it had registered."""
    with subprocess.Popen(
        [sys.executable, "-c", FRAMEWORK, master.address], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "registered\n"
        child.send_signal(signal.SIGSTOP)
        yield child
        child.kill()


def next_line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@pytest.mark.parametrize("seconds", [1.5, 4])
def test_a_framework_that_was_paused_finds_its_heartbeats_and_goes_on(
    master: Stub, paused: subprocess.Popen[str], seconds: float
) -> None:
    """The pause lasts for more than the five heartbeats that may be missing."""
    time.sleep(seconds)
    paused.send_signal(signal.SIGCONT)
    master.send(message("still here"))
    assert next_line(paused) == "still here"
    assert master.subscriptions == 1


def test_a_framework_that_was_paused_notices_that_its_stream_ended(master: Stub, paused: subprocess.Popen[str]) -> None:
    master.end_streams()
    time.sleep(1.5)
    paused.send_signal(signal.SIGCONT)
    assert next_line(paused) == "disconnected"
    assert next_line(paused) == "reregistered"
    wait_until(lambda: master.subscriptions == 2, "it subscribes again")


def test_a_master_that_falls_silent_during_a_pause_is_noticed(master: Stub, paused: subprocess.Popen[str]) -> None:
    master.fall_silent()
    time.sleep(1.5)
    paused.send_signal(signal.SIGCONT)
    assert next_line(paused) == "disconnected"
