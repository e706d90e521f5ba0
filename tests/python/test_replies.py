"""Replies to calls in every form that HTTP allows, and replies that do not come, from a stub master and a stub agent.

Whatever becomes of the connection for calls, the stream of events is the subscription: the driver is told nothing, and
subscribes once.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2
from mesos.v1.interface import executor_pb2, scheduler_pb2

from tests.proxies import HaProxy
from tests.python.conftest import absent
from tests.python.stub import ACCEPTED, Reply, Stub
from tests.python.support import Recorder, running, task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CALLS = 50
DEADLINE_SECONDS = 10
UNANSWERED_MAX = 1000
Call = scheduler_pb2.Call


def kill(driver: Any, names: list[str]) -> None:
    for name in names:
        driver.killTask(mesos_pb2.TaskID(value=name))


def killed(calls: list[Any]) -> list[str]:
    """Which tasks these calls kill, in order."""
    return [call.kill.task_id.value for call in calls if call.type == Call.KILL]


def names(number: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{each}" for each in range(number)]


@contextlib.contextmanager
def subscribed(stub: Stub, address: str | None = None) -> Iterator[tuple[Any, Recorder]]:
    """A driver that is registered at a stub, and is told of nothing else until the end."""
    scheduler = Recorder()
    with stub, running(address or stub.address, scheduler) as driver:
        scheduler.wait("registered")
        yield driver, scheduler
        while not scheduler.events.empty():
            scheduler.seen.append(scheduler.events.get())
        told = [event.name for event in scheduler.seen if event.name != "resourceOffers"]
        assert (told, stub.subscriptions) == (["registered"], 1)


def every(number: int, data: bytes, end: str = "close") -> Callable[[int, int, Any], Reply]:
    """An answer that ends the connection with every so manieth call."""
    return lambda _, count, __: Reply(data, end=end) if count % number == number - 1 else Reply()


def always(data: bytes, end: str | None = None) -> Callable[[int, int, Any], Reply]:
    return lambda *_: Reply(data, end=end)


def head(*lines: str, status: str = "HTTP/1.1 202 Accepted") -> bytes:
    return "\r\n".join([status, *lines, "", ""]).encode()


EMPTY = "Content-Length: 0"
CLOSING = head("Connection: close", EMPTY)
CHUNKS = b'5;name="a;b"\r\nhello\r\n1\r\n!\r\n0;last\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n'
ZIPPED = gzip.compress(b"hello")
ZIPPED_CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(ZIPPED), ZIPPED)
FORMS = {
    "a plain one": always(ACCEPTED),
    "200 with a body": always(head("Content-Length: 5", status="HTTP/1.1 200 OK") + b"hello"),
    "100 Continue before": always(b"HTTP/1.1 100 Continue\r\n\r\n" + ACCEPTED),
    "103 Early Hints before": always(head("Link: </a>; rel=preload", status="HTTP/1.1 103 Early Hints") + ACCEPTED),
    "several interim ones before": always(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ACCEPTED),
    "60 headers": always(head(*(f"X-Header-{number}: {number}" for number in range(60)), EMPTY)),
    "chunks with extensions and trailers": always(head("Transfer-Encoding: chunked") + CHUNKS),
    "a list of transfer codings": always(head("Transfer-Encoding: gzip, chunked") + ZIPPED_CHUNKS),
    "transfer codings on two lines": always(
        head("Transfer-Encoding: gzip", "transfer-encoding:  Chunked ") + ZIPPED_CHUNKS
    ),
    "a folded header": always(head("X-Folded: one", "  two", "\tthree", EMPTY)),
    "no reason phrase": always(head(EMPTY, status="HTTP/1.1 202 ")),
    "HTTP/1.0": always(head(EMPTY, status="HTTP/1.0 202 Accepted"), end="close"),
    "HTTP/1.0 that stays": always(head("Connection: keep-alive", EMPTY, status="HTTP/1.0 202 Accepted")),
    "a close after each": always(CLOSING, end="close"),
    "a close after every seventh": every(7, CLOSING),
    "a close in a list after every seventh": every(7, head("Connection: X-Other , Close", EMPTY)),
    "a reset after every seventh": every(7, CLOSING, end="reset"),
    "a body until the close": always(head("Connection: close") + b"hello", end="close"),
    "a body until the close, not announced": always(head() + b"hello", end="close"),
}


@pytest.mark.parametrize("answer", FORMS.values(), ids=FORMS)
def test_calls_arrive_once_and_in_order_whatever_form_replies_have(answer: Callable[..., Reply]) -> None:
    stub = Stub(answer)
    with subscribed(stub) as (driver, scheduler):
        kill(driver, names(CALLS))
        stub.wait(lambda s: len(s.accepted) >= CALLS, "each call arrives")
        # Each of these is made when the reply to the one before has come.
        for name in names(5, "last-"):
            stub.send(scheduler_pb2.Event(type=scheduler_pb2.Event.OFFERS))
            scheduler.wait("resourceOffers")
            kill(driver, [name])
            stub.wait(lambda s, name=name: killed(s.accepted)[-1] == name, "the last calls arrive")
        assert killed(stub.accepted) == [*names(CALLS), *names(5, "last-")]


def test_the_calls_connection_is_opened_for_a_call_only() -> None:
    stub = Stub(always(CLOSING, end="close"))
    with subscribed(stub) as (driver, scheduler):
        event = scheduler_pb2.Event(type=scheduler_pb2.Event.OFFERS)
        for number in range(3):
            stub.send(event)
            scheduler.wait("resourceOffers")
            assert stub.connections == number
            kill(driver, [str(number)])
            stub.wait(lambda s, number=number: len(s.accepted) == number + 1, "the call arrives")


@pytest.mark.parametrize("end", [None, "close"], ids=["kept", "closed"])
@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_that_did_not_reach_the_master_gets_the_call_again(status: int, end: str | None) -> None:
    closing = ["Connection: close"] if end else []
    failed = head(*closing, "Content-Length: 4", status=f"HTTP/1.1 {status} Gateway") + b"why?"
    failures = {"3": 1, "20": 3}

    def answer(_: int, __: int, call: Any) -> Reply:
        name = call.kill.task_id.value
        if not failures.get(name):
            return Reply()
        failures[name] -= 1
        return Reply(failed, accepted=False, end=end)

    stub = Stub(answer)
    with subscribed(stub) as (driver, _):
        kill(driver, names(CALLS))
        stub.wait(lambda s: set(killed(s.accepted)) == set(names(CALLS)), "each call is accepted")
        assert failures == {"3": 0, "20": 0}
        times = [when for when, _, call in stub.calls if call.kill.task_id.value == "20"]
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert pauses[2] >= 0.19, "the delay grows: it is 0.1 s at first"
        if end:  # what was behind a failure was not processed, so nothing is there twice
            assert killed(stub.accepted) == names(CALLS)


def test_a_refused_call_is_not_sent_again() -> None:
    refused = head("Content-Length: 4", status="HTTP/1.1 400 Bad Request") + b"why?"
    stub = Stub(always(refused))
    with subscribed(stub) as (driver, _):
        kill(driver, names(CALLS))
        stub.wait(lambda s: len(s.calls) >= CALLS, "each call arrives")
        kill(driver, ["last"])
        stub.wait(lambda s: killed(s.accepted)[-1] == "last", "the last call arrives")
        assert killed(stub.accepted) == [*names(CALLS), "last"]


def offer(number: int) -> scheduler_pb2.Event:
    made = scheduler_pb2.Event(type=scheduler_pb2.Event.OFFERS)
    each = made.offers.offers.add(hostname="h")
    each.id.value, each.agent_id.value, each.framework_id.value = f"offer-{number}", f"agent-{number}", "framework"
    return made


def accept(stub: Stub, driver: Any, scheduler: Recorder, number: int) -> str:
    """Have a task launched on an offer; its id."""
    stub.send(offer(number))
    got = scheduler.offer()
    made = task(got)
    driver.launchTasks(got.id, [made])
    return made.task_id.value


def test_a_launch_behind_an_announced_close_is_sent_again() -> None:
    """It was provably not processed."""

    def answer(connection: int, _: int, __: Any) -> Reply:
        if connection == 0:
            return Reply(CLOSING, end="close")
        return Reply()

    stub = Stub(answer)
    with subscribed(stub) as (driver, scheduler):
        for number in range(2):
            stub.send(offer(number))
        offers = [scheduler.offer(), scheduler.offer()]
        kill(driver, ["first"])
        launched = [task(each) for each in offers]
        for each, made in zip(offers, launched, strict=True):
            driver.launchTasks(each.id, [made])
        stub.wait(lambda s: len(s.accepted) == 3, "each call arrives")
        kill(driver, ["last"])
        stub.wait(lambda s: len(s.accepted) == 4, "the last call arrives")
        kinds = [Call.Type.Name(call.type) for call in stub.accepted]
        assert kinds == ["KILL", "ACCEPT", "ACCEPT", "KILL"]


def test_a_reply_that_is_no_http_breaks_the_connection_and_not_the_subscription() -> None:
    def answer(connection: int, number: int, _: Any) -> Reply:
        return Reply(b"SSH-2.0-OpenSSH\r\n\r\n", accepted=False) if (connection, number) == (0, 5) else Reply()

    stub = Stub(answer)
    with subscribed(stub) as (driver, _):
        kill(driver, names(CALLS))
        stub.wait(lambda s: set(killed(s.accepted)) == set(names(CALLS)), "each call arrives")
        assert stub.connections == 2


def test_calls_without_an_answer_are_sent_again_while_the_stream_delivers() -> None:
    """The first connection swallows everything: after ten seconds it counts as broken, and the stream does not."""
    stub = Stub(lambda connection, *_: Reply() if connection else None, heartbeat=1)
    with subscribed(stub) as (driver, scheduler):
        launched = accept(stub, driver, scheduler, 0)
        kill(driver, names(3))
        driver.sendFrameworkMessage(mesos_pb2.ExecutorID(value="e"), mesos_pb2.SlaveID(value="s"), b"gone")
        driver.suppressOffers()
        driver.reviveOffers()
        stub.wait(lambda s: len(s.calls) == 7, "the calls are written")
        written = stub.calls[0][0]
        stub.wait(lambda s: s.connections == 2, "a second connection", DEADLINE_SECONDS + 15)
        again = next(when for when, connection, _ in stub.calls if connection == 1)
        assert DEADLINE_SECONDS - 1 < again - written < DEADLINE_SECONDS + 10
        stub.wait(lambda s: len(s.accepted) >= 7, "the calls are sent again")
        kinds = [Call.Type.Name(call.type) for call in stub.accepted]
        assert sorted(kinds) == sorted(["DECLINE", "RECONCILE", "KILL", "KILL", "KILL", "SUPPRESS", "REVIVE"])
        assert kinds.index("DECLINE") < kinds.index("RECONCILE")
        assert kinds.index("SUPPRESS") < kinds.index("REVIVE")
        assert killed(stub.accepted) == names(3)
        by_kind = dict(zip(kinds, stub.accepted, strict=True))
        assert [each.value for each in by_kind["DECLINE"].decline.offer_ids] == ["offer-0"]
        assert by_kind["DECLINE"].decline.filters.refuse_seconds == 0
        assert [each.task_id.value for each in by_kind["RECONCILE"].reconcile.tasks] == [launched]
    stub.wait(lambda s: s.accepted[-1].type == Call.TEARDOWN, "stop() tears the framework down")


def unanswered(_: int, __: int, call: Any) -> Reply | None:
    """Only the TEARDOWN at the test's end is."""
    return Reply() if call.type == Call.TEARDOWN else None


