"""Values that are text and bytes at once, as ``str`` was in Python 2.

Frameworks written for Python 2 compare, split, format and unpickle the contents of ``data`` and framework messages.
These are instances of :class:`ByteStr`.
"""

from __future__ import annotations

import codecs
import contextlib
from typing import TYPE_CHECKING, Any, SupportsIndex

from mesos._core import RawBuffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ByteStr"]

# The control characters that file(1) does not expect in text. Binary data that is valid UTF-8 by chance almost always
# contains one of them; its positions have to count bytes.
_CONTROLS = bytes([*range(0x07), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])


class ByteStr(str, RawBuffer):
    """A ``str`` that also provides the original bytes through the buffer protocol.

    It is a ``str``, so ``==``, ``%s``, ``json.loads``, ``re`` and text files accept it. It supports the buffer
    protocol, so ``pickle.loads``, ``struct.unpack``, sockets and binary files accept it and read the bytes. It is an
    instance of both ``str`` and ``bytes``. Code written for Python 3 can use ``bytes(value)`` and ``value.decode()``.
    It is equal to text with the same UTF-8 encoding, and to the same bytes.

    If the bytes are UTF-8 without control characters, the value is that text: lengths and positions count characters.
    Otherwise each byte is one character (Latin-1): lengths and positions count bytes. For ASCII both are the same. The
    value is an instance of ``bytes`` only if its number of characters is its number of bytes, because code that tests
    for ``bytes`` uses the length as the number of bytes.

    Slices, ``+``, ``split`` and similar operations return a :class:`ByteStr` with the exact bytes. Formatting
    (``"%s" % value``) returns plain text, whose bytes are its UTF-8 encoding; these differ from the original bytes if
    the original is not UTF-8.

    Functions that accept no ``str`` in Python 3, such as ``hashlib`` and the body of a POST in ``urllib``, need
    ``bytes(value)``.

    >>> data = ByteStr(b"a,b")
    >>> data == "a,b", data == b"a,b", data.split(","), bytes(data)
    (True, True, ['a', 'b'], b'a,b')

    :param data: bytes, or text, which is encoded as UTF-8
    """

    __slots__ = ("_codec", "_raw")
    _codec: str
    _raw: bytes

    def __new__(cls, data: Any = b"") -> ByteStr:  # noqa: D102
        raw = data if type(data) is bytes else raw_bytes(data)
        return _new(cls, raw, *_text_of(raw))

    @property  # type: ignore[misc]
    def __class__(self) -> type[Any]:
        """``bytes``, so that the value is an instance of both, as in Python 2, where ``bytes`` was ``str``."""
        return bytes if len(self) == len(self._raw) else ByteStr

    def __bytes__(self) -> bytes:
        return self._raw

    def __str__(self) -> str:
        return self

    def __repr__(self) -> str:
        return str.__repr__(self) if self._is_text() else repr(self._raw)[1:]

    def __format__(self, specification: str) -> str:
        return str.__format__(self, specification) if specification else self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._raw,)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ByteStr):
            return self._raw == other._raw
        if isinstance(other, str):
            return str.__eq__(self, other) or (not self._is_text() and self._raw == raw_bytes(other))
        return self._raw == other if isinstance(other, bytes | bytearray | memoryview) else NotImplemented

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __lt__(self, other: Any) -> bool:
        return self._raw < raw_bytes(other) if _is_data(other) else NotImplemented

    def __le__(self, other: Any) -> bool:
        return self._raw <= raw_bytes(other) if _is_data(other) else NotImplemented

    def __gt__(self, other: Any) -> bool:
        return self._raw > raw_bytes(other) if _is_data(other) else NotImplemented

    def __ge__(self, other: Any) -> bool:
        return self._raw >= raw_bytes(other) if _is_data(other) else NotImplemented

    # The hash of the text. For ASCII, bytes have the same hash.
    __hash__ = str.__hash__

    def __contains__(self, part: Any) -> bool:
        return self.find(part) >= 0

    def __getitem__(self, index: SupportsIndex | slice) -> ByteStr:
        part = str.__getitem__(self, index)
        return _of_text(part) if self._is_text() else ByteStr(part.encode("latin-1"))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __add__(self, other: Any) -> ByteStr:
        return _joined(self, other) if _is_data(other) else NotImplemented

    def __radd__(self, other: Any) -> ByteStr:
        return _joined(other, self) if _is_data(other) else NotImplemented

    def __mul__(self, times: SupportsIndex) -> ByteStr:
        return _new(ByteStr, self._raw * times, str.__mul__(self, times), self._codec)

    __rmul__ = __mul__

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> Any:
        """Returns the bytes, or encodes the text. Supports Python 2's codecs ``"hex"``, ``"base64"`` and the like."""
        if codecs.lookup(encoding).name == "utf-8":
            return self._raw
        try:
            return str.encode(self, encoding, errors)
        except LookupError:  # not an encoding of text
            encoded: Any = codecs.getencoder(encoding)(self._raw, errors)[0]  # type: ignore[arg-type]
            return ByteStr(encoded)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> Any:
        """Decodes the bytes like ``bytes.decode``. Supports Python 2's codecs ``"hex"``, ``"base64"`` and the like."""
        try:
            return self._raw.decode(encoding, errors)
        except LookupError:
            return ByteStr(codecs.getdecoder(encoding)(self._raw, errors)[0])

    def hex(self, *arguments: Any) -> str:
        """Like ``bytes.hex``."""
        return self._raw.hex(*arguments)

    def _is_text(self) -> bool:
        return self._codec == "utf-8"


