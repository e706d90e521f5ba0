"""Standard input and output of containers, which a stub has: the embedded agents refuse them, and so do the real ones
that run in one process with their master."""

from __future__ import annotations

import asyncio
import http.server
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio
from mesos.errors import ArgumentTypeError, RequestRefusedError, UnreachableError
from mesos.interface import mesos_pb2 as v0
from mesos.operator import AgentClient, MasterClient, _containers
from mesos.v1.interface import agent_pb2, mesos_pb2

from tests.python.operating import Waiting, agent_of
from tests.python.support import WAIT_SECONDS, Recorder, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

ProcessIO = agent_pb2.ProcessIO
RECORDIO, PROTOBUF = "application/recordio", "application/x-protobuf"


def written(text: bytes) -> ProcessIO:
    return ProcessIO(type=ProcessIO.DATA, data={"type": ProcessIO.Data.STDOUT, "data": text})


HEARTBEAT = ProcessIO(type=ProcessIO.CONTROL, control={"type": ProcessIO.Control.HEARTBEAT})


class Agent:
    """An agent that has one container, and does what a test says."""

    def __init__(self) -> None:
        self.calls: list[agent_pb2.Call] = []
        self.headers: list[dict[str, str]] = []
        self.left = threading.Event()
        """Whether an output was left by who reads it."""
        self.write: Callable[[Callable[[ProcessIO], None]], None] = lambda write: write(written(b"hello"))
        self.refuses = 0
        self.closes_early = False
        """Whether it closes the connection of an input that it refuses before it has read all of it."""
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                agent.headers.append({name.lower(): value for name, value in self.headers.items()})
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    return agent.read(self)
                call = agent_pb2.Call.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                agent.calls.append(call)
                return agent.answer(self)

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def answer(self, request: Any) -> None:
        """Answers with a stream of what the container writes."""
        if self.refuses:
            return refuse(request, self.refuses)
        request.send_response(200)
        request.send_header("Content-Type", RECORDIO)
        request.send_header("Message-Content-Type", PROTOBUF)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()

        def write(piece: ProcessIO) -> None:
            data = piece.SerializeToString()
            record = b"%d\n%s" % (len(data), data)
            request.wfile.write(b"%x\r\n%s\r\n" % (len(record), record))
            request.wfile.flush()

        try:
            self.write(write)
            request.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.left.set()
        request.close_connection = True
        return None

    def read(self, request: Any) -> None:
        """Reads the input of the container."""
        for record in records(request.rfile):
            if self.refuses and not self.calls:
                refuse(request, self.refuses)
                if self.closes_early:
                    return
            self.calls.append(agent_pb2.Call.FromString(record))
        if not self.refuses:
            request.send_response(200)
            request.send_header("Content-Length", "0")
            request.end_headers()

    def inputs(self) -> list[ProcessIO]:
        """What came after the id of the container, without heartbeats."""
        pieces = [call.attach_container_input.process_io for call in self.calls[1:]]
        return [piece for piece in pieces if _containers.is_shown(piece)]

    def __enter__(self) -> Agent:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def refuse(request: Any, status: int) -> None:
    words = b"Not like that"
    request.send_response(status)
    request.send_header("Content-Length", str(len(words)))
    request.end_headers()
    request.wfile.write(words)
    request.close_connection = True


def records(stream: Any) -> Iterator[bytes]:
    """The records in a body in chunks, which the client may give up."""
    held = b""
    while size := int(stream.readline() or b"0", 16):
        held += stream.read(size)
        stream.readline()
        while (length := held.partition(b"\n"))[1] and len(length[2]) >= int(length[0]):
            yield length[2][: int(length[0])]
            held = length[2][int(length[0]) :]
    stream.readline()


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent() as made:
        yield made


def run(story: Any) -> Any:
    return asyncio.run(asyncio.wait_for(story, WAIT_SECONDS))


