"""Reliable, ordered messages of any size over framework messages, which are best effort."""

from __future__ import annotations

import struct
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD = struct.Struct("!QQB")
"""The number of the part, or 0 if there is none; the last part that was received; whether a message ends here."""
PART_BYTES = 1 << 20
_WINDOW_BYTES = 8 << 20
"""How much may be unacknowledged."""
_ACKNOWLEDGE_SECONDS = 0.2
_RESEND_SECONDS = (2.0, 30.0)
"""How long after the last progress parts are sent again: at first, and at most, because the time doubles."""


class Channel:
    """One end of a channel between the pool and a worker. It does no IO.

    A message is split into numbered parts. A part is kept until the other end has acknowledged it, and is sent again
    if that takes too long. The other end takes parts in their order only, so that each arrives once.

    :param send: sends a part as a framework message
    """

    def __init__(self, send: Callable[[bytes], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._sent = 0
        self._unacknowledged: deque[tuple[int, bytes, int]] = deque()
        self._in_flight = 0
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._progress = 0.0
        self._patience = _RESEND_SECONDS[0]
        self._received = 0
        self._parts: list[bytes] = []
        self._owed_since: float | None = None
        self._owed_bytes = 0

    def post(self, message: bytes) -> None:
        """Sends a message, or as much of it as the window has room for; the rest follows."""
        last = max(0, len(message) - 1) // PART_BYTES
        for index in range(last + 1):
            part = message[index * PART_BYTES : (index + 1) * PART_BYTES] if last else message
            self._waiting.append((part, index == last))
        self._fill()

    def receive(self, frame: bytes) -> bytes | None:
        """Takes a framework message of the other end. Returns the message that it completes, if any."""
        number, acknowledged, last = _HEAD.unpack_from(frame)
        self._acknowledge(acknowledged)
        if number == 0:
            return None
        if self._owed_since is None:
            self._owed_since = self._clock()
        message = None
        if number == self._received + 1:
            self._received = number
            self._parts.append(frame[_HEAD.size :])
            self._owed_bytes += len(frame)
            if last:
                message = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
                self._parts.clear()
            if self._owed_bytes >= PART_BYTES:
                self._transmit(0, b"", False)
        else:
            # Sent again, because the acknowledgement was lost, or something before it was lost.
            self._transmit(0, b"", False)
        return message

    def tick(self) -> None:
        """Sends what is due. To be called ten times a second or so while the channel is :attr:`busy`."""
        now = self._clock()
        if self._unacknowledged and now - self._progress >= self._patience:
            self._patience = min(self._patience * 2, _RESEND_SECONDS[1])
            self.resend()
        if self._owed_since is not None and now - self._owed_since >= _ACKNOWLEDGE_SECONDS:
            self._transmit(0, b"", False)

    def resend(self) -> None:
        """Sends all unacknowledged parts again, for example because a connection was lost."""
        self._progress = self._clock()
        for number, part, last in self._unacknowledged:
            self._transmit(number, part, bool(last))

    @property
    def busy(self) -> bool:
        """Whether something is not acknowledged yet, at either end."""
        return bool(self._unacknowledged) or self._owed_since is not None

    def _acknowledge(self, number: int) -> None:
        while self._unacknowledged and self._unacknowledged[0][0] <= number:
            self._in_flight -= len(self._unacknowledged.popleft()[1])
            self._progress = self._clock()
            self._patience = _RESEND_SECONDS[0]
        self._fill()

    def _fill(self) -> None:
        while self._waiting and (self._in_flight < _WINDOW_BYTES):
            part, last = self._waiting.popleft()
            if not self._unacknowledged:
                self._progress = self._clock()
            self._sent += 1
            self._in_flight += len(part)
            self._unacknowledged.append((self._sent, part, last))
            self._transmit(self._sent, part, bool(last))

    def _transmit(self, number: int, part: bytes, last: bool) -> None:
        self._owed_since = None
        self._owed_bytes = 0
        self._send(_HEAD.pack(number, self._received, last) + part)
