"""``Framework``: a scheduler whose events are iterated over."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from mesos import _arguments, _core, _master
from mesos.aio import _events
from mesos.aio._client import Client
from mesos.errors import DriverError
from mesos.v1.interface import mesos_pb2, scheduler_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesos.local import LocalCluster
    from mesos.testing import RealCluster

    Offered = mesos_pb2.Offer | mesos_pb2.OfferID | str
    Inverse = mesos_pb2.InverseOffer | mesos_pb2.OfferID | str

_Call = scheduler_pb2.Call


class Framework(Client[_events.Event]):
    """A framework that is connected to a master inside of ``async with``, and whose events ``async for`` gives.

    It uses the same driver as :class:`mesos.native.MesosSchedulerDriver`, and behaves as that does: it subscribes again
    after a lost connection, and calls are sent in their order. A call returns when it is handed to the driver; whether
    the master received it is told by events. Calls raise :class:`mesos.errors.DriverError` when it does not run.

    With implicit acknowledgements, a status update is acknowledged when the next event is asked for: not if the loop is
    left, by ``break``, an exception or a cancellation. The end of ``async with`` removes the framework from the master,
    which kills its tasks; ``await stop(failover=True)`` before that leaves them to the next one with the same id.

    >>> import asyncio
    >>> from mesos import aio
    >>> from mesos.local import LocalCluster
    >>> from mesos.v1.interface import mesos_pb2
    >>> async def main(cluster):
    ...     async with aio.Framework("example", cluster) as framework:
    ...         async for event in framework:
    ...             match event:
    ...                 case aio.Offers([offer, *_]):
    ...                     task = mesos_pb2.TaskInfo(name="hello", task_id={"value": "1"}, agent_id=offer.agent_id)
    ...                     task.command.value = "echo hello"
    ...                     task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR, scalar={"value": 1})
    ...                     await framework.launch(offer, task)
    ...                 case aio.Update(status) if status.state == mesos_pb2.TASK_FINISHED:
    ...                     return status.task_id.value
    >>> with LocalCluster(agents=1) as cluster:
    ...     asyncio.run(main(cluster))
    '1'

    :param framework: the framework's info, or its name. If its user or host name is empty, the driver fills it in
    :param master: as for :class:`mesos.native.MesosSchedulerDriver`: an address, ``zk://...``, ``local``, or a cluster
    :param implicit_acknowledgements: false if the framework calls :meth:`acknowledge` for each update
    :param credential: the principal and the secret to authenticate with
    :param suppressed_roles: roles that receive no offers until they are revived
    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: an argument is not valid
    :raises ClusterError: the master is ``local`` and its cluster could not be started
    """

    _makers = _events.MAKERS
    _what = "framework"

    def __init__(
        self,
        framework: mesos_pb2.FrameworkInfo | str,
        master: str | LocalCluster | RealCluster | None,
        *,
        implicit_acknowledgements: bool = True,
        credential: mesos_pb2.Credential | None = None,
        suppressed_roles: Iterable[str] = (),
    ) -> None:
        super().__init__()
        if isinstance(framework, str):
            framework = mesos_pb2.FrameworkInfo(user="", name=framework)
        info = _arguments.message(framework, mesos_pb2.FrameworkInfo, "framework")
        pair = None
        if credential is not None:
            data = _arguments.message(credential, mesos_pb2.Credential, "credential")
            parsed = mesos_pb2.Credential.FromString(data)
            pair = (parsed.principal, parsed.secret)
        suppressed = _arguments.roles(suppressed_roles, "suppressed_roles")
        self._implicit = bool(implicit_acknowledgements)
        address, cluster, self._follower = _master.find(master)
        # When this is freed, the core is freed before its cluster.
        self._core: _core.SchedulerDriver = _core.SchedulerDriver(info, address, pair, suppressed)
        self._cluster = cluster

    def _start(self) -> int:
        return self._core.start_events(self._implicit)

    async def _stop(self) -> None:
        await self.stop()

    async def stop(self, *, failover: bool = False) -> None:
        """Stops the framework, and waits until its last calls are out. The iteration ends.

        :param failover: if false, the master removes the framework and kills its tasks; if true, they stay, so that
            another framework with the same id can take over
        """
        self._core.forget()
        self._core.stop(bool(failover))
        try:
            await self._ended()
        finally:
            if self._follower is not None:
                self._follower.end()

    async def launch(
        self,
        offers: Offered | Iterable[Offered],
        tasks: mesos_pb2.TaskInfo | Iterable[mesos_pb2.TaskInfo],
        *,
        filters: mesos_pb2.Filters | None = None,
    ) -> None:
        """Launches tasks on one or more offers of the same agent (ACCEPT with one LAUNCH).

        If the framework is not connected, an update reports each task as TASK_LOST, or as TASK_DROPPED if the framework
        has the capability PARTITION_AWARE.

        :param filters: how long the resources that the tasks do not use are not offered again; 5 seconds by default
        """
        listed = _arguments.one_or_more(tasks, mesos_pb2.TaskInfo, "tasks")
        self._running().launch(_offers(offers, "offers"), listed, _filters(filters))

    async def accept(
        self,
        offers: Offered | Iterable[Offered],
        operations: Iterable[mesos_pb2.Offer.Operation],
        *,
        filters: mesos_pb2.Filters | None = None,
    ) -> None:
        """Performs operations on one or more offers of the same agent, in order. An operation with an id is answered by
        :class:`mesos.aio.OperationUpdate`.
        """
        listed = _arguments.messages(operations, mesos_pb2.Offer.Operation, "operations")
        self._running().accept(_offers(offers, "offers"), listed, _filters(filters))

    async def decline(self, offers: Offered | Iterable[Offered], *, filters: mesos_pb2.Filters | None = None) -> None:
        """Declines offers.

        :param filters: how long their resources are not offered again; 5 seconds by default
        """
        self._running().decline(_offers(offers, "offers"), _filters(filters))

    async def accept_inverse_offers(
        self, inverse_offers: Inverse | Iterable[Inverse], *, filters: mesos_pb2.Filters | None = None
    ) -> None:
        """Agrees to give the resources of agents back before their maintenance."""
        call = _Call.AcceptInverseOffers(inverse_offer_ids=_ids(inverse_offers, "inverse_offers"), filters=filters)
        self._other(_Call.ACCEPT_INVERSE_OFFERS, call)

    async def decline_inverse_offers(
        self, inverse_offers: Inverse | Iterable[Inverse], *, filters: mesos_pb2.Filters | None = None
    ) -> None:
        """Does not agree to give the resources of agents back before their maintenance."""
        call = _Call.DeclineInverseOffers(inverse_offer_ids=_ids(inverse_offers, "inverse_offers"), filters=filters)
        self._other(_Call.DECLINE_INVERSE_OFFERS, call)

    async def kill(
        self,
        task_id: mesos_pb2.TaskID | str,
        *,
        agent_id: mesos_pb2.AgentID | str | None = None,
        kill_policy: mesos_pb2.KillPolicy | None = None,
    ) -> None:
        """Kills a task. An update reports its end.

        :param agent_id: the task's agent, for a task that the master does not know
        :param kill_policy: overrides the one that the task was launched with
        """
        call = _Call.Kill(task_id=_message(task_id, mesos_pb2.TaskID, "task_id"), kill_policy=kill_policy)
        if agent_id is not None:
            call.agent_id.CopyFrom(_message(agent_id, mesos_pb2.AgentID, "agent_id"))
        self._other(_Call.KILL, call)

    async def shutdown(self, executor_id: mesos_pb2.ExecutorID | str, agent_id: mesos_pb2.AgentID | str) -> None:
        """Shuts down an executor, and with it its tasks."""
        executor = _message(executor_id, mesos_pb2.ExecutorID, "executor_id")
        agent = _message(agent_id, mesos_pb2.AgentID, "agent_id")
        self._other(_Call.SHUTDOWN, _Call.Shutdown(executor_id=executor, agent_id=agent))

    async def acknowledge(self, status: mesos_pb2.TaskStatus) -> None:
        """Acknowledges a status update. An update without a uuid or an agent needs none, and none is sent.

        :raises DriverError: the framework acknowledges implicitly
        """
        if self._implicit:
            raise DriverError(
                "acknowledge() requires a framework created with implicit_acknowledgements=False; this one "
                "acknowledges each update when the next event is asked for"
            )
        self._running().acknowledge(_arguments.message(status, mesos_pb2.TaskStatus, "status"))

    async def acknowledge_operation(self, status: mesos_pb2.OperationStatus) -> None:
        """Acknowledges the status of an operation. One without a uuid needs no acknowledgement, and none is sent."""
        status = _message(status, mesos_pb2.OperationStatus, "status")
        if not status.HasField("uuid"):
            return
        call = _Call.AcknowledgeOperationStatus(uuid=status.uuid.value, operation_id=status.operation_id)
        if status.HasField("agent_id"):
            call.agent_id.CopyFrom(status.agent_id)
        if status.HasField("resource_provider_id"):
            call.resource_provider_id.CopyFrom(status.resource_provider_id)
        self._other(_Call.ACKNOWLEDGE_OPERATION_STATUS, call)

    async def reconcile(self, tasks: Iterable[mesos_pb2.TaskStatus] = ()) -> None:
        """Asks the master for the latest state of tasks, which updates report.

        :param tasks: statuses with the tasks' ids; if empty, the master reports every task of the framework
        """
        self._running().reconcile(_arguments.messages(tasks, mesos_pb2.TaskStatus, "tasks"))

    async def reconcile_operations(self, operations: Iterable[mesos_pb2.OperationStatus] = ()) -> None:
        """Asks the master for the latest state of operations, which updates report.

        :param operations: statuses with the operations' ids, and those of their agents if they are known; if empty, the
            master reports every operation of the framework that has an id
        """
        call = _Call.ReconcileOperations()
        for status in operations:
            status = _message(status, mesos_pb2.OperationStatus, "operations")
            operation = call.operations.add(operation_id=status.operation_id)
            if status.HasField("agent_id"):
                operation.agent_id.CopyFrom(status.agent_id)
        self._other(_Call.RECONCILE_OPERATIONS, call)

    async def message(
        self, agent_id: mesos_pb2.AgentID | str, executor_id: mesos_pb2.ExecutorID | str, data: bytes | str
    ) -> None:
        """Sends bytes, or text encoded as UTF-8, to an executor. Delivery is best effort."""
        self._running().message(
            _arguments.message(executor_id, mesos_pb2.ExecutorID, "executor_id"),
            _arguments.message(agent_id, mesos_pb2.AgentID, "agent_id"),
            _arguments.data(data, "data"),
        )

    async def request(self, requests: Iterable[mesos_pb2.Request]) -> None:
        """Tells the master which resources the framework needs. Mesos' built-in allocator ignores this."""
        self._running().request(_arguments.messages(requests, mesos_pb2.Request, "requests"))

    async def revive(self, roles: Iterable[str] | None = None) -> None:
        """Removes the filters of declined offers, and resumes offers that were suppressed.

        :param roles: the roles, or None for all roles of the framework
        """
        self._for_roles(self._running().revive, roles)

    async def suppress(self, roles: Iterable[str] | None = None) -> None:
        """Stops offers to roles until they are revived.

        :param roles: the roles, or None for all roles of the framework
        """
        self._for_roles(self._running().suppress, roles)

    async def update_framework(
        self, framework: mesos_pb2.FrameworkInfo, *, suppressed_roles: Iterable[str] = ()
    ) -> None:
        """Changes the framework's info and suppressed roles at the master.

        If the framework is not registered yet, has another id, or the master rejects the change, the iteration ends
        with a :class:`mesos.errors.DriverAbortedError`.
        """
        self._running().update_framework(
            _arguments.message(framework, mesos_pb2.FrameworkInfo, "framework"),
            _arguments.distinct_roles(suppressed_roles, "suppressed_roles"),
        )

    def _for_roles(self, call: Any, roles: Iterable[str] | None) -> None:
        names = None if roles is None else _arguments.roles(roles, "roles")
        # An empty list of the call means all roles.
        if names is None or names:
            call(names or [])

    def _other(self, kind: int, call: Any) -> None:
        self._running().other(kind, call.SerializeToString())


def _message(value: Any, kind: Any, argument: str) -> Any:
    """Returns a message of this kind, which an id's text is made into."""
    return kind.FromString(_arguments.message(value, kind, argument))


def _filters(filters: Any) -> bytes | None:
    return _arguments.optional_message(filters, mesos_pb2.Filters, "filters")


def _offers(offers: Any, argument: str) -> list[bytes]:
    """Returns the serialized ids of offers, which may be given as offers."""
    if not isinstance(offers, str | bytes) and not hasattr(offers, "SerializeToString"):
        # What is not iterable is reported below.
        with contextlib.suppress(TypeError):
            offers = [getattr(offer, "id", offer) for offer in offers]
    else:
        offers = getattr(offers, "id", offers)
    return _arguments.one_or_more(offers, mesos_pb2.OfferID, argument)


def _ids(offers: Any, argument: str) -> list[mesos_pb2.OfferID]:
    return [mesos_pb2.OfferID.FromString(data) for data in _offers(offers, argument)]
