"""Methods, paths, headers and bodies, whatever the call."""

from __future__ import annotations

import gzip
import zlib

from tests.requests import Request
from tests.requests.tables import SUBSCRIBE, SUPPRESS

PATH = "/api/v1/scheduler"


def requests() -> list[Request]:
    return [*methods(), *paths(), *content_types(), *accepts(), *stream_ids(), *encodings(), *connections(), *heads()]


def methods() -> list[Request]:
    names = ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "post", "LONGMETHODNAME")
    return [
        *(Request(f"the method {name}", SUPPRESS, method=name) for name in names),
        Request(
            "the method GET without a body", None, method="GET", headers={"Content-Type": None, "Content-Length": None}
        ),
        Request("the method GET, wrongly typed", SUPPRESS, method="GET", headers={"Content-Type": "text/plain"}),
    ]


def paths() -> list[Request]:
    found = {
        "below /master": f"/master{PATH}",
        "with a slash at the end": f"{PATH}/",
        "below /master with a slash at the end": f"/master{PATH}/",
        "with two slashes at the end": f"{PATH}//",
        "with two slashes within": "/api//v1/scheduler",
        "with two slashes at the beginning": "//api/v1/scheduler",
        "with a query": f"{PATH}?a=b",
        "with a fragment": f"{PATH}#a",
        "with a further part": f"{PATH}/subscribe",
        "in capitals": "/API/V1/SCHEDULER",
        "with a part encoded": "/api/v1/%73cheduler",
        "without the last part": "/api/v1x",
        "of another version": "/api/v2/scheduler",
        "that is absolute": f"http://@address{PATH}",
        "below another name": f"/nobody{PATH}",
        "below /master twice": f"/master/master{PATH}",
        "below the master's id": f"/master@address{PATH}",
        "with a dot": "/api/./v1/scheduler",
    }
    return [Request(f"a path {what}", SUPPRESS, path=path) for what, path in found.items()]


def content_types() -> list[Request]:
    types = (
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
        "application/x-protobuf; a=b",
        "application/protobuf",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "text/json",
        "json",
        "application/recordio",
        "*/*",
        " application/json ",
        "",
    )
    return [
        *(Request(f"the Content-Type {kind!r}", SUPPRESS, headers={"Content-Type": kind}) for kind in types),
        Request("no Content-Type", SUPPRESS, headers={"Content-Type": None}),
        Request("JSON as protobuf", SUPPRESS, headers={"Content-Type": "application/x-protobuf"}),
        Request("protobuf as JSON", SUPPRESS, form="protobuf", headers={"Content-Type": "application/json"}),
        Request("protobuf", SUPPRESS, form="protobuf"),
    ]


def accepts() -> list[Request]:
    found = (
        "application/json",
        "application/x-protobuf",
        "application/x-protobuf, application/json",
        "application/json;q=0.1, application/x-protobuf;q=0.9",
        "application/*",
        "*/*",
        "*",
        "text/html, */*;q=0.8",
        "text/html",
        "text/*",
        "application/xml",
        "Application/JSON",
        "application/json;q=0",
        "application/recordio",
        "application/json;charset=utf-8",
        "application/",
        "json",
        "",
    )
    return [
        *(Request(f"SUBSCRIBE with Accept {a!r}", SUBSCRIBE, scene="nobody", headers={"Accept": a}) for a in found),
        Request("SUBSCRIBE without Accept", SUBSCRIBE, scene="nobody"),
        Request("SUBSCRIBE in protobuf without Accept", SUBSCRIBE, form="protobuf", scene="nobody"),
        Request("SUBSCRIBE that accepts gzip", SUBSCRIBE, scene="nobody", headers={"Accept-Encoding": "gzip"}),
        Request("SUPPRESS with Accept text/html", SUPPRESS, headers={"Accept": "text/html"}),
        Request(
            "a bad call with Accept text/html", {"type": "SUBSCRIBE"}, scene="nobody", headers={"Accept": "text/html"}
        ),
    ]


