"""What a framework and an executor share: they are driven by one event loop, which takes their events one by one.

No thread belongs to them: the loop watches a descriptor, to which the thread that does IO writes a byte if the loop
waits. So an event costs no switch between threads but that one, and one that waits already costs none.
"""

from __future__ import annotations

import asyncio
import atexit
import os
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mesos import _conflicts, _core, _imported, _logging  # noqa: F401  (only to be there)
from mesos._driver import DRIVERS
from mesos.errors import DriverAbortedError, DriverError
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

_Event = TypeVar("_Event")
atexit.register(_core.shutdown)


class Client(Generic[_Event]):
    """The loop's side of a driver."""

    _core: Any
    _makers: dict[str, Callable[..., _Event]]
    _what: str

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._process = -1
        self._descriptor = -1
        self._error: DriverAbortedError | None = None
        DRIVERS.add(self)

    async def __aenter__(self) -> Self:
        """Starts it. Does not wait until it is subscribed."""
        if self._loop is not None:
            raise DriverError(f"the {self._what} was started already; make another one")
        self._loop = asyncio.get_running_loop()
        _logging.set_level()
        self._descriptor, self._process = self._start(), os.getpid()
        self._loop.add_reader(self._descriptor, self._rang)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops it, and waits until its last calls are out."""
        try:
            await self._stop()
        finally:
            self._leave()

    async def _stop(self) -> None:
        """Waits until the driver, which is told to stop here, has ended."""
        raise NotImplementedError

    def _start(self) -> int:
        """Starts the driver; returns the descriptor to watch."""
        raise NotImplementedError

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Event:
        """Returns the next event. A cancelled wait loses none.

        :raises StopAsyncIteration: it was stopped
        :raises DriverAbortedError: the master or a fatal error ended it
        :raises DriverError: it is not started, another task waits for an event, or this is another event loop
        """
        taken = self._core.next_event()
        if taken is None:
            self._check()
            while taken is None and self._core.status() == mesos_pb2.DRIVER_RUNNING:
                await self._wait(False)
                taken = self._core.next_event()
            if taken is None:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
        name, arguments = taken
        if name == "error":
            self._error = DriverAbortedError(*arguments)
            raise self._error
        return self._makers[name](*arguments)

    async def _wait(self, for_end: bool) -> None:
        """Waits until there is an event, or the driver has ended."""
        if not self._core.arm(for_end):
            return
        assert self._loop is not None
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._core.disarm()

    def _rang(self) -> None:
        """The descriptor is readable."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._core.disarm()
        else:
            waiter.set_result(None)

    def _check(self) -> None:
        """Rejects what would wait in vain."""
        if self._loop is None:
            raise DriverError(f"the {self._what} is not started: use 'async with'")
        if asyncio.get_running_loop() is not self._loop:
            raise DriverError(f"the {self._what} belongs to another event loop")
        if self._waiter is not None:
            raise DriverError(f"another task waits for the next event of the {self._what}")

    def _running(self) -> Any:
        """Returns the core of a driver that runs.

        :raises DriverAbortedError: the master or a fatal error ended it
        :raises DriverError: it is not running
        """
        if self._core.status() != mesos_pb2.DRIVER_RUNNING:
            if self._error is not None:
                raise self._error
            began = "is stopped" if self._loop is not None else "is not started: use 'async with'"
            raise DriverError(f"the {self._what} {began}")
        return self._core

    async def _ended(self) -> None:
        """Waits until the driver's last calls are out."""
        while not self._core.has_ended():
            await self._wait(True)

    def _leave(self) -> None:
        # In a forked child the loop is the parent's: what it watches is shared.
        if self._loop is not None and self._process == os.getpid() and not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)
        self._process = -1

    @property
    def exception(self) -> DriverAbortedError | None:
        """The error with which the master, the agent or a fatal error ended it; None if there was none."""
        return self._error

    def __repr__(self) -> str:
        status = mesos_pb2.Status.Name(self._core.status())
        return f"<{type(self).__module__.partition('._')[0]}.{type(self).__name__} {status}>"
