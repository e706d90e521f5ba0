"""The base classes of schedulers and executors, whose callbacks receive dicts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

from mesos.pymesos._operator_interface import (
    OperatorAgentDriver,
    OperatorDaemonDriver,
    OperatorMaster,
    OperatorMasterDriver,
)

if TYPE_CHECKING:
    from mesos.pymesos.executor import MesosExecutorDriver
    from mesos.pymesos.scheduler import MesosSchedulerDriver

Message: TypeAlias = dict[str, Any]
"""A v1 message as a dict, or as an ``addict.Dict``."""

__all__ = [
    "Executor",
    "OperatorAgentDriver",
    "OperatorDaemonDriver",
    "OperatorMaster",
    "OperatorMasterDriver",
    "Scheduler",
]


class Scheduler:
    """The base class of schedulers. Each callback does nothing unless it is overridden.

    >>> from mesos.pymesos import Scheduler
    >>> class Frugal(Scheduler):
    ...     def resourceOffers(self, driver, offers):
    ...         driver.declineOffer([offer["id"] for offer in offers], {"refuse_seconds": 60})
    """

    def registered(self, driver: MesosSchedulerDriver, frameworkId: Message, masterInfo: Message) -> None:
        """The framework has registered at a master, which gave it its id."""

    def reregistered(self, driver: MesosSchedulerDriver, masterInfo: Message) -> None:
        """The framework has registered again, at this master or at another one that was elected."""

    def disconnected(self, driver: MesosSchedulerDriver) -> None:
        """The connection to the master is lost. The driver connects again by itself."""

    def processHeartBeat(self, driver: MesosSchedulerDriver) -> None:
        """The master has sent a heartbeat."""

    def resourceOffers(self, driver: MesosSchedulerDriver, offers: list[Message]) -> None:
        """Resources are offered. Nobody else is offered them until each offer is accepted or declined."""

    def inverseOffers(self, driver: MesosSchedulerDriver, offers: list[Message]) -> None:
        """Resources are wanted back, because their agents are about to be maintained."""

    def offerRescinded(self, driver: MesosSchedulerDriver, offerId: Message) -> None:
        """An offer is no longer valid."""

    def inverseOfferRescinded(self, driver: MesosSchedulerDriver, offerId: Message) -> None:
        """An inverse offer is no longer valid."""

    def statusUpdate(self, driver: MesosSchedulerDriver, status: Message) -> None:
        """A task's state has changed. The update is acknowledged when this returns, unless acknowledgements are
        explicit.
        """

    def operationStatusUpdate(self, driver: MesosSchedulerDriver, operation_status: Message) -> None:
        """The state of an operation with an id has changed."""

    def frameworkMessage(
        self, driver: MesosSchedulerDriver, executorId: Message, slaveId: Message, message: str
    ) -> None:
        """An executor has sent bytes, which are in base64 here: see :func:`mesos.pymesos.decode_data`."""

    def slaveLost(self, driver: MesosSchedulerDriver, slaveId: Message) -> None:
        """An agent is lost, and its tasks and executors with it."""

    def executorLost(self, driver: MesosSchedulerDriver, executorId: Message, slaveId: Message, status: int) -> None:
        """An executor has ended, with this exit status."""

    def error(self, driver: MesosSchedulerDriver, message: str) -> None:
        """The driver is aborted by an error."""
        print(f"Error from Mesos: {message}", file=sys.stderr)


class Executor:
    """The base class of executors. Each callback does nothing unless it is overridden.

    >>> from mesos.pymesos import Executor
    >>> class Instant(Executor):
    ...     def launchTask(self, driver, task):
    ...         driver.sendStatusUpdate({"task_id": task["task_id"], "state": "TASK_FINISHED"})
    """

    def registered(
        self, driver: MesosExecutorDriver, executorInfo: Message, frameworkInfo: Message, slaveInfo: Message
    ) -> None:
        """The executor has registered at its agent."""

    def reregistered(self, driver: MesosExecutorDriver, slaveInfo: Message) -> None:
        """The executor has registered again, at an agent that was restarted or after a lost connection."""

    def disconnected(self, driver: MesosExecutorDriver) -> None:
        """The connection to the agent is lost. The driver connects again by itself."""

    def launchTask(self, driver: MesosExecutorDriver, task: Message) -> None:
        """A task is to be run."""

    def launchTaskGroup(self, driver: MesosExecutorDriver, task_infos: list[Message]) -> None:
        """The tasks of a group are to be run."""

    def killTask(self, driver: MesosExecutorDriver, taskId: Message) -> None:
        """A task is to be killed."""

    def frameworkMessage(self, driver: MesosExecutorDriver, message: str) -> None:
        """The scheduler has sent bytes, which are in base64 here: see :func:`mesos.pymesos.decode_data`."""

    def shutdown(self, driver: MesosExecutorDriver) -> None:
        """The executor is to kill its tasks and to end. The driver is aborted when this returns."""

    def error(self, driver: MesosExecutorDriver, message: str) -> None:
        """The driver is aborted by an error."""
        print(f"Error from Mesos: {message}", file=sys.stderr)
