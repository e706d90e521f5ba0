"""A master, or an agent, that answers each call as a test says: in bytes of the test's own, or not at all."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from mesos.v1.interface import executor_pb2, mesos_pb2, scheduler_pb2

from tests.python.support import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

UNAUTHORIZED = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="stub"\r\nContent-Length: 4\r\n\r\nwho?'
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n"
    b"Mesos-Stream-Id: stub\r\n\r\n"
)


class Reply(NamedTuple):
    """What becomes of a call.

    ``accepted`` tells whether the stub counts it as processed. ``end`` closes the connection afterwards: ``close`` as
    a server does that has calls behind it unread, ``reset`` at once, in which case the client's next write fails.
    """

    data: bytes = ACCEPTED
    accepted: bool = True
    end: str | None = None


def read_post(stream: io.BufferedReader) -> tuple[bytes, bytes] | None:
    """The head and the body of the next request; None at the end of the connection."""
    head = stream.readline()
    length = 0
    while head:
        line = stream.readline()
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line in (b"\r\n", b""):
            break
    body = stream.read(length)
    return (head, body) if head.endswith(b"\r\n\r\n") and len(body) == length else None


def authorization(head: bytes) -> str:
    """The value of the header ``Authorization``; empty if there is none."""
    lines = head.decode("latin-1").split("\r\n")
    return next((line.partition(": ")[2] for line in lines if line.lower().startswith("authorization: ")), "")


def end(connection: socket.socket, stream: io.BufferedReader, how: str) -> None:
    """Close a connection: ``reset``, or ``close`` with both directions shut down in order."""
    with contextlib.suppress(OSError):  # the client was first
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.shutdown(socket.SHUT_WR)
            while stream.read1(65536):
                pass
    stream.close()
    connection.close()


def subscribed_to_master(heartbeat: float) -> scheduler_pb2.Event:
    made = scheduler_pb2.Event(type=scheduler_pb2.Event.SUBSCRIBED)
    made.subscribed.framework_id.value = "framework"
    made.subscribed.heartbeat_interval_seconds = heartbeat
    made.subscribed.master_info.CopyFrom(mesos_pb2.MasterInfo(id="m", ip=0x0100007F, port=5050))
    return made


def subscribed_to_agent(_: float) -> executor_pb2.Event:
    made = executor_pb2.Event(type=executor_pb2.Event.SUBSCRIBED)
    made.subscribed.executor_info.executor_id.value = "e"
    made.subscribed.framework_info.CopyFrom(mesos_pb2.FrameworkInfo(user="u", name="n"))
    made.subscribed.agent_info.CopyFrom(mesos_pb2.AgentInfo(hostname="h"))
    return made


class Stub:
    """Subscribes whoever asks, sends heartbeats, and answers calls as it is told.

    :param answer: the reply to a call, from the number of its connection, the number of the call on it, and the call;
        None leaves it unanswered. Both numbers start with 0
    :param heartbeat: the interval of heartbeats in seconds, which SUBSCRIBED names
    :param silent: name the interval and send none
    :param agent: speak the executor's API
    :param authorizes: whether a request is taken, from the value of its ``Authorization`` and the call; if not, the
        answer is 401
    """

    def __init__(
        self,
        answer: Callable[[int, int, Any], Reply | None] = lambda *_: Reply(),
        heartbeat: float = 15,
        silent: bool = False,
        agent: bool = False,
        authorizes: Callable[[str, Any], bool] = lambda *_: True,
    ) -> None:
        self._authorizes = authorizes
        self._answer, self._heartbeat, self._silent = answer, heartbeat, silent
        self._api: Any = executor_pb2 if agent else scheduler_pb2
        self._subscribed = (subscribed_to_agent if agent else subscribed_to_master)(heartbeat)
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._sockets: list[socket.socket] = []
        self._writing = threading.Lock()
        self._streams: list[socket.socket] = []
        self.calls: list[tuple[float, int, Any]] = []
        """Every call, SUBSCRIBE excepted, that arrived whole: when, on which connection, and the call."""
        self.accepted: list[Any] = []
        """The calls that count as processed, in order."""
        self.authorizations: list[tuple[str, Any]] = []
        """The ``Authorization`` of each request, SUBSCRIBE included, and its call."""
        self.subscriptions = 0
        self.connections = 0
        """Connections that carried calls."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Stub:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):  # closed already
                each.shutdown(socket.SHUT_RDWR)

    def wait(self, done: Callable[[Stub], object], what: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until this is so, which is looked at after each call; a second subscription ends the wait."""
        with self._changed:
            self._changed.wait_for(lambda: done(self) or self.subscriptions > 1, seconds)
            assert done(self), (
                f"not within {seconds} s: {what}; {len(self.calls)} calls came, {len(self.accepted)} accepted, "
                f"{self.connections} connections for calls, {self.subscriptions} subscriptions"
            )

    def answer_late(self, connection: int, number: int) -> None:
        """Answer so many calls of a connection that were left unanswered."""
        self._sockets_of_calls[connection].sendall(ACCEPTED * number)

    def send(self, event: Any) -> None:
        """Send an event on every stream."""
        with self._writing:
            for stream in self._streams:
                with contextlib.suppress(OSError):  # the client has left
                    stream.sendall(record(event))

    def send_all(self, pieces: Iterable[bytes]) -> None:
        """Send records on the only stream, as fast as they are taken, until the client leaves. Heartbeats come between."""
        with contextlib.suppress(OSError):
            for piece in pieces:
                with self._writing:
                    self._streams[0].sendall(piece)

    def end_streams(self) -> None:
        """End every stream of events in order."""
        with self._writing:
            for stream in self._streams:
                with contextlib.suppress(OSError):  # the client has left
                    stream.sendall(b"0\r\n\r\n")
                    stream.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Send no heartbeats any more."""
        self._silent = True

    def _accept(self) -> None:
        self._sockets_of_calls: dict[int, socket.socket] = {}
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # An answer that waited for the client's acknowledgement would be lost by a reset.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        try:
            first = read_post(stream)
            if first is None:
                return
            call = self._api.Call.FromString(first[1])
            if call.type == self._api.Call.SUBSCRIBE:
                if self._authorized(first[0], call):
                    self._events(connection)
                else:
                    connection.sendall(UNAUTHORIZED)
            else:
                self._take_calls(connection, stream, first)
        except OSError:  # the client has left
            pass
        finally:
            stream.close()
            connection.close()

    def _authorized(self, head: bytes, call: Any) -> bool:
        shown = authorization(head)
        with self._changed:
            self.authorizations.append((shown, call))
            return self._authorizes(shown, call)

    def _take_calls(self, connection: socket.socket, stream: io.BufferedReader, post: Any) -> None:
        with self._changed:
            mine = self.connections
            self.connections += 1
            self._sockets_of_calls[mine] = connection
        number = 0
        while post is not None:
            call = self._api.Call.FromString(post[1])
            authorized = self._authorized(post[0], call)
            reply = self._answer(mine, number, call) if authorized else Reply(UNAUTHORIZED, accepted=False)
            with self._changed:
                self.calls.append((time.monotonic(), mine, call))
                if reply is not None and reply.accepted:
                    self.accepted.append(call)
                self._changed.notify_all()
            if reply is not None:
                connection.sendall(reply.data)
                if reply.end is not None:
                    return end(connection, stream, reply.end)
            number += 1
            post = read_post(stream)
        return None

    def _events(self, connection: socket.socket) -> None:
        with self._writing:  # no event may be sent before SUBSCRIBED, nor be missed after it
            with self._changed:
                self.subscriptions += 1
                self._changed.notify_all()
            connection.sendall(STREAM + record(self._subscribed))
            self._streams.append(connection)
        while not self._over.wait(self._heartbeat):
            if not self._silent:
                with self._writing:
                    connection.sendall(record(self._api.Event(type=self._api.Event.HEARTBEAT)))


def record(event: Any) -> bytes:
    """An event in RecordIO, in a chunk of its own."""
    data = event.SerializeToString()
    framed = b"%d\n%s" % (len(data), data)
    return b"%x\r\n%s\r\n" % (len(framed), framed)
