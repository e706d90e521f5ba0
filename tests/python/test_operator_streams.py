"""Requests that are awaited, and streams of records in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from mesos._operator import JSON, RECORDIO, Answer, Operator
from mesos.errors import (
    AnswerTimeoutError,
    ArgumentValueError,
    MesosError,
    UnreachableError,
)
from mesos.local import LocalCluster
from mesos.v1.interface import agent_pb2, master_pb2

from tests.python.support import WAIT_SECONDS, Recorder, running

if TYPE_CHECKING:
    from collections.abc import Callable

from tests.python.peer import (
    FED,
    HEALTH,
    HEALTHY,
    MOST_BUFFERED,
    OK,
    PROTOBUF,
    SUBSCRIBE,
    Peer,
    agent_of,
    chunk,
    collects,
    floods,
    hangs,
    ignores,
    kind,
    numbers,
    opened,
    record,
    refuses,
    runner,
    sends,
)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """Runs a coroutine on each kind of loop."""
    return runner(request.param)


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

    def test_without_a_loop(self, embedded: LocalCluster) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            Operator(embedded.address)._core.request_async("GET", "/health", [], b"", 10, None)

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
                sent = b"".join(iter(peer.heard, "end"))
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
            assert sum(iter(peer.heard, "closed")) == sent, "what had no room in time was not sent"

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
