"""Turns what a framework passes to a driver into what the core takes, or says clearly why it cannot be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError, EncodeError

from mesos import _core
from mesos.errors import ArgumentTypeError, ArgumentValueError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesos._misuse import Misuse

_SHOWN_MAX = 80
# Of what is passed instead of these, only the type is shown.
_SECRETS = {"Credential"}
_IDS = {"ExecutorID", "FrameworkID", "OfferID", "SlaveID", "TaskID"}


def message(value: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> bytes:
    """Serialize a message.

    As with libmesos, any object serves whose ``SerializeToString()`` gives bytes that parse as the expected message.
    Where an id is expected, its text serves too.

    :param kind: the class that is expected
    :param argument: the argument's name, for the error
    :param misuse: warns of a message of another kind
    :raises ArgumentTypeError: this is no message
    :raises ArgumentValueError: required fields are not set, or it is a message of another kind
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
    """Serialize a message, or pass None on."""
    return None if value is None else message(value, kind, argument, misuse)


def messages(values: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> list[bytes]:
    """Serialize each message of an iterable.

    :raises ArgumentTypeError: not an iterable, or something in it is no message
    :raises ArgumentValueError: one of the messages cannot be used
    """
    listed = _listed(values)
    if listed is None:
        expected = f"an iterable of mesos_pb2.{kind.DESCRIPTOR.name}"
        raise ArgumentTypeError(f"expected {expected} as {argument}, got {_shown(values)}")
    return [message(value, kind, f"{argument}[{i}]", misuse) for i, value in enumerate(listed)]


def one_or_more(values: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> list[bytes]:
    """Serialize one message, or each of an iterable; of ids, the text of one serves too."""
    if hasattr(values, "SerializeToString") or isinstance(values, str | bytes):
        return [message(values, kind, argument, misuse)]
    return messages(values, kind, argument, misuse)


def roles(values: Any, argument: str) -> list[str]:
    """Check an iterable of role names.

    :raises ArgumentTypeError: not an iterable of str, or a single str, which would be taken letter by letter
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
    """Check an iterable of role names in which none stands twice.

    :raises ArgumentTypeError: as :func:`roles`
    :raises ArgumentValueError: a role stands there twice
    """
    names = roles(values, argument)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentValueError(f"expected each role once as {argument}, got {', '.join(twice)} twice")
    return names


def operations(values: Any, kind: Any, argument: str, misuse: Misuse | None = None) -> list[bytes]:
    """Serialize operations, but for those that want feedback, for which the classic API has no callback.

    :raises ArgumentTypeError: as :func:`messages`
    :raises ArgumentValueError: as :func:`messages`; an operation has an id
    """
    listed = _listed(values)
    for i, operation in enumerate(listed or []):
        name = getattr(getattr(operation, "id", None), "value", "")
        if name:
            raise ArgumentValueError(f"expected an operation without an id as {argument}[{i}], got {name!r}")
    return messages(values if listed is None else listed, kind, argument, misuse)


def data(value: Any, argument: str) -> bytes:
    """Take bytes, or text as UTF-8.

    :raises ArgumentTypeError: neither
    """
    if isinstance(value, str):
        return value.encode()
    try:
        return bytes(memoryview(value))
    except TypeError:
        raise ArgumentTypeError(f"expected bytes or str as {argument}, got {_shown(value)}") from None


def seconds(value: Any, argument: str) -> float | None:
    """Take seconds, or None.

    :raises ArgumentTypeError: no number
    :raises ArgumentValueError: negative, or not a number in the sense of floating point
    """
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise ArgumentTypeError(f"expected a number of seconds as {argument}, got {_shown(value)}")
    if not value >= 0:
        raise ArgumentValueError(f"expected zero or more seconds as {argument}, got {value!r}")
    return float(min(value, sys.float_info.max))


def text(value: Any, argument: str) -> str:
    """Take text, or bytes in UTF-8.

    :raises ArgumentTypeError: neither
    :raises ArgumentValueError: what is not UTF-8, as an environment variable of any bytes
    """
    if not isinstance(value, str | bytes):
        raise ArgumentTypeError(f"expected a str as {argument}, got {_shown(value, _core.redacted)}")
    try:
        return (value.encode() if isinstance(value, str) else value).decode()
    except UnicodeError:
        raise ArgumentValueError(f"expected text in UTF-8 as {argument}, got {_shown(value, _core.redacted)}") from None


def _listed(values: Any) -> list[Any] | None:
    """What an iterable holds, or None where it is none that is meant: text, a message.

    Protobuf's repeated fields have no ``__iter__``; only trying tells.
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
