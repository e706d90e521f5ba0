"""Data of messages, and durations, as text."""

from __future__ import annotations

import base64
from typing import Any

from mesos.errors import ArgumentValueError

DAY = 24 * 60 * 60
"""Seconds."""
POSTFIX = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "secs": 1,
    "mins": 60,
    "hrs": 60 * 60,
    "days": DAY,
    "weeks": 7 * DAY,
}
"""The units of durations, in seconds (``3rdparty/stout/include/stout/duration.hpp``)."""


def parse_duration(s: str) -> float:
    """Returns the seconds of a duration such as ``5secs``.

    :raises ArgumentValueError: it is not a duration
    """
    text = s.strip()
    for unit, seconds in POSTFIX.items():
        try:
            if text.endswith(unit):
                return float(text.removesuffix(unit)) * seconds
        except ValueError:
            continue
    raise ArgumentValueError(f"expected a number and one of the units {', '.join(POSTFIX)}, got {s!r}")


def encode_data(data: bytes | str) -> str:
    """Returns bytes, or text encoded as UTF-8, in base64: what the field ``data`` of a message holds.

    >>> encode_data(b"hello")
    'aGVsbG8='
    """
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def decode_data(data: str | bytes) -> bytes:
    """Returns the bytes in the field ``data`` of a message.

    >>> decode_data("aGVsbG8=")
    b'hello'
    """
    return base64.b64decode(data)


def dict_class(use_addict: bool) -> Any:
    """Returns the class of the dicts that callbacks receive: ``addict.Dict``, whose members are attributes too, or
    ``dict``.

    :raises ImportError: addict is wanted, and not installed
    """
    if not use_addict:
        return dict
    try:
        from addict import Dict  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise ImportError("use_addict=True needs the package addict: pip install addict") from None
    return Dict
