"""Masters as the scenarios' frameworks and operators reach them, and the time by which both go."""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from mesos._core import Connection
    from mesos.local import LocalCluster

WAIT_SECONDS = 30


class Master:
    """A master that is reached through sockets and goes by real time."""

    def __init__(self, address: str) -> None:
        self.address = address

    def connect(self) -> http.client.HTTPConnection:
        """A connection, made already."""
        connection = http.client.HTTPConnection(self.address, timeout=WAIT_SECONDS)
        connection.connect()
        return connection

    def listen(self, connection: Any) -> None:
        """This thread takes what comes on the socket of a connection from now on."""
        connection.settimeout(None)

    def now(self) -> float:
        return time.monotonic()

    def wall_time(self) -> float:
        """The master's time in seconds since the epoch."""
        return time.time()

    def sleep_until(self, moment: float) -> None:
        time.sleep(max(0, moment - time.monotonic()))

    def wait(self, changed: threading.Condition, condition: Callable[[], bool]) -> bool:
        """Waits until a condition is true, which is told of; whether it is."""
        with changed:
            return changed.wait_for(condition, WAIT_SECONDS)


class SkippingMaster(Master):
    """The master of an embedded cluster of this process whose time moves only when it is told to."""

    def __init__(self, cluster: LocalCluster) -> None:
        super().__init__(cluster.address)
        self._cluster = cluster

    def connect(self) -> http.client.HTTPConnection:
        made = self._cluster._connect()
        connection = http.client.HTTPConnection(self.address)
        connection.sock = _Socket(made)
        return connection

    def listen(self, connection: Any) -> None:
        connection.made.listen()

    def now(self) -> float:
        return self._cluster.time()

    def wall_time(self) -> float:
        return self._cluster.time()

    def sleep_until(self, moment: float) -> None:
        self._cluster.advance(max(0, moment - self._cluster.time()))

    def wait(self, changed: threading.Condition, condition: Callable[[], bool]) -> bool:
        def holds() -> bool:
            with changed:
                return condition()

        try:
            self._cluster.run_until(holds, timeout=WAIT_SECONDS)
        except TimeoutError:
            return False
        return True


class _Socket:
    """What ``http.client`` needs of a socket."""

    def __init__(self, made: Connection) -> None:
        self.made = made
        # It and its file, either of which is closed first.
        self._open = 1

    def sendall(self, data: bytes) -> None:
        self.made.send(bytes(data))

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb", mode
        self._open += 1
        return io.BufferedReader(_Reader(self))

    def shutdown(self, how: int) -> None:
        self.made.shutdown()

    def close(self) -> None:
        self._open -= 1
        if self._open == 0:
            self.made.close()


class _Reader(io.RawIOBase):
    def __init__(self, socket: _Socket) -> None:
        self._socket = socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._socket.made.receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._socket.close()
        super().close()
