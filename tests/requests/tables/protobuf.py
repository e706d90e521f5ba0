"""Bodies in protobuf."""

from __future__ import annotations

from tests.requests import Request
from tests.requests.tables import SUPPRESS, call, subscribe


def requests() -> list[Request]:
    def bytes_of(what: str, body: bytes) -> Request:
        return Request(f"protobuf: {what}", body, form="protobuf")

    def more(what: str, change: object) -> Request:
        return Request(f"protobuf: {what}", SUPPRESS, form="protobuf", encode=change)

    return [
        bytes_of("nothing", b""),
        bytes_of("rubbish", b"rubbish"),
        bytes_of("0xff", b"\xff"),
        bytes_of("a zero", b"\0"),
        more("cut short", lambda b: b[:-1]),
        more("a byte too many", lambda b: b + b"\x01"),
        more("an unknown field", lambda b: b + b"\xfa\x3e\x01x"),
        more("a field of the wrong kind", lambda b: b + b"\x12\x01x"),
        more("an unknown group", lambda b: b + b"\xf3\x3e\xf4\x3e"),
        more("a group without its end", lambda b: b + b"\xf3\x3e"),
        more("an end of no group", lambda b: b + b"\xf4\x3e"),
        more("the type twice", lambda b: b"\x10\x01" + b),
        more("an unknown type at last", lambda b: b + b"\x10\x7f"),
        bytes_of("an unknown type", b"\x10\x7f\x0a\x03\x0a\x01a"),
        bytes_of("a negative type", b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        bytes_of("an id without its value", b"\x10\x0c\x0a\x00"),
        bytes_of("an id that is not UTF-8", b"\x10\x0c\x0a\x03\x0a\x01\xff"),
        bytes_of("an id that is not UTF-8 and long", b"\x10\x0c\x0a\x04\x0a\x02\xc3\x28"),
        Request("protobuf: no type", {"framework_id": {"value": "@framework"}}, form="protobuf"),
        Request("protobuf: no framework id", {"type": "SUPPRESS"}, form="protobuf"),
        Request("protobuf: an unknown framework", {**SUPPRESS, "framework_id": {"value": "x"}}, form="protobuf"),
        Request("protobuf: no body", call("KILL"), form="protobuf"),
        Request("protobuf: a body without required fields", call("SHUTDOWN", shutdown={}), form="protobuf"),
        Request("protobuf: no name", subscribe(name=None), form="protobuf", scene="nobody"),
        Request("protobuf: no user and no name", subscribe(name=None, user=None), form="protobuf", scene="nobody"),
        Request("protobuf: an unknown capability", subscribe(), form="protobuf", scene="nobody", encode=capability(99)),
        Request("protobuf: the capability UNKNOWN", subscribe(), form="protobuf", scene="nobody", encode=capability(0)),
    ]


def capability(number: int):
    """Adds a capability to a SUBSCRIBE, which is the second field after the type."""

    def change(_: bytes) -> bytes:
        info = b"\x0a\x04root\x12\x01n" + b"\x52\x02\x08" + bytes([number])
        subscribed = b"\x0a" + bytes([len(info)]) + info
        return b"\x10\x01\x1a" + bytes([len(subscribed)]) + subscribed

    return change
