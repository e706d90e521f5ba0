"""What clusterd, the fork of Mesos that is developed further, has beyond Mesos 1.11.0: its messages, and its calls."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import descriptor_pb2
from mesos._operator import Operator
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.clusterd import of_clusterd
from tests.python.support import Recorder, framework, running, task, wait_until
from tests.python.test_messages import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesos._operator import Answer

PROTO = Path(__file__).resolve().parents[2] / "proto"
FILES = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
VARINT, LENGTH = 0, 2


def compiled_in(library: bytes, file: str) -> descriptor_pb2.FileDescriptorProto:
    """The descriptor of a proto file that is compiled into a library, which does not say how long it is."""
    begin = library.index(b"\n" + bytes([len(file)]) + file.encode() + b"\x12")
    end = begin

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            value |= (library[at] & 0x7F) << shift
            if library[at] < 0x80:
                return value, at + 1
            at, shift = at + 1, shift + 7

    fields = descriptor_pb2.FileDescriptorProto.DESCRIPTOR.fields_by_number
    while True:
        tag, after = varint(end)
        if tag >> 3 not in fields or tag & 7 not in (VARINT, LENGTH):
            return descriptor_pb2.FileDescriptorProto.FromString(library[begin:end])
        value, after = varint(after)
        end = after + value if tag & 7 == LENGTH else after


@pytest.fixture(scope="module")
def library(apache_home: Path) -> bytes:
    return (apache_home / "site" / "mesos" / "scheduler" / "_scheduler.so").read_bytes()


@pytest.mark.apache
@pytest.mark.parametrize("file", FILES)
def test_messages_are_those_of_mesos_1_11_and_exactly_so_many_of_clusterd(library: bytes, file: str) -> None:
    package = "mesos.v1.interface" if "/v1/" in file else "mesos.interface"
    ours = descriptor_pb2.FileDescriptorProto()
    importlib.import_module(f"{package}.{Path(file).stem}_pb2").DESCRIPTOR.CopyToProto(ours)
    theirs, mine = describe(compiled_in(library, file)), describe(ours)
    # Apache's Python package publishes the classic file under another name.
    about_file = str(theirs.pop("")).replace("'mesos/mesos.proto'", "'mesos.proto'")
    assert str(mine.pop("")) == about_file
    assert mine.keys() - theirs.keys() == of_clusterd(file)
    assert theirs == {name: mine.get(name) for name in theirs}


@pytest.mark.parametrize("file", FILES)
def test_what_is_of_clusterd_is_marked(file: str) -> None:
    marked: set[str] = set()
    scope: list[tuple[str, bool]] = []
    comment = ""
    for line in (PROTO / file).read_text().splitlines():
        text = line.strip()
        if text.startswith("//"):
            comment += text
            continue
        inside = bool(scope) and scope[-1][1]
        is_marked = inside or text.endswith("// clusterd") or comment.startswith("// clusterd: ")
        if opened := re.match(r"(?:message|enum|oneof) (\w+) {$", text):
            scope.append((opened[1], is_marked))
            if is_marked:
                marked.add(".".join(name for name, _ in scope))
        elif text == "}":
            scope.pop()
        elif (named := re.match(r"(?:(?:optional|required|repeated) [\w.]+ )?(\w+) = \d+", text)) and is_marked:
            marked.add(".".join([*(name for name, _ in scope), named[1]]))
        comment = ""
    assert marked == of_clusterd(file)


@pytest.fixture(scope="module")
def agent() -> Iterator[tuple[Operator, Operator, str]]:
    """The embedded master, an embedded agent, and the container of the task that it runs."""
    scheduler = Recorder()
    with LocalCluster() as cluster, running(cluster, scheduler, framework(name="logs")) as driver:
        offer = scheduler.offer()
        launched = task(offer, "echo to stdout; echo to stderr >&2; exec sleep 1000")
        driver.launchTasks(offer.id, [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        wait_until(lambda: "to stderr" in cluster.task(launched.task_id.value).stderr(), "the output")
        address = f"http://{cluster.address}/slave(1)"
        yield Operator(cluster), Operator(address), status.container_status.container_id.value


def ask(operator: Operator, kind: str, **fields: Any) -> Answer:
    return operator.request({"type": kind, kind.lower(): fields})


def text(answer: Answer) -> str:
    return answer.body.decode()


def test_an_embedded_agent_reads_the_log_of_a_container(agent: tuple[Operator, Operator, str]) -> None:
    _, operator, container = agent
    read = {"source": "CONTAINER", "container_id": {"value": container}, "stdout_offset": 3, "length": 3}
    answer = ask(operator, "READ_LOG", **read)
    assert json.loads(answer.body) == {
        "type": "READ_LOG",
        "read_log": {"stdout": {"size": 10, "data": "c3Rk"}, "stderr": {"size": 10, "data": "dG8g"}},
    }
    unknown = ask(operator, "READ_LOG", source="CONTAINER", container_id={"value": "other"})
    assert (unknown.status, text(unknown)) == (404, "Container 'other' cannot be found")


def test_logs_of_the_cluster_itself_are_not_in_a_file(agent: tuple[Operator, Operator, str]) -> None:
    master, operator, _ = agent
    assert ask(operator, "READ_LOG", source="AGENT").status == 404
    assert ask(master, "READ_LOG").status == 404


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"source": "UNKNOWN"}, "'read_log.source' must be CONTAINER or AGENT"),
        ({"source": "CONTAINER"}, "Expecting 'read_log.container_id' for CONTAINER source"),
        (
            {"source": "AGENT", "container_id": {"value": "a"}},
            "'read_log.container_id' is only valid for CONTAINER source",
        ),
        (
            {"source": "CONTAINER", "container_id": {"value": ""}},
            "'read_log.container_id' is invalid: ID must not be empty",
        ),
    ],
)
def test_requests_for_a_log_are_checked(
    agent: tuple[Operator, Operator, str], fields: dict[str, Any], why: str
) -> None:
    answer = ask(agent[1], "READ_LOG", **fields)
    assert (answer.status, text(answer)) == (400, f"Failed to validate agent::Call: {why}")


def test_an_embedded_agent_accepts_another_limit_of_memory(agent: tuple[Operator, Operator, str]) -> None:
    _, operator, container = agent
    kind = "UPDATE_CONTAINER_MEMORY_LIMIT"
    limit = {"value": 64}
    assert ask(operator, kind, container_id={"value": container}, memory_limit=limit).status == 200
    unknown = ask(operator, kind, container_id={"value": "other"}, memory_limit=limit)
    assert (unknown.status, text(unknown)) == (404, "Running container 'other' cannot be found")
    nested = ask(operator, kind, container_id={"value": "n", "parent": {"value": container}}, memory_limit=limit)
    assert (nested.status, text(nested)) == (
        400,
        "Failed to validate agent::Call: "
        "'update_container_memory_limit.container_id' must identify a top-level task container",
    )
    for wrong in (0, -1, "Infinity", "NaN"):
        refused = ask(operator, kind, container_id={"value": container}, memory_limit={"value": wrong})
        assert refused.status == 400, wrong


@pytest.mark.apache
def test_mesos_1_11_does_not_know_the_calls(apache_mesos: Any) -> None:
    answer = ask(Operator(apache_mesos.address), "READ_LOG")
    assert (answer.status, text(answer)) == (
        400,
        "Failed to validate master::Call: Expecting 'type' to be present",
    )