@pytest.mark.parametrize("kind", ["session", "output"])
def test_what_a_container_writes_is_read(agent: Agent, kind: str) -> None:
    pieces = [written(b"one"), HEARTBEAT, written(b"two")]

    def write(write: Callable[[ProcessIO], None]) -> None:
        for piece in pieces:
            write(piece)

    def ask(client: Any) -> Any:
        if kind == "output":
            return client.attach_container_output("a.b")
        return client.launch_nested_container_session("a.b", "cat")

    async def read() -> list[ProcessIO]:
        return [piece async for piece in await ask(aio.AgentClient(agent.address))]

    agent.write = write
    assert list(ask(AgentClient(agent.address))) == [pieces[0], pieces[2]]
    assert run(read()) == [pieces[0], pieces[2]]
    first, second = agent.calls
    assert first == second
    nested = mesos_pb2.ContainerID(value="b", parent={"value": "a"})
    if kind == "output":
        assert first.attach_container_output.container_id == nested
    else:
        assert first.launch_nested_container_session.container_id == nested
        assert first.launch_nested_container_session.command.value == "cat"
    for headers in agent.headers:
        assert (headers["accept"], headers["message-accept"], headers["content-type"]) == (RECORDIO, PROTOBUF, PROTOBUF)


def until_left(write: Callable[[ProcessIO], None]) -> None:
    while True:
        write(written(b"x"))
        time.sleep(0.002)


@pytest.mark.parametrize("how", ["close", "with", "forgotten", "client"])
def test_an_output_that_is_left_is_closed(agent: Agent, how: str) -> None:
    agent.write = until_left

    def leave() -> None:
        client = AgentClient(agent.address)
        output = client.attach_container_output("a")
        assert next(output) == written(b"x")
        if how == "close":
            output.close()
            assert list(output) == []
        elif how == "with":
            with output:
                next(output)
        elif how == "client":
            client.close()
            assert list(output) == []

    async def leave_async() -> None:
        client = aio.AgentClient(agent.address)
        output = await client.attach_container_output("a")
        assert await anext(output) == written(b"x")
        if how == "close":
            await output.close()
            assert [piece async for piece in output] == []
        elif how == "with":
            async with output:
                await anext(output)
        elif how == "client":
            await client.close()
            assert [piece async for piece in output] == []

    leave()
    assert agent.left.wait(WAIT_SECONDS)
    agent.left.clear()
    run(leave_async())
    assert agent.left.wait(WAIT_SECONDS)


def test_a_wait_for_output_ends(agent: Agent) -> None:
    """By Ctrl-C, by a cancellation, and by ``close`` in another thread."""
    over = threading.Event()
    agent.write = lambda write: (write(written(b"x")), over.wait(WAIT_SECONDS))[0]
    try:
        output = AgentClient(agent.address).attach_container_output("a")
        next(output)
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the signal may come before the wait
            timer.start()
            next(output)
        timer.join()
        thread = threading.Timer(0.05, output.close)
        thread.start()
        assert list(output) == []
        thread.join()

        async def story() -> None:
            output = await aio.AgentClient(agent.address).attach_container_output("a")
            await anext(output)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(output), 0.05)
            over.set()
            assert [piece async for piece in output] == []

        run(story())
    finally:
        over.set()


PIECES = [
    b"hello",
    ProcessIO(type=ProcessIO.CONTROL, control={"type": 1, "tty_info": {"window_size": {"rows": 3, "columns": 4}}}),
    b"",
]


async def slowly(pieces: list[Any]) -> AsyncIterator[Any]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


@pytest.mark.parametrize("how", ["waits", "awaited", "asynchronous"])
def test_input_is_sent_piece_by_piece(agent: Agent, how: str) -> None:
    if how == "waits":
        AgentClient(agent.address).attach_container_input("a.b", iter(PIECES))
    else:
        pieces = PIECES if how == "awaited" else slowly(PIECES)
        run(aio.AgentClient(agent.address).attach_container_input("a.b", pieces))
    first = agent.calls[0].attach_container_input
    assert first.type == agent_pb2.Call.AttachContainerInput.CONTAINER_ID
    assert first.container_id == mesos_pb2.ContainerID(value="b", parent={"value": "a"})
    assert {call.type for call in agent.calls} == {agent_pb2.Call.ATTACH_CONTAINER_INPUT}
    stdin = [ProcessIO(type=1, data={"type": ProcessIO.Data.STDIN, "data": text}) for text in (b"hello", b"")]
    assert agent.inputs() == [stdin[0], PIECES[1], stdin[1]]
    (headers,) = agent.headers
    assert (headers["content-type"], headers["message-content-type"]) == (RECORDIO, PROTOBUF)


