"""Warns of calls that do nothing, or not what they look like: once per driver and kind. They return what libmesos does.

With :mod:`warnings`, and in callbacks with :mod:`logging`, logger ``mesos``: a warning that is made an error would be
what the callback raises, and abort the driver.
"""

from __future__ import annotations

import functools
import sys
import warnings
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mesos import _core, _logging
from mesos.errors import MesosWarning

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")
# ``mesos_pb2.DRIVER_NOT_STARTED``, which takes long to look up.
_NOT_STARTED = 1


class Misuse:
    """What one driver has warned of."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, kind: str, text: str) -> None:
        """Warn, if this kind was not told before; the warning names the line outside of this package."""
        if kind in self._told:
            return
        self._told.add(kind)
        if _core.in_callback():
            _logging.log.warning("%s", text)
        else:
            warnings.warn(text, MesosWarning, stacklevel=_depth_of_caller())

    def another_kind(self, value: Any, kind: Any, argument: str) -> None:
        """Warn of a message of another kind, whose bytes happen to be such a message too.

        One of another copy of ``mesos.proto``, or of the v1 API, is of the same kind.
        """
        given = getattr(getattr(value, "DESCRIPTOR", None), "name", None)
        expected = kind.DESCRIPTOR.name
        if isinstance(given, str) and given.replace("Agent", "Slave") != expected:
            self.tell(
                "another kind",
                f"expected a mesos_pb2.{expected} as {argument}, got a {given}, whose bytes are taken for one, "
                "as libmesos does",
            )

    def near_misses(self, target: Any, misses: dict[str, str]) -> None:
        """Warn of methods that were probably meant as callbacks; ``misses`` has theirs by the methods' names."""
        if misses:
            listed = ", ".join(f"{name} (meant as {callback}?)" for name, callback in misses.items())
            self.tell("near miss", f"{type(target).__name__} has methods that no driver calls: {listed}")

    def started_again(self, call: str) -> None:
        """Warn of ``start`` or ``run`` on a driver that was started before."""
        self.tell(
            "started again",
            f"{call}() on a driver that was started before does not start it again: a driver runs once, make another",
        )

    def waits_for_itself(self) -> None:
        """Warn of ``join`` or ``run`` in a callback of the driver that is waited for."""
        self.tell(
            "waits for itself",
            "join() in a callback of the same driver waits until another thread stops the driver; "
            "no callback is made meanwhile",
        )

    def not_started(self, call: str) -> None:
        """Warn of a call that needs a driver that was started."""
        self.tell("not started", f"{call}() before start() does nothing")


def needs_start(method: F) -> F:
    """Has a driver's method warn when it is called before ``start``."""

    @functools.wraps(method)
    def told(self: Any, *arguments: Any, **keywords: Any) -> Any:
        status = method(self, *arguments, **keywords)
        if status == _NOT_STARTED:
            self._misuse.not_started(method.__name__)
        return status

    return cast("F", told)


def _depth_of_caller() -> int:
    """The ``stacklevel`` that shows the caller of this package, for the function that called this one."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("mesos."):
        frame, depth = frame.f_back, depth + 1
    return depth
