"""The classic framework interface: what a framework subclasses, and what a driver offers.

Signatures, argument names and defaults are those of Apache Mesos 1.11.0's ``mesos.interface``
(``src/python/interface/src/mesos/interface/__init__.py``). Every method here does nothing and returns ``None``,
but for the two ``error`` callbacks, which print. Part of remesos.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesos.interface import mesos_pb2

__all__ = ["Executor", "ExecutorDriver", "Scheduler", "SchedulerDriver"]


class Scheduler:
    """A framework's scheduler: subclass it and override what you need.

    A driver calls these one at a time, in order, on one thread of its own. They are plain functions: coroutine
    functions and generator functions are refused. What one raises is reported on stderr, or raised by the driver's
    ``run(check=True)``, and aborts the driver.
    """

    def registered(
        self, driver: SchedulerDriver, frameworkId: mesos_pb2.FrameworkID, masterInfo: mesos_pb2.MasterInfo
    ) -> None:
        """The framework registered with a master for the first time, under the id that the master gave."""

    def reregistered(self, driver: SchedulerDriver, masterInfo: mesos_pb2.MasterInfo) -> None:
        """The framework registered again, with a newly elected master or after a lost connection."""

    def disconnected(self, driver: SchedulerDriver) -> None:
        """The master is lost. The driver looks for it again by itself; ``reregistered`` follows."""

    def resourceOffers(self, driver: SchedulerDriver, offers: list[mesos_pb2.Offer]) -> None:
        """Resources are offered: launch on them or decline them; until then no other framework gets them.

        :param offers: a list of offers, each of one agent
        """

    def offerRescinded(self, driver: SchedulerDriver, offerId: mesos_pb2.OfferID) -> None:
        """An offer is no longer valid. A launch that still uses it ends in TASK_LOST or TASK_DROPPED."""

    def statusUpdate(self, driver: SchedulerDriver, status: mesos_pb2.TaskStatus) -> None:
        """A task changed its state.

        With implicit acknowledgements, returning from here acknowledges the update; it is delivered again, after a
        while or to the next scheduler of this framework, where it was not acknowledged.
        """

    def frameworkMessage(
        self,
        driver: SchedulerDriver,
        executorId: mesos_pb2.ExecutorID,
        slaveId: mesos_pb2.SlaveID,
        message: bytes,
    ) -> None:
        """An executor sent a message. Best effort: it is never sent again.

        :param message: the bytes that the executor sent, as a :class:`mesos.bytestr.ByteStr` that reads as text too
        """

    def slaveLost(self, driver: SchedulerDriver, slaveId: mesos_pb2.SlaveID) -> None:
        """An agent is gone. Its tasks are reported by ``statusUpdate``; this call is not reliable."""

    def executorLost(
        self,
        driver: SchedulerDriver,
        executorId: mesos_pb2.ExecutorID,
        slaveId: mesos_pb2.SlaveID,
        status: int,
    ) -> None:
        """An executor ended. Its tasks are reported by ``statusUpdate``; this call is not reliable.

        :param status: as wait(2) gives it (exit 1 is 256), -1 where it is not known
        """

    def error(self, driver: SchedulerDriver, message: str) -> None:
        """The framework cannot go on; the driver is already aborted. Prints the message to stderr."""
        print(f"Error from Mesos: {message} ", file=sys.stderr)


class SchedulerDriver:
    """What a scheduler may ask of its driver; also the base for mock drivers in tests."""

    def start(self) -> Any:
        """Start the driver; it must not have been started before. Returns without waiting for the master."""

    def stop(self, failover: bool = False) -> Any:
        """Stop the driver.

        :param failover: False removes the framework from the master, which kills its tasks. True leaves it, so that
            a new driver with the same framework id can take over within ``failover_timeout`` seconds
        """

    def abort(self) -> Any:
        """Stop calling back. The framework and its tasks stay at the master; ``stop`` can still be called."""

    def join(self) -> Any:
        """Wait until the driver was stopped or aborted."""

    def run(self) -> Any:
        """``start`` and ``join``."""

    def requestResources(self, requests: Iterable[mesos_pb2.Request]) -> Any:
        """Hint at what is needed. The stock allocator ignores it; offers arrive all the same."""

    def launchTasks(
        self,
        offerIds: mesos_pb2.OfferID | Iterable[mesos_pb2.OfferID],
        tasks: Iterable[mesos_pb2.TaskInfo],
        filters: mesos_pb2.Filters | None = None,
    ) -> Any:
        """Launch tasks on offers of one agent, whose resources are added up; what is left over is declined.

        :param offerIds: one id, or several
        :param tasks: no task at all declines the offers
        :param filters: for how long the remainder should not be offered again; default 5 seconds
        """

    def killTask(self, taskId: mesos_pb2.TaskID) -> Any:
        """Kill a task; ``statusUpdate`` tells when it is dead. Not sent again where it is lost on the way."""

    def acceptOffers(
        self,
        offerIds: Iterable[mesos_pb2.OfferID],
        operations: Iterable[mesos_pb2.Offer.Operation],
        filters: mesos_pb2.Filters | None = None,
    ) -> Any:
        """Accept offers of one agent with operations, done in their order; what is left over is declined."""

    def declineOffer(self, offerId: mesos_pb2.OfferID, filters: mesos_pb2.Filters | None = None) -> Any:
        """Decline an offer.

        :param filters: for how long the same resources should not be offered again; default 5 seconds
        """

    def reviveOffers(self, roles: Iterable[str] | None = None) -> Any:
        """Drop all filters, and ask for offers again after ``suppressOffers``.

        :param roles: None means all of the framework's roles; an empty iterable does nothing
        """

    def suppressOffers(self, roles: Iterable[str] | None = None) -> Any:
        """Ask for no offers until ``reviveOffers``.

        :param roles: None means all of the framework's roles; an empty iterable does nothing
        """

    def acknowledgeStatusUpdate(self, status: mesos_pb2.TaskStatus) -> Any:
        """Acknowledge an update; only for drivers made with ``implicitAcknowledgements`` false."""

    def sendFrameworkMessage(
        self, executorId: mesos_pb2.ExecutorID, slaveId: mesos_pb2.SlaveID, data: bytes | str
    ) -> Any:
        """Send bytes to an executor. Best effort: never sent again."""

    def reconcileTasks(self, tasks: Iterable[mesos_pb2.TaskStatus]) -> Any:
        """Ask for the latest state of tasks, which ``statusUpdate`` brings.

        :param tasks: of each, ``task_id`` and ``slave_id`` are used; none at all asks for every task
        """

    def updateFramework(self, frameworkInfo: mesos_pb2.FrameworkInfo, suppressedRoles: Iterable[str]) -> Any:
        """Change the framework's info and its suppressed roles at the master."""


