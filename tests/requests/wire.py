"""Plain HTTP, without a client library that would refuse to send what is wrong."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from mesos.v1.interface import agent_pb2, executor_pb2, master_pb2, scheduler_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 20
CALLS = {
    "scheduler": scheduler_pb2.Call,
    "executor": executor_pb2.Call,
    "operator": master_pb2.Call,
    "agent": agent_pb2.Call,
}
EVENTS = {"scheduler": scheduler_pb2.Event, "executor": executor_pb2.Event, "operator": master_pb2.Event}
RESPONSES = {"operator": master_pb2.Response, "agent": agent_pb2.Response}
ODD = "@number "
JSON, PROTOBUF = "application/json", "application/x-protobuf"


def protobuf(api: str, call: dict[str, Any]) -> bytes:
    """A call as protobuf, also if required fields are missing."""
    written: bytes = json_format.ParseDict(call, CALLS[api]()).SerializePartialToString()
    return written


def parsed(text: str) -> Any:
    """What JSON says, or a text as it is.

    How a number is written is kept if it is not as Python writes it, and a text that has blanks.
    """
    try:
        value = loaded(text)
    except ValueError:
        return text
    plain = re.sub(rf'"{ODD}([^"]*)"', r"\1", json.dumps(value, separators=(",", ":"), ensure_ascii=False))
    return value if plain == text else {"odd": text}


def loaded(text: str | bytes) -> Any:
    """The same, whatever is between its parts."""
    return json.loads(text, parse_float=_float)


def _float(text: str) -> float | str:
    value = float(text)
    return value if repr(value) == text else f"{ODD}{text}"


@dataclass
class Exchange:
    """A connection after a request was sent on it."""

    socket: socket.socket
    response: http.client.HTTPResponse | None

    @property
    def status(self) -> int | str:
        """The response's status, or what happened in its stead."""
        return self.response.status if self.response else "closed without a response"

    def body(self) -> bytes:
        """The whole body."""
        return self.response.read() if self.response else b""

    def records(self, api: str) -> Iterator[dict[str, Any]]:
        """The events of a stream, until it ends."""
        assert self.response is not None
        in_json = self.response.headers["Content-Type"] == JSON
        with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
            while line := self.response.readline():
                data = self.response.read(int(line))
                if in_json:
                    yield loaded(data)
                else:
                    event = EVENTS[api].FromString(data)
                    yield json_format.MessageToDict(event, preserving_proto_field_name=True)

    def finish(self) -> int | str:
        """Read the body, and close the connection; the status."""
        with contextlib.closing(self):
            self.body()
        return self.status

    def close(self) -> None:
        """Close the connection."""
        if self.response is not None:
            self.response.close()
        self.socket.close()


def send(address: str, request: bytes) -> Exchange:
    """Send bytes on a connection of their own, and read the head of a response."""
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=SECONDS)
    try:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        return Exchange(connection, respond(connection, request.split(b" ", 1)[0].decode()))
    except BaseException:
        connection.close()
        raise


def respond(connection: socket.socket, method: str) -> http.client.HTTPResponse | None:
    """Read the head of a response, or None if the connection is closed before."""
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
    except (http.client.BadStatusLine, ConnectionError):
        return None
    return response


def written(method: str, path: str, headers: dict[str, str | None], body: bytes, version: str = "HTTP/1.1") -> bytes:
    """A request as it goes over the wire; headers whose value is None are left out."""
    lines = [
        f"{method} {path} {version}",
        *(f"{name}: {value}" for name, value in headers.items() if value is not None),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def post(address: str, path: str, call: dict[str, Any], **headers: str) -> Exchange:
    """Send a call as JSON."""
    body = json.dumps(call).encode()
    heads = {"Host": address, "Content-Type": JSON, "Content-Length": str(len(body))}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(address, written("POST", path, {**heads, **named}, body))
