"""Standard output and error of the command line. Writes to their descriptors without blocking on a slow reader."""

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
"""The exit status that a shell reports for a program that SIGPIPE ended."""

_ROOM_BYTES = 256 * 1024
_LONG_SECONDS = 60.0
"""The longest timeout for ``select``, which does not accept infinity."""
_INVISIBLE = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {code: chr(code).encode("unicode_escape").decode() for code in _INVISIBLE if chr(code) not in "\t\n"}


def visible(text: str) -> str:
    """Escapes characters that control a terminal or change the direction of text, except line ends and tabs."""
    return text.translate(_ESCAPES)


def open_standard_files() -> None:
    """Opens the null device for each standard file that is closed.

    Otherwise the next file or socket that is opened would get its descriptor.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(opened, True)
            setattr(sys, name, open(opened, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115


class Console:
    """Buffers the command's messages and the tasks' output until standard output and error accept them."""

    def __init__(self) -> None:
        self._out, self._err = _Stream(1, sys.stdout), _Stream(2, sys.stderr)

    def say(self, text: str) -> None:
        """Writes a message of the command itself, as a line."""
        self._out.add(f"remesos: {text}\n")

    def write(self, text: str, error: bool) -> None:
        """Writes text to standard output or to standard error."""
        (self._err if error else self._out).add(text)

    def has_room(self) -> bool:
        """Returns whether the readers keep up, so that more should be written."""
        return len(self._out.waiting) + len(self._err.waiting) < _ROOM_BYTES

    def is_broken(self) -> bool:
        """Returns whether a reader has closed its end, as ``head`` does. Further output to it is dropped."""
        return self._out.has_lost_its_reader() or self._err.broken

    def wait(self, seconds: float, stop: Stop | None = None) -> bool:
        """Writes buffered output for a number of seconds.

        :returns: True, early, if a stop was requested or a reader has closed its end; otherwise False
        :raises OSError: a stream cannot be written to, for example because the disk is full
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
        """Writes all buffered output.

        :param stop: gives up early if a stop is requested
        :param seconds: gives up after this time
        :returns: whether everything was written or a reader has closed its end
        """
        until = time.monotonic() + seconds
        while self._busy() and not self.is_broken():
            left = min(until - time.monotonic(), _LONG_SECONDS)
            if left <= 0 or self._hand_over(left, stop):
                return False
        return True

    def _busy(self) -> list[_Stream]:
        return [stream for stream in (self._out, self._err) if stream.waiting]

    def _hand_over(self, seconds: float, stop: Stop | None) -> bool:
        """Waits until a stream is writable and writes to it. Returns whether a stop was requested."""
        asked, ready, _ = select.select([] if stop is None else [stop], self._busy(), [], seconds)
        for stream in ready:
            stream.hand_over()
        return bool(asked)


class _Stream:
    """Standard output or standard error, with its buffered output in the stream's encoding."""

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
        """Returns whether this is a pipe whose reader has closed its end, even if nothing was written since."""
        poll = select.poll()
        poll.register(self._descriptor, 0)
        if not self.broken and any(events & select.POLLERR for _, events in poll.poll(0)):
            self._break()
        return self.broken

    def hand_over(self) -> None:
        """Writes as much as a writable pipe is guaranteed to accept."""
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
