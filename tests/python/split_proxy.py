"""A proxy that knows the stream of events from the connections for calls, and harms either alone."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from mesos.v1.interface import scheduler_pb2

from tests.python.stub import read_post
from tests.python.support import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS = ("before", "reset", "within", "after", "amid")
"""Where in the life of a call its connection can be cut.

``before``, ``reset``: it reached the proxy, and the server gets nothing of it; ``within``: the server gets half of it;
``after``: the server has it and has answered, the client gets nothing of the answer; ``amid``: it gets half of that.
"""
LATE = "late"
"""The client's connection is cut, and the server gets the call when :meth:`SplitProxy.release` is called."""


class SplitProxy:
    """Passes events on, and calls one by one, between clients and a master or an agent.

    :param server: where to, ``host:port``
    :param api: ``scheduler_pb2`` or ``executor_pb2``, what clients speak
    """

    def __init__(self, server: str, api: Any = scheduler_pb2) -> None:
        host, _, port = server.rpartition(":")
        self._target, self._api = (host, int(port)), api
        self._lock = threading.Condition()
        self._cuts: list[tuple[Callable[[Any], bool], str]] = []
        self._released = threading.Event()
        self._streams: list[socket.socket] = []
        self._callers: list[socket.socket] = []
        self._swallowed: set[socket.socket] = set()
        self._amid = False
        self.received: list[Any] = []
        """Calls that clients sent whole, SUBSCRIBE excepted."""
        self.forwarded: list[Any] = []
        """Those of them that the server got whole."""
        self.answered = 0
        """How many of them the client got an answer to."""
        self.subscriptions = 0
        self.connections = 0
        """Connections that carried calls."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> SplitProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._released.set()
        self.cut_stream()
        self.end_calls("cut")

    def cut_at(self, point: str, which: Callable[[Any], bool]) -> None:
        """Cut the connection of the next call that is one of these, at one of :data:`POINTS` or :data:`LATE`."""
        with self._lock:
            self._cuts.append((which, point))

    def release(self) -> None:
        """Let calls that are late reach the server."""
        self._released.set()

    def end_calls(self, how: str) -> None:
        """End the connections for calls that are open: ``cut``, ``reset``, or ``half``, which still takes bytes."""
        with self._lock:
            callers, self._callers = self._callers, []
            if how == "half":
                self._swallowed.update(callers)
        for each in callers:
            with contextlib.suppress(OSError):  # it ended by itself
                if how == "reset":
                    reset(each)
                each.shutdown(socket.SHUT_WR if how == "half" else socket.SHUT_RDWR)

    def swallow_calls(self) -> None:
        """Keep the connections for calls that are open, and drop whatever comes on them."""
        with self._lock:
            self._swallowed.update(self._callers)

    @property
    def pending(self) -> bool:
        """Whether a cut waits for its call."""
        with self._lock:
            return bool(self._cuts)

    def cut_stream(self, amid: bool = False) -> None:
        """Break the stream of events alone: at once, or after half of what comes next."""
        with self._lock:
            if amid and self._streams:
                self._amid = True
                return
            streams, self._streams = self._streams, []
        for each in streams:
            with contextlib.suppress(OSError):  # it broke by itself
                each.shutdown(socket.SHUT_RDWR)

    def wait(self, done: Callable[[SplitProxy], object], what: str) -> None:
        """Wait until this is so, which is looked at after each call; a new subscription ends the wait."""
        with self._lock:
            before = self.subscriptions
            self._lock.wait_for(lambda: done(self) or self.subscriptions > before, WAIT_SECONDS)
            assert done(self), f"not within {WAIT_SECONDS} s, or before a new subscription: {what}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        stream = client.makefile("rb")
        try:
            post = read_post(stream)
            if post is None:
                return
            with socket.create_connection(self._target) as server:
                if self._api.Call.FromString(post[1]).type == self._api.Call.SUBSCRIBE:
                    self._pass_events(client, server, b"".join(post))
                else:
                    self._pass_calls(client, stream, server, post)
        except (OSError, http.client.HTTPException):  # one of the ends has left
            pass
        finally:
            stream.close()
            client.close()

    def _pass_events(self, client: socket.socket, server: socket.socket, post: bytes) -> None:
        with self._lock:
            self.subscriptions += 1
            self._streams += [client, server]
            self._lock.notify_all()
        threading.Thread(target=self._watch, args=(client, server), daemon=True).start()
        server.sendall(post)
        while data := server.recv(65536):
            if self._amid:
                self._amid = False
                client.sendall(data[: len(data) // 2])
                return self.cut_stream()
            client.sendall(data)
        return None

    def _watch(self, client: socket.socket, server: socket.socket) -> None:
        """A client that leaves its stream leaves the server's too."""
        with contextlib.suppress(OSError):  # the server was first
            while client.recv(65536):
                pass
            server.shutdown(socket.SHUT_RDWR)

    def _pass_calls(self, client: socket.socket, stream: io.BufferedReader, server: socket.socket, post: Any) -> None:
        with self._lock:
            self.connections += 1
            self._callers.append(client)
        while post is not None and self._pass_call(client, stream, server, *post):
            post = read_post(stream)

    def _pass_call(
        self, client: socket.socket, stream: io.BufferedReader, server: socket.socket, head: bytes, body: bytes
    ) -> bool:
        """Passes a call and its answer; false when the connection is cut."""
        call = self._api.Call.FromString(body)
        with self._lock:
            swallowed = client in self._swallowed
            point = None if swallowed else self._point(call)
            self.received.append(call)
            self._lock.notify_all()
        if swallowed:
            return True
        if point in ("before", "reset"):
            if point == "reset":
                reset(client)
            return False
        if point == "within":
            server.sendall((head + body)[: len(head) + len(body) // 2])
            return False
        if point == LATE:
            stream.close()
            client.close()
            self._released.wait(WAIT_SECONDS)
        answer = self._ask(server, call, head + body)
        if point == "amid":
            client.sendall(answer[: len(answer) // 2])
        if point is not None:
            return False
        client.sendall(answer)
        with self._lock:
            self.answered += 1
            self._lock.notify_all()
        return True

    def _point(self, call: Any) -> str | None:
        for each in self._cuts:
            if each[0](call):
                self._cuts.remove(each)
                return each[1]
        return None

    def _ask(self, server: socket.socket, call: Any, post: bytes) -> bytes:
        server.sendall(post)
        response = http.client.HTTPResponse(server, method="POST")
        response.begin()
        body = response.read()
        with self._lock:
            self.forwarded.append(call)
            self._lock.notify_all()
        status = f"HTTP/1.1 {response.status} {response.reason}\r\nContent-Length: {len(body)}\r\n\r\n"
        return status.encode() + body


def reset(connection: socket.socket) -> None:
    """Have a connection reset, rather than shut down, when it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
