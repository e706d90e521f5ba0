"""Requests that are awaited, and streams of records in both directions: what frameworks of clients stand on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos import _core
from mesos._operator import JSON, PATH, RECORDIO, Answer, Operator, Stream
from mesos.errors import (
    AnswerTimeoutError,
    ArgumentValueError,
    DriverAbortedError,
    MesosError,
    UnreachableError,
)
from mesos.local import LocalCluster, Run
from mesos.v1.interface import agent_pb2, master_pb2

from tests.python.support import WAIT_SECONDS, Recorder, running, task, wait_until

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


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """Runs a coroutine on each kind of loop."""
    if request.param == "asyncio":
        return lambda coroutine: asyncio.run(asyncio.wait_for(coroutine, WAIT_SECONDS))
    uvloop = pytest.importorskip("uvloop")

    def on_uvloop(coroutine: Any) -> Any:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(asyncio.wait_for(coroutine, WAIT_SECONDS))

    return on_uvloop


def opened(address: Any, body: Any = SUBSCRIBE, **headers: str) -> Stream:
    return Operator(address).open(body, headers=headers or {"Accept": JSON})


def kind(event: bytes | None) -> Any:
    assert event is not None
    return json.loads(event)["type"]


class TestAwaited:
    def test_a_request(self, master: str, run: Callable[[Any], Any]) -> None:
        operator = Operator(master)
        answer = run(operator.request_async(HEALTH))
        assert json.loads(answer.body) == HEALTHY
        waited = operator.request(HEALTH)
        assert answer._replace(headers={}) == waited._replace(headers={})
        assert answer.headers.keys() == waited.headers.keys()

    def test_many_at_once(self, master: str, run: Callable[[Any], Any]) -> None:
        async def ask() -> list[Answer]:
            operator = Operator(master)
            return await asyncio.gather(*(operator.request_async(HEALTH, idle=WAIT_SECONDS) for _ in range(50)))

        assert [json.loads(answer.body) for answer in run(ask())] == [HEALTHY] * 50

    def test_a_refusal(self, master: str) -> None:
        answer = asyncio.run(Operator(master).request_async({"type": "NOTHING"}))
        assert answer.status == 400

    def test_cancelling_it_closes_the_connection(self, run: Callable[[Any], Any]) -> None:
        async def cancel() -> None:
            with Peer(hangs) as peer:
                asked = asyncio.create_task(Operator(peer.address).request_async(HEALTH, idle=WAIT_SECONDS))
                assert await asyncio.to_thread(peer.heard) == "asked"
                asked.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asked
                assert await asyncio.to_thread(peer.heard) == "closed"

        run(cancel())

    def test_it_fails_as_one_that_is_waited_for(self, run: Callable[[Any], Any]) -> None:
        with Peer(hangs) as peer:
            with pytest.raises(AnswerTimeoutError, match=r"no answer within 0\.2 s"):
                run(Operator(peer.address).request_async(HEALTH, idle=0.2))
            with pytest.raises(AnswerTimeoutError):
                run(Operator(peer.address).request_async(HEALTH, total=0.2))
        with pytest.raises(UnreachableError, match="no connection"):
            run(Operator(peer.address).request_async(HEALTH))

    def test_a_loop_that_is_closed_meanwhile(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Nobody is told, and nothing breaks."""
        with Peer(hangs) as peer:
            operator = Operator(peer.address)

            async def ask() -> None:
                loop = asyncio.get_running_loop()
                loop.pending = operator._core.request_async("GET", "/", [], b"", 0.3, None)  # type: ignore[attr-defined]

            loop = asyncio.new_event_loop()
            loop.run_until_complete(ask())
            loop.close()
            assert peer.heard() == "asked"
            assert peer.heard() == "closed"
        assert capfd.readouterr().err == ""