class Executor:
    """A framework's executor: subclass it and override what you need. One callback runs at a time.

    What holds for a scheduler's callbacks holds for these: plain functions, whose exceptions abort the driver.
    """

    def registered(
        self,
        driver: ExecutorDriver,
        executorInfo: mesos_pb2.ExecutorInfo,
        frameworkInfo: mesos_pb2.FrameworkInfo,
        slaveInfo: mesos_pb2.SlaveInfo,
    ) -> None:
        """The executor is connected to its agent."""

    def reregistered(self, driver: ExecutorDriver, slaveInfo: mesos_pb2.SlaveInfo) -> None:
        """The executor is connected again, to an agent that was started anew."""

    def disconnected(self, driver: ExecutorDriver) -> None:
        """The agent is lost, perhaps because it is being restarted."""

    def launchTask(self, driver: ExecutorDriver, task: mesos_pb2.TaskInfo) -> None:
        """Run a task, on a thread or in a process: no other callback is made until this one returns."""

    def killTask(self, driver: ExecutorDriver, taskId: mesos_pb2.TaskID) -> None:
        """Kill a task; its end is told by ``driver.sendStatusUpdate``."""

    def frameworkMessage(self, driver: ExecutorDriver, message: bytes) -> None:
        """The scheduler sent a message. Best effort: it is never sent again.

        :param message: the bytes that it sent, as a :class:`mesos.bytestr.ByteStr` that reads as text too
        """

    def shutdown(self, driver: ExecutorDriver) -> None:
        """End all tasks and then the executor, within its grace period."""

    def error(self, driver: ExecutorDriver, message: str) -> None:
        """The executor cannot go on; the driver is already aborted. Prints the message to stderr."""
        print(f"Error from Mesos: {message}", file=sys.stderr)


class ExecutorDriver:
    """What an executor may ask of its driver; also the base for mock drivers in tests."""

    def start(self) -> Any:
        """Start the driver; it must not have been started before."""

    def stop(self) -> Any:
        """Stop the driver."""

    def abort(self) -> Any:
        """Stop calling back."""

    def join(self) -> Any:
        """Wait until the driver was stopped or aborted."""

    def run(self) -> Any:
        """``start`` and ``join``."""

    def sendStatusUpdate(self, status: mesos_pb2.TaskStatus) -> Any:
        """Report a task's state; sent again until the agent has it."""

    def sendFrameworkMessage(self, data: bytes | str) -> Any:
        """Send bytes to the scheduler. Best effort: never sent again."""