def stream_ids() -> list[Request]:
    name = "Mesos-Stream-Id"
    return [
        Request("SUPPRESS without a stream id", SUPPRESS, headers={name: None}),
        Request("SUPPRESS with an empty stream id", SUPPRESS, headers={name: ""}),
        Request("SUPPRESS with a stream id that is no UUID", SUPPRESS, headers={name: "abc"}),
        Request("SUPPRESS with another's stream id", SUPPRESS, headers={name: "00000000-0000-4000-8000-000000000000"}),
        Request("SUPPRESS with a stream id and a blank", SUPPRESS, headers={name: " @stream "}),
        Request("SUPPRESS with two stream ids in one", SUPPRESS, headers={name: "@stream, @stream"}),
        Request(
            "SUPPRESS with its stream id in small letters", SUPPRESS, headers={name: None, "mesos-stream-id": "@stream"}
        ),
        Request("SUPPRESS with its stream id twice", SUPPRESS, headers={"mesos-stream-id": "@stream"}),
        Request("SUBSCRIBE with a stream id", SUBSCRIBE, scene="nobody", headers={name: "abc"}),
        Request("SUBSCRIBE with an empty stream id", SUBSCRIBE, scene="nobody", headers={name: ""}),
        Request(
            "SUBSCRIBE with a stream id and Accept text/html",
            SUBSCRIBE,
            scene="nobody",
            headers={name: "abc", "Accept": "text/html"},
        ),
    ]


# Without an id, so that its compressed form is the same each time.
SAME = {"type": "SUPPRESS"}


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def encodings() -> list[Request]:
    name = "Content-Encoding"
    return [
        Request("gzip", SUPPRESS, encode=zipped, headers={name: "gzip"}),
        Request("gzip of protobuf", SUPPRESS, form="protobuf", encode=zipped, headers={name: "gzip"}),
        Request("gzip in capitals", SAME, encode=zipped, headers={name: "GZIP"}),
        Request("gzip with a blank", SAME, encode=zipped, headers={name: " gzip "}),
        Request("x-gzip", SAME, encode=zipped, headers={name: "x-gzip"}),
        Request("gzip twice", SAME, encode=lambda b: zipped(zipped(b)), headers={name: "gzip, gzip"}),
        Request(
            "two members of gzip",
            SUPPRESS,
            encode=lambda b: zipped(b) + zipped(b" "),
            headers={name: "gzip"},
        ),
        Request(
            "gzip and rubbish after it",
            SUPPRESS,
            encode=lambda b: zipped(b) + b"rubbish",
            headers={name: "gzip"},
        ),
        Request("gzip cut short", SUPPRESS, encode=lambda b: zipped(b)[:-12], headers={name: "gzip"}),
        Request("gzip without its checksum", SUPPRESS, encode=lambda b: zipped(b)[:-8], headers={name: "gzip"}),
        Request(
            "gzip with a wrong checksum",
            SUPPRESS,
            encode=lambda b: zipped(b)[:-8] + bytes(8),
            headers={name: "gzip"},
        ),
        Request("what is not gzip", SUPPRESS, headers={name: "gzip"}),
        Request("gzip of nothing", "", encode=zipped, headers={name: "gzip"}),
        Request("an empty body as gzip", "", headers={name: "gzip"}),
        Request("zlib as gzip", SUPPRESS, encode=zlib.compress, headers={name: "gzip"}),
        Request("gzip that is not named", SAME, encode=zipped),
        Request("deflate", SAME, encode=zlib.compress, headers={name: "deflate"}),
        Request("deflate that is none", SUPPRESS, headers={name: "deflate"}),
        Request("identity", SUPPRESS, headers={name: "identity"}),
        Request("br that is none", SUPPRESS, headers={name: "br"}),
        Request("an empty Content-Encoding", SUPPRESS, headers={name: ""}),
        Request("gzip of a SUBSCRIBE", SUBSCRIBE, scene="nobody", encode=zipped, headers={name: "gzip"}),
        Request("gzip of a megabyte of blanks", "", encode=lambda _: zipped(b" " * (1 << 20)), headers={name: "gzip"}),
        Request(
            "gzip of 65 megabytes of blanks", "", encode=lambda _: zipped(b" " * (65 << 20)), headers={name: "gzip"}
        ),
        Request("a wrong type in gzip that is none", SUPPRESS, headers={name: "gzip", "Content-Type": "text/plain"}),
        Request("GET with gzip that is none", SUPPRESS, method="GET", headers={name: "gzip"}),
    ]


