"""The events of a master, one after the other."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from mesos.errors import AnswerTimeoutError, DriverAbortedError
from mesos.v1.interface import master_pb2

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from mesos import _core

_HEARTBEAT = master_pb2.Event(type=master_pb2.Event.HEARTBEAT)
MAKERS: dict[str, Callable[..., Any]] = {
    "event": master_pb2.Event.FromString,
    # A new SUBSCRIBED follows.
    "disconnected": lambda: _HEARTBEAT,
}
"""What makes an event of what the core tells."""


def is_shown(event: master_pb2.Event) -> bool:
    """Returns whether an event tells something."""
    return event.type != master_pb2.Event.HEARTBEAT


class MasterEvents:
    """The events of the leading master. :meth:`mesos.operator.MasterClient.events` makes it.

    It is an iterator. It may be left in any way: what no longer refers to it lets it go. :meth:`close`, or the end of
    ``with``, ends it at once, also if another thread waits for the next event.
    """

    def __init__(self, core: _core.Subscription, timeout: float | None, why: Callable[[], None]) -> None:
        self._core, self._timeout, self._why = core, timeout, why
        self._events = core.open(MAKERS)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> master_pb2.Event:
        """Waits for the next event. Ctrl-C interrupts the wait.

        :raises AnswerTimeoutError: none has come in time; it may be waited for again
        :raises RequestRefusedError: the master refuses the subscription
        """
        until = None if self._timeout is None else time.monotonic() + self._timeout
        while True:
            try:
                event: master_pb2.Event | None = self._events.next()
            except StopAsyncIteration:
                raise StopIteration from None
            except DriverAbortedError:
                self._why()
                raise
            if event is None:
                self._wait(until)
            elif is_shown(event):
                return event

    def _wait(self, until: float | None) -> None:
        try:
            if not self._events.wait():
                return
            poll = select.poll()
            poll.register(self._events.descriptor(), select.POLLIN)
            left = None if until is None else max(0.0, until - time.monotonic()) * 1000
            if not poll.poll(left):
                raise AnswerTimeoutError(f"no event within {self._timeout} s")
            self._events.clear()
        finally:
            self._events.waited()

    def close(self) -> None:
        """Ends the subscription. More than once has no effect."""
        self._core.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
