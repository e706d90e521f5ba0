"""Converts the arguments of driver methods to what the core expects, or raises an error that names the problem."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError, EncodeError

from mesos import _core
from mesos.errors import ArgumentTypeError, ArgumentValueError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesos._misuse import Misuse

_SHOWN_MAX = 80
# If another object is passed instead of one of these, the error shows only its type.
_SECRETS = {"Credential"}
_IDS = {"AgentID", "ExecutorID", "FrameworkID", "OfferID", "ResourceProviderID", "SlaveID", "TaskID"}


def message(value: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> bytes:
    """Serializes a message.

    As with libmesos, any object is accepted whose ``SerializeToString()`` returns bytes that parse as the expected
    message. If an id is expected, its text is accepted too.

    :param kind: the expected message class
    :param argument: the argument's name, for the error
    :param misuse: warns if the message is of another type
    :raises ArgumentTypeError: the value is not a message
    :raises ArgumentValueError: required fields are not set, or the bytes do not parse as the expected message
    """
    name = kind.DESCRIPTOR.name
    if isinstance(value, str | bytes) and name in _IDS:
        value = kind(value=text(value, argument))
    serialize = getattr(value, "SerializeToString", None)
    if serialize is None:
        shown = type(value).__name__ if name in _SECRETS else _shown(value)
        raise ArgumentTypeError(
            f"Could not deserialize Python {name}: expected a mesos_pb2.{name} as {argument}, got {shown}"
        )
    try:
        data: bytes = serialize()
        if not isinstance(value, kind):
            kind.FromString(data)
            if misuse is not None:
                misuse.another_kind(value, kind, argument)
    except (EncodeError, DecodeError) as error:
        raise ArgumentValueError(
            f"Could not deserialize Python {name}: expected a complete mesos_pb2.{name} as {argument}: {error}"
        ) from None
    return data


def optional_message(value: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> bytes | None:
    """Serializes a message; returns None for None."""
    return None if value is None else message(value, kind, argument, misuse)


def credential(value: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> tuple[str, str] | None:
    """Returns the principal and the secret of a credential; returns None for None.

    :raises ArgumentTypeError: as for :func:`message`
    :raises ArgumentValueError: as for :func:`message`
    """
    if value is None:
        return None
    parsed = kind.FromString(message(value, kind, argument, misuse))
    return parsed.principal, parsed.secret


def messages(values: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> list[bytes]:
    """Serializes each message of an iterable.

    :raises ArgumentTypeError: the value is not an iterable, or one of its elements is not a message
    :raises ArgumentValueError: one of the messages is not valid
    """
    listed = _listed(values)
    if listed is None:
        expected = f"an iterable of mesos_pb2.{kind.DESCRIPTOR.name}"
        raise ArgumentTypeError(f"expected {expected} as {argument}, got {_shown(values)}")
    return [message(value, kind, f"{argument}[{i}]", misuse) for i, value in enumerate(listed)]


def one_or_more(values: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> list[bytes]:
    """Serializes one message, or each message of an iterable. The text of a single id is accepted too."""
    if hasattr(values, "SerializeToString") or isinstance(values, str | bytes):
        return [message(values, kind, argument, misuse)]
    return messages(values, kind, argument, misuse)


def roles(values: Any, argument: str) -> list[str]:
    """Returns the role names of an iterable as a list.

    :raises ArgumentTypeError: the value is not an iterable of str, or is a single str, which would be iterated
        letter by letter
    """
    expected = f"expected an iterable of str as {argument}"
    names = _listed(values)
    if names is None:
        raise ArgumentTypeError(f"{expected}, got {_shown(values)}")
    for name in names:
        if not isinstance(name, str):
            raise ArgumentTypeError(f"{expected}, got {_shown(name)} in it")
    return names


def distinct_roles(values: Any, argument: str) -> list[str]:
    """Returns the role names of an iterable without duplicates as a list.

    :raises ArgumentTypeError: as for :func:`roles`
    :raises ArgumentValueError: a role is there twice
    """
    names = roles(values, argument)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentValueError(f"expected each role at most once in {argument}, got {', '.join(twice)} twice")
    return names


def operations(values: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> list[bytes]:
    """Serializes operations. Those with an id are rejected: they request feedback, and the classic API has no callback
    for it.

    :raises ArgumentTypeError: as for :func:`messages`
    :raises ArgumentValueError: as for :func:`messages`, or an operation has an id
    """
    listed = _listed(values)
    for i, operation in enumerate(listed or []):
        name = getattr(getattr(operation, "id", None), "value", "")
        if name:
            raise ArgumentValueError(f"expected an operation without an id as {argument}[{i}], got {name!r}")
    return messages(values if listed is None else listed, kind, argument, misuse)


def data(value: Any, argument: str) -> bytes:
    """Returns bytes-like objects as bytes, and text encoded as UTF-8.

    :raises ArgumentTypeError: the value is neither bytes nor text
    """
    if isinstance(value, str):
        return value.encode()
    try:
        return bytes(memoryview(value))
    except TypeError:
        raise ArgumentTypeError(f"expected bytes or str as {argument}, got {_shown(value)}") from None


def seconds(value: Any, argument: str) -> float | None:
    """Returns a number of seconds as a finite float; returns None for None.

    :raises ArgumentTypeError: the value is not a number
    :raises ArgumentValueError: the value is negative or NaN
    """
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise ArgumentTypeError(f"expected a number of seconds as {argument}, got {_shown(value)}")
    if not value >= 0:
        raise ArgumentValueError(f"expected zero or more seconds as {argument}, got {value!r}")
    return float(min(value, sys.float_info.max))


def finite_seconds(value: Any, argument: str) -> float:
    """Returns a number of seconds.

    :raises ArgumentTypeError: the value is not a number
    :raises ArgumentValueError: the value is negative or not finite
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentTypeError(f"expected a number of seconds as {argument}, got {value!r}")
    if not 0 <= value < math.inf:
        raise ArgumentValueError(f"expected a finite number from 0 as {argument}, got {value!r}")
    return float(value)


def text(value: Any, argument: str) -> str:
    """Returns text, or decodes bytes in UTF-8.

    :raises ArgumentTypeError: the value is neither text nor bytes
    :raises ArgumentValueError: the value is not valid UTF-8, such as an environment variable with arbitrary bytes
    """
    if not isinstance(value, str | bytes):
        raise ArgumentTypeError(f"expected a str as {argument}, got {_shown(value, _core.redacted)}")
    try:
        return (value.encode() if isinstance(value, str) else value).decode()
    except UnicodeError:
        raise ArgumentValueError(f"expected text in UTF-8 as {argument}, got {_shown(value, _core.redacted)}") from None


def _listed(values: Any) -> list[Any] | None:
    """Returns the elements of an iterable, or None if the value is not iterable, is text, or is a message.

    Protobuf's repeated fields have no ``__iter__``, so iterability can only be found out by calling ``iter``.
    """
    if hasattr(values, "SerializeToString") or isinstance(values, str | bytes):
        return None
    try:
        iterator = iter(values)
    except TypeError:
        return None
    return list(iterator)


def _shown(value: Any, redact: Callable[[str], str] = str) -> str:
    text = redact(repr(value))
    text = text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
    return f"{type(value).__name__} {text}"
