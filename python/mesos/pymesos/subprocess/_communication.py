"""``communicate`` of a ``Popen``."""

from __future__ import annotations

import contextlib
import io
import os
import select
import selectors
import time
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesos.pymesos.subprocess.popen import Popen

_SIZE = 65536


class Communication:
    """What was sent to a child and read of it. It goes on if it is interrupted.

    :param data: what is sent
    """

    def __init__(self, popen: Popen, data: Any) -> None:
        self._popen = popen
        self._input = memoryview(b"")
        self._read: dict[str, list[bytes]] = {}
        self._selector = selectors.PollSelector()
        if popen.stdin is not None:
            self._begin(data)
        for name in ("stdout", "stderr"):
            pipe = getattr(popen, name)
            if pipe is not None:
                self._read[name] = []
                if not pipe.closed:
                    self._selector.register(pipe, selectors.EVENT_READ, name)

    def _begin(self, data: Any) -> None:
        pipe = self._popen.stdin
        assert pipe is not None
        if pipe.closed:
            return
        if data and isinstance(pipe, io.TextIOWrapper):
            data = data.encode(pipe.encoding, pipe.errors or "strict")
        self._input = memoryview(data or b"").cast("B")
        try:
            pipe.flush()
        except BrokenPipeError:
            self._input = memoryview(b"")
        if self._input:
            self._selector.register(pipe, selectors.EVENT_WRITE)
        else:
            self._end_input()

    def run(self, timeout: float | None) -> tuple[Any, Any]:
        """Goes on to the end of the child.

        :raises TimeoutExpired: it did not end in time
        """
        until = None if timeout is None else time.monotonic() + timeout
        while self._selector.get_map():
            for key, _ in self._selector.select(self._left(until, timeout)):
                if key.data is None:
                    self._write()
                else:
                    self._take(key.data)
        self._popen.wait(self._left(until, timeout))
        return self._output("stdout"), self._output("stderr")

    def _left(self, until: float | None, timeout: float | None) -> float | None:
        if until is None:
            return None
        left = until - time.monotonic()
        if left < 0:
            assert timeout is not None
            partial = [
                b"".join(self._read[name]) or None if name in self._read else None for name in ("stdout", "stderr")
            ]
            raise TimeoutExpired(self._popen.args, timeout, *partial)
        return left

    def _write(self) -> None:
        assert self._popen.stdin is not None
        try:
            # A pipe that is ready takes as many without blocking.
            written = os.write(self._popen.stdin.fileno(), self._input[: select.PIPE_BUF])
        except BrokenPipeError:
            written = len(self._input)
        self._input = self._input[written:]
        if not self._input:
            self._selector.unregister(self._popen.stdin)
            self._end_input()

    def _end_input(self) -> None:
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.close()

    def _take(self, name: str) -> None:
        pipe = getattr(self._popen, name)
        part = os.read(pipe.fileno(), _SIZE)
        if part:
            self._read[name].append(part)
        else:
            self._selector.unregister(pipe)
            pipe.close()

    def _output(self, name: str) -> Any:
        if name not in self._read:
            return None
        data = b"".join(self._read[name])
        pipe = getattr(self._popen, name)
        if not isinstance(pipe, io.TextIOWrapper):
            return data
        return data.decode(pipe.encoding, pipe.errors or "strict").replace("\r\n", "\n").replace("\r", "\n")
