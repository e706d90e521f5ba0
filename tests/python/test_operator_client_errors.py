"""What the clients of the operator API refuse, what they are refused, and what is not answered."""

from __future__ import annotations

import asyncio
import json
import pickle
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio, auth, operator
from mesos.errors import (
    AnswerTimeoutError,
    ArgumentTypeError,
    ArgumentValueError,
    RequestRefusedError,
    UnreachableError,
)
from mesos.operator import AgentClient, MasterClient
from mesos.v1.interface import agent_pb2, master_pb2, mesos_pb2

from tests.apache_mesos import ApacheMesos, credentials
from tests.python.operating import MASTERS, resource
from tests.python.test_operator_requests import Unfinished, assert_prompt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mesos.local import LocalCluster

CLOSED = "127.0.0.1:1"
GOOD, WRONG = "s3cret-of-alice", "gu3ssed"


@pytest.mark.parametrize(
    ("ask", "kind", "words"),
    [
        (lambda m: m.drain_agent(5), ArgumentTypeError, "AgentID as agent_id, got int 5"),
        (lambda m: m.drain_agent(None), ArgumentTypeError, "AgentID as agent_id, got None"),
        (lambda m: m.drain_agent("a", max_grace_period="5"), ArgumentTypeError, "seconds as max_grace_period, got str"),
        (lambda m: m.drain_agent("a", max_grace_period=-1), ArgumentValueError, "seconds as max_grace_period, got -1"),
        (lambda m: m.drain_agent("a", mark_gone=1), ArgumentTypeError, "a bool as mark_gone, got int 1"),
        (lambda m: m.read_file(5), ArgumentTypeError, "a str as path, got int 5"),
        (lambda m: m.read_file("/", "1"), ArgumentTypeError, "an int as offset, got str '1'"),
        (lambda m: m.read_file("/", -1), ArgumentValueError, "an int of 64 bits without a sign as offset, got -1"),
        (lambda m: m.read_file("/", 1 << 64), ArgumentValueError, "an int of 64 bits without a sign as offset"),
        (lambda m: m.set_logging_level(1 << 32, 1), ArgumentValueError, "an int of 32 bits without a sign as level"),
        (lambda m: m.set_logging_level(1, None), ArgumentTypeError, "DurationInfo as duration, got None"),
        (lambda m: m.get_metrics("1"), ArgumentTypeError, "seconds as timeout, got str '1'"),
        (lambda m: m.reserve_resources("a", resource("cpus", 1)), ArgumentTypeError, "Resource as resources, got"),
        (lambda m: m.reserve_resources("a", ["cpus"]), ArgumentTypeError, r"Resource as resources\[0\], got str"),
        (lambda m: m.reserve_resources("a", [mesos_pb2.Resource()]), ArgumentValueError, r"resources\[0\]"),
        (lambda m: m.shrink_volume("a", resource("disk", 1), "5"), ArgumentTypeError, "a number as subtract, got str"),
        (lambda m: m.update_weights({"role": "2"}), ArgumentTypeError, "weight_infos"),
        (lambda m: m.update_weights(5), ArgumentTypeError, "WeightInfo as weight_infos, got int 5"),
        (lambda m: m.remove_quota(None), ArgumentTypeError, "a str as role, got None"),
        (lambda m: m.call(5), ArgumentTypeError, "Call as message, got int 5"),
        (
            lambda m: m.call(agent_pb2.Call(type="GET_AGENT")),
            ArgumentTypeError,
            "master.Call as message, got Call type",
        ),
        (lambda m: m.call(master_pb2.Call(type="TEARDOWN", teardown={})), ArgumentValueError, "as message"),
        (lambda m: m.call(master_pb2.Call(type="SUBSCRIBE")), ArgumentValueError, r"use events\(\)"),
        (lambda m: m.call(master_pb2.Call(type="GET_HEALTH"), timeout="1"), ArgumentTypeError, "as timeout, got str"),
    ],
)
def test_arguments_are_checked_before_anything_is_sent(ask: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        ask(MasterClient(CLOSED))
    with pytest.raises(kind, match=words):
        asyncio.run(ask(aio.MasterClient(CLOSED)))


@pytest.mark.parametrize(
    ("ask", "kind", "words"),
    [
        (lambda a: a.launch_container("a", 5), ArgumentTypeError, "a str as command, got int 5"),
        (lambda a: a.launch_container("a", limits=5), ArgumentTypeError, "a mapping of str as limits, got int 5"),
        (lambda a: a.launch_container("a", limits={"mem": "5"}), ArgumentTypeError, r"a number as limits\['mem'\]"),
        (lambda a: a.kill_container("a", 1 << 31), ArgumentValueError, "an int of 32 bits as signal"),
        (lambda a: a.wait_container("a", timeout=-1), ArgumentValueError, "zero or more seconds as timeout, got -1"),
        (lambda a: a.read_log(9), ArgumentValueError, "a value of the enum as source, got 9"),
        (
            lambda a: a.call(agent_pb2.Call(type="ATTACH_CONTAINER_OUTPUT")),
            ArgumentValueError,
            "use attach_container_o",
        ),
    ],
)
def test_arguments_of_calls_to_agents(ask: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        ask(AgentClient(CLOSED))
    with pytest.raises(kind, match=words):
        asyncio.run(ask(aio.AgentClient(CLOSED)))


@pytest.mark.parametrize("client", [operator.MasterClient, aio.MasterClient])
def test_what_clients_are_made_of(client: Any) -> None:
    for arguments, kind, words in (
        ({"master": 5}, ArgumentTypeError, "as master, got int 5"),
        ({"master": "nonsense"}, ArgumentValueError, "nonsense"),
        ({"master": CLOSED, "timeout": "5"}, ArgumentTypeError, "seconds as timeout, got str"),
        ({"master": CLOSED, "timeout": None}, ArgumentTypeError, "seconds as timeout, got None"),
        ({"master": CLOSED, "credential": ("a", "b")}, ArgumentTypeError, "Credential as credential, got tuple"),
        ({"master": CLOSED, "authentication": 5}, ArgumentTypeError, "authentication"),
    ):
        with pytest.raises(kind, match=words):
            client(**arguments)
    with pytest.raises(ArgumentTypeError, match="as agent, got"):
        client(CLOSED).agent(5)
    unknown = master_pb2.Response.GetAgents.Agent(active=True, version="", agent_info={"hostname": "h"})
    with pytest.raises(ArgumentValueError, match="an agent that has registered"):
        client(CLOSED).agent(unknown)


def test_clients_show_whom_they_ask() -> None:
    assert repr(MasterClient("zk://user:secret@127.0.0.1:1/mesos")) == (
        "<mesos.operator.MasterClient zk://user:***@127.0.0.1:1/mesos>"
    )
    assert repr(aio.AgentClient("127.0.0.1:1/slave(1)")) == "<mesos.aio.AgentClient http://127.0.0.1:1/slave(1)>"


@pytest.mark.parametrize("client", [operator.MasterClient, aio.MasterClient])
def test_the_client_of_an_agent_is_as_that_of_its_master(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = master_pb2.Response.GetAgents.Agent(active=True, version="", pid="slave(1)@127.0.0.1:2")
    found.agent_info.hostname = "h"
    credential = mesos_pb2.Credential(principal="alice", secret=GOOD)
    agent = client("https://127.0.0.1:1", credential=credential, timeout=3).agent(found)
    assert (agent._operator._daemon, agent._credential, agent._timeout) == (
        "https://127.0.0.1:2/slave(1)",
        credential,
        3,
    )
    assert client(CLOSED).agent(found)._operator._daemon == "http://127.0.0.1:2/slave(1)"
    monkeypatch.setenv("LIBPROCESS_SSL_ENABLED", "1")
    assert client(CLOSED).agent(found)._operator._daemon == "https://127.0.0.1:2/slave(1)"


def test_the_text_of_a_container_s_id_has_those_of_its_parents() -> None:
    def made(given: Any) -> mesos_pb2.ContainerID:
        call = AgentClient(CLOSED)._built("WAIT_CONTAINER", {"container_id": given})
        found: mesos_pb2.ContainerID = call.wait_container.container_id
        return found

    assert made("a") == mesos_pb2.ContainerID(value="a")
    assert made("a.b") == mesos_pb2.ContainerID(value="b", parent={"value": "a"})
    nested = mesos_pb2.ContainerID(value="c", parent={"value": "b", "parent": {"value": "a"}})
    assert made("a.b.c") == made(nested) == nested


def test_durations_are_as_long_as_mesos_has_them() -> None:
    def made(seconds: float) -> tuple[int, int]:
        period = MasterClient(CLOSED)._built("DRAIN_AGENT", {"agent_id": "a", "max_grace_period": seconds})
        return period.drain_agent.max_grace_period.seconds, period.drain_agent.max_grace_period.nanos

    assert made(0) == (0, 0)
    assert made(1.25) == (1, 250_000_000)
    assert made(float("inf")) == (9223372035, 0)


@pytest.fixture(params=MASTERS)
def face(request: pytest.FixtureRequest) -> Any:
    return MASTERS[request.param]


def test_a_refusal_has_the_status_and_the_words(embedded: LocalCluster, face: Any) -> None:
    async def story() -> None:
        with pytest.raises(RequestRefusedError) as raised:
            await face(embedded).mark_agent_gone("nobody")
        error = raised.value
        assert (error.call, error.status, error.text) == ("MARK_AGENT_GONE", 404, "Agent 'nobody' not found")
        assert str(error) == "MARK_AGENT_GONE was refused with the status 404: Agent 'nobody' not found"
        copied = pickle.loads(pickle.dumps(error))
        assert (copied.call, copied.status, copied.text) == (error.call, error.status, error.text)

    asyncio.run(story())


def test_no_connection(face: Any) -> None:
    async def story() -> None:
        with pytest.raises(UnreachableError):
            await face(CLOSED).get_health()

    asyncio.run(story())


@pytest.fixture
def unfinished() -> Iterator[Unfinished]:
    server = Unfinished(b"")
    yield server
    server.close()


def test_a_master_that_does_not_answer(unfinished: Unfinished, face: Any) -> None:
    async def story() -> None:
        started = time.monotonic()
        with pytest.raises(AnswerTimeoutError):
            await face(unfinished.address, timeout=0.1).get_health()
        with pytest.raises(AnswerTimeoutError):
            await face(unfinished.address).call(master_pb2.Call(type=master_pb2.Call.GET_HEALTH), timeout=0.1)
        with pytest.raises(AnswerTimeoutError):
            await face("zk://127.0.0.1:1/mesos", timeout=0.1).get_health()
        with pytest.raises(AnswerTimeoutError):
            await anext(face(unfinished.address).events(timeout=0.1))
        assert time.monotonic() - started < 5

    asyncio.run(story())


def test_ctrl_c_ends_a_call(unfinished: Unfinished) -> None:
    master = MasterClient(unfinished.address, timeout=30)
    assert_prompt(master.get_state, unfinished.asked)


def test_a_call_that_is_cancelled_is_given_up(unfinished: Unfinished, embedded: LocalCluster) -> None:
    async def story() -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(aio.MasterClient(unfinished.address).get_state(), 0.05)
        client = aio.MasterClient(f"{unfinished.address},{embedded.address}")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get_state(), 0.05)
        unfinished.close()
        assert await client.get_health() is True

    asyncio.run(story())


@pytest.fixture(scope="module")
def guarded(apache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheMesos]:
    """A real master that lets alice alone make calls, but not update weights."""
    work = tmp_path_factory.mktemp("guarded")
    acls = {"update_weights": [{"principals": {"values": ["alice"]}, "roles": {"type": "NONE"}}]}
    flags = {
        "MESOS_AUTHENTICATE_HTTP_READWRITE": "true",
        "MESOS_ACLS": json.dumps(acls),
        **credentials(work / "credentials", "alice", GOOD),
    }
    with ApacheMesos(apache_home, work / "mesos", agents=0, flags=flags) as mesos:
        yield mesos


def test_who_is_not_known_and_who_may_not_are_told_apart(guarded: ApacheMesos, face: Any) -> None:
    async def status(call: Any) -> int:
        with pytest.raises(RequestRefusedError) as raised:
            await call
        assert not any(secret in str(raised.value) for secret in (GOOD, WRONG))
        return raised.value.status

    async def story() -> None:
        def made(secret: str) -> list[dict[str, Any]]:
            credential = mesos_pb2.Credential(principal="alice", secret=secret)
            return [{"credential": credential}, {"authentication": auth.Basic("alice", secret)}]

        for arguments in made(GOOD):
            known = face(guarded.address, **arguments)
            assert await known.get_health() is True
            assert await status(known.update_weights({"role": 2})) == 403
        for arguments in [*made(WRONG), {}]:
            assert await status(face(guarded.address, **arguments).get_health()) == 401

    asyncio.run(story())