def chunks(*sizes: int, end: bytes = b"0\r\n\r\n", extension: bytes = b""):
    def encode(body: bytes) -> bytes:
        parts, at = [], 0
        for size in [*sizes, len(body)]:
            part, at = body[at : at + size], at + size
            if part:
                parts.append(b"%x%s\r\n%s\r\n" % (len(part), extension, part))
        return b"".join([*parts, end])

    return encode


def connections() -> list[Request]:
    chunked = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    return [
        Request("a connection that is kept", SUPPRESS, again=True),
        Request("Connection: keep-alive", SUPPRESS, headers={"Connection": "keep-alive"}, again=True),
        Request("Connection: close", SUPPRESS, headers={"Connection": "close"}, again=True),
        Request("Connection: Close", SUPPRESS, headers={"Connection": "Close"}, again=True),
        Request("Connection: close, TE", SUPPRESS, headers={"Connection": "close, TE"}, again=True),
        Request("Connection: Upgrade", SUPPRESS, headers={"Connection": "Upgrade", "Upgrade": "websocket"}, again=True),
        Request("SUBSCRIBE with Connection: close", SUBSCRIBE, scene="nobody", headers={"Connection": "close"}),
        Request("a bad call with Connection: close", {"type": "ACCEPT"}, headers={"Connection": "close"}, again=True),
        Request(
            "a wrong method with Connection: close", SUPPRESS, method="GET", headers={"Connection": "close"}, again=True
        ),
        Request("HTTP/1.0", SUPPRESS, version="HTTP/1.0", again=True),
        Request("HTTP/1.0 without Host", SUPPRESS, version="HTTP/1.0", headers={"Host": None}, again=True),
        Request(
            "HTTP/1.0 with keep-alive", SUPPRESS, version="HTTP/1.0", headers={"Connection": "keep-alive"}, again=True
        ),
        Request("HTTP/1.0 with a wrong call", {"type": "ACCEPT"}, version="HTTP/1.0", again=True),
        Request("SUBSCRIBE in HTTP/1.0", SUBSCRIBE, scene="nobody", version="HTTP/1.0"),
        Request("chunks", SUPPRESS, encode=chunks(10, 5), headers=chunked, again=True),
        Request("one chunk", SUPPRESS, encode=chunks(), headers=chunked),
        Request("chunks with extensions", SUPPRESS, encode=chunks(10, extension=b";a=b"), headers=chunked),
        Request("chunks with trailers", SUPPRESS, encode=chunks(10, end=b"0\r\nA: b\r\n\r\n"), headers=chunked),
        Request(
            "chunks of gzip",
            SUPPRESS,
            encode=lambda b: chunks(10)(zipped(b)),
            headers={**chunked, "Content-Encoding": "gzip"},
        ),
        Request("Expect: 100-continue", SUPPRESS, headers={"Expect": "100-continue"}),
        Request("Content-Length: 0", "", headers={"Content-Length": "0"}),
        Request("no Content-Length", "", headers={"Content-Length": None}),
    ]


def heads() -> list[Request]:
    def many(count: int, length: int = 1) -> dict[str, str | None]:
        return {f"X-{number}": "x" * length for number in range(count)}

    return [
        *(
            Request(f"{count} headers more", SUPPRESS, headers=many(count))
            for count in (50, 93, 94, 95, 96, 100, 150, 300, 1100)
        ),
        *(
            Request(f"a header of {size} bytes", SUPPRESS, headers=many(1, size))
            for size in (1000, 8000, 16_000, 60_000)
        ),
        Request("SUBSCRIBE with 120 headers more", SUBSCRIBE, scene="nobody", headers=many(120)),
        Request("an empty header", SUPPRESS, headers={"X-Empty": ""}),
        Request("a header twice", SUPPRESS, headers={"X-A": "1", "x-a": "2"}),
        Request("no Host", SUPPRESS, headers={"Host": None}),
        Request("User-Agent", SUPPRESS, headers={"User-Agent": "requests"}),
        Request(
            "Authorization that nobody asked for", SUPPRESS, headers={"Authorization": "Basic cHJpbmNpcGFsOnNlY3JldA=="}
        ),
        Request("Accept-Encoding: gzip", {"type": "ACCEPT"}, headers={"Accept-Encoding": "gzip, deflate"}),
        Request("the Host of another machine", SUPPRESS, headers={"Host": "example.org"}),
        Request("the Origin of a web page", SUPPRESS, headers={"Origin": "http://example.org"}),
    ]
