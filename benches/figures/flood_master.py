"""A master that sends status updates or offers as fast as a scheduler takes them: ``flood_master.py KIND NUMBER``.

It serves one scheduler, with protobuf or JSON, as that asks. When all updates are acknowledged, or all offers sent, it
sends a message of an executor, so that a scheduler measures the whole of its work and no more. With the kind ``single``
it sends an update when the one before is acknowledged. The program prints its port, and ends when its input does.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from mesos import _core
from mesos.v1.interface import mesos_pb2 as v1
from mesos.v1.interface import scheduler_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ("update", "offer", "single")
OFFERS_PER_EVENT = 50
FRAMEWORK = v1.FrameworkID(value=str(uuid.uuid4()))
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nMesos-Stream-Id: flood\r\n\r\n"
VERSION = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"version":"1.11.0"}'


@contextlib.contextmanager
def flood(kind: str, number: int) -> Iterator[str]:
    """The address of a master in a process of its own."""
    command = [sys.executable, str(Path(__file__)), kind, str(number)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as master:
        assert master.stdout is not None
        try:
            yield f"127.0.0.1:{int(master.stdout.readline())}"
        finally:
            master.kill()


def update(number: int) -> v1.TaskStatus:
    status = v1.TaskStatus(task_id={"value": f"task-{number}"}, state=v1.TASK_FINISHED, agent_id={"value": "agent"})
    status.executor_id.value, status.timestamp, status.source = "executor", 1.7e9, v1.TaskStatus.SOURCE_EXECUTOR
    status.uuid = uuid.uuid4().bytes
    return status


def offer(number: int) -> v1.Offer:
    made = v1.Offer(id={"value": f"offer-{number}"}, framework_id=FRAMEWORK, agent_id={"value": "agent"})
    made.hostname = f"host-{number}"
    for name, amount in (("cpus", 8), ("mem", 8192), ("disk", 20000)):
        made.resources.add(name=name, type=v1.Value.SCALAR, role="*").scalar.value = amount
    made.resources.add(name="ports", type=v1.Value.RANGES, role="*").ranges.range.add(begin=31000, end=32000)
    made.attributes.add(name="rack", type=v1.Value.TEXT).text.value = f"r{number % 40}"
    return made


def events(kind: str, number: int) -> list[scheduler_pb2.Event]:
    event = scheduler_pb2.Event
    if kind != "offer":
        return [event(type=event.UPDATE, update={"status": update(n)}) for n in range(number)]
    batches = [range(n, min(n + OFFERS_PER_EVENT, number)) for n in range(0, number, OFFERS_PER_EVENT)]
    return [event(type=event.OFFERS, offers={"offers": map(offer, batch)}) for batch in batches]


def over() -> scheduler_pb2.Event:
    """The message that ends it."""
    made = scheduler_pb2.Event(type=scheduler_pb2.Event.MESSAGE)
    made.message.agent_id.value, made.message.executor_id.value, made.message.data = "agent", "executor", b"over"
    return made


def subscribed() -> scheduler_pb2.Event:
    made = scheduler_pb2.Event(type=scheduler_pb2.Event.SUBSCRIBED)
    made.subscribed.framework_id.CopyFrom(FRAMEWORK)
    return made


def chunk(event: scheduler_pb2.Event, in_json: bool) -> bytes:
    data = event.SerializeToString()
    if in_json:
        data = json.dumps(_core.to_dict("mesos.v1.scheduler.Event", data)).encode()
    record = b"%d\n%s" % (len(data), data)
    return b"%x\r\n%s\r\n" % (len(record), record)


def acknowledges(body: bytes, in_json: bool) -> bool:
    if in_json:
        return bool(json.loads(body)["type"] == "ACKNOWLEDGE")
    return scheduler_pb2.Call.FromString(body).type == scheduler_pb2.Call.ACKNOWLEDGE


class Master:
    """Answers the first call with a stream, and every other one with 202."""

    def __init__(self, kind: str, number: int) -> None:
        self._kind, self._events = kind, events(kind, number)
        self._acknowledged, self._lock = 0, threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb", 1 << 18)
        while request := stream.readline():
            headers = {}
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get(b"content-length", 0)))
            if request.startswith(b"GET "):
                connection.sendall(VERSION)
            elif b"mesos-stream-id" in headers:
                connection.sendall(ACCEPTED)
                self._called(acknowledges(body, b"json" in headers[b"content-type"]))
            else:
                self._subscribe(connection, b"json" in headers.get(b"accept", b""))

    def _subscribe(self, connection: socket.socket, in_json: bool) -> None:
        self._stream, self._over = connection, chunk(over(), in_json)
        self._chunks = [chunk(event, in_json) for event in self._events]
        connection.sendall(STREAM + chunk(subscribed(), in_json))
        time.sleep(0.5)  # so that what is measured begins with the flood
        if self._kind == "single":
            connection.sendall(self._chunks[0])
        else:
            connection.sendall(b"".join(self._chunks))
        if self._kind == "offer":
            connection.sendall(self._over)

    def _called(self, acknowledgement: bool) -> None:
        with self._lock:
            self._acknowledged += acknowledgement
            if not acknowledgement or self._kind == "offer":
                return
            if self._acknowledged == len(self._chunks):
                self._stream.sendall(self._over)
            elif self._kind == "single":
                self._stream.sendall(self._chunks[self._acknowledged])


def main(kind: str, number: str) -> None:
    master = Master(kind, int(number))
    threading.Thread(target=master.serve, daemon=True).start()
    print(master.port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
