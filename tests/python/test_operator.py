"""The master's operator API, in JSON and in protobuf, on the embedded cluster and on the real Mesos."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from mesos.v1.interface import master_pb2

from tests.python.support import Recorder, running

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
FORM = "application/x-www-form-urlencoded"
Call = master_pb2.Call


def ask(
    master: str,
    body: bytes,
    kind: str | None,
    *,
    path: str = "/api/v1",
    method: str = "POST",
    accept: str | None = None,
) -> tuple[int, str | None, bytes]:
    """The status, the type and the body of an answer."""
    headers = {name: value for name, value in (("Content-Type", kind), ("Accept", accept)) if value is not None}
    connection = http.client.HTTPConnection(master, timeout=30)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.status, response.getheader("Content-Type"), response.read()
    connection.close()
    return answer


def window(*machines: dict[str, str], **unavailability: Any) -> dict[str, Any]:
    return {"machine_ids": list(machines), "unavailability": {"start": {"nanoseconds": 1}, **unavailability}}


METHOD = "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."
BOTH_METHODS = "405 Method Not Allowed. Expecting one of { 'GET', 'POST' }, but received 'PUT'."
MEDIA_TYPES = "Expecting 'Content-Type' of application/json or application/x-protobuf"


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        ({}, 400, "Failed to validate master::Call: Expecting 'type' to be present"),
        ({"type": "NO_SUCH"}, 400, "Failed to validate master::Call: Expecting 'type' to be present"),
        *(
            ({"type": name.upper()}, 400, f"Failed to validate master::Call: Expecting '{name}' to be present")
            for name in ("mark_agent_gone", "teardown", "update_maintenance_schedule")
        ),
        (
            {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": "nobody"}}},
            404,
            "Agent 'nobody' not found",
        ),
        (
            {"type": "TEARDOWN", "teardown": {"framework_id": {"value": "nobody"}}},
            400,
            "No framework found with specified ID",
        ),
    ],
)
def test_calls_that_cannot_be_carried_out_are_refused_in_the_same_words(
    master: str, call: dict[str, Any], status: int, words: str
) -> None:
    assert ask(master, json.dumps(call).encode(), JSON) == (status, "text/plain; charset=utf-8", words.encode())


@pytest.mark.parametrize(
    ("method", "path", "kind", "status", "words"),
    [
        ("GET", "/api/v1", None, 405, METHOD),
        ("GET", "/teardown", None, 405, METHOD),
        ("PUT", "/maintenance/schedule", JSON, 405, BOTH_METHODS),
        ("POST", "/api/v1", "application/json; charset=utf-8", 415, MEDIA_TYPES),
        ("POST", "/api/v1", "text/plain", 415, MEDIA_TYPES),
        ("POST", "/api/v1", None, 400, "Expecting 'Content-Type' to be present"),
        ("POST", "/teardown", FORM, 400, "Missing 'frameworkId' query parameter in the request body"),
    ],
)
def test_requests_are_checked_as_the_real_one_checks_them(
    master: str, method: str, path: str, kind: str | None, status: int, words: str
) -> None:
    answer = ask(master, b"", kind, path=path, method=method)
    assert (answer[0], answer[2].decode()) == (status, words)


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        ([window()], "List of machines in the maintenance window is empty"),
        ([window({})], "Both 'hostname' and 'ip' for a machine are empty"),
        ([window({"ip": "nonsense"})], "Failed to parse IPv4: nonsense"),
        ([window({"hostname": "h"}, duration={"nanoseconds": -5})], "Unavailability 'duration' is negative"),
        (
            [window({"hostname": "h"}), window({"hostname": "H"})],
            'Machine \'{"hostname":"H"}\' appears more than once in the schedule',
        ),
    ],
)
def test_a_maintenance_schedule_that_is_not_valid_is_refused(
    master: str, windows: list[dict[str, Any]], words: str
) -> None:
    schedule = {"windows": windows}
    call = {"type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": {"schedule": schedule}}
    assert ask(master, json.dumps(call).encode(), JSON)[::2] == (400, words.encode())
    assert ask(master, json.dumps(schedule).encode(), JSON, path="/maintenance/schedule")[::2] == (400, words.encode())


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
def test_calls_and_responses_are_read_and_written_in_json_and_protobuf(master: str, kind: str) -> None:
    health = Call(type=Call.GET_HEALTH)
    body = b'{"type":"GET_HEALTH"}' if kind == JSON else health.SerializeToString()
    assert ask(master, body, kind)[1:] == (JSON, b'{"type":"GET_HEALTH","get_health":{"healthy":true}}')
    status, answered, response = ask(master, body, kind, accept=PROTOBUF)
    assert (status, answered) == (200, PROTOBUF)
    assert master_pb2.Response.FromString(response).get_health.healthy
    assert ask(master, body, kind, accept="text/html")[0] == 406


def test_the_version_is_that_of_mesos(master: str) -> None:
    response = json.loads(ask(master, b'{"type":"GET_VERSION"}', JSON)[2])
    assert response["get_version"]["version_info"]["version"] == "1.11.0"


def test_a_maintenance_schedule_is_read_as_it_was_written(master: str) -> None:
    schedule = {"windows": [window({"hostname": "elsewhere", "ip": "10.0.0.1"}, duration={"nanoseconds": 5})]}
    update = {"type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": {"schedule": schedule}}
    try:
        assert ask(master, json.dumps(update).encode(), JSON) == (200, None, b"")
        response = json.loads(ask(master, b'{"type":"GET_MAINTENANCE_SCHEDULE"}', JSON)[2])
        assert response["get_maintenance_schedule"]["schedule"] == schedule
        assert json.loads(ask(master, b"", None, path="/maintenance/schedule", method="GET")[2]) == schedule
    finally:
        assert ask(master, b"{}", JSON, path="/maintenance/schedule")[0] == 200


def test_a_framework_is_torn_down_by_a_call_in_protobuf(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler):
        scheduler.wait("registered")
        teardown = Call(type=Call.TEARDOWN, teardown={"framework_id": {"value": scheduler.seen[-1].arguments[0].value}})
        assert ask(master, teardown.SerializeToString(), PROTOBUF) == (200, None, b"")
        assert scheduler.wait("error") == "Framework has been removed"
    assert ask(master, teardown.SerializeToString(), PROTOBUF)[0] == 400