class TestAnswersInRecords:
    def test_events(self, master: str) -> None:
        with opened(master) as stream:
            answer = stream.answer()
            assert (answer.status, answer.headers["content-type"], answer.body) == (200, JSON, b"")
            assert kind(stream.next()) == "SUBSCRIBED"
            with running(master, Recorder()):
                while kind(stream.next(WAIT_SECONDS)) != "FRAMEWORK_ADDED":
                    pass

    def test_events_that_are_awaited(self, master: str, run: Callable[[Any], Any]) -> None:
        async def read() -> None:
            with opened(master) as stream:
                assert kind(await stream.next_async()) == "SUBSCRIBED"
                assert (await stream.answer_async()).status == 200
                with running(master, Recorder()):
                    while kind(await stream.next_async()) != "FRAMEWORK_ADDED":
                        pass

        run(read())

    def test_events_in_protobuf(self, master: str) -> None:
        call = master_pb2.Call(type=master_pb2.Call.SUBSCRIBE)
        with opened(master, call.SerializeToString(), **{"Content-Type": PROTOBUF, "Accept": PROTOBUF}) as stream:
            event = stream.next()
            assert event is not None
            assert master_pb2.Event.FromString(event).subscribed.heartbeat_interval_seconds == 15

    def test_a_refusal_is_whole(self, master: str) -> None:
        with opened(master, {"type": "NOTHING"}) as stream:
            assert stream.next() is None
            asked = Operator(master).request({"type": "NOTHING"})
            assert stream.answer()[::2] == asked[::2]

    def test_an_agent_s_container_that_is_not_there(self, master: str) -> None:
        """What an agent answers to those who attach, however they do."""
        call = {"type": "ATTACH_CONTAINER_OUTPUT", "attach_container_output": {"container_id": {"value": "nobody"}}}
        headers = {"Accept": RECORDIO, "Message-Accept": JSON}
        with Operator(agent_of(master)).open(call, headers=headers) as stream:
            refused = stream.answer()
            assert stream.next() is None
        assert refused[::2] == Operator(agent_of(master)).request(call, headers=headers)[::2]
        assert refused.status in (404, 500)

    def test_a_redirect_is_followed(self, embedded: LocalCluster) -> None:
        location = f"Location: //{embedded.address}/api/v1\r\nContent-Length: 0\r\n\r\n"
        with Peer(sends(f"HTTP/1.1 307 Temporary Redirect\r\n{location}".encode())) as peer, opened(peer.address) as to:
            assert kind(to.next()) == "SUBSCRIBED"

    def test_records_end(self) -> None:
        pieces = chunk(record(b"one") + b"3\nt") + chunk(b"wo") + chunk(b"")
        with Peer(sends(OK + pieces)) as peer, opened(peer.address) as stream:
            assert [stream.next() for _ in range(4)] == [b"one", b"two", None, None]

    @pytest.mark.parametrize("end", [b"", b"0\r\n\r\n"], ids=["broken", "cut"])
    def test_half_a_record(self, end: bytes) -> None:
        with Peer(sends(OK + chunk(record(b"one") + b"30\nt") + end)) as peer, opened(peer.address) as stream:
            assert stream.next() == b"one"
            for _ in range(2):
                with pytest.raises(UnreachableError):
                    stream.next()

    def test_what_is_no_record(self) -> None:
        with Peer(sends(OK + chunk(record(b"one") + b"{}\n"))) as peer, opened(peer.address) as stream:
            assert stream.next() == b"one"
            with pytest.raises(MesosError, match="RecordIO"):
                stream.next()

    def test_nobody_reads_ahead(self) -> None:
        with Peer(floods) as peer, opened(peer.address) as stream:
            assert stream.next() is not None
            sent = peer.heard()
            assert sent < MOST_BUFFERED
            for _ in range(20):
                assert stream.next() == b"x" * 65536

    def test_time_outs_lose_nothing(self) -> None:
        with Peer(numbers) as peer, opened(peer.address) as stream:
            seen: list[bytes] = []
            while True:
                try:
                    found = stream.next(0.0005)
                except AnswerTimeoutError:
                    continue
                if found is None:
                    break
                seen.append(found)
        assert seen == [b"%d" % number for number in range(200)]

    def test_cancelling_loses_nothing(self, run: Callable[[Any], Any]) -> None:
        async def read() -> list[bytes]:
            seen: list[bytes] = []
            with Peer(numbers) as peer, opened(peer.address) as stream:
                await stream.answer_async()
                while True:
                    waiting = asyncio.create_task(stream.next_async())
                    done, _ = await asyncio.wait([waiting], timeout=0.001)
                    if not done and waiting.cancel():
                        await asyncio.wait([waiting])
                    if not waiting.cancelled():
                        found = waiting.result()
                        if found is None:
                            return seen
                        seen.append(found)

        assert run(read()) == [b"%d" % number for number in range(200)]

    def test_no_answer_in_time(self) -> None:
        with Peer(hangs) as peer, Operator(peer.address).open(SUBSCRIBE, idle=0.2) as stream:
            with pytest.raises(AnswerTimeoutError):
                stream.answer(0.01)
            with pytest.raises(AnswerTimeoutError, match="no answer"):
                stream.answer()
            with pytest.raises(AnswerTimeoutError, match="no answer"):
                stream.next()

    def test_nobody_is_there(self) -> None:
        with Peer(hangs) as peer:
            gone = peer.address
        with opened(gone) as stream, pytest.raises(UnreachableError):
            stream.next()
        with opened(gone, None, **FED) as stream:
            while stream.send(b"record"):
                pass
            with pytest.raises(UnreachableError):
                stream.answer()


