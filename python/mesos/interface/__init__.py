"""The classic framework interface: the base classes of schedulers, executors and drivers.

Signatures, argument names and defaults are those of Apache Mesos 1.11.0's ``mesos.interface``
(``src/python/interface/src/mesos/interface/__init__.py``). Every method here does nothing and returns ``None``,
except the two ``error`` callbacks, which print. Part of remesos.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesos.interface import mesos_pb2

__all__ = ["Executor", "ExecutorDriver", "Scheduler", "SchedulerDriver"]


class Scheduler:
    """The base class of schedulers: subclass it and override the callbacks that you need.

    A driver calls them one at a time, in order, on a thread of its own. They must be plain functions, or coroutine
    functions if the driver is given a ``loop``; anything else is rejected when the driver is created. An exception in a
    callback aborts the driver. It is reported on stderr, or raised by the driver's ``run(check=True)``.
    """

    def registered(
        self, driver: SchedulerDriver, frameworkId: mesos_pb2.FrameworkID, masterInfo: mesos_pb2.MasterInfo
    ) -> None:
        """Called when the framework has registered with a master for the first time.

        :param frameworkId: the id that the master assigned
        """

    def reregistered(self, driver: SchedulerDriver, masterInfo: mesos_pb2.MasterInfo) -> None:
        """Called when the framework has registered again, with a newly elected master or after a lost connection."""

    def disconnected(self, driver: SchedulerDriver) -> None:
        """Called when the connection to the master is lost. The driver reconnects, and ``reregistered`` follows."""

    def resourceOffers(self, driver: SchedulerDriver, offers: list[mesos_pb2.Offer]) -> None:
        """Called when resources are offered.

        Use them with ``launchTasks`` or ``acceptOffers``, or decline them; until then no other framework receives them.

        :param offers: a list of offers, each of one agent
        """

    def offerRescinded(self, driver: SchedulerDriver, offerId: mesos_pb2.OfferID) -> None:
        """Called when an offer is no longer valid. A task launched on it becomes TASK_LOST or TASK_DROPPED."""

    def statusUpdate(self, driver: SchedulerDriver, status: mesos_pb2.TaskStatus) -> None:
        """Called when a task's state has changed.

        With implicit acknowledgements, the driver acknowledges the update when this method returns. An update that is
        not acknowledged is delivered again, after a while or to the next scheduler of this framework.
        """

    def frameworkMessage(
        self,
        driver: SchedulerDriver,
        executorId: mesos_pb2.ExecutorID,
        slaveId: mesos_pb2.SlaveID,
        message: bytes,
    ) -> None:
        """Called when an executor has sent a message. Delivery is best effort: messages are never sent again.

        :param message: the executor's message, as a :class:`mesos.bytestr.ByteStr`, which is text and bytes at once
        """

    def slaveLost(self, driver: SchedulerDriver, slaveId: mesos_pb2.SlaveID) -> None:
        """Called when an agent is lost. Not reliable; ``statusUpdate`` reports its tasks."""

    def executorLost(
        self,
        driver: SchedulerDriver,
        executorId: mesos_pb2.ExecutorID,
        slaveId: mesos_pb2.SlaveID,
        status: int,
    ) -> None:
        """Called when an executor has ended. Not reliable; ``statusUpdate`` reports its tasks.

        :param status: the status as returned by wait(2) (exit status 1 is 256), or -1 if it is unknown
        """

    def error(self, driver: SchedulerDriver, message: str) -> None:
        """Called after a fatal error has aborted the driver. By default, prints the message to stderr."""
        print(f"Error from Mesos: {message} ", file=sys.stderr)


class SchedulerDriver:
    """The calls that a scheduler can make on its driver; also the base class of mock drivers in tests."""

    def start(self) -> Any:
        """Starts the driver, which must not have been started before. Does not wait for the master."""

    def stop(self, failover: bool = False) -> Any:
        """Stops the driver.

        :param failover: if false, the master removes the framework and kills its tasks; if true, they stay, so that
            a new driver with the same framework id can take over within ``failover_timeout`` seconds
        """

    def abort(self) -> Any:
        """Stops all callbacks. The framework and its tasks stay at the master; ``stop`` can still be called."""

    def join(self) -> Any:
        """Waits until the driver is stopped or aborted."""

    def run(self) -> Any:
        """Calls ``start`` and ``join``."""

    def requestResources(self, requests: Iterable[mesos_pb2.Request]) -> Any:
        """Tells the master which resources the framework needs. Mesos' built-in allocator ignores this."""

    def launchTasks(
        self,
        offerIds: mesos_pb2.OfferID | Iterable[mesos_pb2.OfferID],
        tasks: Iterable[mesos_pb2.TaskInfo],
        filters: mesos_pb2.Filters | None = None,
    ) -> Any:
        """Launches tasks on one or more offers of the same agent. Resources that the tasks do not use are declined.

        :param offerIds: one id or an iterable of ids
        :param tasks: if empty, the offers are declined
        :param filters: how long the unused resources are not offered again; 5 seconds by default
        """

    def killTask(self, taskId: mesos_pb2.TaskID) -> Any:
        """Kills a task; ``statusUpdate`` reports when it has ended. If the call is lost, it is not sent again."""

    def acceptOffers(
        self,
        offerIds: Iterable[mesos_pb2.OfferID],
        operations: Iterable[mesos_pb2.Offer.Operation],
        filters: mesos_pb2.Filters | None = None,
    ) -> Any:
        """Accepts one or more offers of the same agent and applies operations in their order.

        Resources that the operations do not use are declined.
        """

    def declineOffer(self, offerId: mesos_pb2.OfferID, filters: mesos_pb2.Filters | None = None) -> Any:
        """Declines an offer.

        :param filters: how long the same resources are not offered again; 5 seconds by default
        """

    def reviveOffers(self, roles: Iterable[str] | None = None) -> Any:
        """Removes all filters, and resumes offers after ``suppressOffers``.

        :param roles: None means all roles of the framework; an empty iterable has no effect
        """

    def suppressOffers(self, roles: Iterable[str] | None = None) -> Any:
        """Stops offers until ``reviveOffers``.

        :param roles: None means all roles of the framework; an empty iterable has no effect
        """

    def acknowledgeStatusUpdate(self, status: mesos_pb2.TaskStatus) -> Any:
        """Acknowledges an update. Only for drivers created with ``implicitAcknowledgements=False``."""

    def sendFrameworkMessage(
        self, executorId: mesos_pb2.ExecutorID, slaveId: mesos_pb2.SlaveID, data: bytes | str
    ) -> Any:
        """Sends bytes to an executor. Delivery is best effort: messages are never sent again."""

    def reconcileTasks(self, tasks: Iterable[mesos_pb2.TaskStatus]) -> Any:
        """Asks for the latest state of tasks, which ``statusUpdate`` receives.

        :param tasks: statuses, of which ``task_id`` and ``slave_id`` are used; if empty, asks for every task
        """

    def updateFramework(self, frameworkInfo: mesos_pb2.FrameworkInfo, suppressedRoles: Iterable[str]) -> Any:
        """Changes the framework's info and its suppressed roles at the master."""


