"""The executor that runs calls: one worker of a pool.

``python -m mesos.futures._worker`` talks to the pool, and has a process of its own make the calls
(``_child.py``). So a call can be killed, and can end its process, without the end of the worker.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from mesos.futures._channel import Channel
from mesos.futures._child import LENGTH
from mesos.interface import Executor, mesos_pb2
from mesos.native import MesosExecutorDriver

_TICK_SECONDS = 0.1
_IDLE_SECONDS = 5.0
_BATCH_SECONDS = 0.002
"""How long results wait for others, to travel with them."""
_SETUP = -1
"""The number of the initializer, which is run as a call is."""


class Child:
    """The process that makes the calls."""

    def __init__(self, setup: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            program = [sys.executable, "-P", str(Path(__file__).with_name("_child.py"))]
            self._process = subprocess.Popen(
                [*program, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.socket = ours
        self.death = os.pidfd_open(self._process.pid)
        self._data = bytearray()
        self.send(setup)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.socket.sendall(LENGTH.pack(len(data)) + data)

    def receive(self) -> bytes | None:
        """Reads once. Returns the answer if it is complete."""
        part = b""
        with contextlib.suppress(OSError):
            part = self.socket.recv(1 << 20)
        if not part:  # the call has closed what it did not open
            self._kill()
        self._data += part
        return self._take()

    def last(self) -> bytes | None:
        """Reads all that the dead process has left. Returns its answer if it is complete."""
        self.socket.setblocking(False)
        with contextlib.suppress(OSError):
            while part := self.socket.recv(1 << 20):
                self._data += part
        return self._take()

    def _take(self) -> bytes | None:
        if len(self._data) < LENGTH.size:
            return None
        end = LENGTH.size + LENGTH.unpack_from(self._data)[0]
        if len(self._data) < end:
            return None
        answer = bytes(memoryview(self._data)[LENGTH.size : end])
        del self._data[:end]
        return answer

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> str:
        """Kills the process and what it started. Returns how it ended."""
        self._kill()
        status = self._process.wait()
        self.socket.close()
        os.close(self.death)
        if status >= 0:
            return f"exited with status {status}"
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-status).name}"
        return f"was ended by signal {-status}"


class Worker(Executor):
    """Receives calls from the pool, and sends their results."""

    def __init__(self) -> None:
        self._driver = MesosExecutorDriver(self)
        self._channel = Channel(self._driver.sendFrameworkMessage)
        self._task_id: mesos_pb2.TaskID | None = None
        self._inbox: deque[bytes] = deque()
        self._outbox: list[tuple[Any, ...]] = []
        self._flushed = 0.0
        self._calls: deque[tuple[int, bytes]] = deque()
        self._running: tuple[int, float] | None = None
        self._setup = b""
        self._child: Child | None = None
        self._end: mesos_pb2.TaskState.ValueType | None = None
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ)

    # Callbacks, on the driver's thread.

    def launchTask(self, driver: Any, task: mesos_pb2.TaskInfo) -> None:
        self._task_id = task.task_id
        self._report(mesos_pb2.TASK_RUNNING)
        os.eventfd_write(self._wake, 1)

    def frameworkMessage(self, driver: Any, message: bytes) -> None:
        self._inbox.append(bytes(message))
        os.eventfd_write(self._wake, 1)

    def killTask(self, driver: Any, taskId: mesos_pb2.TaskID) -> None:
        self._stop(mesos_pb2.TASK_KILLED)

    def shutdown(self, driver: Any) -> None:
        self._stop(mesos_pb2.TASK_KILLED)

    def _stop(self, state: mesos_pb2.TaskState.ValueType) -> None:
        self._end = state
        os.eventfd_write(self._wake, 1)

    def _report(self, state: mesos_pb2.TaskState.ValueType) -> None:
        assert self._task_id is not None
        self._driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=self._task_id, state=state))

    # Everything else, on the main thread.

    def run(self) -> None:
        """Runs calls until the pool or the agent ends the worker."""
        self._driver.start()
        greeted = False
        while self._end is None and self._driver.join(timeout=0) == mesos_pb2.DRIVER_RUNNING:
            self._wait()
            if self._task_id is not None and not greeted:
                greeted = True
                self._outbox.append(("hello", sys.version_info[:2]))
            while self._inbox:
                message = self._channel.receive(self._inbox.popleft())
                for item in pickle.loads(message) if message is not None else ():
                    self._take(*item)
            self._next()
            self._flush()
            self._channel.tick()
        if self._child is not None:
            self._child.end()
        if self._task_id is not None:
            self._report(mesos_pb2.TASK_KILLED if self._end is None else self._end)
        self._driver.stop()
        self._driver.join()

    def _wait(self) -> None:
        seconds = _BATCH_SECONDS if self._outbox else _TICK_SECONDS if self._channel.busy else _IDLE_SECONDS
        for key, _ in self._selector.select(seconds):
            if key.fd == self._wake:
                os.eventfd_read(self._wake)
            elif key.data is self._child and self._child is not None:
                if key.fd == self._child.death:
                    self._died()
                else:
                    self._answered(self._child.receive())

    def _take(self, kind: str, *rest: Any) -> None:
        if kind == "call":
            self._calls.append((rest[0], rest[1]))
        elif kind == "setup":
            self._setup = rest[0]
            self._start()
        elif kind == "cancel":
            self._cancel(rest[0])
        elif kind == "return":
            self._outbox.append(("returned", [number for number, _ in self._calls]))
            self._calls.clear()
        elif kind == "exit":
            self._end = mesos_pb2.TASK_FINISHED

    def _start(self) -> None:
        self._child = Child(self._setup)
        self._running = (_SETUP, time.monotonic())
        self._selector.register(self._child.socket, selectors.EVENT_READ, self._child)
        self._selector.register(self._child.death, selectors.EVENT_READ, self._child)

    def _end_child(self) -> str:
        assert self._child is not None
        child, self._child, self._running = self._child, None, None
        self._selector.unregister(child.socket)
        self._selector.unregister(child.death)
        return child.end()

    def _next(self) -> None:
        if self._running is None and self._calls and self._child is not None:
            number, data = self._calls.popleft()
            self._running = (number, time.monotonic())
            self._child.send(data)

    def _answered(self, answer: bytes | None) -> None:
        if answer is None or self._running is None:
            return
        (number, since), self._running = self._running, None
        seconds = time.monotonic() - since
        succeeded, data = answer[:1] == b"\1", answer[1:]
        if number == _SETUP:
            self._outbox.append(("ready", succeeded, data))
        else:
            self._outbox.append(("result", number, seconds, succeeded, data))

    def _died(self) -> None:
        """The process has ended, perhaps after an answer."""
        assert self._child is not None
        self._answered(self._child.last())
        running = self._running
        how = self._end_child()
        if running is not None:
            self._outbox.append(("died", running[0], how))
        if running is None or running[0] != _SETUP:
            self._start()

    def _cancel(self, number: int) -> None:
        if self._running is not None and self._running[0] == number:
            self._end_child()
            self._start()
        else:
            self._calls = deque(call for call in self._calls if call[0] != number)

    def _flush(self) -> None:
        now = time.monotonic()
        if self._outbox and (self._running is None or not self._calls or now - self._flushed >= _BATCH_SECONDS):
            outbox, self._outbox = self._outbox, []
            self._channel.post(pickle.dumps(outbox, pickle.HIGHEST_PROTOCOL))
            self._flushed = now


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Worker().run()
