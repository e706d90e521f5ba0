"""Checks numbers of seconds."""

from __future__ import annotations

import math
from typing import Any

from mesos.errors import ArgumentTypeError, ArgumentValueError


def checked_seconds(value: Any, argument: str) -> float:
    """Returns a number of seconds.

    :raises ArgumentTypeError: it is no number
    :raises ArgumentValueError: it is negative or not finite
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentTypeError(f"expected a number of seconds as {argument}, got {value!r}")
    if not 0 <= value < math.inf:
        raise ArgumentValueError(f"expected a finite number from 0 as {argument}, got {value!r}")
    return float(value)
