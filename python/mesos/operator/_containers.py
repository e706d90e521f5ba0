"""What containers write and read."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from mesos import _arguments
from mesos.errors import ArgumentTypeError
from mesos.v1.interface import agent_pb2, mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from mesos import _operator

HEARTBEAT_SECONDS = 30.0
"""How often an input shows that it is still there, as Mesos' own command line does."""


class ContainerOutput:
    """What a container writes: an iterator over ``agent_pb2.ProcessIO``, which ends when the container does.

    :meth:`mesos.operator.AgentClient.attach_container_output` and ``launch_nested_container_session`` return it. The
    end of ``with``, :meth:`close`, and the end of the last reference to it close the connection, which ends the
    container of a session.
    """

    def __init__(self, stream: _operator.Stream) -> None:
        self._stream = stream

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> agent_pb2.ProcessIO:
        """Waits for the next piece. Ctrl-C interrupts the wait.

        :raises UnreachableError: the connection broke
        """
        while (record := self._stream.next()) is not None:
            piece = agent_pb2.ProcessIO.FromString(record)
            if is_shown(piece):
                return piece
        raise StopIteration

    def close(self) -> None:
        """Closes the connection. More than once has no effect."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def is_shown(piece: agent_pb2.ProcessIO) -> bool:
    """Returns whether a piece of the output is more than a heartbeat."""
    return not (
        piece.type == agent_pb2.ProcessIO.CONTROL and piece.control.type == agent_pb2.ProcessIO.Control.HEARTBEAT
    )


def record_of(piece: agent_pb2.ProcessIO | bytes) -> bytes:
    """Returns the record of a piece of input.

    :raises ArgumentTypeError: it is neither a message nor bytes
    """
    if isinstance(piece, bytes | bytearray | memoryview):
        data = agent_pb2.ProcessIO.Data(type=agent_pb2.ProcessIO.Data.STDIN, data=bytes(piece))
        piece = agent_pb2.ProcessIO(type=agent_pb2.ProcessIO.DATA, data=data)
    call = _input(agent_pb2.Call.AttachContainerInput.PROCESS_IO)
    serialized = _arguments.message(piece, agent_pb2.ProcessIO, "process_ios")
    call.attach_container_input.process_io.ParseFromString(serialized)
    return call.SerializeToString()


def heartbeat() -> bytes:
    """Returns the record that shows that the input is still there."""
    interval = mesos_pb2.DurationInfo(nanoseconds=round(HEARTBEAT_SECONDS * 10**9))
    control = agent_pb2.ProcessIO.Control(type=agent_pb2.ProcessIO.Control.HEARTBEAT, heartbeat={"interval": interval})
    return record_of(agent_pb2.ProcessIO(type=agent_pb2.ProcessIO.CONTROL, control=control))


def _input(kind: agent_pb2.Call.AttachContainerInput.Type.ValueType) -> agent_pb2.Call:
    return agent_pb2.Call(type=agent_pb2.Call.ATTACH_CONTAINER_INPUT, attach_container_input={"type": kind})


class _Heart:
    """Sends heartbeats on a thread of its own while what gives the input is waited for."""

    def __init__(self, stream: _operator.Stream) -> None:
        self._stream = stream
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="mesos-input", daemon=True)

    def _beat(self) -> None:
        while self._stream.send(heartbeat()) and not self._over.wait(HEARTBEAT_SECONDS):
            pass

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: object, *_: object) -> None:
        self._over.set()
        if kind is not None:
            self._stream.close()
        self._thread.join()


def check_input(process_ios: object) -> None:
    """Checks that something can be iterated over, and is not a piece itself.

    :raises ArgumentTypeError: it is not
    """
    is_piece = isinstance(process_ios, str | bytes | bytearray | memoryview | agent_pb2.ProcessIO)
    if is_piece or not (hasattr(process_ios, "__iter__") or hasattr(process_ios, "__aiter__")):
        shown = _arguments._shown(process_ios)
        raise ArgumentTypeError(f"expected an iterable of agent_pb2.ProcessIO or bytes as process_ios, got {shown}")


def feed(stream: _operator.Stream, first: agent_pb2.Call, process_ios: Iterable[agent_pb2.ProcessIO | bytes]) -> None:
    """Sends the input of a container, until it ends or nobody reads it any more."""
    if not stream.send(first.SerializeToString()):
        return
    with _Heart(stream):
        for piece in process_ios:
            if not stream.send(record_of(piece)):
                return
    stream.end()