@pytest.mark.parametrize("how", ["waits", "awaited"])
def test_heartbeats_are_sent_meanwhile(agent: Agent, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_containers, "HEARTBEAT_SECONDS", 0.01)

    def beats() -> list[int]:
        pieces = [call.attach_container_input.process_io for call in agent.calls[1:]]
        return [p.control.heartbeat.interval.nanoseconds for p in pieces if not _containers.is_shown(p)]

    def pieces() -> Iterator[bytes]:
        wait_until(lambda: len(beats()) > 2, "heartbeats come")
        yield b"x"

    async def pieces_async() -> AsyncIterator[bytes]:
        while len(beats()) <= 2:
            await asyncio.sleep(0.01)
        yield b"x"

    if how == "waits":
        AgentClient(agent.address).attach_container_input("a", pieces())
    else:
        run(aio.AgentClient(agent.address).attach_container_input("a", pieces_async()))
    assert set(beats()) == {10**7}
    assert len(agent.inputs()) == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "mesos-input"]


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 1000


@pytest.mark.parametrize("closes_early", [False, True])
@pytest.mark.parametrize("how", ["waits", "awaited"])
def test_an_input_that_is_refused_ends(agent: Agent, how: str, closes_early: bool) -> None:
    agent.refuses, agent.closes_early = 404, closes_early
    client = Waiting(AgentClient(agent.address)) if how == "waits" else aio.AgentClient(agent.address)
    with pytest.raises(RequestRefusedError) as raised:
        run(client.attach_container_input("a", endless()))
    assert (raised.value.call, raised.value.status, raised.value.text) == (
        "ATTACH_CONTAINER_INPUT",
        404,
        "Not like that",
    )


def test_an_input_that_fails_is_given_up(agent: Agent) -> None:
    class Failed(Exception):
        """Raised by what gives the input."""

    def failing() -> Iterator[bytes]:
        yield b"x"
        raise Failed

    with pytest.raises(Failed):
        AgentClient(agent.address).attach_container_input("a", failing())
    with pytest.raises(Failed):
        run(aio.AgentClient(agent.address).attach_container_input("a", failing()))
    assert not [thread for thread in threading.enumerate() if thread.name == "mesos-input"]


def test_what_is_no_input() -> None:
    closed = "127.0.0.1:1"
    for given, words in ((5, "got int 5"), (b"text", "got bytes"), ("text", "got str"), (ProcessIO(), "got ProcessIO")):
        with pytest.raises(ArgumentTypeError, match=f"an iterable .* as process_ios, {words}"):
            AgentClient(closed).attach_container_input("a", given)
        with pytest.raises(ArgumentTypeError, match=words):
            run(aio.AgentClient(closed).attach_container_input("a", given))
    with pytest.raises(ArgumentTypeError, match="as container_id, got None"):
        AgentClient(closed).attach_container_input(None, [])
    with pytest.raises(UnreachableError):
        AgentClient(closed).attach_container_input("a", [])
    with pytest.raises(UnreachableError):
        AgentClient(closed).attach_container_output("a")


def test_a_piece_that_is_none_is_named(agent: Agent) -> None:
    with pytest.raises(ArgumentTypeError, match="process_ios, got int 5"):
        AgentClient(agent.address).attach_container_input("a", [b"x", 5])


@pytest.mark.parametrize("status", [202, 401, 403, 404])
def test_a_stream_that_is_refused_says_why(agent: Agent, status: int) -> None:
    agent.refuses = status

    async def story() -> None:
        client = aio.AgentClient(agent.address)
        for ask in (client.attach_container_output("a"), client.launch_nested_container_session("a.b", "true")):
            with pytest.raises(RequestRefusedError) as raised:
                await ask
            assert (raised.value.status, raised.value.text) == (status, "Not like that")

    run(story())
    for ask in (AgentClient.attach_container_output, AgentClient.launch_nested_container_session):
        with pytest.raises(RequestRefusedError) as raised:
            ask(AgentClient(agent.address), "a")
        assert raised.value.status == status


def test_agents_without_such_containers_say_so(master: str) -> None:
    """Those of tests: they are in one process with their master."""

    async def story(agent: Any, outer: str, name: str) -> None:
        for made in (
            agent.attach_container_output(outer),
            agent.attach_container_input(outer, [b"a"]),
            agent.launch_nested_container_session(f"{outer}.{name}", "exec sleep 1000"),
        ):
            with pytest.raises(RequestRefusedError) as raised:
                await made
            assert raised.value.status == 500

    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "exec sleep 1000")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, v0.TASK_RUNNING)
        client = MasterClient(master)
        agent = client.agent(agent_of(client.get_agents(), offer.slave_id.value))
        (container,) = agent.get_containers()
        for name, face in (("one", Waiting(agent)), ("two", aio.AgentClient(agent._operator._daemon))):
            run(story(face, container.container_id.value, name))
