"""The ends of streams of the operator API, and what is left of them; subscriptions that are read without callbacks."""

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
from mesos._operator import PATH, Operator, Stream
from mesos.errors import (
    DriverAbortedError,
    MesosError,
    UnreachableError,
)
from mesos.local import LocalCluster, Run
from mesos.v1.interface import master_pb2

from tests.python.support import WAIT_SECONDS, Recorder, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

from tests.python.peer import (
    FED,
    HEALTH,
    HEALTHY,
    SUBSCRIBE,
    Peer,
    agent_of,
    begins,
    chunk,
    hangs,
    ignores,
    kind,
    opened,
    read_head,
    record,
    runner,
    sends,
)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """Runs a coroutine on each kind of loop."""
    return runner(request.param)


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
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the signal may come before the wait
                threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
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
        wait_until(lambda: threads() <= before[1], "the threads have ended")


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
