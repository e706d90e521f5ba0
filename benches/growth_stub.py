"""A master, or an agent, for ``growth.py``: ``growth_stub.py KIND SIZE NUMBER``. Prints its port, and serves.

It sends so many updates or offers as fast as TCP takes them, and answers calls. ``SIZE`` is how many tasks the updates
are of, how many offers an event has, or how many calls come at once.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from typing import Any

from mesos.v1.interface import executor_pb2, mesos_pb2, scheduler_pb2

WINDOW = 1000
"""So many calls a driver writes before it waits for an answer."""
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n"
    b"Mesos-Stream-Id: growth\r\n\r\n"
)
QUIET_SECONDS = 0.3
"""Between SUBSCRIBED and the first event, so that what is measured begins with that."""


def chunk(event: Any) -> bytes:
    data = event.SerializeToString()
    record = b"%d\n%s" % (len(data), data)
    return b"%x\r\n%s\r\n" % (len(record), record)


def update(number: int, tasks: int) -> scheduler_pb2.Event:
    """An update of one of so many tasks."""
    event = scheduler_pb2.Event(type=scheduler_pb2.Event.UPDATE)
    status = event.update.status
    status.task_id.value, status.agent_id.value, status.executor_id.value = (
        f"task-{number % tasks}",
        "agent",
        "executor",
    )
    status.state, status.timestamp, status.source = mesos_pb2.TASK_RUNNING, 1.7e9, status.SOURCE_EXECUTOR
    status.uuid = number.to_bytes(16, "big")
    return event


def offers(first: int, number: int) -> scheduler_pb2.Event:
    event = scheduler_pb2.Event(type=scheduler_pb2.Event.OFFERS)
    for each in range(first, first + number):
        made = event.offers.offers.add(id={"value": f"offer-{each}"}, agent_id={"value": f"agent-{each}"}, hostname="h")
        made.framework_id.value = "framework"
        for name, amount in (("cpus", 8), ("mem", 8192), ("disk", 20000)):
            made.resources.add(name=name, type=mesos_pb2.Value.SCALAR, role="*").scalar.value = amount
        made.resources.add(name="ports", type=mesos_pb2.Value.RANGES).ranges.range.add(begin=31000, end=32000)
    return event


def flood(kind: str, size: int, number: int) -> list[bytes]:
    """Events that hold so many updates or offers."""
    if kind == "updates":
        return [chunk(update(each, size)) for each in range(number)]
    per_event = {"offers": size, "outstanding": 50}.get(kind)
    return [chunk(offers(first, per_event)) for first in range(0, number, per_event)] if per_event else []


class Stub:
    """Subscribes whoever asks, sends the events, and answers calls, of which it tells when ``size`` have come."""

    def __init__(self, kind: str, size: int, number: int) -> None:
        self._kind, self._size = kind, size
        self._agent = kind == "executor"
        self._flood = flood(kind, size, number)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stream: socket.socket | None = None
        self.port = self._listener.getsockname()[1]

    def serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb", 1 << 18)
        came = held = 0
        while stream.readline():
            headers = {}
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get(b"content-length", 0)))
            if self._stream is None:
                self._subscribe(connection)
                continue
            came, held = came + 1, held + 1
            if self._agent:
                self._acknowledge(body)
            if self._kind != "unanswered" or held == min(self._size, WINDOW) or came % self._size == 0:
                connection.sendall(ACCEPTED * held)
                held = 0
            if came % self._size == 0 and self._kind in ("unanswered", "executor"):
                self._send(self._message())

    def _send(self, event: Any) -> None:
        assert self._stream is not None
        self._stream.sendall(chunk(event))

    def _acknowledge(self, body: bytes) -> None:
        status = executor_pb2.Call.FromString(body).update.status
        event = executor_pb2.Event(type=executor_pb2.Event.ACKNOWLEDGED)
        event.acknowledged.task_id.CopyFrom(status.task_id)
        event.acknowledged.uuid = status.uuid
        self._send(event)

    def _message(self) -> Any:
        """Says that ``size`` calls have come."""
        if self._agent:
            return executor_pb2.Event(type=executor_pb2.Event.MESSAGE, message={"data": b"all"})
        event = scheduler_pb2.Event(type=scheduler_pb2.Event.MESSAGE, message={"data": b"all"})
        event.message.agent_id.value = event.message.executor_id.value = "e"
        return event

    def _subscribe(self, connection: socket.socket) -> None:
        self._stream = connection
        connection.sendall(STREAM)
        if self._agent:
            subscribed = executor_pb2.Event(type=executor_pb2.Event.SUBSCRIBED)
            subscribed.subscribed.executor_info.executor_id.value = "e"
            subscribed.subscribed.framework_info.CopyFrom(mesos_pb2.FrameworkInfo(user="u", name="n"))
            subscribed.subscribed.agent_info.hostname = "h"
            return self._send(subscribed)
        event = scheduler_pb2.Event(type=scheduler_pb2.Event.SUBSCRIBED)
        event.subscribed.framework_id.value, event.subscribed.heartbeat_interval_seconds = "framework", 600
        self._send(event)
        time.sleep(QUIET_SECONDS)
        for each in self._flood:
            connection.sendall(each)
        return None


def main() -> None:
    kind, size, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    stub = Stub(kind, size, number)
    print(stub.port, flush=True)
    stub.serve()


if __name__ == "__main__":
    main()
