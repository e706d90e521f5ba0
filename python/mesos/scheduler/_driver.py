"""``MesosSchedulerDriver``: arguments are checked and serialized here, the work is done by ``mesos._core``."""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING, Any

from mesos import _arguments, _callbacks, _conflicts, _core, _imported, _logging, _misuse  # noqa: F401  (only to be there)
from mesos._driver import Driver
from mesos.errors import ArgumentTypeError, DriverError
from mesos.interface import SchedulerDriver, mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from mesos.local import LocalCluster

atexit.register(_core.shutdown)


class MesosSchedulerDriver(Driver, SchedulerDriver):
    """Connects a scheduler to a Mesos master, over the v1 HTTP API.

    Follows ``src/python/scheduler/src/mesos/scheduler/mesos_scheduler_driver_impl.cpp`` and ``src/sched/sched.cpp``.
    Every method but the constructor returns a ``mesos.Status`` number: ``mesos_pb2.DRIVER_RUNNING`` and so on. The text
    of an id serves where its message is asked for.

    A driver is a context manager; the end of the block stops it. One that nobody holds any more, outside of its own
    callbacks, leaves the master as ``stop(failover=True)`` does, like libmesos' when it is destroyed.

    >>> from mesos.interface import Scheduler
    >>> from mesos.local import LocalCluster
    >>> info = mesos_pb2.FrameworkInfo(user="", name="example")
    >>> with LocalCluster() as cluster, MesosSchedulerDriver(Scheduler(), info, cluster.address) as driver:
    ...     driver.start() == mesos_pb2.DRIVER_RUNNING
    True

    :param scheduler: gets the callbacks; any object with the methods of :class:`mesos.interface.Scheduler`
    :param framework: the framework's info; an empty user and host name are filled in
    :param master: ``host:port``, ``http(s)://host:port``, ``zk://[user:password@]h1:p1,h2:p2/path``,
        ``file:///path`` (which holds one of the others) or ``local``, which starts a cluster in this process.
        The environment variable ``REMESOS_MASTER``, if set, is used instead, and then this may be None
    :param implicitAcknowledgements: whether a status update is acknowledged when ``statusUpdate`` returns
    :param credential: sent as HTTP Basic. Also taken as the fourth argument, where it was before Mesos 0.22
    :param suppressedRoles: roles that want no offers at first
    :raises ArgumentTypeError: an argument of a type that cannot be used; a scheduler with a callback that is a
        coroutine function or a generator function, for nobody would await it
    :raises ArgumentValueError: a message whose required fields are not set
    :raises ClusterError: ``local``, and the cluster could not be started
    """

    def __init__(
        self,
        scheduler: Any,
        framework: mesos_pb2.FrameworkInfo,
        master: str | None,
        implicitAcknowledgements: bool | int | mesos_pb2.Credential = True,
        credential: mesos_pb2.Credential | None = None,
        suppressedRoles: Iterable[str] | None = None,
    ) -> None:
        super().__init__()
        _callbacks.check(scheduler, _callbacks.SCHEDULER, "scheduler")
        self._misuse.near_misses(scheduler, _callbacks.near_misses(scheduler, _callbacks.SCHEDULER))
        if not isinstance(implicitAcknowledgements, int) and hasattr(implicitAcknowledgements, "SerializeToString"):
            credential, implicitAcknowledgements = implicitAcknowledgements, True
        if not isinstance(implicitAcknowledgements, int):
            # Not shown itself: it may be a credential of a type that is not taken.
            kind = type(implicitAcknowledgements).__name__
            raise ArgumentTypeError(f"expected a bool as implicitAcknowledgements, got an object of type {kind}")
        info = _arguments.message(framework, mesos_pb2.FrameworkInfo, "framework", self._misuse)
        suppressed = [] if suppressedRoles is None else _arguments.roles(suppressedRoles, "suppressedRoles")
        pair = None
        if credential is not None:
            data = _arguments.message(credential, mesos_pb2.Credential, "credential", self._misuse)
            parsed = mesos_pb2.Credential.FromString(data)
            pair = (parsed.principal, parsed.secret)
        self._scheduler = scheduler
        self._implicit = bool(implicitAcknowledgements)
        self._cluster: LocalCluster | None = None
        _logging.set_level()
        found = self._find_master(master)
        self._core: _core.SchedulerDriver = _core.SchedulerDriver(info, found, pair, suppressed)

    def _find_master(self, master: Any) -> str:
        override = _arguments.text(os.environ.get("REMESOS_MASTER", ""), "REMESOS_MASTER")
        # A script that reads its master with os.getenv passes None when that variable is not set.
        if master is not None or not override:
            master = _arguments.text(master, "master")
        if override and override != master:
            shown = [_core.redacted(str(each)) for each in (override, master)]
            _logging.log.warning("Using the master %s, from REMESOS_MASTER, instead of %s", *shown)
            master = override
        if master in ("local", "localquiet"):
            from mesos.local import LocalCluster

            self._cluster = LocalCluster.from_environment()
            return self._cluster.address
        named: str = master
        return named

    def start(self) -> mesos_pb2.Status.ValueType:
        """Start the driver, once. Returns DRIVER_RUNNING, without waiting for the master.

        Where the master's address cannot be used, ``scheduler.error`` is called from here and DRIVER_ABORTED returned.

        :raises ArgumentTypeError: the scheduler was given an asynchronous callback since the driver was made
        """
        if self._core.status() != mesos_pb2.DRIVER_NOT_STARTED:
            self._misuse.started_again("start")
        _callbacks.check(self._scheduler, _callbacks.SCHEDULER, "scheduler")
        _logging.set_level()
        return self._core.start(self, self._scheduler, self._implicit)

    def stop(self, failover: bool = False) -> mesos_pb2.Status.ValueType:
        """Stop the driver; without ``failover`` the framework is removed from the master and its tasks are killed.

        Returns DRIVER_STOPPED, or what the status was where the driver did not run.
        """
        return self._core.stop(bool(failover))

    def abort(self) -> mesos_pb2.Status.ValueType:
        """Make no callback any more; framework and tasks stay at the master. Returns DRIVER_ABORTED."""
        return self._core.abort()

    @_misuse.needs_start
    def requestResources(self, requests: Iterable[mesos_pb2.Request]) -> mesos_pb2.Status.ValueType:
        """Hint at the resources that are needed; the stock allocator ignores it."""
        return self._core.request(_arguments.messages(requests, mesos_pb2.Request, "requests", self._misuse))

    @_misuse.needs_start
    def launchTasks(
        self,
        offerIds: mesos_pb2.OfferID | str | Iterable[mesos_pb2.OfferID | str],
        tasks: Iterable[mesos_pb2.TaskInfo],
        filters: mesos_pb2.Filters | None = None,
    ) -> mesos_pb2.Status.ValueType:
        """Launch tasks on offers of one agent; no task at all declines the offers.

        Where the driver is not connected, every task is answered by an update TASK_LOST, or TASK_DROPPED with the
        capability PARTITION_AWARE.
        """
        return self._core.launch(
            _arguments.one_or_more(offerIds, mesos_pb2.OfferID, "offerIds", self._misuse),
            _arguments.messages(tasks, mesos_pb2.TaskInfo, "tasks", self._misuse),
            _arguments.optional_message(filters, mesos_pb2.Filters, "filters", self._misuse),
        )

    @_misuse.needs_start
    def killTask(self, taskId: mesos_pb2.TaskID | str) -> mesos_pb2.Status.ValueType:
        """Kill a task."""
        return self._core.kill(_arguments.message(taskId, mesos_pb2.TaskID, "taskId", self._misuse))

    @_misuse.needs_start
    def acceptOffers(
        self,
        offerIds: mesos_pb2.OfferID | str | Iterable[mesos_pb2.OfferID | str],
        operations: Iterable[mesos_pb2.Offer.Operation],
        filters: mesos_pb2.Filters | None = None,
    ) -> mesos_pb2.Status.ValueType:
        """Accept offers of one agent with operations, done in their order.

        :raises ArgumentValueError: an operation has an id: the classic API has no callback for what becomes of it
            (libmesos aborts the process here)
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
        """Decline an offer, or several."""
        return self._core.decline(
            _arguments.one_or_more(offerId, mesos_pb2.OfferID, "offerId", self._misuse),
            _arguments.optional_message(filters, mesos_pb2.Filters, "filters", self._misuse),
        )

    @_misuse.needs_start
    def reviveOffers(self, roles: Iterable[str] | None = None) -> mesos_pb2.Status.ValueType:
        """Drop the filters of these roles, of all where None, and end their suppression."""
        return self._for_roles(self._core.revive, roles)

    @_misuse.needs_start
    def suppressOffers(self, roles: Iterable[str] | None = None) -> mesos_pb2.Status.ValueType:
        """Get no offers for these roles, for all where None, until they are revived."""
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
        """Acknowledge an update; one without uuid or agent asks for none, and nothing is sent then.

        :raises DriverError: the driver acknowledges by itself (libmesos aborts the process here)
        """
        if self._implicit:
            raise DriverError(
                "acknowledgeStatusUpdate() needs a driver made with implicitAcknowledgements=False; "
                "this one acknowledges by itself when statusUpdate() returns"
            )
        return self._core.acknowledge(_arguments.message(status, mesos_pb2.TaskStatus, "status", self._misuse))

    @_misuse.needs_start
    def sendFrameworkMessage(
        self, executorId: mesos_pb2.ExecutorID | str, slaveId: mesos_pb2.SlaveID | str, data: bytes | str
    ) -> mesos_pb2.Status.ValueType:
        """Send bytes, or text as UTF-8, to an executor. Best effort."""
        return self._core.message(
            _arguments.message(executorId, mesos_pb2.ExecutorID, "executorId", self._misuse),
            _arguments.message(slaveId, mesos_pb2.SlaveID, "slaveId", self._misuse),
            _arguments.data(data, "data"),
        )

    @_misuse.needs_start
    def reconcileTasks(self, tasks: Iterable[mesos_pb2.TaskStatus]) -> mesos_pb2.Status.ValueType:
        """Ask for the latest state of these tasks, of all where there is none."""
        return self._core.reconcile(_arguments.messages(tasks, mesos_pb2.TaskStatus, "tasks", self._misuse))

    @_misuse.needs_start
    def updateFramework(
        self, frameworkInfo: mesos_pb2.FrameworkInfo, suppressedRoles: Iterable[str]
    ) -> mesos_pb2.Status.ValueType:
        """Change the framework's info and suppressed roles at the master.

        Before the framework is registered, or with another id, or where the master refuses the change, the driver is
        aborted and ``error`` called.

        :raises ArgumentValueError: a suppressed role stands there twice (libmesos aborts the process here)
        """
        return self._core.update_framework(
            _arguments.message(frameworkInfo, mesos_pb2.FrameworkInfo, "frameworkInfo", self._misuse),
            _arguments.distinct_roles(suppressedRoles, "suppressedRoles"),
        )

    def __enter__(self) -> Self:
        """Returns the driver, which is not started by this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the driver, and wait until its last calls are out."""
        if self.stop() != mesos_pb2.DRIVER_NOT_STARTED:
            self.join()

    def __repr__(self) -> str:
        status = mesos_pb2.Status.Name(self._core.status())
        return f"<{type(self).__name__} {status}>"