def binary(raw: bytes) -> ByteStr:
    """Creates a value whose characters are its bytes, even if they are valid text."""
    return _new(ByteStr, raw, raw.decode("latin-1"), "latin-1")


def _new(cls: type[ByteStr], raw: bytes, text: str, codec: str) -> ByteStr:
    self = str.__new__(cls, text)
    self._raw, self._codec = raw, codec
    return self


def _of_text(text: str) -> ByteStr:
    """Creates a value from a part of a text. It stays text even if it contains control characters."""
    try:
        return _new(ByteStr, text.encode(), text, "utf-8")
    except UnicodeEncodeError:  # it contains surrogates, which stand for bytes that are not UTF-8
        return ByteStr(text)


def _joined(one: Any, other: Any) -> ByteStr:
    if _is_text(one) and _is_text(other):
        return _of_text(str.__add__(one, other))
    return ByteStr(raw_bytes(one) + raw_bytes(other))


def _is_text(value: Any) -> bool:
    return value._is_text() if isinstance(value, ByteStr) else isinstance(value, str)


def _text_of(raw: bytes) -> tuple[str, str]:
    """Returns the text for bytes, and the encoding that converts it back to the same bytes."""
    if raw.isascii():
        return raw.decode("ascii"), "utf-8"
    if raw.translate(None, _CONTROLS) == raw:
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(), "utf-8"
    return raw.decode("latin-1"), "latin-1"


def _is_data(value: Any) -> bool:
    return isinstance(value, str | bytes | bytearray | memoryview)


def raw_bytes(value: Any) -> bytes:
    """Returns the bytes of text or of a bytes-like object."""
    if isinstance(value, ByteStr):
        return value._raw
    # os.fsdecode() represents bytes that are not UTF-8 as surrogates.
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(memoryview(value))


def _method_of_both(name: str) -> Callable[..., Any]:
    """Creates a method that `str` and `bytes` both have. Calls that of `str` if the value is text, else of `bytes`."""
    of_text, of_bytes = getattr(str, name), getattr(bytes, name)

    def method(self: ByteStr, *arguments: Any, **keywords: Any) -> Any:
        if self._is_text():
            return _made(of_text(self, *map(_as_text, arguments), **keywords), _of_text)
        return _made(of_bytes(self._raw, *map(_as_bytes, arguments), **keywords), ByteStr)

    method.__name__, method.__doc__ = name, f"Like ``str.{name}``; also accepts bytes."
    return method


def _as_text(argument: Any) -> Any:
    if isinstance(argument, ByteStr | bytes | bytearray | memoryview):
        return raw_bytes(argument).decode("utf-8", "surrogateescape")
    return _each(_as_text, argument)


def _as_bytes(argument: Any) -> Any:
    if isinstance(argument, str) and not isinstance(argument, ByteStr):
        # In Python 2, "\xff" was this byte.
        with contextlib.suppress(UnicodeEncodeError):
            return argument.encode("latin-1")
        return raw_bytes(argument)
    return raw_bytes(argument) if _is_data(argument) else _each(_as_bytes, argument)


def _each(convert: Callable[[Any], Any], argument: Any) -> Any:
    if isinstance(argument, tuple):  # of startswith() and endswith()
        return tuple(map(convert, argument))
    if isinstance(argument, str) or argument is None or isinstance(argument, int):
        return argument
    return list(map(convert, argument))  # of join()


def _made(result: Any, make: Callable[[Any], ByteStr]) -> Any:
    if isinstance(result, str | bytes):
        return make(result)
    return type(result)(make(part) for part in result) if isinstance(result, list | tuple) else result


for _name in dir(str):
    if hasattr(bytes, _name) and not _name.startswith(("_", "is")) and _name not in ("maketrans", "translate"):
        setattr(ByteStr, _name, _method_of_both(_name))
