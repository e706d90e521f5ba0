"""``MesosSchedulerDriver``: the calls of a scheduler as dicts, and its events as callbacks with dicts."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

from mesos._dicts import DictDriver
from mesos.pymesos._addresses import address
from mesos.pymesos.process import Process
from mesos.pymesos.utils import DAY, dict_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mesos.auth import Authentication, Header

Message: TypeAlias = "Mapping[str, Any]"
_PATH = "/api/v1/scheduler"
_PORT = 5050
_GPU = "GPU_RESOURCES"
_FAILOVER_TIMEOUT = 100
"""Seconds that the master waits for a framework that says nothing of it."""


class MesosSchedulerDriver(Process):
    """Connects a scheduler to a Mesos master, with the API of pymesos 0.3.15.

    Messages are dicts, with the names of the v1 API; bytes in them are in base64. Calls return None. A call while the
    driver is not connected is ignored, and one that Mesos would refuse raises :class:`RuntimeError`.

    >>> from mesos.local import LocalCluster
    >>> from mesos.pymesos import MesosSchedulerDriver, Scheduler
    >>> class Example(Scheduler):
    ...     def registered(self, driver, framework_id, master_info):
    ...         driver.stop()
    >>> with LocalCluster() as cluster:
    ...     driver = MesosSchedulerDriver(Example(), {"user": "", "name": "example"}, cluster.address)
    ...     driver.run()

    :param sched: receives the callbacks; see :class:`mesos.pymesos.Scheduler`
    :param framework: a v1 ``FrameworkInfo``. GPU_RESOURCES is added to its capabilities, and a ``failover_timeout`` of
        100 seconds if it has none
    :param master_uri: ``host`` or ``host1,host2``, whose port is 5050, ``zoo://`` for ``zk://``, and all that
        :class:`mesos.scheduler.MesosSchedulerDriver` takes
    :param use_addict: whether callbacks receive ``addict.Dict``, whose members are attributes too
    :param implicit_acknowledgements: whether an update is acknowledged when ``statusUpdate`` has returned
    :param principal: sent as HTTP Basic, with ``secret``
    :param failover: whether the framework and its tasks stay at the master if a callback raises
    :param timeout: seconds; see :class:`mesos.pymesos.process.Process`
    :param authentication: what gives the ``Authorization`` header, as for
        :class:`mesos.scheduler.MesosSchedulerDriver`; pymesos has no such argument
    :raises ImportError: addict is wanted, and not installed
    """

    def __init__(
        self,
        sched: Any,
        framework: Any,
        master_uri: Any,
        use_addict: bool = False,
        implicit_acknowledgements: bool = True,
        principal: str | None = None,
        secret: str | None = None,
        failover: bool = False,
        timeout: float = DAY,
        *,
        authentication: Authentication | Callable[[], str | Header] | str | None = None,
    ) -> None:
        super().__init__(timeout=timeout)
        self.sched = sched
        self.master_uri = master_uri
        self.version: str | None = None
        self.implicit_acknowledgements = implicit_acknowledgements
        self._framework = framework
        self._failover = failover
        self._dict_cls = dict_class(use_addict)
        self._credential = None if principal is None or secret is None else (principal, secret)
        self._authentication = authentication

    @property
    def framework(self) -> dict[str, Any]:
        """The framework's info, as the master is told it."""
        info = dict(self._framework)
        named = [each for each in info.pop("capabilities", None) or [] if each["type"] != _GPU]
        info["capabilities"] = [*named, {"type": _GPU}]
        info.setdefault("failover_timeout", _FAILOVER_TIMEOUT)
        return info

    @property
    def framework_id(self) -> str | None:
        """The framework's id, from its registration on."""
        named: dict[str, str] | None = self._framework.get("id")
        return named["value"] if named else None

    @framework_id.setter
    def framework_id(self, value: str) -> None:
        self._framework["id"] = {"value": value}

    def _new_driver(self) -> DictDriver:
        return DictDriver(
            self,
            self.framework,
            address(self.master_uri, _PORT),
            credential=self._credential,
            authentication=self._authentication,
        )

    def change_master(self, new_master: str | None) -> None:
        """Leaves the master for another one; for none, until this is called again.

        The driver itself follows the leader of a ``zk://`` address.
        """
        self.master_uri = new_master
        if self.aborted:
            return
        with self._lock:
            left, self._driver = self._driver, None if new_master is None else self._new_driver()
        if isinstance(left, DictDriver):
            left.stop(failover=True)
        self.disconnected()
        if self._driver is not None:
            self._driver.start()

    def stop(self, failover: bool = False) -> None:
        """Stops the driver.

        :param failover: if false, the master removes the framework and kills its tasks; if true, they stay, so that
            another scheduler with the same framework id can take over
        """
        with self._lock:
            self._failover = failover
            self._ended()
            driver = self._driver
        if isinstance(driver, DictDriver):
            driver.stop(failover)
        if not failover:
            self._framework.pop("id", None)

    def _fail(self) -> None:
        self.stop(self._failover)

    def _teardown(self) -> None:
        """Has the master remove the framework and kill its tasks."""
        if self.connected and self.framework_id:
            self._send({"type": "TEARDOWN", "framework_id": {"value": self.framework_id}})
            self._framework.pop("id", None)

    def _send(
        self, body: Any, path: str = _PATH, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> Any:
        """Sends a call. Every call of the driver goes through here.

        Another path or method is a request to the master that the driver is connected with, whose answer is waited for,
        as ``_send("", "/state", "GET")``.

        :param body: a v1 scheduler ``Call``, for which the headers have no effect; of other requests, see
            :class:`MesosOperatorDaemonDriver`
        :returns: an empty dict for a call, because the master's answer to it is empty, and the JSON of another answer
        :raises RuntimeError: the driver is not connected, the call is not one that Mesos takes, or the master refused
            the request
        :raises MesosError: there is no answer to a request
        """
        if (path, method) == (_PATH, "POST"):
            return self._post(body)
        connection = self._driver.connection if isinstance(self._driver, DictDriver) else None
        if connection is None or not self.connected:
            raise RuntimeError("Not connected yet")
        url, stream_id = connection
        named = {"Mesos-Stream-Id": stream_id, **(headers or {})}
        return self._ask(
            url, body, path, method, named, credential=self._credential, authentication=self._authentication
        )

    def _call(self, kind: str, field: dict[str, Any] | None = None) -> None:
        framework_id = self.framework_id
        if framework_id is None:
            # The driver was stopped meanwhile, as below.
            return
        body: dict[str, Any] = {"type": kind, "framework_id": {"value": framework_id}}
        if field is not None:
            body[kind.lower()] = field
        try:
            self._send(body)
        except RuntimeError:
            if not self.aborted:
                raise

    def _about_offers(self, kind: str, ids: str, offer_ids: Any, filters: Message | None, **more: Any) -> None:
        field = {ids: [offer_ids] if isinstance(offer_ids, dict) else offer_ids, **more}
        if filters is not None:
            field["filters"] = filters
        self._call(kind, field)

    def acceptOffers(
        self, offer_ids: Message | Sequence[Message], operations: Sequence[Message], filters: Message | None = None
    ) -> None:
        """Accepts one or more offers of the same agent and applies operations to them in their order. Without
        operations, declines the offers.

        :param filters: how long the resources that are not used are not offered again; 5 seconds by default
        """
        if not operations:
            self.declineOffer(offer_ids, filters)
        elif self.connected:
            self._about_offers("ACCEPT", "offer_ids", offer_ids, filters, operations=operations)

    def launchTasks(
        self, offer_ids: Message | Sequence[Message], tasks: Sequence[Message], filters: Message | None = None
    ) -> None:
        """Launches tasks on one or more offers of the same agent. Without tasks, declines the offers."""
        operations = [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else []
        self.acceptOffers(offer_ids, operations, filters)

    def declineOffer(self, offer_ids: Message | Sequence[Message], filters: Message | None = None) -> None:
        """Declines one or more offers.

        :param filters: how long the same resources are not offered again; 5 seconds by default
        """
        if self.connected:
            self._about_offers("DECLINE", "offer_ids", offer_ids, filters)

    def acceptInverseOffers(self, offer_ids: Message | Sequence[Message], filters: Message | None = None) -> None:
        """Accepts one or more inverse offers: the framework gives the resources back in time."""
        if self.connected:
            self._about_offers("ACCEPT_INVERSE_OFFERS", "inverse_offer_ids", offer_ids, filters)

    def declineInverseOffer(self, offer_ids: Message | Sequence[Message], filters: Message | None = None) -> None:
        """Declines one or more inverse offers."""
        if self.connected:
            self._about_offers("DECLINE_INVERSE_OFFERS", "inverse_offer_ids", offer_ids, filters)

    def reviveOffers(self, roles: Iterable[str] = ()) -> None:
        """Removes the filters of roles and ends their suppression. Without roles, of all roles of the framework."""
        if self.connected:
            self._for_roles("REVIVE", roles)

    def suppressOffers(self, roles: Iterable[str] = ()) -> None:
        """Stops offers to roles until they are revived. Without roles, to all roles of the framework."""
        if self.connected:
            self._for_roles("SUPPRESS", roles)

    def _for_roles(self, kind: str, roles: Iterable[str]) -> None:
        self._call(kind, {"roles": list(roles)} if roles else None)

    def killTask(self, task_id: Message) -> None:
        """Kills a task."""
        if self.connected:
            self._call("KILL", {"task_id": task_id})

    def acknowledgeStatusUpdate(self, status: Message) -> None:
        """Acknowledges a status update. One without a uuid needs none."""
        if self.connected and "uuid" in status:
            self._call("ACKNOWLEDGE", {name: status[name] for name in ("agent_id", "task_id", "uuid")})

    def acknowledgeOperationStatusUpdate(self, status: Message) -> None:
        """Acknowledges the status update of an operation. One without a uuid or the operation's id needs none."""
        if self.connected and "uuid" in status and "operation_id" in status:
            names = ("agent_id", "resource_provider_id", "operation_id", "uuid")
            field = {name: status[name] for name in names if name in status}
            if isinstance(field["uuid"], dict):
                field["uuid"] = field["uuid"]["value"]
            self._call("ACKNOWLEDGE_OPERATION_STATUS", field)

    def reconcileTasks(self, tasks: Iterable[Message]) -> None:
        """Asks the master for the latest state of tasks, which ``statusUpdate`` receives.

        :param tasks: dicts with ``task_id``, and ``agent_id`` if it is known; if empty, the master reports every task
        """
        if self.connected:
            self._call("RECONCILE", {"tasks": [_only(task, "task_id", "agent_id") for task in tasks]})

    def reconcileOperations(self, operations_: Iterable[Message]) -> None:
        """Asks the master for the latest state of operations, which ``operationStatusUpdate`` receives.

        :param operations_: dicts with ``operation_id``, and ``agent_id`` and ``resource_provider_id`` if they are known
        """
        if self.connected:
            names = ("operation_id", "agent_id", "resource_provider_id")
            self._call("RECONCILE_OPERATIONS", {"operations": [_only(each, *names) for each in operations_]})

    def sendFrameworkMessage(self, executor_id: Message, agent_id: Message, data: str) -> None:
        """Sends bytes, which are in base64 here, to an executor. Delivery is best effort."""
        if self.connected:
            self._call("MESSAGE", {"agent_id": agent_id, "executor_id": executor_id, "data": data})

    def requestResources(self, requests: Sequence[Message]) -> None:
        """Tells the master which resources the framework needs. Mesos' built-in allocator ignores this."""
        if self.connected:
            self._call("REQUEST", {"requests": requests})

    def on_close(self) -> None:
        self._call_back(self.sched, "disconnected")

    def on_subscribed(self, info: dict[str, Any]) -> None:
        was_registered = self.framework_id is not None
        self.framework_id = info["framework_id"]["value"]
        master = dict(info.get("master_info", {}))
        address = master.get("address", {})
        if "port" in address:
            self._master = f"{address.get('ip') or address['hostname']}:{address['port']}"
        self.version = master.get("version", self.version)
        if self._master is not None:
            hostname, port = self._master.rsplit(":", 1)
            master.update(hostname=hostname, port=int(port))
        if self.version is not None:
            master["version"] = self.version
        if was_registered:
            self._call_back(self.sched, "reregistered", self._dict_cls(master))
        else:
            framework_id = self._dict_cls({"value": self.framework_id})
            self._call_back(self.sched, "registered", framework_id, self._dict_cls(master))

    def on_offers(self, event: dict[str, Any]) -> None:
        offers = event.get("offers", [])
        if offers:
            self._call_back(self.sched, "resourceOffers", [self._dict_cls(offer) for offer in offers])
        # Mesos before 1.0 sent both in one event.
        self.on_inverse_offers(event)

    def on_inverse_offers(self, event: dict[str, Any]) -> None:
        offers = event.get("inverse_offers", [])
        if offers:
            self._call_back(self.sched, "inverseOffers", [self._dict_cls(offer) for offer in offers])

    def on_rescind(self, event: dict[str, Any]) -> None:
        self._call_back(self.sched, "offerRescinded", self._dict_cls(event["offer_id"]))

    def on_rescind_inverse_offer(self, event: dict[str, Any]) -> None:
        self._call_back(self.sched, "inverseOfferRescinded", self._dict_cls(event["inverse_offer_id"]))

    def on_update(self, event: dict[str, Any]) -> None:
        status = event["status"]
        self._call_back(self.sched, "statusUpdate", self._dict_cls(status))
        if self.implicit_acknowledgements:
            self.acknowledgeStatusUpdate(status)

    def on_update_operation_status(self, event: dict[str, Any]) -> None:
        status = event["status"]
        self._call_back(self.sched, "operationStatusUpdate", self._dict_cls(status))
        if self.implicit_acknowledgements:
            self.acknowledgeOperationStatusUpdate(status)

    def on_message(self, message: dict[str, Any]) -> None:
        ids = (self._dict_cls(message[name]) for name in ("executor_id", "agent_id"))
        self._call_back(self.sched, "frameworkMessage", *ids, message["data"])

    def on_failure(self, failure: dict[str, Any]) -> None:
        agent_id = self._dict_cls(failure["agent_id"])
        if "executor_id" in failure:
            executor_id = self._dict_cls(failure["executor_id"])
            self._call_back(self.sched, "executorLost", executor_id, agent_id, failure["status"])
        else:
            self._call_back(self.sched, "slaveLost", agent_id)

    def on_error(self, event: dict[str, Any]) -> None:
        self._call_back(self.sched, "error", event["message"])

    def on_heartbeat(self) -> None:
        """The master lives. The callback may take no driver, as until pymesos 0.3.10."""
        callback = getattr(self.sched, "processHeartBeat", None)
        if callback is not None and not _takes_one(callback):
            callback()
        else:
            self._call_back(self.sched, "processHeartBeat")


def _only(message: Message, *names: str) -> dict[str, Any]:
    return {name: message[name] for name in names if name in message}


def _takes_one(callback: Callable[..., Any]) -> bool:
    """Returns whether a callback takes an argument, which one without a signature is expected to."""
    try:
        inspect.signature(callback).bind(None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True
