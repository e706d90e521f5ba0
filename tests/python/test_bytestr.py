"""`ByteStr`: everything that Python 2's `str` was used for, text or bytes."""

from __future__ import annotations

import ast
import base64
import binascii
import copy
import io
import json
import logging
import os
import pickle
import re
import socket
import struct
import subprocess
import sys
import urllib.request
import uuid
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path
from typing import Any

import pytest
from mesos.bytestr import ByteStr

TEXTS = [b"", b"a:b", "é✓😀".encode(), b"data with a \0 byte"]
BINARIES = [b"\xff\xfe\0", bytes(range(256)), b"\x80\x04\x95", "é\0".encode(), struct.pack("<I", 0xA9C3)]
PIECES = [*TEXTS, *BINARIES]


@pytest.mark.parametrize("raw", PIECES, ids=repr)
def test_its_bytes_are_unharmed_however_they_are_taken(raw: bytes, tmp_path: Path) -> None:
    both = ByteStr(raw)
    assert bytes(both) == raw
    assert both.encode() == raw
    assert bytes(memoryview(both)) == raw
    assert io.BytesIO(both).read() == raw
    assert (tmp_path / "file").write_bytes(both) == len(raw)
    assert (tmp_path / "file").read_bytes() == raw
    assert ByteStr(both) == both
    assert base64.b64decode(base64.b64encode(both)) == raw
    assert binascii.unhexlify(both.hex()) == raw
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(both, protocol))
        assert type(again) is ByteStr
        assert bytes(again) == raw
    assert bytes(copy.deepcopy(both)) == raw


@pytest.mark.parametrize("raw", PIECES, ids=repr)
def test_it_is_equal_to_its_bytes_and_to_its_text(raw: bytes) -> None:
    both = ByteStr(raw)
    assert both == raw
    assert raw == both
    assert both == bytearray(raw)
    assert both != raw + b"x"
    assert both != 1
    if raw in TEXTS or raw == "é\0".encode():
        assert both == raw.decode()
        assert raw.decode() == both
        assert both != raw.decode() + "x"
    if raw.isascii():
        assert {both: 1}[raw.decode()] == {raw.decode(): 1}[both] == {raw: 1}[both] == 1


def test_python_2_s_literal_of_high_bytes_is_equal_to_them() -> None:
    assert ByteStr(b"\xff\0") == "\xff\0"
    assert ByteStr(b"\x80\x02}q\0").startswith("\x80\x02")
    assert ByteStr(b"a\xffb\xff").split("\xff") == ["a", "b", ""]


