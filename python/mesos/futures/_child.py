"""The process that makes the calls of a worker, one after the other.

It is started with its path, ``python -P _child.py FD``, and imports nothing of remesos, so that it starts quickly.
Frames on the socket have their length in front. The first is the initializer, or empty.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import pickle
import signal
import socket
import struct
import sys
import traceback
from typing import Any

LENGTH = struct.Struct("!Q")
_PR_SET_PDEATHSIG = 1


def read(stream: io.BufferedReader) -> bytes | None:
    """Returns the next frame, or None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else None


def _pickler() -> Any:
    try:
        import cloudpickle  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        return pickle
    return cloudpickle


def _failure(error: BaseException, pickler: Any) -> bytes:
    text = "".join(traceback.format_exception(error))
    summary = "".join(traceback.format_exception_only(error)).strip()
    error.__traceback__ = None
    pickled: bytes | None
    try:
        pickled = pickler.dumps(error, protocol=pickle.HIGHEST_PROTOCOL)
    except BaseException:
        pickled = None
        text += "\nThe exception cannot be pickled:\n" + traceback.format_exc()
    return pickle.dumps((pickled, summary, text), pickle.HIGHEST_PROTOCOL)


def _run(work: tuple[Any, ...]) -> Any:
    if len(work) == 3:
        function, arguments, keywords = work
        return function(*arguments, **keywords)
    pickled, chunk = work
    function = pickle.loads(pickled)
    return [function(*arguments) for arguments in chunk]


def _call(data: bytes, pickler: Any) -> tuple[bytes, bytes]:
    """Makes a call. Returns whether it succeeded, as a byte, and the result or the exception."""
    try:
        result = _run(pickle.loads(data))
        answer = b"\1", pickler.dumps(result, protocol=pickle.HIGHEST_PROTOCOL)
    except BaseException as error:
        answer = b"\0", _failure(error, pickler)
    for output in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            output.flush()
    return answer


def main() -> None:
    """Makes calls until the socket is closed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    link = socket.socket(fileno=int(sys.argv[1]))
    if os.getppid() != int(sys.argv[2]):
        return
    os.set_inheritable(link.fileno(), False)
    sys.argv[1:] = []
    # Files that the agent has fetched can be imported.
    sys.path.insert(0, os.getcwd())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pickler = _pickler()
    stream = link.makefile("rb")
    while (data := read(stream)) is not None:
        succeeded, answer = _call(data, pickler) if data else (b"\1", b"")
        link.sendall(LENGTH.pack(len(answer) + 1) + succeeded + answer)


if __name__ == "__main__":
    main()