class Executor:
    """The base class of executors: subclass it and override the callbacks that you need. One callback runs at a time.

    As for schedulers, callbacks must be plain functions, or coroutine functions if the driver is given a ``loop``, and
    an exception in one aborts the driver.
    """

    def registered(
        self,
        driver: ExecutorDriver,
        executorInfo: mesos_pb2.ExecutorInfo,
        frameworkInfo: mesos_pb2.FrameworkInfo,
        slaveInfo: mesos_pb2.SlaveInfo,
    ) -> None:
        """Called when the executor has connected to its agent."""

    def reregistered(self, driver: ExecutorDriver, slaveInfo: mesos_pb2.SlaveInfo) -> None:
        """Called when the executor has connected again, to an agent that was restarted."""

    def disconnected(self, driver: ExecutorDriver) -> None:
        """Called when the connection to the agent is lost, for example because the agent is restarting."""

    def launchTask(self, driver: ExecutorDriver, task: mesos_pb2.TaskInfo) -> None:
        """Called to run a task. Run it on a thread or in a process: until this returns, no other callback is called."""

    def killTask(self, driver: ExecutorDriver, taskId: mesos_pb2.TaskID) -> None:
        """Called to kill a task. Report its end with ``driver.sendStatusUpdate``."""

    def frameworkMessage(self, driver: ExecutorDriver, message: bytes) -> None:
        """Called when the scheduler has sent a message. Delivery is best effort: messages are never sent again.

        :param message: the scheduler's message, as a :class:`mesos.bytestr.ByteStr`, which is text and bytes at once
        """

    def shutdown(self, driver: ExecutorDriver) -> None:
        """Called to end all tasks and then the executor, within its grace period."""

    def error(self, driver: ExecutorDriver, message: str) -> None:
        """Called after a fatal error has aborted the driver. By default, prints the message to stderr."""
        print(f"Error from Mesos: {message}", file=sys.stderr)


class ExecutorDriver:
    """The calls that an executor can make on its driver; also the base class of mock drivers in tests."""

    def start(self) -> Any:
        """Starts the driver, which must not have been started before."""

    def stop(self) -> Any:
        """Stops the driver."""

    def abort(self) -> Any:
        """Stops all callbacks."""

    def join(self) -> Any:
        """Waits until the driver is stopped or aborted."""

    def run(self) -> Any:
        """Calls ``start`` and ``join``."""

    def sendStatusUpdate(self, status: mesos_pb2.TaskStatus) -> Any:
        """Sends a task's status. The update is sent again until the agent acknowledges it."""

    def sendFrameworkMessage(self, data: bytes | str) -> Any:
        """Sends bytes to the scheduler. Delivery is best effort: messages are never sent again."""
