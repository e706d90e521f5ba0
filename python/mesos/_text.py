"""Makes bytes fields of message classes accept text and return :class:`~mesos.bytestr.ByteStr`.

If the environment has ``REMESOS_STRICT_BYTES=1`` when the messages are first imported, none of this applies: bytes
fields behave as in protobuf, and framework messages are ``bytes``.
"""

from __future__ import annotations

import copy
import functools
import os
import types
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor

from mesos import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STRICT = os.environ.get("REMESOS_STRICT_BYTES", "").lower() not in ("", "0", "false", "no", "off")

if not STRICT:
    from mesos.bytestr import ByteStr, binary, raw_bytes

# Converts a message's payload to the type that callbacks receive. The dispatcher looks it up here.
received: Callable[[bytes], Any] = bytes if STRICT else ByteStr

# ``value`` is the field of the message ``UUID``; no other message has a bytes field of this name.
_UUIDS = {"uuid", "status_update_uuid", "value"}
_BYTES_FIELDS: dict[type, frozenset[str]] = {}
_COLLECTIONS: dict[type, frozenset[str]] = {}
_REACHING_NAMES: dict[type, frozenset[str]] = {}
# For each message's full name: its fields that are bytes, or messages that contain bytes fields at any depth.
_REACHING: dict[str, dict[str, Any]] = {}


def take_text(classes: Iterable[Any]) -> None:
    """Makes these message classes, and those nested in them, accept text for bytes fields."""
    if STRICT:
        return
    for message_class in classes:
        _take_text(message_class)
        take_text(getattr(message_class, nested.name) for nested in message_class.DESCRIPTOR.nested_types)


def _take_text(message_class: Any) -> None:
    descriptor = message_class.DESCRIPTOR
    pure_python = isinstance(message_class.__init__, types.FunctionType)
    bytes_fields = frozenset(field.name for field in descriptor.fields if _is_bytes(field))
    # In the pure-Python runtime, a repeated field's add() calls the class's constructor, which is wrapped below.
    collections = frozenset(field.name for field in descriptor.fields if not pure_python and _is_collection(field))
    if bytes_fields or collections:
        _BYTES_FIELDS[message_class], _COLLECTIONS[message_class] = bytes_fields, collections
        _core.wrap_attributes(message_class)
    if not _reaching(descriptor):
        return
    if pure_python:
        _wrap_python_init(message_class)
    else:
        _REACHING_NAMES[message_class] = frozenset(_reaching(descriptor))
        _core.wrap_init(message_class)


def _wrap_python_init(message_class: Any) -> None:
    init = message_class.__init__

    def __init__(self: Any, **keywords: Any) -> None:  # noqa: N807
        init(self, **_keywords(message_class, keywords))

    message_class.__init__ = __init__


def _is_bytes(field: Any) -> bool:
    return bool(field.type == FieldDescriptor.TYPE_BYTES)


def is_map(field: Any) -> bool:
    """Returns whether a field, given as its descriptor, is a map."""
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def is_repeated(field: Any) -> bool:
    """Returns whether a field, given as its descriptor, is repeated. Maps are repeated fields."""
    repeated = getattr(field, "is_repeated", None)  # a property from protobuf 6 on
    return bool(repeated) if repeated is not None else field.label == FieldDescriptor.LABEL_REPEATED


def _is_plain_message(field: Any) -> bool:
    return bool(field.message_type and not is_map(field))


def _is_collection(field: Any) -> bool:
    """Returns whether a field is a repeated field of messages with bytes fields."""
    return is_repeated(field) and _is_plain_message(field) and any(map(_is_bytes, field.message_type.fields))


def _reaching(descriptor: Any) -> dict[str, Any]:
    name = descriptor.full_name
    if name not in _REACHING:
        _REACHING[name] = {}  # ends the recursion for a message that contains itself
        _REACHING[name] = {
            field.name: field
            for field in descriptor.fields
            if _is_bytes(field) or (_is_plain_message(field) and _reaching(field.message_type))
        }
    return _REACHING[name]


def _keywords(message_class: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """Converts the keywords of a constructor: text for bytes fields becomes bytes, at every depth."""
    return _values(message_class.DESCRIPTOR, keywords)


def _values(descriptor: Any, values: Any) -> dict[str, Any]:
    reaching = _reaching(descriptor)
    return {name: _value(reaching[name], value) if name in reaching else value for name, value in values.items()}


def _value(field: Any, value: Any) -> Any:
    if value is None or hasattr(value, "SerializeToString"):
        return value
    if is_repeated(field):
        return [_one_value(field, each) for each in value]
    return _one_value(field, value)


def _one_value(field: Any, value: Any) -> Any:
    if isinstance(value, str):
        return raw_bytes(value) if _is_bytes(field) else value
    return _values(field.message_type, value) if isinstance(value, dict) else value


def _read(value: bytes, field: str) -> ByteStr:
    # The bytes of a UUID are random, so they would be valid text by chance, once in 200,000.
    return binary(value) if field in _UUIDS else ByteStr(value)


class _Messages:
    """A repeated field of messages whose :meth:`add` accepts text for bytes; everything else is the field's own."""

    __slots__ = ("_field",)

    def __init__(self, field: Any) -> None:
        self._field = field

    def add(self, **keywords: Any) -> Any:
        """Appends a message with these fields and returns it."""
        added = self._field.add()
        try:
            added.__init__(**keywords)
        except BaseException:
            del self._field[-1]
            raise
        return added

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._field)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._field, name)

    def __len__(self) -> int:
        return len(self._field)

    def __iter__(self) -> Any:
        return iter(self._field)

    def __reversed__(self) -> Any:
        return reversed(self._field)

    def __contains__(self, message: Any) -> bool:
        return message in self._field

    def __getitem__(self, index: Any) -> Any:
        return self._field[index]

    def __delitem__(self, index: Any) -> None:
        del self._field[index]

    def __eq__(self, other: object) -> bool:
        return bool(self._field == (other._field if type(other) is _Messages else other))

    __hash__ = None  # type: ignore[assignment]

    def __deepcopy__(self, memo: Any) -> Any:
        return copy.deepcopy(self._field, memo)

    def __repr__(self) -> str:
        return repr(self._field)


def _let_protobuf_parse_it(message_base: Any) -> None:
    """Makes protobuf's own parsing methods accept a ``ByteStr``, so that a framework can parse messages from ``data``.

    This is the only change outside of this package. It is needed because protobuf's C runtime accepts only ``bytes``.
    """
    for name in ("ParseFromString", "MergeFromString"):
        setattr(message_base, name, _parser(vars(message_base)[name]))
    message_base.FromString = classmethod(_parser(vars(message_base)["FromString"]))


def _parser(original: Any) -> Any:
    @functools.wraps(original)
    def parse(owner: Any, serialized: Any) -> Any:
        return original(owner, bytes(serialized) if type(serialized) is ByteStr else serialized)

    return parse


if not STRICT:
    _SAMPLE = descriptor_pb2.FileDescriptorProto
    _core.set_text(
        _SAMPLE,
        types.SimpleNamespace(
            container=type(_SAMPLE().message_type),
            read=_read,
            write=raw_bytes,
            collection=_Messages,
            keywords=_keywords,
            bytes_fields=_BYTES_FIELDS,
            collections=_COLLECTIONS,
            reaching=_REACHING_NAMES,
        ),
    )
    if not isinstance(_SAMPLE.__init__, types.FunctionType):  # the pure-Python runtime parses any buffer
        _let_protobuf_parse_it(next(base for base in _SAMPLE.__mro__ if "FromString" in vars(base)))
