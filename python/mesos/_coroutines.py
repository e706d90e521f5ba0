"""Runs the callbacks of classic drivers that are coroutine functions, in the loop that the driver was given."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any

from mesos.errors import ArgumentTypeError, DriverError

if TYPE_CHECKING:
    from collections.abc import Coroutine

_LOOK_SECONDS = 0.05
"""How often to look whether the loop still runs."""
_STARTED: set[asyncio.Task[Any]] = set()
"""The loop itself does not keep a task."""


def check_loop(loop: Any) -> None:
    """Checks the argument ``loop`` of a driver.

    :raises ArgumentTypeError: it is neither a loop nor None
    """
    if loop is not None and not isinstance(loop, asyncio.AbstractEventLoop):
        raise ArgumentTypeError(f"expected an asyncio event loop as loop, got {type(loop).__name__} {loop!r}")


def is_of_this_thread(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Returns whether the loop runs in this thread."""
    return loop is not None and asyncio._get_running_loop() is loop


def run(coroutine: Coroutine[Any, Any, object], loop: asyncio.AbstractEventLoop, callback: str) -> None:
    """Runs a coroutine in a loop of another thread, and waits for its end.

    In the loop's own thread, which would wait for itself, it is only started. That is the case for the callback
    ``error`` of a driver that could not be started.

    :raises BaseException: what the coroutine raises
    :raises DriverError: the loop was closed
    """
    if is_of_this_thread(loop):
        task = loop.create_task(coroutine)
        _STARTED.add(task)
        task.add_done_callback(_STARTED.discard)
        return
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:
        coroutine.close()
        raise DriverError(f"the loop in which the callback {callback} was to run is closed") from None
    while True:
        try:
            future.result(_LOOK_SECONDS)
            return
        except concurrent.futures.TimeoutError:
            # It may be the coroutine's own.
            if future.done():
                future.result()
                return
            if loop.is_closed():
                raise DriverError(f"the loop was closed while the callback {callback} ran in it") from None
