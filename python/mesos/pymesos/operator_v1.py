"""The operator API of masters and agents with dicts: ``MesosOperatorMasterDriver`` and ``MesosOperatorAgentDriver``."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, TypeAlias

from mesos import _operator
from mesos.pymesos import _requests
from mesos.pymesos._addresses import address
from mesos.pymesos._operator_interface import OperatorAgentDriver, OperatorDaemonDriver, OperatorMasterDriver
from mesos.pymesos._requests import OperatorRequestError as OperatorRequestError
from mesos.pymesos.process import Process
from mesos.pymesos.utils import DAY, dict_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mesos.pymesos._operator_interface import OperatorMaster

Message: TypeAlias = dict[str, Any]
log = logging.getLogger("pymesos")
_RECORDIO = {"Accept": _operator.RECORDIO}


class MesosOperatorDaemonDriver(OperatorDaemonDriver):
    """The calls that both masters and agents take.

    Every call goes through ``_send``, which may be overridden, and returns the daemon's answer, a dict of its JSON.

    :param daemon_uri: ``host:port[/path]`` or ``http(s)://host[:port][/path]``
    :param principal: sent as HTTP Basic, with ``secret``
    :param authentication: see :mod:`mesos.auth`
    """

    _request_timeout: float = 10
    """Seconds to wait for a connection, the answer to a call, and each further part of it."""
    _port = 5050

    def __init__(
        self,
        daemon_uri: Any,
        *,
        principal: str | None = None,
        secret: str | None = None,
        authentication: Any = None,
    ) -> None:
        self.init(daemon_uri, principal, secret, authentication)

    def init(
        self, daemon_uri: Any, principal: str | None = None, secret: str | None = None, authentication: Any = None
    ) -> None:
        """Sets who is talked to."""
        self._daemon = daemon_uri
        self._credential = None if principal is None or secret is None else (principal, secret)
        self._authentication = authentication
        self._operator: _operator.Operator | None = None

    def _connect(self) -> _operator.Operator:
        if self._operator is None:
            self._operator = _operator.Operator(
                address(self._daemon, self._port),
                credential=self._credential,
                authentication=self._authentication,
            )
        return self._operator

    def _send(
        self, body: Any, path: str = _operator.PATH, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> Any:
        """Sends a request, and returns the answer: its JSON, a list of dicts if it is a stream of records, or an empty
        dict if it has neither.

        :param body: written as JSON; text is sent as it is, as a stream of records, and empty text as no body
        :raises OperatorRequestError: the daemon refused the request; a :class:`RuntimeError`
        :raises UnreachableError: there is no connection, or it broke; a :class:`ConnectionError`
        :raises AnswerTimeoutError: there is no answer in time; a :class:`TimeoutError`
        """
        return _requests.ask(self._connect(), body, path, method, headers, self._request_timeout)

    def _call(self, kind: str, **fields: Any) -> Message:
        """Sends a call with the field of its type, if it has any."""
        field = {kind.lower(): fields} if fields else {}
        answer: Message = self._send({"type": kind, **field})
        return answer

    def getHealth(self) -> Message:
        return self._call("GET_HEALTH")

    def getFlags(self) -> Message:
        return self._call("GET_FLAGS")

    def getVersion(self) -> Message:
        return self._call("GET_VERSION")

    def getMetrics(self, timeout: int) -> Message:
        return self._call("GET_METRICS", timeout={"nanoseconds": timeout})

    def getLoggingLevel(self) -> Message:
        return self._call("GET_LOGGING_LEVEL")

    def setLoggingLevel(self, level: int, duration: int) -> Message:
        return self._call("SET_LOGGING_LEVEL", duration={"nanoseconds": duration}, level=level)

    def listFiles(self, path: str) -> Message:
        return self._call("LIST_FILES", path=path)

    def readFile(self, path: str, length: int, offset: int) -> Message:
        return self._call("READ_FILE", length=length, offset=offset, path=path)

    def getState(self) -> Message:
        return self._call("GET_STATE")

    def getFrameworks(self) -> Message:
        return self._call("GET_FRAMEWORKS")

    def getExecutors(self) -> Message:
        return self._call("GET_EXECUTORS")

    def getTasks(self) -> Message:
        return self._call("GET_TASKS")


class MesosOperatorMasterDriver(Process, MesosOperatorDaemonDriver, OperatorMasterDriver):
    """Makes calls to the leading master, and subscribes to its events, with the API of pymesos 0.3.15.

    Calls need no :meth:`start`, which subscribes. After a lost connection the driver subscribes again by itself.

    >>> from mesos.local import LocalCluster
    >>> from mesos.pymesos import MesosOperatorMasterDriver
    >>> with LocalCluster() as cluster:
    ...     driver = MesosOperatorMasterDriver(cluster.address)
    ...     driver.getHealth()
    {'type': 'GET_HEALTH', 'get_health': {'healthy': True}}

    :param master_uri: ``host``, whose port is 5050, ``zoo://`` for ``zk://``, and all that
        :class:`mesos.scheduler.MesosSchedulerDriver` takes
    :param operator: receives the callbacks; see :class:`mesos.pymesos.OperatorMaster`. Only :meth:`start` needs it
    :param use_addict: whether callbacks receive ``addict.Dict``, whose members are attributes too
    :param timeout: seconds; see :class:`mesos.pymesos.process.Process`
    :param principal: sent as HTTP Basic, with ``secret``
    :param authentication: see :mod:`mesos.auth`
    :raises ImportError: addict is wanted, and not installed
    """

    def __init__(
        self,
        master_uri: Any,
        operator: OperatorMaster | Any | None = None,
        use_addict: bool = False,
        timeout: float = DAY,
        *,
        principal: str | None = None,
        secret: str | None = None,
        authentication: Any = None,
    ) -> None:
        Process.__init__(self, master=master_uri, timeout=timeout)
        self.init(master_uri, principal, secret, authentication)
        self.operator = operator
        self.master_uri = master_uri
        self._dict_cls = dict_class(use_addict)

    def _new_driver(self) -> Any:
        master = address(self.master_uri, self._port)
        return _operator.Subscription(self, master, credential=self._credential, authentication=self._authentication)

    def change_master(self, new_master: str | None) -> None:
        """Leaves the master for another one. The driver itself follows the leader of a ``zk://`` address."""
        self.master_uri = new_master
        self.init(new_master)

    def on_heartbeat(self) -> None:
        """The master lives."""

    def on_subscribed(self, info: Message) -> None:
        """The driver is subscribed, to a master in this state."""
        log.info("Operator client subscribed with cluster state: %s", info["get_state"])

    def _tell(self, name: str, value: Any) -> None:
        self._call_operator(name, self._dict_cls(value) if isinstance(value, dict) else value)

    def _call_operator(self, name: str, value: Any) -> None:
        callback = getattr(self.operator, name, None)
        if callback is not None:
            callback(value)

    def on_task_added(self, event: Message) -> None:
        """A task was launched."""
        self._tell("taskAdded", event["task"])

    def on_task_updated(self, event: Message) -> None:
        """The state of a task changed."""
        self._tell("taskUpdated", event)

    def on_framework_added(self, event: Message) -> None:
        """A framework registered."""
        self._tell("frameworkAdded", event["framework"])

    def on_framework_updated(self, event: Message) -> None:
        """A framework registered again, or changed."""
        self._tell("frameworkUpdated", event["framework"])

    def on_framework_removed(self, event: Message) -> None:
        """A framework was removed."""
        self._tell("frameworkRemoved", event["framework_info"])

    def on_agent_added(self, event: Message) -> None:
        """An agent registered."""
        self._tell("agentAdded", event["agent"])

    def on_agent_removed(self, event: Message) -> None:
        """An agent was removed."""
        self._tell("agentRemoved", event["agent_id"]["value"])

    def getAgents(self) -> Message:
        return self._call("GET_AGENTS")

    def getRoles(self) -> Message:
        return self._call("GET_ROLES")

    def getWeights(self) -> Message:
        return self._call("GET_WEIGHTS")

    def updateWeights(self, weight_infos: Iterable[Message]) -> Message:
        weights = [{"role": info["role"], "weight": info["weight"]} for info in weight_infos]
        return self._call("UPDATE_WEIGHTS", weight_infos=weights)

    def getMaster(self) -> Message:
        return self._call("GET_MASTER")

    def reserveResources(self, agent_id: str, resources: list[Message]) -> Message:
        return self._call("RESERVE_RESOURCES", agent_id={"value": agent_id}, resources=resources)

    def unreserveResources(self, agent_id: str, resources: list[Message]) -> Message:
        return self._call("UNRESERVE_RESOURCES", agent_id={"value": agent_id}, resources=resources)

    def createVolumes(self, agent_id: str, volumes: list[Message]) -> Message:
        return self._call("CREATE_VOLUMES", agent_id={"value": agent_id}, volumes=volumes)

    def destroyVolumes(self, agent_id: str, volumes: list[Message]) -> Message:
        return self._call("DESTROY_VOLUMES", agent_id={"value": agent_id}, volumes=volumes)

    def getMaintenanceStatus(self) -> Message:
        return self._call("GET_MAINTENANCE_STATUS")

    def getMaintenanceSchedule(self) -> Message:
        return self._call("GET_MAINTENANCE_SCHEDULE")

    def updateMaintenanceSchedule(self, windows: list[Message]) -> Message:
        return self._call("UPDATE_MAINTENANCE_SCHEDULE", schedule={"windows": windows})

    def startMaintenance(self, machines: Iterable[Message]) -> Message:
        return self._call("START_MAINTENANCE", machines=_machines(machines))

    def stopMaintenance(self, machines: Iterable[Message]) -> Message:
        return self._call("STOP_MAINTENANCE", machines=_machines(machines))

    def getQuota(self) -> Message:
        return self._call("GET_QUOTA")

    def setQuota(self, quota_request: Message) -> Message:
        return self._call("SET_QUOTA", quota_request=quota_request)

    def removeQuota(self, role: str) -> Message:
        return self._call("REMOVE_QUOTA", role=role)

    def markAgentGone(self, agent_id: str) -> Message:
        return self._call("MARK_AGENT_GONE", agent_id={"value": agent_id})