def test_calls_without_an_answer_wait_as_long_as_the_stream_is_silent_too() -> None:
    """Nothing tells that one connection alone is broken: the heartbeats that are missing judge both."""
    stub = Stub(unanswered, heartbeat=15, silent=True)
    with subscribed(stub) as (driver, _):
        kill(driver, names(3))
        stub.wait(lambda s: len(s.calls) == 3, "the calls are written")
        time.sleep(DEADLINE_SECONDS + 2)  # what does not happen has no event
        assert (stub.connections, len(stub.calls)) == (1, 3)
        stub.answer_late(0, 3)
        kill(driver, ["last"])
        stub.wait(lambda s: len(s.calls) == 4, "the last call is written")
        assert stub.connections == 1
        stub.answer_late(0, 1)


def test_calls_that_are_never_answered_do_not_pile_up() -> None:
    """About a thousand are written and unanswered at a time; the others wait, and keep their order."""
    number = 5 * UNANSWERED_MAX
    stub = Stub(unanswered)
    with subscribed(stub) as (driver, _):
        kill(driver, names(number))
        stub.wait(lambda s: len(s.calls) >= UNANSWERED_MAX // 2, "calls are written")
        time.sleep(1)  # what does not happen has no event
        written = len(stub.calls)
        assert written <= 1.5 * UNANSWERED_MAX
        answered = 0
        while answered < number:
            stub.wait(lambda s, answered=answered: len(s.calls) > answered, "more calls are written")
            more = len(stub.calls) - answered
            stub.answer_late(0, more)
            answered += more
        assert killed([call for _, _, call in stub.calls]) == names(number)


def test_an_executor_s_update_without_an_answer_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Noting(Executor):
        def registered(self, *_: Any) -> None:
            told.append("registered")

        def reregistered(self, *_: Any) -> None:
            told.append("reregistered")

        def disconnected(self, *_: Any) -> None:
            told.append("disconnected")

    stub = Stub(lambda connection, *_: Reply() if connection else None, heartbeat=1, agent=True)
    variables = {"FRAMEWORK_ID": "f", "EXECUTOR_ID": "e", "SLAVE_ID": "s", "DIRECTORY": "/"}
    for name, value in {**variables, "SLAVE_PID": f"slave(1)@{stub.address}"}.items():
        monkeypatch.setenv(f"MESOS_{name}", value)
    with stub:
        driver = MesosExecutorDriver(Noting())
        driver.start()
        stub.wait(lambda s: s.subscriptions, "the executor subscribes")
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id={"value": "t"}, state=mesos_pb2.TASK_RUNNING))
        driver.sendFrameworkMessage(b"gone")
        stub.wait(lambda s: len(s.calls) == 2, "the calls are written")
        stub.wait(lambda s: s.accepted, "the update is sent again", DEADLINE_SECONDS + 15)
        (update,) = stub.accepted
        assert update.type == executor_pb2.Call.UPDATE
        first = next(call for _, _, call in stub.calls if call.type == executor_pb2.Call.UPDATE)
        assert update.update.status.uuid == first.update.status.uuid
        driver.abort()
        driver.join()
    assert (told, stub.subscriptions) == (["registered"], 1)


def test_a_proxy_that_ends_what_is_idle_in_either_direction(tmp_path: Path) -> None:
    """Its time-outs are longer than the heartbeats and shorter than the pauses between calls."""
    missing = HaProxy.missing()
    if missing:
        absent(missing)
    stub = Stub(heartbeat=0.1)
    settings = "timeout client 2500ms\n  timeout server 2500ms"
    with HaProxy(tmp_path / "haproxy", stub.address, settings) as front, subscribed(stub, front.address) as (driver, _):
        for number in range(2):
            kill(driver, [str(number)])
            stub.wait(lambda s, number=number: len(s.accepted) > number, "the call arrives")
            time.sleep(2.7)  # what the proxy waits for, and a bit
        assert killed(stub.accepted) == names(2)
