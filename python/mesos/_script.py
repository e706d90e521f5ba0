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
    """A program in the terminal of this process. If that is killed, so is all that the program started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it. An OSError says why it cannot be."""
        variables = [(os.fsencode(name), os.fsencode(value)) for name, value in environment.items()]
        self._script = _core.Script([os.fsencode(argument) for argument in command], variables)
        self.pid = self._script.pid
        self._code: int | None = None

    def wait(self, seconds: float = math.inf) -> int | None:
        """Wait so long for its end; its exit code, negative if a signal ended it. None if it runs."""
        if self._code is None:
            self._code = self._script.wait(seconds)
        return self._code

    def signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.wait(0) is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, if it runs."""
        self.signal(signal.SIGKILL)
        self.wait()