class MesosOperatorAgentDriver(MesosOperatorDaemonDriver, OperatorAgentDriver):
    """Makes calls to an agent, with the API of pymesos 0.3.15.

    >>> from mesos.pymesos import MesosOperatorAgentDriver
    >>> driver = MesosOperatorAgentDriver("localhost:1")
    >>> driver.getHealth()  # no agent listens there
    Traceback (most recent call last):
    mesos.errors.UnreachableError: no connection to http://localhost:1: cannot connect: Connection refused ...

    :param agent_uri: ``host``, whose port is 5051, ``host:port[/path]`` or ``http(s)://host[:port][/path]``. An agent
        that shares its port with others has a path: ``host:port/slave(1)``
    :param principal: sent as HTTP Basic, with ``secret``
    :param authentication: see :mod:`mesos.auth`
    """

    _port = 5051

    def __init__(
        self,
        agent_uri: Any,
        *,
        principal: str | None = None,
        secret: str | None = None,
        authentication: Any = None,
    ) -> None:
        super().__init__(agent_uri, principal=principal, secret=secret, authentication=authentication)

    def getContainers(self, show_nested: bool = False, show_standalone: bool = False) -> Message:
        return self._call("GET_CONTAINERS", show_nested=show_nested, show_standalone=show_standalone)

    def launchNestedContainer(self, launch_nested_container: Message) -> Message:
        return self._call("LAUNCH_NESTED_CONTAINER", **launch_nested_container)

    def waitNestedContainer(self, container_id: str, parent_id: str | None = None) -> Message:
        return self._call("WAIT_NESTED_CONTAINER", container_id=_container(container_id, parent_id))

    def killNestedContainer(self, container_id: str, parent_id: str | None = None) -> Message:
        return self._call("KILL_NESTED_CONTAINER", container_id=_container(container_id, parent_id))

    def launchNestedContainerSession(self, launch_nested_container_session: Message) -> Any:
        kind = "LAUNCH_NESTED_CONTAINER_SESSION"
        body = {"type": kind, kind.lower(): launch_nested_container_session}
        return self._send(body, headers=_RECORDIO.copy())

    def attachContainerInput(self, container_id: str, process_ios: Iterable[Message]) -> Message:
        """Writes to the standard input of a container: a list of ``ProcessIO``.

        :raises ValueError: one is neither DATA nor CONTROL
        """
        inputs: list[Message] = [{"type": "CONTAINER_ID", "container_id": {"value": container_id}}]
        for process_io in process_ios:
            if process_io["type"] not in ("DATA", "CONTROL"):
                raise ValueError(f"expected process_ios of the type DATA or CONTROL, got {process_io['type']!r}")
            inputs.append({"type": "PROCESS_IO", "process_io": process_io})
        calls = [{"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": each} for each in inputs]
        records = [json.dumps(call, sort_keys=True) for call in calls]
        stream = "".join(f"{len(record)}\n{record}" for record in records)
        answer: Message = self._send(stream, headers=_RECORDIO.copy())
        return answer

    def attachContainerOutput(self, container_id: str) -> Any:
        body = {"type": "ATTACH_CONTAINER_OUTPUT", "attach_container_output": {"container_id": {"value": container_id}}}
        return self._send(body, headers={**_RECORDIO, "Message-Accept": "application/json"})

    def removeNestedContainer(self, container_id: str, parent_id: str | None = None) -> Message:
        return self._call("REMOVE_NESTED_CONTAINER", container_id=_container(container_id, parent_id))

    def addResourceProviderConfig(self, info: Message) -> Message:
        return self._call("ADD_RESOURCE_PROVIDER_CONFIG", info=info)

    def updateResourceProviderConfig(self, info: Message) -> Message:
        return self._call("UPDATE_RESOURCE_PROVIDER_CONFIG", info=info)

    def removeResourceProviderConfig(self, type: str, name: str) -> Message:  # noqa: A002  (pymesos names it so)
        return self._call("REMOVE_RESOURCE_PROVIDER_CONFIG", type=type, name=name)

    def pruneImages(self, excluded_images: list[Message] | None = None) -> Message:
        if excluded_images is None:
            return self._call("PRUNE_IMAGES")
        return self._call("PRUNE_IMAGES", excluded_images=excluded_images)


def _machines(machines: Iterable[Message]) -> list[Message]:
    return [{"hostname": machine["hostname"], "ip": machine["ip"]} for machine in machines]


def _container(container_id: str, parent_id: str | None) -> Message:
    parent = {} if parent_id is None else {"parent": {"value": parent_id}}
    return {"value": container_id, **parent}