def agent_of(master: str) -> str:
    """The URL of an agent, whether its port is its own or not."""
    told = json.loads(Operator(master).request({"type": "GET_AGENTS"}).body)["get_agents"]["agents"][0]
    path, _, address = told["pid"].partition("@")
    return f"http://{address}/{path}"


class TestBodiesInRecords:
    def test_records_are_sent(self) -> None:
        with Peer(collects) as peer, opened(peer.address, None, **FED) as stream:
            assert stream.send(b"one")
            head = peer.heard().lower()
            assert b"transfer-encoding: chunked" in head
            assert b"message-content-type: application/x-protobuf" in head
            assert peer.heard() == b"3\none", "it is sent before there is another one"
            assert stream.send(b"")
            assert peer.heard() == b"0\n"
            stream.end()
            stream.end()
            assert peer.heard() == "end"
            assert stream.answer().status == 200
            assert stream.next() is None
            with pytest.raises(ArgumentValueError, match="complete"):
                stream.send(b"late")

    def test_records_are_sent_that_are_awaited(self, run: Callable[[Any], Any]) -> None:
        async def send() -> None:
            with Peer(collects) as peer, opened(peer.address, None, **FED) as stream:
                for number in range(100):
                    assert await stream.send_async(b"%d" % number)
                stream.end()
                assert (await stream.answer_async()).status == 200
                peer.heard()
                sent = b"".join(peer.heard() for _ in range(100) if peer.said.qsize() > 1)
                assert sent == b"".join(record(b"%d" % number) for number in range(100))

        run(send())

    def test_an_answer_before_the_end(self) -> None:
        with Peer(refuses) as peer, opened(peer.address, None, **FED) as stream:
            assert stream.send(b"one")
            assert peer.heard() == "answered"
            assert stream.answer() == Answer(404, {"content-length": "6"}, b"nobody")
            assert not stream.send(b"two")
            assert stream.next() is None

    def test_an_answer_ends_a_wait_for_room(self) -> None:
        with Peer(refuses) as peer, opened(peer.address, None, **FED) as stream:
            sent = 0
            while stream.send(b"x" * 65536):
                sent += 65536
                assert sent < MOST_BUFFERED
            assert stream.answer().status == 404

    def test_a_slow_reader_holds_back(self) -> None:
        with Peer(ignores) as peer, opened(peer.address, None, **FED) as stream:
            sent = 0
            with contextlib.suppress(AnswerTimeoutError):
                while stream.send(b"x" * 65536, 0.5):
                    sent += len(record(b"x" * 65536))
                    assert sent < MOST_BUFFERED
            peer.go_on.set()
            stream.end()
            assert stream.answer().status == 200
            assert peer.heard() == "asked"
            received = 0
            while not peer.said.empty():
                received += peer.heard()
            assert received == sent, "what had no room in time was not sent"

    def test_agents_answer(self, master: str) -> None:
        """The input of a container that is not there, whose id is the first record."""
        call = agent_pb2.Call(type=agent_pb2.Call.ATTACH_CONTAINER_INPUT)
        call.attach_container_input.type = agent_pb2.Call.AttachContainerInput.CONTAINER_ID
        call.attach_container_input.container_id.value = "nobody"
        with Operator(agent_of(master)).open(None, headers=FED) as stream:
            assert stream.send(call.SerializeToString())
            stream.end()
            refused = stream.answer()
        assert refused.status in (404, 500), refused

    def test_a_whole_body_takes_no_record(self, embedded: LocalCluster) -> None:
        with opened(embedded) as stream, pytest.raises(ArgumentValueError, match="complete"):
            stream.send(b"record")


