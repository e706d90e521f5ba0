"""Callbacks that take longer than what the master sends: it is held back, and nothing is lost but time."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.v1.interface import executor_pb2, mesos_pb2, scheduler_pb2

from tests.python.stub import Stub, record

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAMEWORK = Path(__file__).with_name("slow_framework.py")
HEARTBEAT_SECONDS = 0.2
SENT = 1_000_000
SLOW = 400
"""So many callbacks take 10 ms: four times the five heartbeats that may be missing."""
READ = 10_000
MEGABYTES = 32
"""What waits in the process is a thousand events, those that a thread has taken, and pieces of the stream: 2 to 5 MB, as a
rule, and 9 at times. All of the million would be more than 300."""
PER_WRITE = 500


def update() -> scheduler_pb2.Event:
    event = scheduler_pb2.Event(type=scheduler_pb2.Event.UPDATE)
    status = event.update.status
    status.task_id.value, status.agent_id.value = "#" * 8, "agent"
    status.state, status.uuid = mesos_pb2.TASK_RUNNING, b"#" * 8 + b"uuuuuuuu"
    return event


def launch() -> executor_pb2.Event:
    event = executor_pb2.Event(type=executor_pb2.Event.LAUNCH)
    event.launch.task.name, event.launch.task.task_id.value, event.launch.task.agent_id.value = "slow", "#" * 8, "agent"
    return event


def numbered(event: Any) -> Iterator[bytes]:
    """A million events with the next number in each."""
    template = record(event)
    numbers = (b"%08d" % number for number in range(SENT))
    while some := list(itertools.islice(numbers, PER_WRITE)):
        yield b"".join(template.replace(b"#" * 8, number) for number in some)


@pytest.mark.parametrize("face", ["classic", "dicts", "aio", "mesoshttp", "executor"])
def test_a_million_events_wait_for_callbacks_of_10_ms(face: str) -> None:
    agent = face == "executor"
    with Stub(heartbeat=HEARTBEAT_SECONDS, agent=agent) as stub:
        command = [sys.executable, str(FRAMEWORK), face, stub.address, str(SLOW), str(READ)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            stub.wait(lambda stub: stub.subscriptions, "it subscribes")
            sending = threading.Thread(target=stub.send_all, args=(numbered(launch() if agent else update()),))
            sending.start()
            assert child.stdout is not None
            told = json.loads(child.stdout.readline())
        sending.join()
    assert (told["came"], told["disconnected"], stub.subscriptions) == (READ, 0, 1)
    assert told["peak"] - told["memory"] < MEGABYTES << 10, told
    if not agent:
        acknowledged = [int(call.acknowledge.task_id.value) for call in stub.accepted if call.HasField("acknowledge")]
        # Its end does not wait for the last callback.
        assert acknowledged == list(range(len(acknowledged)))
        assert len(acknowledged) >= READ - 1
