"""Methods, paths, headers and media types, whatever the call."""

from __future__ import annotations

import gzip
import json

from tests.requests import Request
from tests.requests.operator.calls import BODIES, call

HEALTH = {"type": "GET_HEALTH"}
SUBSCRIBE = {"type": "SUBSCRIBE"}


def requests() -> list[Request]:
    return [*methods(), *paths(), *media_types(), *texts(), *connections()]


def sent(what: str, **fields: object) -> Request:
    return Request(f"GET_HEALTH with {what}", HEALTH, scene="nobody", **fields)  # type: ignore[arg-type]


def methods() -> list[Request]:
    names = ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")
    return [
        *(sent(f"the method {name}", method=name) for name in names),
        Request("GET without a body", None, method="GET", scene="nobody", headers={"Content-Type": None, "Content-Length": None}),
    ]  # fmt: skip


def paths() -> list[Request]:
    found = (
        "/master/api/v1", "/api/v1/", "/master/api/v1/", "//api/v1", "/api//v1", "/api/v1?a=b", "/api/v1/operator",
        "/api/v1/master", "/API/v1", "/api", "/api/", "/api/v2", "/api/v1x", "/master/api", "/nobody/api/v1", "/%61pi/v1",
    )  # fmt: skip
    return [sent(f"the path {path}", path=path) for path in found]


def media_types() -> list[Request]:
    types = (
        "application/json; charset=utf-8", "Application/JSON", "application/protobuf", "text/plain", "text/json",
        "application/x-www-form-urlencoded", "application/recordio", "*/*", "",
    )  # fmt: skip
    accepts = (
        "application/json", "application/x-protobuf", "application/x-protobuf, application/json",
        "application/json;q=0, application/x-protobuf", "application/json;q=0", "application/*", "*/*",
        "text/html, */*;q=0.8", "text/html", "text/*", "application/recordio", "Application/JSON", "json", "",
    )  # fmt: skip
    streams = (
        "application/json", "application/x-protobuf", "application/recordio", "*/*", "text/html", "",
        "application/recordio, application/json",
    )  # fmt: skip
    return [
        *(sent(f"the Content-Type {kind!r}", headers={"Content-Type": kind}) for kind in types),
        sent("no Content-Type", headers={"Content-Type": None}),
        sent("protobuf", form="protobuf"),
        sent("protobuf as JSON", form="protobuf", headers={"Content-Type": "application/json"}),
        sent("JSON as protobuf", headers={"Content-Type": "application/x-protobuf"}),
        *(sent(f"Accept {kind!r}", headers={"Accept": kind}) for kind in accepts),
        *(sent(f"Accept {kind!r}, in protobuf", form="protobuf", headers={"Accept": kind}) for kind in accepts[:4]),
        *(Request(f"SUBSCRIBE with Accept {kind!r}", SUBSCRIBE, scene="nobody", headers={"Accept": kind}) for kind in streams),
        Request("SUBSCRIBE without Accept", SUBSCRIBE, scene="nobody"),
        Request("SUBSCRIBE in protobuf", SUBSCRIBE, form="protobuf", scene="nobody"),
        Request(
            "SUBSCRIBE with Message-Accept",
            SUBSCRIBE,
            scene="nobody",
            headers={"Accept": "application/recordio", "Message-Accept": "application/x-protobuf"},
        ),
        Request(
            "a missing body with Accept text/html",
            {"type": "TEARDOWN"},
            scene="nobody",
            headers={"Accept": "text/html"},
        ),
        Request("UNKNOWN with Accept text/html", {"type": "UNKNOWN"}, scene="nobody", headers={"Accept": "text/html"}),
        Request(
            "an unknown agent with Accept text/html",
            call("MARK_AGENT_GONE", agent_id={"value": "x"}),
            scene="nobody",
            headers={"Accept": "text/html"},
        ),
    ]  # fmt: skip


def texts() -> list[Request]:
    bodies: dict[str, str | bytes] = {
        "nothing": "",
        "blanks": "  ",
        "an opening brace": "{",
        "an empty object": "{}",
        "a list": "[]",
        "a number": "1",
        "null": "null",
        "text": '"GET_HEALTH"',
        "single quotes": "{'type': 'GET_HEALTH'}",
        "a trailing comma": '{"type": "GET_HEALTH",}',
        "a call cut short": '{"type": "GET_HEA',
        "rubbish after a call": '{"type": "GET_HEALTH"} x',
        "a type twice": '{"type": "GET_HEALTH", "type": "GET_VERSION"}',
        "a type by its number": '{"type": 1}',
        "a type that is null": '{"type": null}',
        "a type in small letters": '{"type": "get_health"}',
        "an unknown type": '{"type": "GET_RICH"}',
        "an empty type": '{"type": ""}',
        "an agent's type": '{"type": "GET_CONTAINERS"}',
        "a response's type": '{"type": "GET_HEALTH", "get_health": {"healthy": true}}',
        "an unknown field": '{"type": "GET_HEALTH", "a": [1]}',
        "another call's body": '{"type": "GET_HEALTH", "teardown": {"framework_id": {"value": "x"}}}',
        "another call's bad body": '{"type": "GET_HEALTH", "teardown": {}}',
        "another call's body of a wrong kind": '{"type": "GET_HEALTH", "teardown": 1}',
        "bytes that are not UTF-8": b'{"type": "GET_HEALTH", "a": "\xff"}',
    }
    wire = {
        "rubbish": b"rubbish",
        "nothing": b"",
        "a type cut short": b"\x08",
        "an unknown type": b"\x08\x63",
        "an unknown field": b"\x08\x01\xa0\x06\x01",
        "a body cut short": b"\x08\x1f\x82\x01\x05\x0a",
        "a body without its fields": b"\x08\x1f\x82\x01\x00",
    }
    health = json.dumps(HEALTH).encode()
    encoded = {"Content-Encoding": "gzip"}
    return [
        *(Request(f"JSON: {what}", text, scene="nobody") for what, text in bodies.items()),
        *(Request(f"protobuf: {what}", data, form="protobuf", scene="nobody") for what, data in wire.items()),
        Request("gzip", gzip.compress(health), scene="nobody", headers=encoded),
        Request("gzip that is none", HEALTH, scene="nobody", headers=encoded),
        Request("gzip cut short", gzip.compress(health)[:-9], scene="nobody", headers=encoded),
        sent("Accept-Encoding gzip", headers={"Accept-Encoding": "gzip"}),
        Request(
            "GET_FLAGS with Accept-Encoding gzip",
            {"type": "GET_FLAGS"},
            scene="nobody",
            headers={"Accept-Encoding": "gzip"},
        ),
    ]


def connections() -> list[Request]:
    return [
        sent("a connection that is kept", again=True),
        sent("HTTP/1.0", version="HTTP/1.0", again=True),
        Request("an error, on a connection that is kept", {"type": "TEARDOWN"}, scene="nobody", again=True),
        Request("a body of a read", {"type": "GET_STATE", **BODIES_OF_OTHERS}, scene="nobody"),
    ]


BODIES_OF_OTHERS = {name.lower(): BODIES[name] for name in ("DRAIN_AGENT", "UPDATE_WEIGHTS")}
