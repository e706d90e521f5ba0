"""What signals ask of a command of the command line. Installs handlers, and only for as long as a ``with`` block."""

from __future__ import annotations

import os
import select
import signal
from typing import Any


class Stop:
    """Notes SIGINT, SIGTERM and SIGHUP inside a ``with`` block; becomes readable, for ``select``, with the first.

    What was ignored when the block began, as SIGHUP under ``nohup`` and SIGINT in a shell's background job, stays
    ignored, here and in processes that are started meanwhile.

    A pipe, since a signal handler may interrupt the very code that holds the lock of an event.
    """

    number: int | None = None
    """The first signal that came."""

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
        """Wait until a signal comes."""
        select.select([self], [], [])

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self._reader


def reaches_the_group(number: int | None) -> bool:
    """Whether this signal, which came to this process, came to its whole group: Ctrl-C in a terminal does."""
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
    """Whether a process ignores a signal; False if that cannot be known."""
    try:
        with open(f"/proc/{pid}/status") as status:
            masks = [line.split()[1] for line in status if line.startswith("SigIgn:")]
    except OSError:
        return False
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)