@pytest.mark.parametrize("text", ["", "plain", "é✓"])
def test_it_is_formatted_as_text(text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    both = ByteStr(text)
    assert "%s" % both == f"{both}" == "{}".format(both) == str(both) == "".join([both]) == text  # noqa: UP031, UP032
    assert "<%5s|%r>" % (both, both) == f"<{text:>5}|{text!r}>"  # noqa: UP031
    assert f"{both:>8}" == f"{text:>8}"
    print(both)
    assert capsys.readouterr().out == text + "\n"
    (tmp_path / "file").write_text(both)
    assert (tmp_path / "file").read_text() == text
    assert eval(repr(both)) == both


@pytest.mark.parametrize("raw", PIECES, ids=repr)
def test_whatever_it_holds_it_can_be_printed_and_logged(raw: bytes) -> None:
    """Also with a locale that rejects unprintable characters: an exception would abort the driver."""
    code = f"from mesos.bytestr import ByteStr; both = ByteStr({raw!r}); print(both, '%s' % both, repr(both), [both])"
    environment = {"PYTHONIOENCODING": "utf-8:strict", "PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    logging.getLogger("test").error("%s", ByteStr(raw))


def test_its_repr_shows_bytes_as_python_2_did() -> None:
    assert repr(ByteStr(b"data with a \0 byte")) == "'data with a \\x00 byte'"
    assert repr(ByteStr(b"\xff\xfe'")) == '"\\xff\\xfe\'"'
    assert repr(ByteStr("é")) == "'é'"
    assert eval(repr(ByteStr(b"\xff\0"))) == ByteStr(b"\xff\0")


def test_str_of_it_keeps_the_bytes() -> None:
    again = str(ByteStr(b"\x80\0"))
    assert bytes(again) == b"\x80\0"  # type: ignore[call-overload]
    assert pickle.loads(str(ByteStr(pickle.dumps({"a": 1})))) == {"a": 1}  # type: ignore[arg-type]


def test_parsers_of_text_take_it() -> None:
    assert json.loads(ByteStr('{"é": [1, 2]}')) == {"é": [1, 2]}
    assert json.loads(json.dumps({"data": ByteStr("é")})) == {"data": "é"}
    assert ast.literal_eval(ByteStr(" {'é': 1}")) == {"é": 1}
    assert eval(ByteStr("1 + 1")) == 2
    assert int(ByteStr("12")) == 12
    assert float(ByteStr(" 1.5\n")) == 1.5
    assert ElementTree.fromstring(ByteStr("<a>é</a>")).text == "é"
    assert re.match(r"(\w+):(.*)", ByteStr("key:é")).groups() == ("key", "é")  # type: ignore[union-attr]
    assert io.StringIO(ByteStr("a\nb")).readlines() == ["a\n", "b"]
    assert os.path.join(ByteStr("/tmp"), ByteStr("x")) == "/tmp/x"
    assert os.path.isdir(ByteStr("/"))


def test_what_takes_buffers_takes_it() -> None:
    assert pickle.loads(ByteStr(pickle.dumps(["é", b"\xff"]))) == ["é", b"\xff"]
    assert struct.unpack("<dI", ByteStr(struct.pack("<dI", 1.25, 0xFFFFFFFF))[:12]) == (1.25, 0xFFFFFFFF)
    assert struct.unpack_from("<I", ByteStr(b"x\xff\0\0\0"), 1) == (255,)
    assert zlib.decompress(ByteStr(zlib.compress(b"text"))) == b"text"
    assert int.from_bytes(ByteStr(b"\xff\0"), "big") == 0xFF00
    one, other = socket.socketpair()
    with one, other:
        one.sendall(ByteStr(b"\xff\0"))
        assert other.recv(2) == b"\xff\0"
    cat = subprocess.run(["cat"], input=ByteStr(b"\xff\0"), capture_output=True, check=True)  # type: ignore[call-overload]
    assert cat.stdout == b"\xff\0"


def test_a_url_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"here")
    with urllib.request.urlopen(ByteStr(f"file://{tmp_path}/page")) as page:
        assert page.read() == b"here"


@pytest.mark.parametrize("raw", PIECES, ids=repr)
@pytest.mark.parametrize("other", [b"text", "é".encode(), b"\xff"], ids=repr)
def test_concatenation_keeps_both_sides_bytes(raw: bytes, other: bytes) -> None:
    both = ByteStr(raw)
    assert bytes(both + other) == bytes(both + ByteStr(other)) == raw + other
    assert bytes(other + both) == bytes(ByteStr(other) + both) == other + raw
    if other != b"\xff":
        assert bytes(both + other.decode()) == raw + other
        assert bytes(other.decode() + both) == other + raw
    both += other
    assert bytes(both) == raw + other
    assert bytes(both * 2) == bytes(2 * both) == (raw + other) * 2


def test_what_cannot_be_concatenated_raises() -> None:
    with pytest.raises(TypeError):
        ByteStr("a") + 1
    with pytest.raises(TypeError):
        ByteStr("a") < 1  # noqa: B015


@pytest.mark.parametrize("raw", PIECES, ids=repr)
def test_what_is_taken_apart_can_be_put_together(raw: bytes) -> None:
    both = ByteStr(raw)
    for cut in range(len(both) + 1):
        assert bytes(both[:cut] + both[cut:]) == raw
        assert type(both[:cut]) is ByteStr
    assert b"".join(map(bytes, both)) == raw
    for separator in (":", "\0", b"\xfe"):
        assert bytes(ByteStr(separator).join(both.split(separator))) == raw
        assert bytes(ByteStr("").join(both.partition(separator))) == raw


@pytest.mark.parametrize("raw", BINARIES, ids=repr)
def test_positions_in_what_is_no_text_count_bytes(raw: bytes) -> None:
    both = ByteStr(raw)
    assert len(both) == len(raw)
    assert [ord(c) for c in both] == list(raw)
    assert [both.find(bytes([b])) for b in raw] == [raw.find(b) for b in raw]
    assert bytes(both.lower()) == raw.lower()
    assert bytes(both.strip()) == raw.strip()


def test_positions_in_text_count_characters() -> None:
    both = ByteStr("é:✓")
    assert len(both) == 3
    assert (both[0], both[-1], both.index(":"), both.upper()) == ("é", "✓", 1, "É:✓")


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s.split(":"),
        lambda s: s.rsplit(":", 1),
        lambda s: s.split(sep=":", maxsplit=1),
        lambda s: s.partition(":"),
        lambda s: s.startswith("key"),
        lambda s: s.startswith(("x", "key")),
        lambda s: s.endswith("value"),
        lambda s: s.strip(),
        lambda s: s.strip("k "),
        lambda s: s.replace("key", "Key"),
        lambda s: s.find("value"),
        lambda s: s.count("e"),
        lambda s: s.splitlines(),
        lambda s: s.title(),
        lambda s: s.ljust(20, "."),
        lambda s: s.zfill(20),
        lambda s: s.expandtabs(4),
        lambda s: s.isdigit(),
        lambda s: "value" in s,
        lambda s: s[2:5],
        lambda s: s[-1:],
        lambda s: s < "z",
        lambda s: sorted([s, "a"]),
        lambda s: s.join(["x", "y"]),
        lambda s: bool(s),
        lambda s: s % (),
    ],
)
@pytest.mark.parametrize("text", [" key:value", "key:other:value\n", "", "9"])
def test_methods_give_what_str_s_give(use: Any, text: str) -> None:
    assert use(ByteStr(text)) == use(text)


