"""Whom the embedded cluster's port lets in: this machine's clients, and no web page of another origin."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import re
import socket
from typing import TYPE_CHECKING

import pytest
from mesos.errors import ArgumentValueError
from mesos.local import LocalCluster

from tests.python.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
ROUTES = [
    ("GET", "/"),
    ("GET", "/webui/main.js"),
    ("GET", "/webui/events"),
    ("GET", "/state"),
    ("GET", "/master/state"),
    ("GET", "/redirect"),
    ("GET", "/slave(1)/state"),
    ("GET", "/files/read?path=/"),
    ("GET", "/files/browse?path=/"),
    ("GET", "/files/download?path=/"),
    ("GET", "/no/such/route"),
    ("POST", "/teardown"),
    ("POST", "/master/teardown"),
    ("POST", "/maintenance/schedule"),
    ("POST", "/api/v1"),
    ("POST", "/api/v1/scheduler"),
    ("POST", "/slave(1)/api/v1"),
    ("GET", "/slave(1)/containers"),
    ("POST", "/slave(1)/api/v1/executor"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster() as cluster:
        yield cluster


def ask(cluster: LocalCluster, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, str]:
    connection = http.client.HTTPConnection(cluster.address, timeout=30)
    try:
        connection.request(method, path, body if method == "POST" else None, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_answers_to_the_name_of_another_host(cluster: LocalCluster, method: str, path: str) -> None:
    status, body = ask(cluster, method, path, {"Host": "rebound.example:5050", "Content-Type": JSON})
    assert (status, body.partition(":")[0]) == (421, "The Host 'rebound.example")


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:8888"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_no_route_answers_to_a_page_of_another_origin(
    cluster: LocalCluster, method: str, path: str, page: dict[str, str]
) -> None:
    status, body = ask(cluster, method, path, {**page, "Content-Type": JSON})
    assert (status, body) == (403, "Refused: the request comes from a web page of another origin\n")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:5050", "[::1]:8888", "mesos.localhost"])
def test_names_of_loopback_are_answered_to(cluster: LocalCluster, host: str) -> None:
    assert ask(cluster, "GET", "/version", {"Host": host})[0] == 200


def test_a_client_of_http_1_0_needs_no_host(cluster: LocalCluster) -> None:
    host, _, port = cluster.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"GET /version HTTP/1.0\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.0 200")


def test_a_link_that_is_followed_from_another_page_shows_the_web_page(cluster: LocalCluster) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(cluster, "GET", "/", followed)[0] == 200
    assert ask(cluster, "POST", "/teardown", {**followed, "Content-Type": FORM}, b"frameworkId=x")[0] == 403


def test_answers_forbid_pages_of_other_origins_to_use_them(cluster: LocalCluster) -> None:
    connection = http.client.HTTPConnection(cluster.address, timeout=30)
    connection.request("GET", "/state")
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'self'" in response.headers["Content-Security-Policy"]


def test_hosts_of_the_environment_are_answered_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMESOS_LOCAL_HOSTS", "Build.example.org, 10.0.0.7")
    with LocalCluster() as cluster:
        for host in ("build.example.org:5050", "10.0.0.7", "localhost"):
            assert ask(cluster, "GET", "/version", {"Host": host})[0] == 200
        assert ask(cluster, "GET", "/version", {"Host": "other.example.org"})[0] == 421
    monkeypatch.setenv("REMESOS_LOCAL_HOSTS", "not a host")
    with pytest.raises(ArgumentValueError, match="REMESOS_LOCAL_HOSTS: 'not a host'.*expected"):
        LocalCluster()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *itertools.product(
            ("/teardown", "/maintenance/schedule", "/api/v1"), ("text/plain", "multipart/form-data", None)
        ),
        ("/maintenance/schedule", FORM),
        ("/api/v1", FORM),
    ],
)
def test_bodies_of_types_that_any_page_may_send_are_refused(cluster: LocalCluster, path: str, kind: str | None) -> None:
    status, body = ask(cluster, "POST", path, {} if kind is None else {"Content-Type": kind}, b"{}")
    assert (status, "Content-Type" in body) == (400 if kind is None else 415, True)


def test_bodies_of_the_right_type_are_taken(cluster: LocalCluster) -> None:
    origin = {"Origin": cluster.url}
    schedule = json.dumps({"windows": []}).encode()
    assert ask(cluster, "POST", "/maintenance/schedule", {**origin, "Content-Type": JSON}, schedule)[0] == 200
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert ask(cluster, "POST", "/maintenance/schedule", charset, schedule)[0] == 200
    assert ask(cluster, "POST", "/api/v1", {"Content-Type": JSON}, b'{"type":"GET_HEALTH"}')[0] == 200
    unknown = ask(cluster, "POST", "/teardown", {"Content-Type": FORM}, b"frameworkId=x")
    assert unknown == (400, "No framework found with specified ID")


@pytest.mark.parametrize(
    ("path", "kind", "most"),
    [
        ("/api/v1/scheduler", JSON, 64 << 20),
        ("/slave(1)/api/v1/executor", JSON, 64 << 20),
        ("/teardown", FORM, 1 << 20),
        ("/master/api/v1", JSON, 1 << 20),
        ("/slave(1)/api/v1", JSON, 1 << 20),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused(
    cluster: LocalCluster, path: str, kind: str, most: int, announced: bool
) -> None:
    connection = http.client.HTTPConnection(cluster.address, timeout=30)
    try:
        body = itertools.repeat(b" " * 65536, most // 65536 + 1)
        headers = {"Content-Type": kind, **({"Content-Length": str(most + 65536)} if announced else {})}
        connection.request("POST", path, body, headers, encode_chunked=not announced)
        response = connection.getresponse()
        refusal = f"The body is too large: expected at most {most} bytes here\n"
        assert (response.status, response.read().decode()) == (413, refusal)
    finally:
        connection.close()


def test_a_client_that_asks_first_sends_no_body_that_is_too_large(cluster: LocalCluster) -> None:
    host, _, port = cluster.address.partition(":")
    head = b"POST /teardown HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000000\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_would_grow_when_it_is_decoded_is_refused(cluster: LocalCluster) -> None:
    size = 16 << 20
    varint = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21])
    operations = b"\x22" + varint + b"\x12\x00" * (size // 2)
    headers = {"Content-Type": "application/x-protobuf"}
    status, body = ask(cluster, "POST", "/api/v1/scheduler", headers, operations)
    assert (status, body.endswith(" bytes of memory or more, expected at most 268435456")) == (400, True)


class Subscription:
    """A subscribed framework that reads its stream when it is told to, and only then."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        host, _, port = cluster.address.partition(":")
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.socket.settimeout(20)
        self.socket.connect((host, int(port)))
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "", "name": "slow"}}}
        body = json.dumps(call).encode()
        head = (
            f"POST /api/v1/scheduler HTTP/1.1\r\nHost: {cluster.address}\r\nContent-Type: {JSON}\r\nAccept: {JSON}\r\n"
        )
        self.socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        seen = b""
        while b'"SUBSCRIBED"' not in seen or b'"framework_id"' not in seen:
            data = self.socket.recv(65536)
            assert data, f"the stream ended after {seen!r}"
            seen += data
        self.stream_id = re.findall(rb"(?i)mesos-stream-id: (\S+)", seen)[0].decode()
        self.id: str = re.findall(rb'"framework_id":\{"value":"([^"]+)"', seen)[0].decode()

    def provoke(self, events: int) -> int:
        """Have the master send so many events; the status of its answer."""
        tasks = [{"task_id": {"value": f"{'x' * 200}{n}"}} for n in range(events)]
        call = {"type": "RECONCILE", "framework_id": {"value": self.id}, "reconcile": {"tasks": tasks}}
        headers = {"Content-Type": JSON, "Mesos-Stream-Id": self.stream_id}
        return ask(self._cluster, "POST", "/api/v1/scheduler", headers, json.dumps(call).encode())[0]

    def read(self) -> int:
        """Read to the end; the number of bytes."""
        total = 0
        with contextlib.suppress(ConnectionResetError):
            while data := self.socket.recv(1 << 20):
                total += len(data)
        return total


