"""``Process``: what the drivers share."""

from __future__ import annotations

import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

from mesos import _callbacks, _operator
from mesos.errors import ArgumentValueError, DriverError, DriverTimeoutError, MesosWarning
from mesos.pymesos import _main_thread, _requests
from mesos.pymesos.utils import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mesos._dicts import DictDriver, DictExecutorDriver

log = logging.getLogger("pymesos")
_RUNNING: set[Process] = set()
"""Started drivers live until they end, whether or not they are referenced."""
_UNUSED = ("gen_request", "_get_conn")


class RequestError(ArgumentValueError, RuntimeError):
    """A call is not one that Mesos takes."""


class Process:
    """The base class of the drivers: their state, and the thread of their events.

    ``on_event`` is called with each event, and ``_send`` with each call. Both may be overridden, also on an instance.

    :param timeout: seconds; if the driver is not connected for so long, it is aborted, and :meth:`join` raises
        :class:`mesos.errors.DriverTimeoutError`
    """

    _request_timeout: float = 10
    """Seconds to wait for a connection, the answer to a request, and each further part of it."""

    def __init__(self, master: str | None = None, timeout: float = DAY) -> None:
        self._master = master
        self._timeout = timeout
        self._started = False
        self._lock = threading.RLock()
        self._stream_id: str | None = None
        self._driver: DictDriver | DictExecutorDriver | None = None
        self._deadline: threading.Timer | None = None
        self._raised: Exception | None = None
        self._joining: set[threading.Thread] = set()
        self._asked: tuple[Any, _operator.Operator] | None = None
        _main_thread.prepare()

    def _new_driver(self) -> DictDriver | DictExecutorDriver:
        """Returns a driver that is not started, whose receiver passes events to :meth:`process_event`."""
        raise NotImplementedError

    @property
    def aborted(self) -> bool:
        """Whether the driver does not run."""
        running = self._driver is None or self._driver.running
        return not (self._started and running)

    @property
    def master(self) -> str | None:
        """The master or the agent, ``host:port``."""
        return self._master

    @property
    def stream_id(self) -> str | None:
        """Not None while the driver is connected. It is not the id that calls are sent with, which the driver keeps to
        itself.
        """
        return self._stream_id

    @stream_id.setter
    def stream_id(self, stream_id: str | None) -> None:
        self._stream_id = stream_id

    @property
    def connected(self) -> bool:
        """Whether the driver is connected to the master or the agent."""
        return self._stream_id is not None

    def on_event(self, event: dict[str, Any]) -> None:
        """Takes an event: calls the method of its type, such as ``on_offers``, with the field of its type."""
        kind = event.get("type", "").lower()
        handle = getattr(self, f"on_{kind}", None) if kind else None
        if kind in ("heartbeat", "shutdown") and handle is not None:
            handle()
        elif kind in event and handle is not None:
            handle(event[kind])
        else:
            log.error("Ignoring an event that is not known: %s", event)

    def on_heartbeat(self) -> None:
        """The master or the agent lives."""

    def on_close(self) -> None:
        """The connection is lost."""

    def process_event(self, event: dict[str, Any]) -> None:
        """Passes an event to :meth:`on_event`, if the driver runs."""
        if not self._started:
            return
        if event["type"] == "SUBSCRIBED":
            self._stream_id = self._stream_id or ""
            self._stop_deadline()
        self._handle(self.on_event, event)

    event = process_event

    def disconnected(self) -> None:
        """Calls :meth:`on_close`, if the driver runs."""
        self._stream_id = None
        if self._started:
            self._start_deadline()
            self._handle(self.on_close)

    def _handle(self, handle: Callable[..., None], *arguments: Any) -> None:
        """Stops the driver if a callback raises. The exception reaches the main thread, by :meth:`join` if it waits."""
        try:
            handle(*arguments)
        except Exception as error:
            # Before the driver ends, which wakes those who wait for it.
            self._raised = error
            waits = threading.main_thread() in self._joining
            self._fail()
            if not waits:
                _main_thread.interrupt(error)
            raise

    def _fail(self) -> None:
        self.stop()

    def _call_back(self, target: Any, name: str, *arguments: Any) -> None:
        """Makes a callback, if the target has it: a class that is not derived from ours may have fewer of them."""
        callback = getattr(target, name, None)
        returned = callback and callback(self, *arguments)
        if returned is not None:
            _callbacks.take_returned(self, name, returned)

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Sends a call, and returns what the master answers: nothing.

        :raises RuntimeError: the driver is not connected, or the call is not one that Mesos takes
        """
        if self._driver is None or not self._can_send():
            raise RuntimeError("Not connected yet")
        try:
            self._driver.call(body)
        except ArgumentValueError as error:
            raise RequestError(f"Failed to send request 400: {error}") from error
        except DriverError as error:
            raise RuntimeError(f"Not connected yet: {error}") from error
        return {}

    def _ask(
        self, daemon: Any, body: Any, path: str, method: str, headers: Mapping[str, str] | None, **options: Any
    ) -> Any:
        """Sends a request other than a call to the master or the agent, and returns the answer."""
        if self._asked is None or self._asked[0] != daemon:
            self._asked = daemon, _operator.Operator(daemon, **options)
        return _requests.ask(self._asked[1], body, path, method, headers, self._request_timeout)

    def _can_send(self) -> bool:
        return self.connected

    def start(self) -> None:
        """Starts the driver. A driver that was stopped may be started again."""
        with self._lock:
            if not self.aborted:
                log.warning("The driver was already started")
                return
            for name in _UNUSED:
                if hasattr(self, name):
                    text = f"{type(self).__name__}.{name} is not used: the driver writes its requests itself"
                    warnings.warn(text, MesosWarning, stacklevel=2)
            self._raised = None
            self._stream_id = None
            driver = self._driver = self._new_driver()
            self._started = True
            _RUNNING.difference_update([each for each in _RUNNING if each.aborted])
            _RUNNING.add(self)
            self._start_deadline()
        driver.start()

    def __repr__(self) -> str:
        state = "connected" if self.connected else "not running" if self.aborted else "not connected"
        return f"<{type(self).__name__} {state}>"

    def _ended(self) -> None:
        self._started = False
        self._stream_id = None
        self._stop_deadline()
        _RUNNING.discard(self)

    def abort(self) -> None:
        """Stops the driver."""
        self.stop()

    def stop(self) -> None:
        """Stops the driver."""
        with self._lock:
            self._ended()
            driver = self._driver
        if driver is not None:
            driver.stop()

    def join(self) -> None:
        """Waits until the driver has ended. Ctrl-C interrupts the wait.

        :raises Exception: what a callback raised
        :raises DriverTimeoutError: the driver was not connected for too long
        """
        driver = self._driver
        if driver is None:
            return
        thread = threading.current_thread()
        self._joining.add(thread)
        try:
            driver.wait()
        finally:
            self._joining.discard(thread)
        if self._driver is driver:
            self._ended()
        if self._raised is not None:
            raise self._raised

    def run(self) -> None:
        """Calls :meth:`start` and :meth:`join`."""
        thread = threading.current_thread()
        # A callback may raise before this thread waits.
        self._joining.add(thread)
        try:
            self.start()
            self.join()
        finally:
            self._joining.discard(thread)

    def _start_deadline(self) -> None:
        self._stop_deadline()
        self._deadline = threading.Timer(self._timeout, self._give_up, [self._driver])
        self._deadline.daemon = True
        self._deadline.start()

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self, driver: DictDriver | DictExecutorDriver) -> None:
        if self._driver is driver and self._started and not self.connected:
            log.error("Not connected for %s seconds: the driver is aborted", self._timeout)
            self._raised = DriverTimeoutError(f"the driver was not connected for {self._timeout} seconds")
            self._ended()
            driver.abort()