WAITS: dict[str, tuple[Callable[[Peer, socket.socket], None], Any, Callable[[Stream], Any]]] = {
    "an answer": (hangs, SUBSCRIBE, lambda stream: stream.answer()),
    "a record": (begins, SUBSCRIBE, lambda stream: stream.next()),
    "room": (ignores, None, lambda stream: all(iter(lambda: stream.send(b"x" * 65536), False))),
}


class TestTheEndOfAWait:
    @pytest.mark.parametrize("wait", WAITS)
    def test_ctrl_c(self, wait: str) -> None:
        talk, body, waits = WAITS[wait]
        with Peer(talk) as peer, opened(peer.address, body, **FED) as stream:
            assert peer.heard() == "asked"
            threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            with pytest.raises(KeyboardInterrupt):
                waits(stream)

    @pytest.mark.parametrize("wait", WAITS)
    def test_another_thread_closes(self, wait: str) -> None:
        talk, body, waits = WAITS[wait]
        with Peer(talk) as peer, opened(peer.address, body, **FED) as stream:
            assert peer.heard() == "asked"
            threading.Timer(0.1, stream.close).start()
            if wait == "an answer":
                with pytest.raises(UnreachableError, match="closed"):
                    waits(stream)
            else:
                waits(stream)
            stream.close()
            assert stream.next() is None
            assert not stream.send(b"record")
            if wait != "room":
                assert peer.heard() == "closed"

    def test_a_task_closes(self, run: Callable[[Any], Any]) -> None:
        async def close() -> None:
            with Peer(begins) as peer, opened(peer.address) as stream:
                waiting = asyncio.create_task(stream.next_async())
                await stream.answer_async()
                await asyncio.sleep(0)
                stream.close()
                assert await waiting is None
                assert not await stream.send_async(b"record")

        run(close())

    def test_letting_it_go_closes_the_connection(self) -> None:
        with Peer(begins) as peer:
            stream = opened(peer.address)
            stream.answer()
            assert peer.heard() == "asked"
            del stream
            assert peer.heard() == "closed"

    def test_closing_an_input_is_not_its_end(self) -> None:
        """The other side can tell that it was given up."""

        def talk(peer: Peer, connection: socket.socket) -> None:
            head = read_head(connection)
            assert head
            peer.said.put("asked")
            seen = b""
            while data := connection.recv(65536):
                seen += data
            peer.said.put(seen)

        with Peer(talk) as peer, opened(peer.address, None, **FED) as stream:
            assert stream.send(b"one")
            assert peer.heard() == "asked"
            stream.close()
            assert peer.heard() in (b"", chunk(record(b"one")))

    def test_a_cluster_that_ends(self) -> None:
        cluster = LocalCluster()
        with opened(cluster.address) as stream:
            assert kind(stream.next()) == "SUBSCRIBED"
            cluster.stop()
            with contextlib.suppress(UnreachableError):
                while stream.next(WAIT_SECONDS) is not None:
                    pass