def test_what_comes_of_text_stays_text() -> None:
    """A parser may put an end mark behind what it got, as PyYAML does."""
    both = ByteStr("é: 1") + "\0"
    assert (len(both), both[0], list(both)[-1]) == (5, "é", "\0")
    assert bytes(both) == "é: 1\0".encode()
    assert ["é", "1\0"] == both.split(": ") == both.split(b": ")
    assert ("\0" + ByteStr("é"))[1] == "é"
    assert (ByteStr("é") * 2)[1] == "é"
    assert ByteStr("é").replace("é", "\1é") == "\1é"
    assert ByteStr("é").join(["\0", "\0"])[1] == "é"
    assert bytes(ByteStr("é").join([b"\xff", "é"])) == b"\xff\xc3\xa9\xc3\xa9"


def test_text_behind_binary_is_text_again_when_it_is_taken_out() -> None:
    framed = ByteStr(struct.pack("!I", 4) + '"é"'.encode())
    assert struct.unpack("!I", framed[:4]) == (4,)
    assert json.loads(framed[4:]) == "é"


def test_methods_take_bytes_as_well() -> None:
    both = ByteStr("key:é")
    assert both.split(b":") == ["key", "é"]
    assert both.startswith(b"key")
    assert both.startswith((b"x", "key"))
    assert b"\xc3\xa9" in both
    assert b"\xff" not in both
    assert both.replace(b":", ByteStr("=")) == "key=é"
    assert ByteStr(b"\xff:\0").split(b":") == [b"\xff", b"\0"]


def test_python_2_s_codecs() -> None:
    number = uuid.uuid4()
    assert ByteStr(number.bytes).encode("hex") == number.hex
    assert bytes(ByteStr(number.hex).decode("hex")) == number.bytes
    assert ByteStr("text").encode("base64").decode("base64") == "text"
    assert ByteStr("é").decode("utf-8") == "é"
    assert ByteStr("é").decode() == "é"
    assert ByteStr("é").encode("utf8") == "é".encode()
    assert ByteStr("é").encode("latin-1") == b"\xe9"
    with pytest.raises(UnicodeDecodeError):
        ByteStr(b"\xff").decode()
    with pytest.raises(LookupError):
        ByteStr("").encode("nonsense")


def test_it_is_an_instance_of_both() -> None:
    number = uuid.uuid4()
    assert isinstance(ByteStr(), str)
    assert isinstance(ByteStr(), bytes)
    assert isinstance(ByteStr(b"\xff\0"), bytes)
    # What looks at that goes on to count bytes with len().
    assert not isinstance(ByteStr("é"), bytes)
    assert uuid.UUID(bytes=ByteStr(number.bytes)) == number
    assert type(ByteStr()) is ByteStr


def test_it_is_not_made_of_anything_else() -> None:
    with pytest.raises(TypeError):
        ByteStr(1)
    assert ByteStr(bytearray(b"a")) == ByteStr(memoryview(b"a")) == ByteStr("a") == "a"
    assert ByteStr() == ""
