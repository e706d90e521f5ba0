"""Callbacks that are coroutine functions: they run in an event loop, while the thread that makes callbacks waits.

So they keep their order, one begins when the one before has ended, and an update is acknowledged when its callback has
returned, as with functions.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
from typing import TYPE_CHECKING, Any

from mesos.errors import ArgumentTypeError, DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_LOOK = 0.2
"""Seconds after which the thread looks whether the loop still runs: one that has stopped does not say so."""


def target(callbacks: Any, loop: asyncio.AbstractEventLoop) -> Any:
    """Returns what the driver calls instead of a scheduler or an executor.

    :raises ArgumentTypeError: this is not an event loop
    """
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise ArgumentTypeError(f"expected an event loop as loop, got {type(loop).__name__}")
    return _InLoop(callbacks, loop)


class _InLoop:
    """A scheduler or an executor whose coroutine functions are run in a loop."""

    def __init__(self, callbacks: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._callbacks = callbacks
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        callback = getattr(self._callbacks, name)

        def call(*arguments: Any) -> Any:
            returned = callback(*arguments)
            return self._finish(name, returned) if inspect.iscoroutine(returned) else returned

        return call

    def _finish(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Returns what the coroutine returns, or raises what it raises.

        :raises DriverError: the loop has ended
        """
        ended = f"the event loop has ended before the callback {name} has"
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            raise DriverError(ended) from None
        while True:
            try:
                return future.result(_LOOK)
            except concurrent.futures.CancelledError:
                raise DriverError(f"the callback {name} was cancelled") from None
            except TimeoutError:
                if future.done():
                    raise
                if self._loop.is_closed():
                    coroutine.close()
                    raise DriverError(ended) from None
