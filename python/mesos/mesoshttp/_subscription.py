"""``Subscription``: a driver whose events are handled in the thread that calls ``register``."""

from __future__ import annotations

import atexit
import threading
import weakref
from typing import TYPE_CHECKING, Any

from mesos._dicts import DictDriver
from mesos.errors import ArgumentTypeError, ArgumentValueError, DriverError
from mesos.mesoshttp.exception import MesosException

if TYPE_CHECKING:
    from collections.abc import Mapping

DISCONNECTED = {"type": "DISCONNECTED"}
_KEPT_WHILE_DISCONNECTED = ("REVIVE", "SUPPRESS", "TEARDOWN")
"""Calls that the driver keeps, or does without a master, while there is no connection."""
_LIVING: weakref.WeakSet[Subscription] = weakref.WeakSet()


class Subscription:
    """A framework at a master. The driver's thread hands over one event at a time, and waits until it is handled.

    :param framework: a v1 ``FrameworkInfo``
    :param master: as for :class:`mesos._dicts.DictDriver`
    :param options: further arguments of the driver
    """

    def __init__(self, framework: Mapping[str, Any], master: Any, options: Mapping[str, Any]) -> None:
        self._changed = threading.Condition()
        self._event: dict[str, Any] | None = None
        self._left = False
        self._driver: DictDriver | None = DictDriver(self, framework, master, **options)
        _LIVING.add(self)

    def start(self) -> None:
        """Starts the driver.

        :raises ArgumentValueError: the master's address is not valid
        """
        if self._driver is not None:
            self._driver.start()

    def event(self, event: dict[str, Any]) -> None:
        """Takes an event of the driver, in the driver's thread."""
        if event["type"] == "ERROR":
            return  # the driver has ended, and `error` says why
        with self._changed:
            if not self._left:
                self._event = event
                self._changed.notify_all()
                driver = self._driver
                self._changed.wait_for(lambda: self._event is not event)
                if driver is not None:
                    driver.take_over_callback()

    def disconnected(self) -> None:
        """Takes the loss of the connection, in the driver's thread."""
        self.event(DISCONNECTED)

    def next(self, seconds: float) -> dict[str, Any] | None:
        """Returns an event, which :meth:`handled` ends; None if there is none within so many seconds."""
        with self._changed:
            if self._changed.wait_for(lambda: self._event is not None, seconds) and self._driver is not None:
                self._driver.take_over_callback()
            return self._event

    def handled(self) -> None:
        """Ends the event that :meth:`next` returned."""
        with self._changed:
            self._event = None
            self._changed.notify_all()

    @property
    def running(self) -> bool:
        """Whether the driver runs."""
        return self._driver is not None and self._driver.running

    @property
    def error(self) -> str | None:
        """What the driver was aborted with."""
        error = None if self._driver is None else self._driver.exception
        return None if error is None else str(error)

    @property
    def connection(self) -> tuple[str, str] | None:
        """The URL of the master, and the ``Mesos-Stream-Id``. None while there is no connection."""
        return None if self._driver is None else self._driver.connection

    def call(self, call: dict[str, Any]) -> None:
        """Sends a call, after those before it. Does not wait for the master's answer.

        :raises MesosException: there is no connection, or the call is not one that Mesos takes
        """
        driver = self._driver
        if driver is None or not driver.running:
            raise MesosException("the client is stopped")
        if driver.connection is None and call["type"] not in _KEPT_WHILE_DISCONNECTED:
            raise MesosException("the client is not connected to a master")
        try:
            driver.call(call)
        except (ArgumentTypeError, ArgumentValueError, DriverError) as error:
            raise MesosException(error) from error

    def release(self) -> None:
        """Ends the event that is handled, if any, and takes no other one."""
        with self._changed:
            self._left = True
            self._event = None
            self._changed.notify_all()

    def leave(self, failover: bool) -> None:
        """Ends the driver, and waits until its last call is sent.

        :param failover: if false, the master removes the framework and kills its tasks
        """
        self.release()
        # Once the driver is freed, its connection is closed.
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.stop(failover)
            driver.wait()


@atexit.register
def _release_all() -> None:
    """Before the interpreter ends, no thread waits for one that does not run any more."""
    for subscription in list(_LIVING):
        subscription.release()
