"""Two frameworks with the same interface, whose messages are dicts: one speaks JSON with the master itself, one through the core."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from mesos._dicts import DictDriver

from tests.python.support import WAIT_SECONDS
from tests.requests import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH = "/api/v1/scheduler"
FRAMEWORK = {"user": "", "name": "test"}


class RefusedError(Exception):
    """The master sent an ERROR."""


class Face:
    """A subscribed framework."""

    def __init__(self) -> None:
        self.framework_id = ""
        self.subscribed: dict[str, Any] = {}
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()

    def call(self, call: dict[str, Any]) -> None:
        """Sends a call, without the framework's id."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the framework."""
        raise NotImplementedError

    def event(self, event: dict[str, Any]) -> None:
        """Takes an event in."""
        self._events.put(event)

    def disconnected(self) -> None:
        """No test loses its master."""

    def wait(self, kind: str, where: Callable[[Any], object] = lambda _: True) -> Any:
        """Waits for an event of this type; the field of its type."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            event = self._events.get(timeout=max(0, until - time.monotonic()))
            field = event.get(event["type"].lower())
            if event["type"] == "ERROR":
                raise RefusedError(field["message"])
            if event["type"] == kind and where(field):
                return field

    def offers(self, agents: int) -> list[dict[str, Any]]:
        """Waits for an offer of so many agents each."""
        found: list[dict[str, Any]] = []
        while len(found) < agents:
            found += self.wait("OFFERS")["offers"]
        return found

    def launch(self, offer: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
        """Launches tasks on an offer, and refuses the rest of it for a short time."""
        operation = {"type": "LAUNCH", "launch": {"task_infos": tasks}}
        accept = {"offer_ids": [offer["id"]], "operations": [operation], "filters": {"refuse_seconds": 0.1}}
        self.call({"type": "ACCEPT", "accept": accept})

    def acknowledge(self, status: dict[str, Any]) -> None:
        """Acknowledges an update."""
        named = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
        self.call({"type": "ACKNOWLEDGE", "acknowledge": named})


class JsonFace(Face):
    """A framework that writes and reads JSON."""

    def __init__(self, master: str, framework: dict[str, Any]) -> None:
        super().__init__()
        self._master = master
        subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": framework}}
        self._stream = wire.post(master, PATH, subscribe, Accept=wire.JSON)
        assert self._stream.response is not None
        assert self._stream.status == 200, self._stream.body()
        self._stream_id = self._stream.response.headers["Mesos-Stream-Id"]
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # it is closed
            for event in self._stream.records("scheduler"):
                self.event(event)

    def call(self, call: dict[str, Any]) -> None:
        named = {**call, "framework_id": {"value": self.framework_id}}
        with contextlib.closing(wire.post(self._master, PATH, named, Mesos_Stream_Id=self._stream_id)) as exchange:
            body = exchange.body()
            assert exchange.status == (200 if call["type"] == "UPDATE_FRAMEWORK" else 202), body

    def close(self) -> None:
        if self.framework_id:
            self.call({"type": "TEARDOWN"})
        self._reader.join(WAIT_SECONDS)
        self._stream.close()


class DictFace(Face):
    """A framework on the driver whose messages are dicts."""

    def __init__(self, master: str, framework: dict[str, Any]) -> None:
        super().__init__()
        self._driver = DictDriver(self, framework, master)
        self._driver.start()

    def call(self, call: dict[str, Any]) -> None:
        self._driver.call(call)

    def close(self) -> None:
        self._driver.stop()
        assert self._driver.wait(WAIT_SECONDS)


@contextlib.contextmanager
def subscribed(face: type[Face], master: str, framework: dict[str, Any] | None = None) -> Iterator[Any]:
    """A framework with one of the faces, removed at the end.

    Raises RefusedError if the master refuses it.
    """
    made: Face = face(master, framework or FRAMEWORK)  # type: ignore[call-arg]
    try:
        made.subscribed = made.wait("SUBSCRIBED")
        made.framework_id = made.subscribed["framework_id"]["value"]
        yield made
    finally:
        made.close()
