"""Fills a call's message with arguments, or raises an error that names the argument."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from mesos import _arguments
from mesos._text import is_map, is_repeated
from mesos.errors import ArgumentTypeError, ArgumentValueError

_BILLION = 10**9
_LONGEST_SECONDS = float((1 << 63) // _BILLION - 1)
"""Mesos has durations as nanoseconds in 64 bits."""


def fill(message: Any, arguments: Mapping[str, Any]) -> None:
    """Sets the fields of a message to the arguments with their names. One that is None leaves its field unset.

    Accepted instead of a message are: the text of an id; the text of a container's id with those of its parents before
    it, as Mesos writes it (``PARENT.CHILD``); the text of a shell's command; seconds as a duration; a number as a
    scalar.

    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: a message is not complete, or a value is not valid
    """
    for name, value in arguments.items():
        if value is not None:
            _set(message, message.DESCRIPTOR.fields_by_name[name], value)
    for name in message.FindInitializationErrors():
        raise ArgumentTypeError(f"expected {_expected(message.DESCRIPTOR.fields_by_name[name])} as {name}, got None")


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    held = getattr(message, field.name)
    if is_map(field):
        kind = type(getattr(type(message)(), field.name)[""])
        for key, each in _mapping(value, field.name).items():
            held[key].ParseFromString(_serialized(each, kind, f"{field.name}[{key!r}]"))
    elif is_repeated(field):
        kind = type(getattr(type(message)(), field.name).add())
        for data in _arguments.messages(value, kind, field.name):
            held.add().ParseFromString(data)
    elif field.message_type is not None:
        held.ParseFromString(_serialized(value, type(held), field.name))
        held.SetInParent()
    else:
        simple = _SIMPLE[field.cpp_type](value, field.name)
        try:
            setattr(message, field.name, simple)
        except ValueError:
            raise ArgumentValueError(f"expected {_expected(field)} as {field.name}, got {value!r}") from None


def _serialized(value: Any, kind: Any, name: str) -> bytes:
    convert = _CONVERSIONS.get(kind.DESCRIPTOR.full_name)
    if convert is not None and not hasattr(value, "SerializeToString"):
        value = convert(kind, value, name)
    return _arguments.message(value, kind, name)


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ArgumentTypeError(f"expected a mapping of str as {name}, got {_arguments._shown(value)}")
    return value


def _container(kind: Any, value: Any, name: str) -> Any:
    """Returns the id of a container from its text, in which each id follows that of its parent."""
    *parents, last = _arguments.text(value, name).split(".")
    made = current = kind(value=last)
    for parent in reversed(parents):
        current = current.parent
        current.value = parent
    return made


def _command(kind: Any, value: Any, name: str) -> Any:
    return kind(value=_arguments.text(value, name))


def _duration(kind: Any, value: Any, name: str) -> Any:
    part, whole = math.modf(min(_arguments.seconds(value, name) or 0.0, _LONGEST_SECONDS))
    seconds, nanos = divmod(int(whole) * _BILLION + round(part * _BILLION), _BILLION)
    if kind.DESCRIPTOR.name == "DurationInfo":
        return kind(nanoseconds=seconds * _BILLION + nanos)
    return kind(seconds=seconds, nanos=nanos)


def _scalar(kind: Any, value: Any, name: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentTypeError(f"expected a number as {name}, got {_arguments._shown(value)}")
    return kind(value=value)


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise ArgumentTypeError(f"expected a bool as {name}, got {_arguments._shown(value)}")
    return value


def _integer(value: Any, name: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ArgumentTypeError(f"expected an int as {name}, got {_arguments._shown(value)}") from None


def _expected(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return f"a mesos_pb2.{field.message_type.name}"
    return _NAMES[field.cpp_type]


_CONVERSIONS: dict[str, Callable[[Any, Any, str], Any]] = {
    "mesos.v1.ContainerID": _container,
    "mesos.v1.CommandInfo": _command,
    "mesos.v1.DurationInfo": _duration,
    "google.protobuf.Duration": _duration,
    "mesos.v1.Value.Scalar": _scalar,
}
_SIMPLE: dict[int, Callable[[Any, str], object]] = {
    FieldDescriptor.CPPTYPE_BOOL: _truth,
    FieldDescriptor.CPPTYPE_STRING: _arguments.text,
    **dict.fromkeys(
        (
            FieldDescriptor.CPPTYPE_ENUM,
            FieldDescriptor.CPPTYPE_INT32,
            FieldDescriptor.CPPTYPE_INT64,
            FieldDescriptor.CPPTYPE_UINT32,
            FieldDescriptor.CPPTYPE_UINT64,
        ),
        _integer,
    ),
}
_NAMES: dict[int, str] = {
    FieldDescriptor.CPPTYPE_BOOL: "a bool",
    FieldDescriptor.CPPTYPE_STRING: "a str",
    FieldDescriptor.CPPTYPE_ENUM: "a value of the enum",
    FieldDescriptor.CPPTYPE_INT32: "an int of 32 bits",
    FieldDescriptor.CPPTYPE_INT64: "an int of 64 bits",
    FieldDescriptor.CPPTYPE_UINT32: "an int of 32 bits without a sign",
    FieldDescriptor.CPPTYPE_UINT64: "an int of 64 bits without a sign",
}
