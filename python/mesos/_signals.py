"""Signals that ask a command of the command line to stop. Installs handlers for the duration of a ``with`` block."""

from __future__ import annotations

import os
import select
import signal
from typing import Any


class Stop:
    """Records SIGINT, SIGTERM and SIGHUP inside a ``with`` block; the first one makes it readable for ``select``.

    A signal that was ignored before the block, as SIGHUP under ``nohup`` and SIGINT in a shell's background job, stays
    ignored, in this process and in those that it starts.

    It uses a pipe instead of an event, because a signal handler may interrupt code that holds the event's lock.
    """

    number: int | None = None
    """The first signal that was received."""

    def __enter__(self) -> Stop:
        self._reader, self._writer = os.pipe()
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        self._before: dict[signal.Signals, Any] = {number: signal.signal(number, self._asked) for number in heeded}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        os.close(self._reader)
        os.close(self._writer)

    def _asked(self, number: int, _: object) -> None:
        self.number = self.number or number
        os.write(self._writer, b"\0")

    def wait(self) -> None:
        """Waits for a signal."""
        select.select([self], [], [])

    def fileno(self) -> int:
        """Returns the descriptor that becomes readable."""
        return self._reader


def reaches_the_group(number: int | None) -> bool:
    """Returns whether the whole process group received this signal too, as with Ctrl-C in a terminal."""
    if number != signal.SIGINT:
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def is_ignored(pid: int, number: int) -> bool:
    """Returns whether a process ignores a signal; False if this cannot be determined."""
    try:
        with open(f"/proc/{pid}/status") as status:
            masks = [line.split()[1] for line in status if line.startswith("SigIgn:")]
    except OSError:
        return False
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)
