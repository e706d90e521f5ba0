"""Writes inputs for the targets, of the requests and messages that other tests send: ``python -m tests.fuzz_seeds DIRECTORY``.

They are where fuzzing starts. What it found, made small with ``cargo fuzz cmin``, is in ``fuzz/corpus``.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from mesos.v1.interface import executor_pb2, mesos_pb2, scheduler_pb2

from tests.requests import Request, tables, wire
from tests.requests.tables import accept, executor, launch, task

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = [
    "/api/v1/scheduler", "/api/v1", "/slave(1)/api/v1", "/slave(1)/api/v1/executor", "/maintenance/schedule", "/teardown",
    "/reserve", "/unreserve", "/create-volumes", "/destroy-volumes", "/machine/down", "/machine/up", "/weights", "/quota",
    "/quota/role", "/files/browse", "/files/read", "/files/download", "/tasks", "/frameworks", "/state",
    "/slave(1)/state", "/slave(1)/containers", "/logging/toggle",
]  # fmt: skip
"""Those of ``POSTS`` and ``GETS`` in ``src/local/server/fuzz.rs``."""
APIS = {"scheduler": 0, "operator": 1, "agent": 2, "executor": 3}
NAMES = [
    "scheduler.Call", "scheduler.Event", "executor.Call", "executor.Event", "master.Call", "master.Response",
    "master.Event", "agent.Call", "Offer", "TaskInfo", "TaskStatus", "Resource",
]  # fmt: skip
"""Those of ``MESSAGES`` in ``src/fuzz/json.rs``."""
JSON, PROTOBUF, FORM = 0, 1, 2
AS_PROTOBUF, IN_STREAM = 4, 8
LAUNCHED = accept(launch(task(executor=executor(executor_id={"value": "e"}))))
SUBSCRIBED = {
    "type": "SUBSCRIBE",
    "framework_id": {"value": "@framework"},
    "executor_id": {"value": "e"},
    "subscribe": {},
}


def main(directory: str) -> None:
    """Writes all of them."""
    for name, make in TARGETS.items():
        for number, seed in enumerate(dict.fromkeys(make())):
            path = Path(directory, name, f"seed-{number:04}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(seed)


def asked(path: int, how: int, body: bytes) -> bytes:
    """A request of an input of ``bodies``."""
    return struct.pack(">BBH", path, how, len(body)) + body


def text_of(request: Request) -> bytes:
    """The body of a request, with the names that the target knows."""
    body = request.call if isinstance(request.call, bytes) else wire_text(request.call)
    text = body.replace(b"@executor", b"e").replace(b"@task", b"t").replace(b"@other-", b"other-")
    return text[: 16 << 10]


def wire_text(call: Any) -> bytes:
    return call.encode() if isinstance(call, str) else b"" if call is None else json.dumps(call).encode()


def bodies() -> Iterator[bytes]:
    before = {
        "executor": asked(0, JSON | IN_STREAM, wire_text(LAUNCHED)) + asked(3, JSON, wire_text(SUBSCRIBED)),
        "launched": asked(0, JSON | IN_STREAM, wire_text(LAUNCHED)),
        "running": asked(0, JSON | IN_STREAM, wire_text(LAUNCHED)),
    }
    for api, requests in tables().items():
        for request in requests:
            place = APIS.get(api)
            if place is None:
                path = re.sub(r"^/master|\?.*", "", request.path).replace("/@agent-path", "/slave(1)")
                place = PATHS.index(path) if path in PATHS else None
            if place is None:
                continue
            how = JSON | IN_STREAM if api == "scheduler" else JSON
            if isinstance(request.call, str | bytes) and api == "endpoints":
                how = FORM
            query = request.path.partition("?")[2]
            body = text_of(request) or query.encode()
            scene = before.get("executor" if api == "agent" else request.scene, b"")
            yield scene + asked(place, how, body)
            if request.form == "protobuf" and not isinstance(request.call, bytes):
                yield scene + asked(place, how | AS_PROTOBUF, body)


def messages() -> Iterator[tuple[str, Any]]:
    """Messages of the APIs."""
    ids = {"agent_id": {"value": "a"}, "framework_id": {"value": "f"}}
    status = {
        "task_id": {"value": "t"},
        "state": "TASK_RUNNING",
        "agent_id": {"value": "a"},
        "uuid": "AAECAwQFRgeICQoLDA0ODw==",
        "timestamp": 1.5,
    }
    cpus = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}
    ports = {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 5}]}}
    offer = {
        "id": {"value": "o"},
        **ids,
        "hostname": "h",
        "resources": [cpus, ports],
        "attributes": [{"name": "r", "type": "TEXT", "text": {"value": "x"}}],
    }
    command = {"value": "true", "environment": {"variables": [{"name": "A", "value": "b"}]}}
    info = {"name": "n", "task_id": {"value": "t"}, "agent_id": {"value": "a"}, "resources": [cpus], "command": command}
    for event in (
        {"type": "SUBSCRIBED", "subscribed": {"framework_id": {"value": "f"}, "heartbeat_interval_seconds": 15}},
        {"type": "OFFERS", "offers": {"offers": [offer, offer]}},
        {"type": "RESCIND", "rescind": {"offer_id": {"value": "o"}}},
        {"type": "UPDATE", "update": {"status": status}},
        {"type": "MESSAGE", "message": {"agent_id": {"value": "a"}, "executor_id": {"value": "e"}, "data": "AAEC"}},
        {"type": "FAILURE", "failure": {"agent_id": {"value": "a"}, "status": 1}},
        {"type": "ERROR", "error": {"message": "why"}},
        {"type": "HEARTBEAT"},
    ):
        yield "scheduler.Event", json_format.ParseDict(event, scheduler_pb2.Event())
    for event in (
        {"type": "LAUNCH", "launch": {"task": info}},
        {"type": "LAUNCH_GROUP", "launch_group": {"task_group": {"tasks": [info, info]}}},
        {"type": "KILL", "kill": {"task_id": {"value": "t"}}},
        {"type": "ACKNOWLEDGED", "acknowledged": {"task_id": {"value": "t"}, "uuid": "AAEC"}},
        {"type": "MESSAGE", "message": {"data": "AAEC"}},
        {"type": "ERROR", "error": {"message": "why"}},
        {"type": "SHUTDOWN"},
    ):
        yield "executor.Event", json_format.ParseDict(event, executor_pb2.Event())
    for name, message, value in (
        ("Offer", mesos_pb2.Offer(), offer),
        ("TaskInfo", mesos_pb2.TaskInfo(), info),
        ("TaskStatus", mesos_pb2.TaskStatus(), status),
        ("Resource", mesos_pb2.Resource(), cpus),
        ("Resource", mesos_pb2.Resource(), ports),
    ):
        yield name, json_format.ParseDict(value, message)


def events() -> Iterator[bytes]:
    yield from (message.SerializeToString() for name, message in messages() if name.endswith("Event"))
    yield b'{"type":"SUBSCRIBED","subscribed":{"heartbeat_interval_seconds":15.0}}'


def calls() -> Iterator[bytes]:
    for api in ("scheduler", "executor"):
        for request in tables()[api]:
            if isinstance(request.call, dict):
                try:
                    yield wire.protobuf(api, request.call)
                except json_format.ParseError:
                    continue


def json_texts() -> Iterator[bytes]:
    for name, message in messages():
        text = json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None)
        yield bytes([NAMES.index(name), 0]) + message.SerializeToString()
        yield bytes([NAMES.index(name), 1]) + text.encode()
    for api, name in (
        ("scheduler", "scheduler.Call"),
        ("executor", "executor.Call"),
        ("operator", "master.Call"),
        ("agent", "agent.Call"),
    ):
        for request in tables()[api]:
            if not isinstance(request.call, bytes):
                yield bytes([NAMES.index(name), 1]) + text_of(request)


def recordio() -> Iterator[bytes]:
    stream = b"".join(b"%d\n%s" % (len(event), event) for event in events())
    yield b"\x00" + stream
    yield b"\x03\x01\x05\x20" + stream
    yield from (
        b"\x00" + text
        for text in (b"5\nhello", b"0\n0\n", b"05\nhello", b"-1\n", b"+3\n", b"x\n", b"268435457\n", b"9" * 30)
    )


def replies() -> Iterator[bytes]:
    found = re.findall(r'b?"(HTTP/1.*?)"', Path("src/driver/http/reply.rs").read_text())
    for text in found:
        reply = text.encode().decode("unicode_escape").encode("latin-1")
        yield b"\x07\x00" + reply
        yield b"\x07\x00" + b"\x00\x00\x03\x07" + bytes([min(len(reply), 255)]) + reply
    yield b"\x00\x00" + b"\x00\x00\x01\x01\x02\x03\x03\x05\x00\x05\x03\x08\x03\x05\x00"
    yield b"\x00\x00" + b"\x00\x01\x01\x01\x03\x04\x40\x08\x03\x05\x00\x05\x00\x05\x00\x05\x02"
    yield b"\x00\x00" + b"\x00\x00\x01\x00\x03\x05\x03\x05\x03\x09\x01\x03\x05\x00\x05\x00"


def nodes() -> Iterator[bytes]:
    info = {
        "address": {"hostname": "h", "ip": "10.0.0.1", "port": 5051},
        "hostname": "h",
        "id": "m",
        "ip": 16777343,
        "port": 5050,
    }
    message = json_format.ParseDict(info, mesos_pb2.MasterInfo())
    for tls in (0, 4):
        yield bytes([tls]) + json.dumps(info).encode()
        yield bytes([tls]) + b'{"ip":16777343}'
        yield bytes([tls | 1]) + message.SerializeToString()
        yield bytes([tls | 1]) + mesos_pb2.MasterInfo(id="m", ip=1, port=5050).SerializeToString()
        yield bytes([tls | 2]) + b"master@127.0.0.1:5053"
        yield bytes([tls | 3]) + b"json.info_0000000012\nlog_replicas\ninfo_0000000003\n0000000007"


def quoted(path: str, pattern: str = r'"((?:[^"\\]|\\.)*)"') -> Iterator[bytes]:
    """The texts in a source file, its tests among them."""
    for text in re.findall(pattern, Path(path).read_text()):
        if len(text) < 200:
            yield text.encode()


def masters() -> Iterator[bytes]:
    for path in (
        "src/driver/detector/mod.rs",
        "src/driver/detector/addresses.rs",
        "src/driver/detector/redacted.rs",
        "src/driver/detector/zookeeper.rs",
    ):
        yield from (text for text in quoted(path) if re.search(rb"[:/@]", text))


def redirects() -> Iterator[bytes]:
    for text in quoted("src/driver/redirect.rs"):
        yield from (bytes([number]) + text for number in (0, 3))


def durations() -> Iterator[bytes]:
    yield from quoted("src/wire/duration.rs")
    yield from (struct.pack("<d", number) for number in (0.0, 1.5, 1e300, float("inf"), float("nan"), -1.0))


def resources() -> Iterator[bytes]:
    yield from quoted("src/local/resources/declared.rs")
    for path in ("declared", "mod"):
        yield from quoted(f"src/local/resources/{path}.rs", r'r#"((?:.|\n)*?)"#')


def options() -> Iterator[bytes]:
    for path in ("flags", "agents", "initial", "mod"):
        texts = [*quoted(f"src/local/options/{path}.rs"), *quoted(f"src/local/options/{path}.rs", r'r#"((?:.|\n)*?)"#')]
        for number, text in enumerate(texts):
            yield bytes([number % 31]) + text
    for number in range(31):
        yield from (
            bytes([number]) + text for text in (b"1", b"true", b"5secs", b"cpus:4;mem:1", b"[{}]", b"{}", b"a=2")
        )


def sessions() -> Iterator[bytes]:
    # Any bytes are steps of a session.
    yield from (base64.b85decode(f"{seed:0>5}" * 12) for seed in ("a", "bc", "Xyz", "q1w2e", "R5t6Z"))
    yield bytes(range(256))
    yield bytes(range(255, -1, -1))
    yield bytes(64)


TARGETS = {
    "bodies": bodies,
    "calls": calls,
    "durations": durations,
    "events": events,
    "executor_session": sessions,
    "json": json_texts,
    "masters": masters,
    "nodes": nodes,
    "operator_session": sessions,
    "options": options,
    "recordio": recordio,
    "redirects": redirects,
    "replies": replies,
    "resources": resources,
    "scheduler_session": sessions,
}

if __name__ == "__main__":
    main(sys.argv[1])