class TestWhatIsLeft:
    def test_descriptors_and_threads(self, embedded: LocalCluster) -> None:
        def use(number: int) -> None:
            with opened(embedded.address) as stream:
                assert kind(stream.next()) == "SUBSCRIBED"
            with Operator(agent_of(embedded.address)).open(None, headers=FED) as stream:
                stream.send(b"no call")
                if number % 2:
                    stream.answer()

            async def awaited() -> None:
                with opened(embedded.address) as stream:
                    assert kind(await stream.next_async()) == "SUBSCRIBED"
                    with contextlib.suppress(asyncio.TimeoutError):
                        while True:
                            await asyncio.wait_for(stream.next_async(), 0.001)

            asyncio.run(awaited())

        def descriptors() -> int:
            return len(os.listdir("/proc/self/fd"))

        def threads() -> int:
            return len(os.listdir("/proc/self/task"))

        for number in range(4):
            use(number)
        before = descriptors(), threads()
        for number in range(100):
            use(number)
        wait_until(lambda: descriptors() <= before[0], "the connections are closed")
        assert threads() <= before[1]


def run_program(address: str, code: str) -> str:
    program = "import asyncio, json, os, sys, threading, warnings\n"
    program += "warnings.simplefilter('ignore', DeprecationWarning)\n"
    program += "from mesos._operator import Operator\nADDRESS = sys.argv[1]\n" + textwrap.dedent(code)
    command = [sys.executable, "-c", program, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


class TestProcesses:
    def test_a_child_has_streams_of_its_own(self, embedded: LocalCluster) -> None:
        """And leaves those of its parent alone."""
        run_program(
            embedded.address,
            """
            from mesos.errors import ArgumentValueError
            SUBSCRIBE = {"type": "SUBSCRIBE"}
            def first(stream):
                return json.loads(stream.next(20))["type"]
            operator = Operator(ADDRESS)
            for _ in range(10):
                stream = operator.open(SUBSCRIBE)
                assert first(stream) == "SUBSCRIBED"
                child = os.fork()
                if child == 0:
                    for use in (lambda: stream.next(), lambda: stream.answer(), lambda: stream.send(b"")):
                        try:
                            use()
                        except ArgumentValueError:
                            continue
                        os._exit(1)
                    stream.close()
                    del stream
                    with operator.open(SUBSCRIBE) as mine:
                        assert first(mine) == "SUBSCRIBED"
                    assert asyncio.run(operator.request_async({"type": "GET_HEALTH"})).status == 200
                    sys.exit(0)
                assert os.waitpid(child, 0)[1] == 0
                assert first(stream) == "HEARTBEAT"
            """,
        )

    def test_the_interpreter_ends_meanwhile(self, embedded: LocalCluster) -> None:
        """With a thread that waits, a task that awaits, and a stream that is open."""
        run_program(
            embedded.address,
            """
            operator = Operator(ADDRESS)
            stream, other = operator.open({"type": "SUBSCRIBE"}), operator.open({"type": "SUBSCRIBE"})
            def read():
                while stream.next() is not None:
                    pass
            async def read_other():
                async def rest():
                    while await other.next_async() is not None:
                        pass
                asyncio.ensure_future(rest())
                await other.answer_async()
            threading.Thread(target=read, daemon=True).start()
            asyncio.run(read_other())
            """,
        )


class TestTimeThatIsSkipped:
    def test_requests_and_streams(self, run: Callable[[Any], Any]) -> None:
        with LocalCluster(time="skip") as cluster:
            began = cluster.time()

            async def ask() -> None:
                operator = Operator(cluster)
                for _ in range(10):
                    assert json.loads((await operator.request_async(HEALTH)).body) == HEALTHY
                with operator.open(SUBSCRIBE) as stream:
                    assert kind(await stream.next_async()) == "SUBSCRIBED"

            run(ask())
            with opened(cluster) as stream:
                assert kind(stream.next()) == "SUBSCRIBED"
                assert cluster.time() - began < 0.01
                beats = 0
                for _ in range(3):
                    cluster.advance(15)
                    while (stream._core.take() or stream._core.readable(WAIT_SECONDS)) is True:
                        pass
                    beats += 1
                assert beats == 3

    def test_a_cluster_that_ends(self) -> None:
        cluster = LocalCluster(time="skip")
        stream = opened(cluster.address)
        assert kind(stream.next()) == "SUBSCRIBED"
        outcome: queue.Queue[object] = queue.Queue()

        def read() -> None:
            try:
                while stream.next() is not None:
                    pass
                outcome.put(None)
            except MesosError as error:
                outcome.put(error)

        thread = threading.Thread(target=read)
        thread.start()
        cluster.stop()
        assert isinstance(outcome.get(timeout=WAIT_SECONDS), UnreachableError | None)
        thread.join()
        stream.close()


CLASSES: dict[str, Callable[..., Any]] = {
    "event": master_pb2.Event.FromString,
    "disconnected": lambda: "disconnected",
}


class Subscribed:
    """A subscription that is read without callbacks."""

    def __init__(self, master: str, authentication: _core.Authentication | None = None) -> None:
        call = master_pb2.Call(type=master_pb2.Call.SUBSCRIBE).SerializeToString()
        self.core = _core.Subscription(master, authentication, PATH, call, False)
        self.events = self.core.open(CLASSES)

    def next(self) -> Any:
        """Waits for the next one, heartbeats apart."""
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            event = self.events.next()
            if event is None and self.events.wait():
                select.select([self.events.descriptor()], [], [], WAIT_SECONDS)
                self.events.clear()
                self.events.waited()
            elif event == "disconnected" or (event is not None and event.type != master_pb2.Event.HEARTBEAT):
                return event
        raise TimeoutError

    def __enter__(self) -> Subscribed:
        return self

    def __exit__(self, *_: object) -> None:
        self.core.stop()
        self.core.join(WAIT_SECONDS)


class TestSubscriptions:
    def test_events(self, master: str) -> None:
        with Subscribed(master) as subscribed:
            first = subscribed.next()
            assert first.type == master_pb2.Event.SUBSCRIBED
            assert len(first.subscribed.get_state.get_agents.agents) == 2
            with running(master, Recorder()):
                added = subscribed.next()
                while added.type != master_pb2.Event.FRAMEWORK_ADDED:
                    added = subscribed.next()
        with pytest.raises(StopAsyncIteration):
            subscribed.events.next()

    def test_a_restart_of_the_master(self, embedded: LocalCluster) -> None:
        with Subscribed(embedded.address) as subscribed:
            assert subscribed.next().type == master_pb2.Event.SUBSCRIBED
            embedded.restart_master()
            assert subscribed.next() == "disconnected"
            assert subscribed.next().type == master_pb2.Event.SUBSCRIBED

    def test_another_thread_stops_it(self, embedded: LocalCluster) -> None:
        with Subscribed(embedded.address) as subscribed:
            assert subscribed.next().type == master_pb2.Event.SUBSCRIBED
            threading.Timer(0.1, subscribed.core.stop).start()
            with pytest.raises(StopAsyncIteration):
                subscribed.next()

    def test_a_refusal(self) -> None:
        denied = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
        with Peer(sends(denied)) as peer:
            subscribed = Subscribed(peer.address, _core.Authentication.basic("alice", "wrong"))
            for _ in range(2):
                with pytest.raises(DriverAbortedError, match="alice"):
                    subscribed.next()

    def test_time_that_is_skipped(self) -> None:
        with LocalCluster(time="skip", simulate=Run(seconds=3600)) as cluster:
            launched: list[Any] = []

            def launch(driver: Any, offers: Any) -> None:
                if not launched:
                    launched.append(driver.launchTasks(offers[0].id, [task(offers[0])]))

            states: list[int] = []

            def read() -> None:
                with contextlib.suppress(StopAsyncIteration):
                    while True:
                        event = subscribed.next()
                        if event.type == master_pb2.Event.TASK_UPDATED:
                            states.append(event.task_updated.state)

            reader = threading.Thread(target=read)
            with Subscribed(cluster.address) as subscribed, running(cluster, Recorder(resourceOffers=launch)):
                reader.start()
                cluster.run_until(lambda: len(states) == 3)
                assert cluster.time() > 3600
            reader.join()
