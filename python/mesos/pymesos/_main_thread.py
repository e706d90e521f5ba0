"""Raises the exception of a callback in the main thread, as pymesos does."""

from __future__ import annotations

import _thread
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_raised: list[BaseException] = []


def prepare() -> None:
    """Makes SIGINT raise what :func:`interrupt` was given. Does nothing outside of the main thread, in which alone a
    program can set handlers, or if the program has a handler of its own.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _handle)


def interrupt(error: BaseException) -> None:
    """Raises an exception in the main thread when it next runs Python code. If the program has a handler of its own for
    SIGINT, calls that instead.
    """
    _raised[:] = [error] if signal.getsignal(signal.SIGINT) is _handle else []
    _thread.interrupt_main()


def _handle(number: int, frame: FrameType | None) -> None:
    if _raised:
        raise _raised.pop()
    signal.default_int_handler(number, frame)
