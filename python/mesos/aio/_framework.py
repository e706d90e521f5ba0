"""``Framework``: the events and calls of a framework."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
from typing import TYPE_CHECKING, Any

from mesos import _arguments, _authentication, _core, _logging, _master
from mesos._display._drivers import DisplayedDriver
from mesos.aio._events import MAKERS, Event, Subscribed, Update
from mesos.aio._subscriber import Subscriber
from mesos.v1.interface import mesos_pb2, scheduler_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from mesos.auth import Authentication, Header
    from mesos.local import LocalCluster
    from mesos.testing import RealCluster

    _Offer: TypeAlias = mesos_pb2.Offer | mesos_pb2.OfferID | str
    _Inverse: TypeAlias = mesos_pb2.InverseOffer | mesos_pb2.OfferID | str

_Call = scheduler_pb2.Call
atexit.register(_core.shutdown)


class Framework(Subscriber[Event], DisplayedDriver):
    """A framework's connection to a Mesos master.

    The asynchronous counterpart of :class:`mesos.scheduler.MesosSchedulerDriver`: the same connection, with v1
    messages. Iterate over it for its events. Calls are sent in their order, and do not wait for the master's answer.
    Methods that take an id accept its message or its text.

    ``async with`` starts the framework. Its end, also by an exception or a cancellation, stops it as :meth:`stop` does:
    the master removes the framework and kills its tasks. For a framework that is to survive its scheduler, call
    :meth:`start` and ``stop(failover=True)`` instead. A framework that is no longer referenced disconnects without
    being removed.

    >>> import asyncio
    >>> from mesos import aio
    >>> from mesos.local import LocalCluster
    >>> from mesos.v1.interface import mesos_pb2
    >>> task = mesos_pb2.TaskInfo(name="hello", task_id={"value": "hello-1"})
    >>> task.command.value = "echo hello"
    >>> for name, amount in (("cpus", 0.1), ("mem", 32)):
    ...     task.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    >>> async def main():
    ...     with LocalCluster() as cluster:
    ...         async with aio.Framework("hello", master=cluster) as framework:
    ...             async for event in framework:
    ...                 match event:
    ...                     case aio.Offers(offers):
    ...                         await framework.suppress()
    ...                         await framework.launch(offers[0], task)
    ...                     case aio.Update(status) if status.state == mesos_pb2.TASK_FINISHED:
    ...                         return status.task_id.value
    >>> asyncio.run(main())
    'hello-1'

    :param framework: the framework's name, or its info. If its user or host name is empty, it is filled in
    :param master: as for :class:`mesos.scheduler.MesosSchedulerDriver`: text, such as an address, a URL with a path, or
        a list of these with commas between them; or a cluster
    :param implicit_acknowledgements: whether an update is acknowledged when the next event is asked for. Otherwise
        :meth:`acknowledge` has to be called for each
    :param credential: sent as HTTP Basic
    :param authentication: what gives the ``Authorization`` header: an object of :mod:`mesos.auth`, a callable that
        returns the header's value, or the value. If neither this nor ``credential`` is given, the environment variable
        ``REMESOS_AUTHENTICATION`` may name a file: :func:`mesos.auth.from_file`
    :param suppressed_roles: the roles that receive no offers until they are revived
    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: required fields of a message are not set
    :raises ClusterError: the master is ``local`` and its cluster could not be started
    """

    _what = "framework"

    def __init__(
        self,
        framework: str | mesos_pb2.FrameworkInfo,
        master: str | LocalCluster | RealCluster | None = None,
        *,
        implicit_acknowledgements: bool = True,
        credential: mesos_pb2.Credential | None = None,
        authentication: Authentication | Callable[[], str | Header] | str | None = None,
        suppressed_roles: Iterable[str] = (),
    ) -> None:
        super().__init__()
        if isinstance(framework, str):
            framework = mesos_pb2.FrameworkInfo(user="", name=framework)
        info = _arguments.message(framework, mesos_pb2.FrameworkInfo, "framework", self._misuse)
        suppressed = _arguments.roles(suppressed_roles, "suppressed_roles")
        pair = _arguments.credential(credential, mesos_pb2.Credential, "credential", self._misuse)
        self._authentication = _authentication.find(authentication, pair)
        self._pair = pair
        self._implicit = bool(implicit_acknowledgements)
        self._name = mesos_pb2.FrameworkInfo.FromString(info).name
        self._ids: list[mesos_pb2.FrameworkID] = []
        _logging.set_level()
        found, cluster, self._follower = _master.find(master)
        self._master = found
        # When this is freed, the core is freed before its cluster.
        self._core: _core.SchedulerDriver = _core.SchedulerDriver(
            info, found, _authentication.core(self._authentication, pair), suppressed
        )
        self._cluster = cluster

    @property
    def id(self) -> mesos_pb2.FrameworkID | None:
        """The framework's id, from the event :class:`Subscribed` on."""
        return self._ids[-1] if self._ids else None

    async def start(self) -> None:
        """Starts the framework, once. Does not wait for the master.

        :raises ArgumentValueError: the master's address is not valid
        :raises DriverError: the framework was already started
        """
        self._start_once()
        _logging.set_level()
        self._events = self._core.open(self._implicit, {**MAKERS, "registered": _noting(self._ids)})

    async def stop(self, *, failover: bool = False) -> None:
        """Stops the framework, and waits until its last calls have been sent. Its iteration ends.

        :param failover: if false, the master removes the framework and kills its tasks; if true, they stay, so that
            another scheduler with the same framework id can take over
        """
        self._core.stop(bool(failover))
        await self._end()

    async def abort(self) -> None:
        """Stops all events. The framework and its tasks stay at the master. Its iteration ends."""
        self._core.abort()
        await self._end()

    async def _end(self) -> None:
        await self._stopped()
        if self._follower is not None:
            await asyncio.to_thread(self._follower.end)

    async def launch(
        self,
        offers: _Offer | Iterable[_Offer],
        tasks: mesos_pb2.TaskInfo | Iterable[mesos_pb2.TaskInfo],
        *,
        filters: mesos_pb2.Filters | None = None,
    ) -> None:
        """Launches tasks on one or more offers of the same agent. Without tasks, declines the offers.

        If the framework is not connected, there is an :class:`Update` with TASK_LOST for every task, or TASK_DROPPED if
        the framework has the capability PARTITION_AWARE.

        :param offers: an offer, its id, or several of one agent
        :param tasks: if ``agent_id`` is not set, it becomes that of the offer
        :param filters: how long the resources that the tasks do not use are not offered again; 5 seconds by default
        """
        # What is not iterable is reported below.
        with contextlib.suppress(TypeError):
            tasks = _placed(tasks, offers)
        listed = _arguments.one_or_more(tasks, mesos_pb2.TaskInfo, "tasks", self._misuse)
        self._sent(self._core.launch(self._offer_ids(offers), listed, self._filters(filters)))

    async def accept(
        self,
        offers: _Offer | Iterable[_Offer],
        operations: mesos_pb2.Offer.Operation | Iterable[mesos_pb2.Offer.Operation],
        *,
        filters: mesos_pb2.Filters | None = None,
    ) -> None:
        """Accepts one or more offers of the same agent and applies operations to them in their order.

        The outcome of an operation that has an id is told by :class:`OperationUpdate`.
        """
        listed = _arguments.one_or_more(operations, mesos_pb2.Offer.Operation, "operations", self._misuse)
        self._sent(self._core.accept(self._offer_ids(offers), listed, self._filters(filters)))

    async def decline(self, offers: _Offer | Iterable[_Offer], *, filters: mesos_pb2.Filters | None = None) -> None:
        """Declines one or more offers.

        :param filters: how long the same resources are not offered again; 5 seconds by default
        """
        self._sent(self._core.decline(self._offer_ids(offers), self._filters(filters)))

    async def accept_inverse_offers(
        self, inverse_offers: _Inverse | Iterable[_Inverse], *, filters: mesos_pb2.Filters | None = None
    ) -> None:
        """Agrees to give the resources of agents back before their maintenance."""
        call = _Call.AcceptInverseOffers(inverse_offer_ids=self._inverse_ids(inverse_offers), filters=filters)
        self._send(_Call.ACCEPT_INVERSE_OFFERS, call)

    async def decline_inverse_offers(
        self, inverse_offers: _Inverse | Iterable[_Inverse], *, filters: mesos_pb2.Filters | None = None
    ) -> None:
        """Does not agree to give the resources of agents back before their maintenance."""
        call = _Call.DeclineInverseOffers(inverse_offer_ids=self._inverse_ids(inverse_offers), filters=filters)
        self._send(_Call.DECLINE_INVERSE_OFFERS, call)

    async def revive(self, roles: Iterable[str] | None = None) -> None:
        """Removes the filters of roles and ends their suppression.

        :param roles: the roles, or None for all roles of the framework
        """
        self._for_roles(self._core.revive, roles)

    async def suppress(self, roles: Iterable[str] | None = None) -> None:
        """Asks for no more offers to roles until they are revived.

        :param roles: the roles, or None for all roles of the framework
        """
        self._for_roles(self._core.suppress, roles)

    def _for_roles(self, call: Any, roles: Iterable[str] | None) -> None:
        names = [] if roles is None else _arguments.roles(roles, "roles")
        # A call without roles is one for all of them.
        self._sent(call(names) if names or roles is None else self._core.status())

    async def kill(
        self,
        task_id: mesos_pb2.TaskID | str,
        *,
        agent_id: mesos_pb2.AgentID | str | None = None,
        kill_policy: mesos_pb2.KillPolicy | None = None,
    ) -> None:
        """Kills a task. If the master does not know it, there is an :class:`Update` with TASK_LOST or TASK_UNKNOWN.

        :param agent_id: the task's agent, with which a master that was elected anew knows where to look
        :param kill_policy: replaces the policy of the task, such as its grace period
        """
        call = _Call.Kill(task_id=self._message(task_id, mesos_pb2.TaskID, "task_id"), kill_policy=kill_policy)
        if agent_id is not None:
            call.agent_id.CopyFrom(self._message(agent_id, mesos_pb2.AgentID, "agent_id"))
        self._send(_Call.KILL, call)

    async def shutdown(self, executor_id: mesos_pb2.ExecutorID | str, agent_id: mesos_pb2.AgentID | str) -> None:
        """Asks an executor to kill its tasks and to end."""
        executor = self._message(executor_id, mesos_pb2.ExecutorID, "executor_id")
        agent = self._message(agent_id, mesos_pb2.AgentID, "agent_id")
        self._send(_Call.SHUTDOWN, _Call.Shutdown(executor_id=executor, agent_id=agent))

    async def acknowledge(self, status: mesos_pb2.TaskStatus) -> None:
        """Acknowledges an update at once. An update without a uuid or an agent needs none, and none is sent."""
        data = _arguments.message(status, mesos_pb2.TaskStatus, "status", self._misuse)
        self._sent(self._core.acknowledge(data))
        last = self._last
        if self._events is not None and isinstance(last, Update) and last.status.uuid == status.uuid:
            self._events.acknowledged()

    async def reconcile(self, tasks: Iterable[mesos_pb2.TaskStatus] = ()) -> None:
        """Asks the master for the latest state of tasks, which comes as an :class:`Update` for each.

        :param tasks: statuses with the tasks' ids; if empty, the master reports every task of the framework
        """
        self._sent(self._core.reconcile(_arguments.messages(tasks, mesos_pb2.TaskStatus, "tasks", self._misuse)))

    async def acknowledge_operation(self, status: mesos_pb2.OperationStatus) -> None:
        """Acknowledges the status of an operation. One without a uuid needs no acknowledgement, and none is sent."""
        status = self._message(status, mesos_pb2.OperationStatus, "status")
        if not status.HasField("uuid"):
            return
        call = _Call.AcknowledgeOperationStatus(uuid=status.uuid.value, operation_id=status.operation_id)
        if status.HasField("agent_id"):
            call.agent_id.CopyFrom(status.agent_id)
        if status.HasField("resource_provider_id"):
            call.resource_provider_id.CopyFrom(status.resource_provider_id)
        self._send(_Call.ACKNOWLEDGE_OPERATION_STATUS, call)

    async def reconcile_operations(self, operations: Iterable[mesos_pb2.OperationStatus] = ()) -> None:
        """Asks the master for the latest state of operations, which comes as an :class:`OperationUpdate` for each.

        :param operations: statuses with the operations' ids, and those of their agents if they are known; if empty, the
            master reports every operation of the framework that has an id
        """
        call = _Call.ReconcileOperations()
        for data in _arguments.messages(operations, mesos_pb2.OperationStatus, "operations", self._misuse):
            status = mesos_pb2.OperationStatus.FromString(data)
            operation = call.operations.add(operation_id=status.operation_id)
            if status.HasField("agent_id"):
                operation.agent_id.CopyFrom(status.agent_id)
        self._send(_Call.RECONCILE_OPERATIONS, call)

    async def message(
        self, agent_id: mesos_pb2.AgentID | str, executor_id: mesos_pb2.ExecutorID | str, data: bytes | str
    ) -> None:
        """Sends bytes, or text encoded as UTF-8, to an executor. Delivery is best effort."""
        executor = _arguments.message(executor_id, mesos_pb2.ExecutorID, "executor_id", self._misuse)
        agent = _arguments.message(agent_id, mesos_pb2.AgentID, "agent_id", self._misuse)
        self._sent(self._core.message(executor, agent, _arguments.data(data, "data")))

    async def request(self, requests: Iterable[mesos_pb2.Request]) -> None:
        """Tells the master which resources the framework needs. Mesos' built-in allocator ignores this."""
        self._sent(self._core.request(_arguments.messages(requests, mesos_pb2.Request, "requests", self._misuse)))

    async def update_framework(
        self, framework: mesos_pb2.FrameworkInfo, *, suppressed_roles: Iterable[str] = ()
    ) -> None:
        """Changes the framework's info and suppressed roles at the master.

        If the framework is not subscribed yet, has another id, or the master rejects the change, the framework is
        aborted, and its iteration raises :class:`mesos.errors.DriverAbortedError`.

        :raises ArgumentValueError: ``suppressed_roles`` names a role twice
        """
        self._sent(
            self._core.update_framework(
                _arguments.message(framework, mesos_pb2.FrameworkInfo, "framework", self._misuse),
                _arguments.distinct_roles(suppressed_roles, "suppressed_roles"),
            )
        )

    def _offer_ids(self, offers: Any, argument: str = "offers") -> list[bytes]:
        """Returns the serialized ids of offers, which may be given as offers."""
        if hasattr(offers, "SerializeToString") or isinstance(offers, str | bytes):
            offers = [offers]
        # What is not iterable is reported below.
        with contextlib.suppress(TypeError):
            offers = [getattr(offer, "id", offer) for offer in offers]
        return _arguments.messages(offers, mesos_pb2.OfferID, argument, self._misuse)

    def _inverse_ids(self, offers: Any) -> list[mesos_pb2.OfferID]:
        return [mesos_pb2.OfferID.FromString(data) for data in self._offer_ids(offers, "inverse_offers")]

    def _filters(self, filters: mesos_pb2.Filters | None) -> bytes | None:
        return _arguments.optional_message(filters, mesos_pb2.Filters, "filters", self._misuse)

    def _message(self, value: Any, kind: Any, argument: str) -> Any:
        """Returns a message of this kind, which may be given as text if it is an id."""
        return kind.FromString(_arguments.message(value, kind, argument, self._misuse))

    def _send(self, kind: int, call: Any) -> None:
        """Makes a call that the classic API does not have."""
        self._sent(self._core.other(kind, call.SerializeToString()))

    def _kind(self) -> str:
        return "mesos.aio.Framework"

    def _name_of_framework(self) -> str:
        return self._name


