"""The script of ``remesos run``."""

from __future__ import annotations

import math
import os
import signal
from typing import TYPE_CHECKING

from mesos import _core

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Script:
    """A program in the terminal of this process. If this process is killed, everything the program started is too."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Starts the program.

        :raises OSError: the program could not be started
        """
        variables = [(os.fsencode(name), os.fsencode(value)) for name, value in environment.items()]
        self._script = _core.Script([os.fsencode(argument) for argument in command], variables)
        self.pid = self._script.pid
        self._code: int | None = None

    def wait(self, seconds: float = math.inf) -> int | None:
        """Waits for the program to end.

        :param seconds: how long to wait
        :returns: its exit code, negative if a signal ended it, or None if it is still running
        """
        if self._code is None:
            self._code = self._script.wait(seconds)
        return self._code

    def signal(self, number: int) -> None:
        """Sends a signal to the program if it is running."""
        if self.wait(0) is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills the program if it is running."""
        self.signal(signal.SIGKILL)
        self.wait()
