"""Standard output and error of the command line. Writes to their descriptors, without waiting for a slow reader."""

from __future__ import annotations

import codecs
import os
import select
import signal
import sys
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from mesos._signals import Stop

BROKEN_STATUS = 128 + signal.SIGPIPE
"""The exit status, as a shell gives it, of a program whose reader has gone."""

_ROOM_BYTES = 256 * 1024
_LONG_SECONDS = 60.0
"""What ``select`` waits at most: it takes no infinity."""
_INVISIBLE = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {code: chr(code).encode("unicode_escape").decode() for code in _INVISIBLE if chr(code) not in "\t\n"}


def visible(text: str) -> str:
    """Escape what drives a terminal or changes the direction of text; line ends and tabs stay."""
    return text.translate(_ESCAPES)


def open_standard_files() -> None:
    """Open the null device for each standard file that is closed.

    Otherwise the next file or socket that is opened gets its descriptor.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(opened, True)
            setattr(sys, name, open(opened, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115


class Console:
    """What the command says and what tasks print, kept until standard output and error take it."""

    def __init__(self) -> None:
        self._out, self._err = _Stream(1, sys.stdout), _Stream(2, sys.stderr)

    def say(self, text: str) -> None:
        """Write a line of the command's own."""
        self._out.add(f"remesos: {text}\n")

    def write(self, text: str, error: bool) -> None:
        """Write text to standard output, or to standard error."""
        (self._err if error else self._out).add(text)

    def has_room(self) -> bool:
        """Whether more should be written: the readers keep up."""
        return len(self._out.waiting) + len(self._err.waiting) < _ROOM_BYTES

    def is_broken(self) -> bool:
        """Whether a reader has gone, as ``head`` does; what is written for it is dropped."""
        return self._out.has_lost_its_reader() or self._err.broken

    def wait(self, seconds: float, stop: Stop | None = None) -> bool:
        """Hand over what waits, for so long. Ends early, and returns True, if a stop is asked for or a reader has gone.

        :raises OSError: a stream cannot be written to, for want of space for one
        """
        until = time.monotonic() + seconds
        while not self.is_broken():
            left = max(0.0, until - time.monotonic())
            if self._hand_over(left, stop):
                return True
            if time.monotonic() >= until:
                return False
        return True

    def drain(self, stop: Stop | None, seconds: float) -> bool:
        """Hand over all that waits, or give up if a stop is asked for, or after so long. Whether nothing waits."""
        until = time.monotonic() + seconds
        while self._busy() and not self.is_broken():
            left = min(until - time.monotonic(), _LONG_SECONDS)
            if left <= 0 or self._hand_over(left, stop):
                return False
        return True

    def _busy(self) -> list[_Stream]:
        return [stream for stream in (self._out, self._err) if stream.waiting]

    def _hand_over(self, seconds: float, stop: Stop | None) -> bool:
        """Wait for a stream that takes something, and hand it over; whether a stop is asked for."""
        asked, ready, _ = select.select([] if stop is None else [stop], self._busy(), [], seconds)
        for stream in ready:
            stream.hand_over()
        return bool(asked)


class _Stream:
    """One of the two, with what waits for it, in its encoding."""

    def __init__(self, descriptor: int, stream: IO[str] | None) -> None:
        self._descriptor = descriptor
        encoding = getattr(stream, "encoding", None) or "utf-8"
        self._encoder = codecs.getincrementalencoder(encoding)("replace")
        self.broken = False
        self.waiting = bytearray()

    def fileno(self) -> int:
        return self._descriptor

    def add(self, text: str) -> None:
        if not self.broken:
            self.waiting += self._encoder.encode(text)

    def has_lost_its_reader(self) -> bool:
        """Whether this is a pipe that nobody reads any more, also if nothing was written since."""
        poll = select.poll()
        poll.register(self._descriptor, 0)
        if not self.broken and any(events & select.POLLERR for _, events in poll.poll(0)):
            self._break()
        return self.broken

    def hand_over(self) -> None:
        """Write as much as a pipe that is ready takes for certain."""
        try:
            written = os.write(self._descriptor, self.waiting[: select.PIPE_BUF])
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._break()
        else:
            del self.waiting[:written]

    def _break(self) -> None:
        self.broken = True
        self.waiting.clear()
