"""Drivers whose events and calls are dicts, for the APIs of other clients."""

from __future__ import annotations

import atexit
import base64
from typing import TYPE_CHECKING, Any, Protocol

from mesos import _authentication, _core, _logging, _master
from mesos._driver import Driver
from mesos.errors import ArgumentValueError, DriverAbortedError, DriverError, DriverTimeoutError
from mesos.executor._driver import agent_variables, print_at_once
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mesos.auth import Authentication, Header

atexit.register(_core.shutdown)
_RUNNING = mesos_pb2.DRIVER_RUNNING


class Receiver(Protocol):
    """What a driver tells, on one thread and one thing at a time. An exception aborts the driver."""

    def event(self, event: dict[str, Any]) -> None:
        """An event of the v1 API, as a dict."""

    def disconnected(self) -> None:
        """The connection is lost. The driver connects again by itself."""


class _Passing:
    """Passes what the core tells to the receiver of the driver that it tells it for."""

    def event(self, driver: Any, event: dict[str, Any]) -> None:
        driver._target.event(event)

    def disconnected(self, driver: Any) -> None:
        driver._target.disconnected()


class EventDriver(Driver):
    """The part that drivers share which pass events to a receiver."""

    _receiver: Any = _Passing()

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self._target = receiver

    def stop(self) -> None:
        """Stops the driver."""
        self._core.stop()

    def abort(self) -> None:
        """Stops all events."""
        self._core.abort()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the driver has ended and sent its last call. Ctrl-C interrupts the wait.

        :param timeout: seconds to wait, or None to wait indefinitely
        :returns: whether it has ended
        :raises Exception: what the receiver raised
        """
        try:
            self.join(check=True, timeout=timeout)
        except DriverTimeoutError:
            return False
        except DriverAbortedError:
            # The receiver was told of it.
            return True
        return True

    @property
    def running(self) -> bool:
        """Whether the driver was started and has neither been stopped nor aborted."""
        status: mesos_pb2.Status.ValueType = self._core.status()
        return status == _RUNNING


class DictDriver(EventDriver):
    """A scheduler driver whose events and calls are dicts, in the JSON of the master's v1 API.

    >>> from mesos.local import LocalCluster
    >>> class Printer:
    ...     def event(self, event):
    ...         print(event["type"])
    ...         driver.stop()
    ...     def disconnected(self): ...
    >>> with LocalCluster() as cluster:
    ...     driver = DictDriver(Printer(), {"user": "", "name": "example"}, cluster)
    ...     started = driver.start()
    ...     status = driver.join()
    SUBSCRIBED

    :param receiver: receives the events
    :param framework: a v1 ``FrameworkInfo``
    :param master: as for :class:`mesos.scheduler.MesosSchedulerDriver`
    :param credential: a principal and its secret, sent as HTTP Basic
    :param authentication: what gives the ``Authorization`` header; see :class:`mesos.scheduler.MesosSchedulerDriver`
    :param implicit_acknowledgements: whether an update is acknowledged when the receiver has returned
    :param suppressed_roles: the roles that receive no offers until they are revived
    :param ca: a file with certificates of authorities in PEM, instead of those that the environment names
    :param verify: whether the master's certificate is verified; None means that the environment tells
    :raises ArgumentTypeError: the framework holds what JSON cannot say
    :raises ArgumentValueError: the framework is not a ``FrameworkInfo``
    :raises ClusterError: the master is ``local`` and its cluster could not be started
    """

    def __init__(
        self,
        receiver: Receiver,
        framework: Mapping[str, Any],
        master: Any,
        *,
        credential: tuple[str, str] | None = None,
        authentication: Authentication | Callable[[], str | Header] | str | None = None,
        implicit_acknowledgements: bool = False,
        suppressed_roles: Iterable[str] = (),
        ca: str | None = None,
        verify: bool | None = None,
    ) -> None:
        super().__init__(receiver)
        self._authentication = _authentication.find(authentication, credential)
        self._implicit = implicit_acknowledgements
        info = _core.from_dict("mesos.v1.FrameworkInfo", dict(framework))
        _logging.set_level()
        found, cluster, self._follower = _master.find(master)
        # When this is freed, the core is freed before its cluster.
        self._core: _core.SchedulerDriver = _core.SchedulerDriver(
            info,
            found,
            _authentication.core(self._authentication, credential),
            list(suppressed_roles),
            (ca, verify),
        )
        self._cluster = cluster

    def start(self) -> mesos_pb2.Status.ValueType:
        """Starts the driver, once. Does not wait for the master.

        :raises ArgumentValueError: the master's address is not valid
        """
        _logging.set_level()
        self._core.start_for_dicts(self, self._implicit)
        return self._core.status()

    def stop(self, failover: bool = False) -> None:
        """Stops the driver.

        :param failover: if false, the master removes the framework and kills its tasks; if true, they stay
        """
        self._core.stop(bool(failover))

    def wait(self, timeout: float | None = None) -> bool:
        try:
            return super().wait(timeout)
        finally:
            if self._follower is not None and not self.running:
                self._follower.end()

    def take_over_callback(self) -> None:
        """Says that this thread handles the event that the receiver was told of, while the driver's thread waits.

        Has to be called in the driver's thread too, when that goes on.

        What a callback asks of a cluster with ``time="skip"`` is answered before the callback is over.
        """
        self._core.take_over_callback()

    @property
    def connection(self) -> tuple[str, str] | None:
        """The URL of the master, and the ``Mesos-Stream-Id`` of the subscription. None while there is no connection."""
        return self._core.connection()

    def call(self, call: dict[str, Any]) -> None:
        """Sends a call, after those before it. Does not wait for the master's answer.

        If the driver is not connected, a launch is answered by an UPDATE with TASK_LOST for each task, or TASK_DROPPED
        with the capability PARTITION_AWARE, and other calls are dropped, as the classic driver does.

        :param call: a v1 scheduler ``Call``: its type, and the field of its type. The framework's id is filled in.
            TEARDOWN stops the driver
        :raises ArgumentTypeError: the call holds what JSON cannot say
        :raises ArgumentValueError: it is not a ``Call``, or a required field is missing
        :raises DriverError: the driver does not run
        """
        status = self._core.send(call)
        if status != _RUNNING and call.get("type") != "TEARDOWN":
            raise DriverError(f"the driver does not run: it is {mesos_pb2.Status.Name(status)}")


class DictExecutorDriver(EventDriver):
    """An executor driver whose events and calls are dicts, in the JSON of the agent's v1 API.

    >>> class Printer:
    ...     def event(self, event):
    ...         print(event["type"])
    ...     def disconnected(self): ...
    >>> DictExecutorDriver(Printer()).start()  # which no agent has started
    Traceback (most recent call last):
    mesos.errors.ArgumentValueError: Expecting 'MESOS_SLAVE_PID' to be set in the environment

    :param receiver: receives the events
    """

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver)
        self._core: _core.ExecutorDriver = _core.ExecutorDriver()

    def start(self) -> mesos_pb2.Status.ValueType:
        """Starts the driver, once. Does not wait for the agent.

        :raises ArgumentValueError: a variable that an agent sets is missing or not valid; the message names it
        """
        _logging.set_level()
        print_at_once()
        self._core.start_for_dicts(self, agent_variables())
        return self._core.status()

    def call(self, call: dict[str, Any]) -> None:
        """Sends a call, after those before it. Does not wait for the agent's answer. An update is kept, and sent again
        if necessary, until the agent acknowledges it.

        :param call: a v1 executor ``Call`` of type UPDATE, whose status has a uuid and a timestamp, or MESSAGE
        :raises ArgumentTypeError: the call holds what JSON cannot say
        :raises ArgumentValueError: it is not such a ``Call``
        :raises DriverError: the driver does not run
        """
        kind = call.get("type")
        if kind == "UPDATE":
            update = call["update"]["status"]
            status = _core.from_dict("mesos.v1.TaskStatus", update)
            name = base64.b64decode(update["uuid"])
            returned = self._core.update_as(status, float(update["timestamp"]), name)
        elif kind == "MESSAGE":
            returned = self._core.message(base64.b64decode(call["message"]["data"]))
        else:
            raise ArgumentValueError(f"expected a call of type UPDATE or MESSAGE, got {kind!r}")
        if returned != _RUNNING:
            raise DriverError(f"the driver does not run: it is {mesos_pb2.Status.Name(returned)}")
