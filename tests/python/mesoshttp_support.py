"""A client that records its events."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from mesos.mesoshttp import MesosClient

from tests.python.support import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mesos.mesoshttp import Offer

EVENTS = MesosClient._EVENTS


class Watch:
    """A client in a thread of its own, and the events that it was told, with when they came."""

    def __init__(self, client: MesosClient) -> None:
        self.client = client
        self.returned: Any = None
        self.seen: list[tuple[str, Any]] = []
        self.times: dict[str, float] = {}
        self.held: list[Offer] = []
        self._events: queue.Queue[tuple[str, Any]] = queue.Queue()
        for name in EVENTS:
            client.on(name, lambda payload, name=name: self._record(name, payload))
        self.thread = threading.Thread(target=self._register, name="registering")

    def _register(self) -> None:
        self.returned = self.client.register()

    def _record(self, name: str, payload: Any) -> None:
        self.times.setdefault(name, time.perf_counter())
        self._events.put((name, payload))

    def wait(self, name: str, where: Callable[[Any], Any] = lambda _: True) -> Any:
        """Wait for an event of this name whose payload satisfies ``where``. Offers that come before it are held."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                found, payload = self._events.get(timeout=max(0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no such {name}; seen last: {self.seen[-20:]}") from None
            self.seen.append((found, payload))
            if found == name and where(payload):
                return payload
            if found == "OFFERS":
                self.held += payload

    def offer(self) -> Offer:
        """Wait for an offer."""
        if not self.held:
            self.held += self.wait("OFFERS")
        return self.held.pop(0)

    def state(self, task_id: str, state: str) -> dict[str, Any]:
        """Wait until this task is reported in this state; its status."""
        update: dict[str, dict[str, Any]] = self.wait(
            "UPDATE", lambda u: u["status"]["task_id"]["value"] == task_id and u["status"]["state"] == state
        )
        return update["status"]

    def run(self, command: str = "exec sleep 1000", **options: Any) -> tuple[str, dict[str, Any]]:
        """Launch a task, and wait until it runs; its id and its status."""
        made = task(command)
        name = made["task_id"]["value"]
        self.offer().accept([made], **options)
        return name, self.state(name, "TASK_RUNNING")

    def join(self) -> Any:
        """Wait for the end of ``register``; what it returned."""
        self.thread.join(WAIT_SECONDS)
        assert not self.thread.is_alive()
        return self.returned


def task(command: str = "exit 0", cpus: float = 0.1) -> dict[str, Any]:
    """A task as frameworks write it, without an agent."""
    resources = [{"name": n, "type": "SCALAR", "scalar": {"value": v}} for n, v in (("cpus", cpus), ("mem", 32))]
    name = uuid.uuid4().hex
    return {"name": "t", "task_id": {"value": name}, "resources": resources, "command": {"value": command}}


def new_client(master: str, **arguments: Any) -> MesosClient:
    return MesosClient(mesos_urls=[f"http://{master}"], **arguments)


@contextlib.contextmanager
def registered(client: MesosClient) -> Iterator[Watch]:
    """The client in its thread, stopped at the end."""
    watch = Watch(client)
    watch.thread.start()
    try:
        yield watch
    finally:
        client.stop = True
        watch.join()
