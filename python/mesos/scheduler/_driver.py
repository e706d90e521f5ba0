"""``MesosSchedulerDriver``: checks and serializes arguments, and passes them to ``mesos._core``."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

from mesos import (  # noqa: F401  (only to be there)
    _arguments,
    _authentication,
    _callbacks,
    _cells,
    _conflicts,
    _core,
    _imported,
    _logging,
    _master,
    _misuse,
)
from mesos._display._drivers import DisplayedDriver
from mesos._driver import Driver
from mesos.errors import ArgumentTypeError, DriverError
from mesos.interface import SchedulerDriver, mesos_pb2

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable
    from typing import Self

    from mesos._follower import Follower
    from mesos.auth import Authentication, Header
    from mesos.local import LocalCluster
    from mesos.testing import RealCluster

atexit.register(_core.shutdown)


class MesosSchedulerDriver(Driver, DisplayedDriver, SchedulerDriver):
    """Connects a scheduler to a Mesos master, over the v1 HTTP API.

    Follows ``src/python/scheduler/src/mesos/scheduler/mesos_scheduler_driver_impl.cpp`` and ``src/sched/sched.cpp``.
    Every method except the constructor returns a ``mesos.Status`` number, such as ``mesos_pb2.DRIVER_RUNNING``. Methods
    that take an id accept its message or its text.

    A driver is a context manager; the end of the block stops it. A driver that is no longer referenced, except by its
    own callbacks, disconnects from the master as ``stop(failover=True)`` does, like libmesos' driver when it is
    destroyed.

    >>> from mesos.interface import Scheduler
    >>> from mesos.local import LocalCluster
    >>> info = mesos_pb2.FrameworkInfo(user="", name="example")
    >>> with LocalCluster() as cluster, MesosSchedulerDriver(Scheduler(), info, cluster) as driver:
    ...     driver.start() == mesos_pb2.DRIVER_RUNNING
    True

    :param scheduler: receives the callbacks; any object with the methods of :class:`mesos.interface.Scheduler`
    :param framework: the framework's info. If its user or host name is empty, the driver fills it in
    :param master: ``host:port``, ``http(s)://host[:port][/path]``, several of these with commas between them, which are
        asked in turn, ``zk://[user:password@]h1:p1,h2:p2/path``,
        ``file:///path`` (a file that contains one of the others), ``local``, which starts a cluster in this process, or
        a cluster: a :class:`mesos.local.LocalCluster`, or a :class:`mesos.testing.RealCluster`. If set, the environment
        variable ``REMESOS_MASTER`` overrides it, and this may be None
    :param implicitAcknowledgements: whether a status update is acknowledged when ``statusUpdate`` returns
    :param credential: sent as HTTP Basic. Also accepted as the fourth argument, its position before Mesos 0.22
    :param suppressedRoles: the roles that receive no offers until they are revived
    :param authentication: what gives the ``Authorization`` header: an object of :mod:`mesos.auth`, a callable that
        returns the header's value, or the value. If neither this nor ``credential`` is given, the environment variable
        ``REMESOS_AUTHENTICATION`` may name a file: :func:`mesos.auth.from_file`
    :param loop: an asyncio event loop. Callbacks that are coroutine functions run in it, one at a time and in order; an
        update is acknowledged when the coroutine has ended, and its exceptions are handled as those of other callbacks.
        :meth:`join` and :meth:`run`, which would block it, raise :class:`mesos.errors.DriverError` in its thread
    :raises ArgumentTypeError: an argument has the wrong type, or the scheduler has a callback that is a coroutine
        function and there is no ``loop``, or a generator function
    :raises ArgumentValueError: required fields of a message are not set
    :raises ClusterError: the master is ``local`` and its cluster could not be started
    """

    def __init__(
        self,
        scheduler: Any,
        framework: mesos_pb2.FrameworkInfo,
        master: str | LocalCluster | RealCluster | None,
        implicitAcknowledgements: bool | int | mesos_pb2.Credential = True,
        credential: mesos_pb2.Credential | None = None,
        suppressedRoles: Iterable[str] | None = None,
        *,
        authentication: Authentication | Callable[[], str | Header] | str | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(loop)
        _callbacks.check(scheduler, _callbacks.SCHEDULER, "scheduler", loop)
        self._misuse.near_misses(scheduler, _callbacks.near_misses(scheduler, _callbacks.SCHEDULER))
        if not isinstance(implicitAcknowledgements, int) and hasattr(implicitAcknowledgements, "SerializeToString"):
            credential, implicitAcknowledgements = implicitAcknowledgements, True
        if not isinstance(implicitAcknowledgements, int):
            # The value is not shown, because it may be a credential of an unsupported type.
            kind = type(implicitAcknowledgements).__name__
            raise ArgumentTypeError(f"expected a bool as implicitAcknowledgements, got an object of type {kind}")
        info = _arguments.message(framework, mesos_pb2.FrameworkInfo, "framework", self._misuse)
        suppressed = [] if suppressedRoles is None else _arguments.roles(suppressedRoles, "suppressedRoles")
        pair = _arguments.credential(credential, mesos_pb2.Credential, "credential", self._misuse)
        self._authentication = _authentication.find(authentication, pair)
        self._pair = pair
        self._scheduler = scheduler
        self._implicit = bool(implicitAcknowledgements)
        _logging.set_level()
        found, cluster, self._follower = self._find_master(master)
        # When this is freed, the core is freed before its cluster.
        self._core: _core.SchedulerDriver = _core.SchedulerDriver(
            info, found, _authentication.core(self._authentication, pair), suppressed
        )
        self._cluster = cluster
        self._info, self._master = info, found

    def _find_master(self, master: Any) -> tuple[str, LocalCluster | None, Follower | None]:
        return _master.find(master)

    def start(self) -> mesos_pb2.Status.ValueType:
        """Starts the driver; a driver can be started only once. Does not wait for the master.

        If the master's address is not valid, calls ``scheduler.error`` on this thread and returns DRIVER_ABORTED.

        :returns: DRIVER_RUNNING, or the driver's status if it was already started
        :raises ArgumentTypeError: the scheduler was given an asynchronous callback after the driver was created
        """
        if self._core.status() != mesos_pb2.DRIVER_NOT_STARTED:
            self._misuse.started_again("start")
        _callbacks.check(self._scheduler, _callbacks.SCHEDULER, "scheduler", self._loop)
        _logging.set_level()
        _cells.note(self)
        return self._core.start(self, self._scheduler, self._implicit)

    def join(self, *, check: bool = False, timeout: float | None = None) -> mesos_pb2.Status.ValueType:
        try:
            return super().join(check=check, timeout=timeout)
        finally:
            if self._follower is not None and self._core.status() != mesos_pb2.DRIVER_RUNNING:
                self._follower.end()

    def stop(self, failover: bool = False) -> mesos_pb2.Status.ValueType:
        """Stops the driver.

        :param failover: if false, the master removes the framework and kills its tasks; if true, they stay, so that
            another scheduler with the same framework id can take over
        :returns: DRIVER_STOPPED, or the previous status if the driver was not running
        """
        return self._core.stop(bool(failover))

    def abort(self) -> mesos_pb2.Status.ValueType:
        """Stops all callbacks. The framework and its tasks stay at the master. Returns DRIVER_ABORTED."""
        return self._core.abort()

    @_misuse.needs_start
    def requestResources(self, requests: Iterable[mesos_pb2.Request]) -> mesos_pb2.Status.ValueType:
        """Tells the master which resources the framework needs. Mesos' built-in allocator ignores this."""
        return self._core.request(_arguments.messages(requests, mesos_pb2.Request, "requests", self._misuse))

    @_misuse.needs_start
    def launchTasks(
        self,
        offerIds: mesos_pb2.OfferID | str | Iterable[mesos_pb2.OfferID | str],
        tasks: Iterable[mesos_pb2.TaskInfo],
        filters: mesos_pb2.Filters | None = None,
    ) -> mesos_pb2.Status.ValueType:
        """Launches tasks on one or more offers of the same agent. Without tasks, declines the offers.

        If the driver is not connected, ``statusUpdate`` receives TASK_LOST for every task, or TASK_DROPPED if the
        framework has the capability PARTITION_AWARE.

        :param filters: how long the resources that the tasks do not use are not offered again; 5 seconds by default
        """
        return self._core.launch(
            _arguments.one_or_more(offerIds, mesos_pb2.OfferID, "offerIds", self._misuse),
            _arguments.messages(tasks, mesos_pb2.TaskInfo, "tasks", self._misuse),
            _arguments.optional_message(filters, mesos_pb2.Filters, "filters", self._misuse),
        )

    @_misuse.needs_start
    def killTask(self, taskId: mesos_pb2.TaskID | str) -> mesos_pb2.Status.ValueType:
        """Kills a task. If the master does not know it, ``statusUpdate`` receives TASK_LOST or TASK_UNKNOWN."""
        return self._core.kill(_arguments.message(taskId, mesos_pb2.TaskID, "taskId", self._misuse))

    @_misuse.needs_start
    def acceptOffers(
        self,
        offerIds: mesos_pb2.OfferID | str | Iterable[mesos_pb2.OfferID | str],
        operations: Iterable[mesos_pb2.Offer.Operation],
        filters: mesos_pb2.Filters | None = None,
    ) -> mesos_pb2.Status.ValueType:
        """Accepts one or more offers of the same agent and applies operations to them in their order.

        :raises ArgumentValueError: an operation has an id. The id requests feedback, for which the classic API has no
            callback (libmesos aborts the process in this case)
        """
        return self._core.accept(
            _arguments.one_or_more(offerIds, mesos_pb2.OfferID, "offerIds", self._misuse),
            _arguments.operations(operations, mesos_pb2.Offer.Operation, "operations", self._misuse),
            _arguments.optional_message(filters, mesos_pb2.Filters, "filters", self._misuse),
        )

    @_misuse.needs_start
    def declineOffer(
        self, offerId: mesos_pb2.OfferID | str, filters: mesos_pb2.Filters | None = None
    ) -> mesos_pb2.Status.ValueType:
        """Declines one or more offers.

        :param filters: how long the same resources are not offered again; 5 seconds by default
        """
        return self._core.decline(
            _arguments.one_or_more(offerId, mesos_pb2.OfferID, "offerId", self._misuse),
            _arguments.optional_message(filters, mesos_pb2.Filters, "filters", self._misuse),
        )

    @_misuse.needs_start
    def reviveOffers(self, roles: Iterable[str] | None = None) -> mesos_pb2.Status.ValueType:
        """Removes the filters of roles and ends their suppression.

        :param roles: the roles, or None for all roles of the framework
        """
        return self._for_roles(self._core.revive, roles)

    @_misuse.needs_start
    def suppressOffers(self, roles: Iterable[str] | None = None) -> mesos_pb2.Status.ValueType:
        """Stops offers to roles until they are revived.

        :param roles: the roles, or None for all roles of the framework
        """
        return self._for_roles(self._core.suppress, roles)

    def _for_roles(
        self, call: Callable[[list[str]], mesos_pb2.Status.ValueType], roles: Iterable[str] | None
    ) -> mesos_pb2.Status.ValueType:
        if roles is None:
            return call([])
        names = _arguments.roles(roles, "roles")
        return call(names) if names else self._core.status()

    @_misuse.needs_start
    def acknowledgeStatusUpdate(self, status: mesos_pb2.TaskStatus) -> mesos_pb2.Status.ValueType:
        """Acknowledges a status update. An update without a uuid or an agent needs none, and none is sent.

        :raises DriverError: the driver acknowledges implicitly (libmesos aborts the process in this case)
        """
        if self._implicit:
            raise DriverError(
                "acknowledgeStatusUpdate() requires a driver created with implicitAcknowledgements=False; "
                "this driver acknowledges each update when statusUpdate() returns"
            )
        return self._core.acknowledge(_arguments.message(status, mesos_pb2.TaskStatus, "status", self._misuse))

    @_misuse.needs_start
    def sendFrameworkMessage(
        self, executorId: mesos_pb2.ExecutorID | str, slaveId: mesos_pb2.SlaveID | str, data: bytes | str
    ) -> mesos_pb2.Status.ValueType:
        """Sends bytes, or text encoded as UTF-8, to an executor. Delivery is best effort."""
        return self._core.message(
            _arguments.message(executorId, mesos_pb2.ExecutorID, "executorId", self._misuse),
            _arguments.message(slaveId, mesos_pb2.SlaveID, "slaveId", self._misuse),
            _arguments.data(data, "data"),
        )

    @_misuse.needs_start
    def reconcileTasks(self, tasks: Iterable[mesos_pb2.TaskStatus]) -> mesos_pb2.Status.ValueType:
        """Asks the master for the latest state of tasks, which ``statusUpdate`` receives.

        :param tasks: statuses with the tasks' ids; if empty, the master reports every task of the framework
        """
        return self._core.reconcile(_arguments.messages(tasks, mesos_pb2.TaskStatus, "tasks", self._misuse))

    @_misuse.needs_start
    def updateFramework(
        self, frameworkInfo: mesos_pb2.FrameworkInfo, suppressedRoles: Iterable[str]
    ) -> mesos_pb2.Status.ValueType:
        """Changes the framework's info and suppressed roles at the master.

        If the framework is not registered yet, has another id, or the master rejects the change, the driver is aborted
        and ``error`` is called.

        :raises ArgumentValueError: ``suppressedRoles`` names a role twice (libmesos aborts the process in this case)
        """
        return self._core.update_framework(
            _arguments.message(frameworkInfo, mesos_pb2.FrameworkInfo, "frameworkInfo", self._misuse),
            _arguments.distinct_roles(suppressedRoles, "suppressedRoles"),
        )

    def __enter__(self) -> Self:
        """Returns the driver without starting it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops the driver and waits until its last calls have been sent."""
        if self.stop() != mesos_pb2.DRIVER_NOT_STARTED:
            self.join()

    def _name_of_framework(self) -> str:
        return mesos_pb2.FrameworkInfo.FromString(self._info).name
