"""A server that a test plays, for streams of the operator API in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos._operator import JSON, RECORDIO, Operator, Stream

from tests.python.support import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEALTH = {"type": "GET_HEALTH"}
HEALTHY = {"type": "GET_HEALTH", "get_health": {"healthy": True}}
SUBSCRIBE = {"type": "SUBSCRIBE"}
PROTOBUF = "application/x-protobuf"
FED = {"Content-Type": RECORDIO, "Message-Content-Type": PROTOBUF, "Accept": PROTOBUF}
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/recordio\r\nTransfer-Encoding: chunked\r\n\r\n"
MOST_BUFFERED = 32 << 20
"""More than sockets hold."""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def record(data: bytes) -> bytes:
    return b"%d\n%s" % (len(data), data)


class Peer:
    """A server that a test plays: what each connection is for is a function of the test's."""

    def __init__(self, talk: Callable[[Peer, socket.socket], None]) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._held: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.said: queue.Queue[Any] = queue.Queue()
        self.go_on = threading.Event()
        self._start(self._serve)

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._held.append(connection)
            self._start(self._answer, connection)

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client was first
            self._talk(self, connection)

    def heard(self) -> Any:
        """What the function said next."""
        return self.said.get(timeout=WAIT_SECONDS)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._held:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._held:
            each.close()


def read_head(connection: socket.socket) -> bytes:
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += connection.recv(1)
    return seen


def chunks(connection: socket.socket) -> Iterator[bytes]:
    """The chunks of a body, to its end or that of the connection."""
    with connection.makefile("rb") as file:
        while size := int(file.readline() or b"0", 16):
            yield file.read(size)
            file.readline()


def until_closed(peer: Peer, connection: socket.socket) -> None:
    """Says so when the client closes."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    peer.said.put("closed")


def hangs(peer: Peer, connection: socket.socket) -> None:
    read_head(connection)
    peer.said.put("asked")
    until_closed(peer, connection)


def begins(peer: Peer, connection: socket.socket) -> None:
    """Answers, and says nothing then."""
    read_head(connection)
    connection.sendall(OK)
    peer.said.put("asked")
    until_closed(peer, connection)


def floods(peer: Peer, connection: socket.socket) -> None:
    """Sends records without end, and says when nobody takes them."""
    read_head(connection)
    connection.sendall(OK)
    connection.settimeout(0.5)
    piece = chunk(record(b"x" * 65536))
    sent = 0
    try:
        while sent < MOST_BUFFERED:
            sent += connection.send(piece[sent % len(piece) :])
    except TimeoutError:
        peer.said.put(sent)
    until_closed(peer, connection)


def numbers(peer: Peer, connection: socket.socket) -> None:
    """Sends the numbers up to 200, one by one."""
    read_head(connection)
    connection.sendall(OK)
    for number in range(200):
        connection.sendall(chunk(record(b"%d" % number)))
        time.sleep(0.0005)  # so that some are waited for and some wait
    connection.sendall(chunk(b""))
    until_closed(peer, connection)


def sends(data: bytes) -> Callable[[Peer, socket.socket], None]:
    """Answers with some bytes, and closes."""

    def talk(peer: Peer, connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        until_closed(peer, connection)

    return talk


def collects(peer: Peer, connection: socket.socket) -> None:
    """Says the head and each part of the body, and answers at its end."""
    peer.said.put(read_head(connection))
    for part in chunks(connection):
        peer.said.put(part)
    peer.said.put("end")
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    until_closed(peer, connection)


def refuses(peer: Peer, connection: socket.socket) -> None:
    """Answers when the first part of the body is there, and reads no more."""
    read_head(connection)
    next(chunks(connection))
    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nnobody")
    peer.said.put("answered")
    peer.go_on.wait(WAIT_SECONDS)


def ignores(peer: Peer, connection: socket.socket) -> None:
    """Reads no body until it may go on."""
    read_head(connection)
    peer.said.put("asked")
    assert peer.go_on.wait(WAIT_SECONDS)
    for part in chunks(connection):
        peer.said.put(len(part))
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    until_closed(peer, connection)


def opened(address: Any, body: Any = SUBSCRIBE, **headers: str) -> Stream:
    return Operator(address).open(body, headers=headers or {"Accept": JSON})


def kind(event: bytes | None) -> Any:
    assert event is not None
    return json.loads(event)["type"]


def agent_of(master: str) -> str:
    """The URL of an agent, whether its port is its own or not."""
    told = json.loads(Operator(master).request({"type": "GET_AGENTS"}).body)["get_agents"]["agents"][0]
    path, _, address = told["pid"].partition("@")
    return f"http://{address}/{path}"


def runner(kind: str) -> Callable[[Any], Any]:
    """Runs a coroutine on a loop of asyncio or uvloop."""
    if kind == "asyncio":
        return lambda coroutine: asyncio.run(asyncio.wait_for(coroutine, WAIT_SECONDS))
    uvloop = pytest.importorskip("uvloop")

    def on_uvloop(coroutine: Any) -> Any:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(asyncio.wait_for(coroutine, WAIT_SECONDS))

    return on_uvloop
