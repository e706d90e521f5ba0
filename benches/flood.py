"""CPU per status update with its acknowledgement, and per offer, from a master that sends as fast as we take them.

Set against the floor: parsing the same bytes in Python and calling an empty function. What counts are the ratios.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import subprocess
import sys
import threading
import time
import uuid
from typing import Any

from mesos import _core
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
from mesos.v1.interface import mesos_pb2 as v1
from mesos.v1.interface import scheduler_pb2

OFFERS_PER_EVENT = 50
FRAMEWORK = v1.FrameworkID(value=str(uuid.uuid4()))


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def update(number: int) -> v1.TaskStatus:
    status = v1.TaskStatus(task_id={"value": f"task-{number}"}, state=v1.TASK_FINISHED, agent_id={"value": "agent"})
    status.executor_id.value, status.timestamp, status.source = "executor", 1.7e9, v1.TaskStatus.SOURCE_EXECUTOR
    status.uuid = uuid.uuid4().bytes
    return status


def offer(number: int) -> v1.Offer:
    made = v1.Offer(id={"value": f"offer-{number}"}, framework_id=FRAMEWORK, agent_id={"value": "agent"}, hostname="h")
    for name, amount in (("cpus", 8), ("mem", 8192), ("disk", 20000)):
        made.resources.add(name=name, type=v1.Value.SCALAR, role="*").scalar.value = amount
    made.resources.add(name="ports", type=v1.Value.RANGES, role="*").ranges.range.add(begin=31000, end=32000)
    return made


def events(kind: str, number: int) -> list[scheduler_pb2.Event]:
    event = scheduler_pb2.Event
    if kind == "update":
        return [event(type=event.UPDATE, update={"status": update(n)}) for n in range(number)]
    batches = range(0, number, OFFERS_PER_EVENT)
    return [
        event(type=event.OFFERS, offers={"offers": [offer(n + i) for i in range(OFFERS_PER_EVENT)]}) for n in batches
    ]


def chunk(event: scheduler_pb2.Event, in_json: bool = False) -> bytes:
    data = event.SerializeToString()
    if in_json:
        data = json.dumps(_core.to_dict("mesos.v1.scheduler.Event", data)).encode()
    record = b"%d\n%s" % (len(data), data)
    return b"%x\r\n%s\r\n" % (len(record), record)


class Master:
    """Answers the first request with a stream, and every other one with 202."""

    def __init__(self, kind: str, number: int) -> None:
        self._made = events(kind, number)
        self._flood = b"".join(map(chunk, self._made))
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
            stream.read(int(headers.get(b"content-length", 0)))
            if request.startswith(b"GET "):
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            elif b"mesos-stream-id" in headers:
                connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                self.answered()
            else:
                self._stream(connection, b"json" in headers.get(b"accept", b""))

    def answered(self) -> None:
        """Is called after each call that was answered."""

    def _stream(self, connection: socket.socket, in_json: bool) -> None:
        subscribed = scheduler_pb2.Event(type=scheduler_pb2.Event.SUBSCRIBED)
        subscribed.subscribed.framework_id.CopyFrom(FRAMEWORK)
        flood = b"".join(chunk(event, in_json) for event in self._made) if in_json else self._flood
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nMesos-Stream-Id: flood\r\n\r\n"
        connection.sendall(head + chunk(subscribed, in_json))
        time.sleep(0.5)  # so that what is measured begins with the flood
        connection.sendall(flood)


class Counter(Scheduler):
    def __init__(self, number: int) -> None:
        self.left, self.cpu, self.over = number, 0.0, threading.Event()

    def registered(self, *_: Any) -> None:
        self.cpu = cpu_seconds()

    def statusUpdate(self, _: Any, status: Any) -> None:
        assert status.state == mesos_pb2.TASK_FINISHED
        self.count(1)

    def resourceOffers(self, _: Any, offers: Any) -> None:
        for each in offers:
            assert len([resource.name for resource in each.resources]) == 4
        self.count(len(offers))

    def count(self, number: int) -> None:
        self.left -= number
        if self.left == 0:
            self.over.set()


def measure(kind: str, number: int) -> float:
    """Microseconds of CPU of this process for each, acknowledgements included."""
    command = [sys.executable, __file__, "--serve", kind, "--number", str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as master:
        assert master.stdout is not None
        scheduler = Counter(number)
        address = f"127.0.0.1:{int(master.stdout.readline())}"
        driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="flood"), address)
        driver.start()
        scheduler.over.wait()
        driver.stop()
        driver.join()
        master.kill()
    return (cpu_seconds() - scheduler.cpu) * 1e6 / number


def floor(kind: str, number: int) -> float:
    """Microseconds of CPU to parse each and call the scheduler."""
    data = [(update if kind == "update" else offer)(n).SerializeToString() for n in range(number)]
    scheduler, begin = Counter(number), cpu_seconds()
    for each in data:
        if kind == "update":
            scheduler.statusUpdate(None, mesos_pb2.TaskStatus.FromString(each))
        else:
            scheduler.resourceOffers(None, [mesos_pb2.Offer.FromString(each)])
    return (cpu_seconds() - begin) * 1e6 / number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=20000)
    parser.add_argument("--serve", choices=["update", "offer"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        master = Master(options.serve, options.number)
        print(master.port, flush=True)
        master.serve()
    print(f"{'CPU per':10}{'remesos (us)':>16}{'floor (us)':>16}{'ratio':>10}")
    for kind in ("update", "offer"):
        ours, least = measure(kind, options.number), floor(kind, options.number)
        print(f"{kind:10}{ours:16.2f}{least:16.2f}{ours / least:10.1f}")


if __name__ == "__main__":
    main()
