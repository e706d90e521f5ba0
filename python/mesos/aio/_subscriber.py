"""What frameworks and executors share: the iteration over events, and the end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mesos._driver import DRIVERS
from mesos._misuse import Misuse
from mesos.errors import DriverAbortedError, DriverError
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Self

    from mesos import _core

E = TypeVar("E")
_RUNNING = mesos_pb2.DRIVER_RUNNING
_TURN = 64
"""After so many events that waited already, other tasks of the loop have their turn."""


class Watch:
    """A loop that watches the file descriptor of a driver's events.

    The loop holds this, so this does not hold whoever iterates. Watching goes on between two waits, because beginning
    and ending it costs as much as the wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, events: _core.Events) -> None:
        self.loop = loop
        self._events = events
        self._future: asyncio.Future[None] | None = None
        self._descriptor = events.descriptor()
        loop.add_reader(self._descriptor, self._woken)

    def _woken(self) -> None:
        self._events.clear()
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def readable(self) -> asyncio.Future[None]:
        """Returns a future that is done when the descriptor is readable."""
        self._future = self.loop.create_future()
        return self._future

    def close(self) -> None:
        """Ends watching, from whichever thread."""
        if asyncio._get_running_loop() is self.loop:
            self.loop.remove_reader(self._descriptor)
        elif not self.loop.is_closed():
            # It may be closed in this moment.
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self.loop.remove_reader, self._descriptor)


class Iteration(Generic[E]):
    """One ``async for`` over the events of a driver."""

    def __init__(self, subscriber: EventSource[E]) -> None:
        self._subscriber = subscriber

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, E]:
        return self._subscriber.__anext__()

    def __del__(self) -> None:
        """The loop was left, by whichever way."""
        self._subscriber._left()


class EventSource(Generic[E]):
    """An asynchronous iterator over the events of a driver."""

    _core: Any
    _what: str

    def __init__(self) -> None:
        self._misuse = Misuse()
        self._events: _core.Events | None = None
        self._last: E | None = None
        self._watch: Watch | None = None
        self._waiting = False
        self._streak = 0
        DRIVERS.add(self)

    def __aiter__(self) -> Iteration[E]:
        """Returns an iterator, which goes on where another one has stopped."""
        return Iteration(self)

    async def __anext__(self) -> E:
        """Returns the next event, and ends the one before: its update is acknowledged, unless acknowledgements are
        explicit. If it is cancelled, no event is lost.

        :raises DriverAbortedError: the driver was aborted with an error
        :raises DriverError: it was not started, or another task waits for the next event
        """
        events = self._events
        if events is None:
            raise self._not_running()
        if self._waiting:
            raise DriverError(f"another task already waits for the next event of this {self._what}")
        self._streak += 1
        if self._streak < _TURN:
            event: E | None = events.next()
            if event is not None:
                self._last = event
                return event
        return await self._wait(events)

    async def _wait(self, events: _core.Events) -> E:
        self._waiting = True
        self._last = None
        try:
            if self._streak >= _TURN:
                events.end_last()
                await asyncio.sleep(0)
            self._streak = 0
            while True:
                event: E | None = events.next()
                if event is not None:
                    self._last = event
                    return event
                if events.wait():
                    await self._watched(events).readable()
        except (StopAsyncIteration, DriverAbortedError):
            self._unwatch()
            raise
        finally:
            self._waiting = False
            events.waited()

    def _watched(self, events: _core.Events) -> Watch:
        loop = asyncio.get_running_loop()
        if self._watch is None or self._watch.loop is not loop:
            self._unwatch()
            self._watch = Watch(loop, events)
        return self._watch

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    @property
    def exception(self) -> DriverAbortedError | None:
        """The error that aborted the driver, once the iteration has raised it."""
        error = None if self._events is None else self._events.error()
        return None if error is None else DriverAbortedError(error)

    def _left(self) -> None:
        """Lets time move: it waits for whoever works on an event, but not for whoever asks for no other one."""
        last, loop = self._last, asyncio._get_running_loop()
        if last is not None and loop is not None:
            # What the task does before it waits for something else still belongs to the event.
            loop.call_soon(self._release, last)
        else:
            self._release(last)

    def _release(self, event: E | None) -> None:
        if self._events is not None and self._last is event:
            self._events.release_last()

    async def _stopped(self) -> None:
        """Waits until the driver, which was stopped, has sent its last call."""
        if self._events is not None:
            self._events.drop_last()
            self._last = None
            if not self._waiting:
                self._unwatch()
            ended = self._events.ended()
            if ended is not None:
                await ended

    def _not_running(self) -> DriverError:
        if self._events is None:
            return DriverError(f"the {self._what} was not started: use `async with`, or `await start()` before")
        if self.exception is not None:
            return self.exception
        aborted = self._core.status() == mesos_pb2.DRIVER_ABORTED
        return DriverError(f"the {self._what} was {'aborted' if aborted else 'stopped'}")

    def _status_name(self) -> str:
        return mesos_pb2.Status.Name(self._core.status())

    def __del__(self) -> None:
        """The loop watches no more. The driver disconnects when its core is freed."""
        if getattr(self, "_watch", None) is not None:
            self._unwatch()


class Subscriber(EventSource[E]):
    """An event source that is started, stopped, and makes calls."""

    async def start(self) -> None:
        """Starts the driver, once."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Stops the driver, and waits until its last calls have been sent."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Starts it. Does not wait for the master or the agent."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops it, and waits until its last calls have been sent."""
        await self.stop()

    def _sent(self, status: int) -> None:
        """Checks the status that a call returned.

        :raises DriverAbortedError: the driver was aborted with an error
        :raises DriverError: the driver does not run
        """
        if status != _RUNNING:
            raise self._not_running()

    def _start_once(self) -> None:
        if self._events is not None or self._core.status() != mesos_pb2.DRIVER_NOT_STARTED:
            raise DriverError(f"the {self._what} was already started: it runs once, create another one")
