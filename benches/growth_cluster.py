"""What ``growth.py`` measures of an embedded cluster: ``growth_cluster.py`` serves one in a process of its own.

The tasks are simulated. ``LONG`` ones never end.
"""

from __future__ import annotations

import contextlib
import json
import resource
import selectors
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from growth_client import cpu_seconds, memory_kb
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver
from mesos.v1.interface import master_pb2, scheduler_pb2
from mesos.v1.interface import mesos_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = "long"
ROOM = "cpus:10000;mem:10000000;disk:100000"
TASKS = 2000
"""So many are measured."""
LEAST_AT_ONCE = 100
CPUS = 0.001
WAIT_SECONDS = 120
QUIET_SECONDS = 0.5
NO_FILTERS = mesos_pb2.Filters(refuse_seconds=0)


class Waves(Scheduler):
    """Launches tasks and waits until all of them have reached a state, again and again.

    :param executors: on so many executors of the framework's own; 0: command tasks
    """

    def __init__(self, executors: int) -> None:
        self._executors = executors
        self._wanted, self._launched, self._reached, self._left = "", 0, mesos_pb2.TASK_RUNNING, 0
        self._changed = threading.Condition()

    def wave(self, driver: Any, name: str, number: int, state: int) -> None:
        with self._changed:
            self._wanted, self._launched, self._reached, self._left = name, 0, state, number
            self._number = number
            driver.reviveOffers()
            assert self._changed.wait_for(lambda: self._left == 0, WAIT_SECONDS), f"{self._left} tasks are missing"

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        with self._changed:
            for offer in offers:
                room = int(sum(each.scalar.value for each in offer.resources if each.name == "cpus") / CPUS)
                most = min(max(LEAST_AT_ONCE, self._number // 20), room)
                count = min(self._number - self._launched, most) if self._left else 0
                driver.launchTasks(offer.id, [self._task(offer) for _ in range(count)], NO_FILTERS)
            if self._left == 0 or self._launched == self._number:
                driver.suppressOffers()

    def _task(self, offer: Any) -> Any:
        self._launched += 1
        name = f"{self._wanted}-{self._launched}"
        task = mesos_pb2.TaskInfo(name=self._wanted, task_id={"value": name}, slave_id=offer.slave_id)
        if self._executors:
            task.executor.executor_id.value = f"executor-{self._launched % self._executors}"
            task.executor.command.value = "true"
        else:
            task.command.value = "true"
        task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = CPUS
        return task

    def statusUpdate(self, driver: Any, status: Any) -> None:
        with self._changed:
            self._left -= status.state == self._reached
            self._changed.notify_all()


class Cluster:
    """A cluster in a process of its own, which is asked for its CPU time and memory."""

    def __init__(self, agents: int) -> None:
        command = [sys.executable, __file__, str(agents)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def used(self) -> tuple[float, int]:
        """CPU seconds and kB so far."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        cpu, memory = self._read()
        return cpu, memory

    def settled(self) -> tuple[float, int]:
        """The same, once there is nothing more to do."""
        before = self.used()
        while True:
            time.sleep(QUIET_SECONDS)
            now = self.used()
            if now[0] - before[0] < QUIET_SECONDS / 10:
                return now
            before = now

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


def read_forever(connections: list[socket.socket]) -> None:
    """Takes what the cluster sends to idle subscribers."""
    selector = selectors.DefaultSelector()
    for each in connections:
        selector.register(each, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            with contextlib.suppress(OSError):
                if not key.fileobj.recv(1 << 16):  # type: ignore[union-attr]
                    selector.unregister(key.fileobj)


def post(address: str, path: str, body: bytes) -> socket.socket:
    host, port = address.split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n"
    kinds = "Content-Type: application/x-protobuf\r\nAccept: application/x-protobuf\r\n\r\n"
    connection.sendall(head.encode() + kinds.encode() + body)
    connection.recv(1 << 16)
    return connection


def subscribed(address: str, frameworks: int, watchers: int) -> None:
    """Opens streams of frameworks that want no offers, and of subscribers of the operator API."""
    call = scheduler_pb2.Call(type=scheduler_pb2.Call.SUBSCRIBE)
    call.subscribe.framework_info.CopyFrom(v1.FrameworkInfo(user="u", name="idle", roles=["*"]))
    call.subscribe.framework_info.capabilities.add(type=v1.FrameworkInfo.Capability.MULTI_ROLE)
    call.subscribe.suppressed_roles.append("*")
    watch = master_pb2.Call(type=master_pb2.Call.SUBSCRIBE)
    streams = [post(address, "/api/v1/scheduler", call.SerializeToString()) for _ in range(frameworks)]
    streams += [post(address, "/api/v1", watch.SerializeToString()) for _ in range(watchers)]
    if streams:
        threading.Thread(target=read_forever, args=(streams,), daemon=True).start()


def measure(kind: str, size: int) -> dict[str, float]:
    """Microseconds of the cluster's CPU for each short task, and its memory for each of what there are ``size`` of."""
    agents = size if kind == "agents" else 1 if kind == "executors" else 10
    cluster = Cluster(agents)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(cluster.close)
        scheduler = Waves(size if kind == "executors" else 0)
        driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="growth"), cluster.address)
        cleanup.enter_context(driver)
        driver.start()
        scheduler.wave(driver, "first", 100, mesos_pb2.TASK_FINISHED)
        _, before = cluster.settled()
        subscribed(cluster.address, size - 1 if kind == "frameworks" else 0, size if kind == "watchers" else 0)
        if kind in ("tasks", "executors"):
            scheduler.wave(driver, LONG, size, mesos_pb2.TASK_RUNNING)
        cpu, memory = cluster.settled()
        scheduler.wave(driver, "short", TASKS, mesos_pb2.TASK_FINISHED)
        took = cluster.used()[0] - cpu
    return {"us": took * 1e6 / TASKS, "peak_kb": memory - before, "left_kb": 0}


def described(task: Any) -> Run:
    return Run(seconds=1e6) if task.name == LONG else Run(seconds=0.01)


def serve() -> Iterator[Any]:
    agents, interval = int(sys.argv[1]), 0.05
    with LocalCluster(agents=agents, resources=ROOM, simulate=described, allocation_interval=interval) as cluster:
        yield cluster.address
        for _ in sys.stdin:
            yield cpu_seconds(), memory_kb()


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for line in serve():
        print(json.dumps(line), flush=True)
