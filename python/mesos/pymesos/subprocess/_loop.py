"""A thread that copies bytes between files, and calls functions when files are ready."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import select
import selectors
import signal
import stat
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

log = logging.getLogger(__name__)
_SIZE = 65536
_STOP_SECONDS = 5.0
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_REPORTED_BY_ERRORS = (signal.SIGPIPE, signal.SIGTTIN, signal.SIGTTOU)
"""Signals that would end or stop the process, and are errors of the call if they are blocked."""


class File(Protocol):
    """What a loop watches."""

    def fileno(self) -> int:
        """Returns the descriptor."""

    def close(self) -> None:
        """Closes the descriptor."""


class Stream:
    """A file descriptor that belongs to the loop. Reading and writing do not block.

    :param careful: the file is shared with others and cannot be told not to block
    """

    def __init__(self, fd: int, *, careful: bool = False) -> None:
        self._fd = fd
        self._careful = careful

    @classmethod
    def own(cls, fd: int) -> Stream:
        """Takes over a file that nobody shares."""
        os.set_blocking(fd, False)
        return cls(fd)

    @classmethod
    def link(cls, connection: socket.socket) -> Stream:
        """Takes over a connection."""
        return cls.own(connection.detach())

    @classmethod
    def borrow(cls, fd: int, flags: int) -> Stream:
        """Returns another descriptor of a file that is shared, without a change to it.

        :param flags: ``os.O_RDONLY`` or ``os.O_WRONLY``
        """
        mode = os.fstat(fd).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            with contextlib.suppress(OSError):
                return cls(os.open(f"/proc/self/fd/{fd}", flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
        return cls(os.dup(fd), careful=not stat.S_ISREG(mode))

    def fileno(self) -> int:
        """Returns the descriptor, or -1 if it is closed."""
        return self._fd

    def read(self) -> bytes | None:
        """Returns the next bytes, none at the end, or None if there is nothing to read yet."""
        try:
            return os.read(self._fd, _SIZE) if self._ready(select.POLLIN) else None
        except BlockingIOError:
            return None

    def write(self, data: bytes | memoryview) -> int:
        """Writes some of the bytes. Returns how many."""
        try:
            if self._careful:
                # A pipe that is ready takes as many without blocking.
                data = data[: select.PIPE_BUF]
            return os.write(self._fd, data) if self._ready(select.POLLOUT) else 0
        except BlockingIOError:
            return 0

    def _ready(self, event: int) -> bool:
        if not self._careful:
            return True
        poll = select.poll()
        poll.register(self._fd, event)
        return bool(poll.poll(0))

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Closes the descriptor."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class Loop:
    """The thread. Whatever is registered is handled there, one thing at a time.

    :param name: of the thread
    """

    def __init__(self, name: str) -> None:
        # Not epoll, which does not take regular files.
        self._selector = selectors.PollSelector()
        self._calls: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._files: set[File] = set()
        self._lock = threading.Lock()
        self._ended = False
        self._wake = Stream(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
        self.watch(self._wake, READ, self._wake.read)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], object]) -> None:
        """Has the thread call a function. Does nothing if the loop has ended."""
        with self._lock:
            if not self._ended:
                self._calls.append(function)
                os.eventfd_write(self._wake.fileno(), 1)

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        """Has the thread call a function after some time. To be called in the thread."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), function))

    def own(self, file: File) -> None:
        """Closes a file at the end of the loop."""
        self._files.add(file)

    def watch(self, file: File, event: int, ready: Callable[[], object]) -> None:
        """Has the thread call a function whenever a file is ready. Replaces what was watched for on the same file."""
        self.own(file)
        try:
            self._selector.modify(file, event, ready)
        except KeyError:
            self._selector.register(file, event, ready)

    def ignore(self, file: File) -> None:
        """Watches for nothing on a file."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(file)

    def release(self, file: File) -> None:
        """Leaves a file to its owner."""
        self.ignore(file)
        self._files.discard(file)

    def close(self, file: File) -> None:
        """Closes a file."""
        self.release(file)
        file.close()

    def stop(self) -> None:
        """Closes all files, and waits for the end of the thread."""
        self.call(self._end)
        if threading.current_thread() is not self._thread:
            self._thread.join(_STOP_SECONDS)

    def abandon(self) -> None:
        """Closes all files in a forked child, which does not have the thread."""
        self._ended = True
        for file in self._files:
            with contextlib.suppress(OSError):
                file.close()

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            self._calls.clear()
        for file in list(self._files):
            self.close(file)

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _REPORTED_BY_ERRORS)
        while not self._ended:
            wait = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for key, _ in self._selector.select(wait):
                # Another one's handler may have closed it.
                if self._selector.get_map().get(key.fd) == key:
                    self._guard(key.data)
            while self._calls:
                self._guard(self._calls.popleft())
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._guard(heapq.heappop(self._timers)[2])

    def _guard(self, function: Any) -> None:
        try:
            function()
        except Exception:
            log.exception("A handler of %s failed", self._thread.name)


class Copy:
    """Copies from one file to another until the source ends or the sink is closed, and then closes both.

    To be used in the loop's thread.

    :param progress: called when bytes have been written, and at the end
    """

    def __init__(self, loop: Loop, source: Stream, sink: Stream, progress: Callable[[], object] = lambda: None) -> None:
        self._loop, self._source, self._sink, self._progress = loop, source, sink, progress
        self._data = memoryview(b"")
        self._ending = False
        self.copied = 0
        """Bytes that were written to the sink."""
        self.done = False
        loop.own(sink)
        loop.watch(source, READ, self._step)

    @property
    def read(self) -> int:
        """Bytes that were read from the source."""
        return self.copied + len(self._data)

    @property
    def source(self) -> Stream:
        """What is copied."""
        return self._source

    def finish(self) -> None:
        """Copies what there is to read now, and ends."""
        self._ending = True
        if not self.done:
            self._step()

    def stop(self) -> None:
        """Ends at once."""
        if not self.done:
            self.done = True
            self._loop.close(self._source)
            self._loop.close(self._sink)
            self._progress()

    def _step(self) -> None:
        try:
            if not self._data:
                part = self._source.read()
                if part is None:
                    return self.stop() if self._ending else None
                if not part:
                    return self.stop()
                self._data = memoryview(part)
            written = self._sink.write(self._data)
        except OSError as error:
            # That nobody reads any longer, or that a connection ended, is not unusual.
            log.log(logging.DEBUG if isinstance(error, ConnectionError) else logging.WARNING, "Copying ends: %s", error)
            return self.stop()
        self._data = self._data[written:]
        self.copied += written
        if self._data:
            self._loop.ignore(self._source)
            self._loop.watch(self._sink, WRITE, self._step)
        else:
            self._loop.ignore(self._sink)
            self._loop.watch(self._source, READ, self._step)
            self._progress()
        return None