def _noting(ids: list[mesos_pb2.FrameworkID]) -> Callable[..., Subscribed]:
    """Returns a function that makes the event :class:`Subscribed` and notes its id.

    It does not hold the framework, which could not be freed then.
    """

    def subscribed(framework_id: mesos_pb2.FrameworkID, master_info: mesos_pb2.MasterInfo) -> Subscribed:
        ids[:] = [framework_id]
        return Subscribed(framework_id, master_info)

    return subscribed


def _placed(tasks: Any, offers: Any) -> list[Any]:
    """Returns tasks with the agent of an offer, if they have none.

    :raises TypeError: the arguments are no messages and not iterable
    """
    offers = [offers] if isinstance(offers, mesos_pb2.Offer | mesos_pb2.OfferID | str | bytes) else offers
    tasks = [tasks] if hasattr(tasks, "SerializeToString") else tasks
    agent = next((offer.agent_id for offer in offers if isinstance(offer, mesos_pb2.Offer)), None)
    placed = []
    for task in tasks:
        if agent is not None and isinstance(task, mesos_pb2.TaskInfo) and not task.HasField("agent_id"):
            copy = mesos_pb2.TaskInfo()
            copy.CopyFrom(task)
            copy.agent_id.CopyFrom(agent)
            placed.append(copy)
        else:
            placed.append(task)
    return placed
