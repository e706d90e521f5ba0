"""Warns about calls that have no effect or not the intended one, once per driver and kind.

The calls themselves behave as with libmesos. Warnings use :mod:`warnings`. In callbacks they are log records of the
logger ``mesos`` instead, because a warning that is turned into an error would abort the driver.
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
    """The kinds of misuse that one driver has already warned about."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, kind: str, text: str) -> None:
        """Warns unless this driver has already warned about this kind.

        The warning is attributed to the innermost line outside of this package.
        """
        if kind in self._told:
            return
        self._told.add(kind)
        if _core.in_callback():
            _logging.log.warning("%s", text)
        else:
            warnings.warn(text, MesosWarning, stacklevel=_depth_of_caller())

    def another_kind(self, value: Any, kind: Any, argument: str) -> None:
        """Warns if a message is of another type than expected but its bytes could be parsed as the expected type.

        A message of another copy of ``mesos.proto``, or of the v1 API, counts as the same type.
        """
        given = getattr(getattr(value, "DESCRIPTOR", None), "name", None)
        expected = kind.DESCRIPTOR.name
        if isinstance(given, str) and given.replace("Agent", "Slave") != expected.replace("Agent", "Slave"):
            self.tell(
                "another kind",
                f"expected a mesos_pb2.{expected} as {argument}, got a {given}: its bytes are parsed as a {expected}, "
                "as by libmesos",
            )

    def near_misses(self, target: Any, misses: dict[str, str]) -> None:
        """Warns about methods that were probably meant as callbacks.

        :param misses: for each method's name, the name of the callback that it resembles
        """
        if misses:
            listed = ", ".join(f"{name} (meant as {callback}?)" for name, callback in misses.items())
            self.tell("near miss", f"{type(target).__name__} has methods that no driver calls: {listed}")

    def started_again(self, call: str) -> None:
        """Warns about ``start`` or ``run`` on a driver that was already started."""
        self.tell(
            "started again",
            f"{call}() has no effect on a driver that was already started: a driver runs once, create another one",
        )

    def waits_for_itself(self) -> None:
        """Warns about ``join`` or ``run`` in a callback of the same driver."""
        self.tell(
            "waits for itself",
            "join() in a callback of the same driver blocks until another thread stops the driver; "
            "no callback is called in the meantime",
        )

    def not_started(self, call: str) -> None:
        """Warns about a call that requires a started driver."""
        self.tell("not started", f"{call}() has no effect before start()")


def needs_start(method: F) -> F:
    """Decorates a driver's method so that it warns if it is called before ``start``."""

    @functools.wraps(method)
    def told(self: Any, *arguments: Any, **keywords: Any) -> Any:
        status = method(self, *arguments, **keywords)
        if status == _NOT_STARTED:
            self._misuse.not_started(method.__name__)
        return status

    return cast("F", told)


def _depth_of_caller() -> int:
    """Returns the ``stacklevel`` with which the calling function attributes a warning to the caller of this package."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("mesos."):
        frame, depth = frame.f_back, depth + 1
    return depth