def test_a_subscriber_that_does_not_read_ends_its_stream(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REMESOS_LOCAL_QUEUE_MB", "1")
    caplog.set_level("WARNING", "mesos")
    with LocalCluster() as cluster:
        slow, other = Subscription(cluster), Subscription(cluster)
        # What the kernel's buffers hold comes on top.
        while slow.provoke(2000) == 202:
            pass
        assert slow.read() < 16 << 20
        state = json.loads(ask(cluster, "GET", "/state", {})[1])
        assert [f["id"] for f in state["frameworks"]] == [other.id], "the other one is not disturbed"
        other.socket.close()
        slow.socket.close()
    wait_until(lambda: "A subscriber does not read" in caplog.text, "a warning")


def test_a_subscriber_that_pauses_within_the_bound_gets_everything() -> None:
    with LocalCluster() as cluster:
        paused = Subscription(cluster)
        for _ in range(20):
            assert paused.provoke(2000) == 202
        seen, rest = 0, b""
        while seen < 40_000:
            data = paused.socket.recv(1 << 20)
            assert data, f"the stream ended after {seen} updates"
            *events, rest = (rest + data).split(b'"type":"UPDATE"')
            seen += len(events)
        paused.socket.close()


def test_a_bound_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMESOS_LOCAL_QUEUE_MB", "much")
    with pytest.raises(ArgumentValueError, match="REMESOS_LOCAL_QUEUE_MB: 'much' is not a size: expected a number"):
        LocalCluster()
