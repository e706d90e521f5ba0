"""The calls of masters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

from mesos import _arguments, _core, _master, _operator
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.operator._calls import Call, call, told
from mesos.operator._daemon import DaemonCalls
from mesos.operator._transport import Daemon
from mesos.v1.interface import master_pb2, mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mesos.local import LocalCluster
    from mesos.operator._transport import Authenticating
    from mesos.testing import RealCluster
    from mesos.v1.interface import maintenance_pb2, quota_pb2

T = TypeVar("T")
_SUBSCRIBE = master_pb2.Call(type=master_pb2.Call.SUBSCRIBE).SerializeToString()


def _asked(read: Callable[[master_pb2.Response], T], **fields: object) -> Call[T]:
    return Call(fields, read)


class MasterCalls(DaemonCalls, Daemon[master_pb2.Call, master_pb2.Response]):
    """The calls of a master, which both of its clients have."""

    _Call = master_pb2.Call
    _Response = master_pb2.Response
    _STREAMS: ClassVar[dict[str, str]] = {"SUBSCRIBE": "events"}

    def __init__(
        self,
        master: str | LocalCluster | RealCluster | None = None,
        *,
        credential: mesos_pb2.Credential | None = None,
        authentication: Authenticating = None,
        timeout: float = 10.0,
    ) -> None:
        super().__init__(master, credential=credential, authentication=authentication, timeout=timeout)

    def _subscription(self) -> _core.Subscription:
        """Returns a subscription to the events of the leading master, which is to be opened."""
        operator = self._operator
        return _core.Subscription(operator._daemon, operator._shown, _operator.PATH, _SUBSCRIBE, False)

    def _agent_address(self, agent: master_pb2.Response.GetAgents.Agent) -> str:
        """Returns the address of an agent, which may share its port with others, also with its master."""
        data = _arguments.message(agent, master_pb2.Response.GetAgents.Agent, "agent")
        pid = master_pb2.Response.GetAgents.Agent.FromString(data).pid
        name, _, address = pid.partition("@")
        if not address:
            raise ArgumentValueError(f"expected an agent that has registered as agent, got one with the pid {pid!r}")
        scheme = "https://" if self._operator._daemon.startswith("https://") else ""
        return _master.with_scheme(f"{scheme}{address}/{name}")

    @call
    def read_file(self, path: str, offset: int = 0, length: int | None = None) -> Call[master_pb2.Response.ReadFile]:
        """Returns a part of a file that the master shows, such as its log, and the size of the whole.

        :param path: ``/master/log`` is the log, if the master has one
        :param length: the most bytes to read; if None, as many as the master sends at once
        """
        return _asked(lambda response: response.read_file, path=path, offset=offset, length=length)

    @call
    def read_log(self, offset: int = 0, length: int | None = None) -> Call[master_pb2.Response.ReadLog]:
        """Returns a part of the master's log, and the size of the whole. Only clusterd has this call."""
        return _asked(lambda response: response.read_log, offset=offset, length=length)

    @call
    def get_state(self) -> Call[master_pb2.Response.GetState]:
        """Returns all tasks, executors, frameworks and agents."""
        return _asked(lambda response: response.get_state)

    @call
    def get_agents(self) -> Call[master_pb2.Response.GetAgents]:
        """Returns the agents. :meth:`agent` makes a client of one."""
        return _asked(lambda response: response.get_agents)

    @call
    def get_frameworks(self) -> Call[master_pb2.Response.GetFrameworks]:
        """Returns the frameworks, also those that are completed."""
        return _asked(lambda response: response.get_frameworks)

    @call
    def get_executors(self) -> Call[master_pb2.Response.GetExecutors]:
        """Returns the executors that run."""
        return _asked(lambda response: response.get_executors)

    @call
    def get_operations(self) -> Call[list[mesos_pb2.Operation]]:
        """Returns the operations that are not finished, or whose end has not been acknowledged."""
        return _asked(lambda response: list(response.get_operations.operations))

    @call
    def get_tasks(self) -> Call[master_pb2.Response.GetTasks]:
        """Returns the tasks: those that run, are unreachable, or are completed."""
        return _asked(lambda response: response.get_tasks)

    @call
    def get_roles(self) -> Call[list[mesos_pb2.Role]]:
        """Returns the roles that are in use, with their frameworks and resources."""
        return _asked(lambda response: list(response.get_roles.roles))

    @call
    def get_weights(self) -> Call[dict[str, float]]:
        """Returns the weights of the roles that have one."""
        return _asked(lambda response: {info.role: info.weight for info in response.get_weights.weight_infos})

    @call
    def update_weights(self, weight_infos: Mapping[str, float] | Iterable[mesos_pb2.WeightInfo]) -> Call[None]:
        """Sets the weights of some roles.

        :param weight_infos: such as ``{"analytics": 2.0}``
        """
        if isinstance(weight_infos, Mapping):
            weight_infos = [_weight(role, weight) for role, weight in weight_infos.items()]
        return told(weight_infos=weight_infos)

    @call
    def get_master(self) -> Call[master_pb2.Response.GetMaster]:
        """Returns the leading master's info, and since when it runs and leads."""
        return _asked(lambda response: response.get_master)

    @call
    def reserve_resources(
        self,
        agent_id: str | mesos_pb2.AgentID,
        resources: Iterable[mesos_pb2.Resource],
        source: Iterable[mesos_pb2.Resource] = (),
    ) -> Call[None]:
        """Reserves resources of an agent. Offers are rescinded if that is necessary.

        :param resources: with their reservations
        :param source: the same resources as they are reserved now, if a reservation is to replace another one
        """
        return told(agent_id=agent_id, resources=resources, source=source)

    @call
    def unreserve_resources(
        self, agent_id: str | mesos_pb2.AgentID, resources: Iterable[mesos_pb2.Resource]
    ) -> Call[None]:
        """Ends the last reservation of resources of an agent."""
        return told(agent_id=agent_id, resources=resources)

    @call
    def create_volumes(self, agent_id: str | mesos_pb2.AgentID, volumes: Iterable[mesos_pb2.Resource]) -> Call[None]:
        """Creates persistent volumes on an agent, of reserved resources."""
        return told(agent_id=agent_id, volumes=volumes)

    @call
    def destroy_volumes(self, agent_id: str | mesos_pb2.AgentID, volumes: Iterable[mesos_pb2.Resource]) -> Call[None]:
        """Destroys persistent volumes of an agent, and their data."""
        return told(agent_id=agent_id, volumes=volumes)

    @call
    def grow_volume(
        self, agent_id: str | mesos_pb2.AgentID, volume: mesos_pb2.Resource, addition: mesos_pb2.Resource
    ) -> Call[None]:
        """Adds disk space to a persistent volume of an agent.

        :param addition: of the same disk, with the same reservations, without the volume
        """
        return told(agent_id=agent_id, volume=volume, addition=addition)

    @call
    def shrink_volume(
        self,
        agent_id: str | mesos_pb2.AgentID,
        volume: mesos_pb2.Resource,
        subtract: float | mesos_pb2.Value.Scalar,
    ) -> Call[None]:
        """Takes disk space from a persistent volume of an agent.

        :param subtract: MB
        """
        return told(agent_id=agent_id, volume=volume, subtract=subtract)

    @call
    def get_maintenance_status(self) -> Call[maintenance_pb2.ClusterStatus]:
        """Returns the machines that are draining or down."""
        return _asked(lambda response: response.get_maintenance_status.status)

    @call
    def get_maintenance_schedule(self) -> Call[maintenance_pb2.Schedule]:
        """Returns which machines are to be maintained, and when."""
        return _asked(lambda response: response.get_maintenance_schedule.schedule)

    @call
    def update_maintenance_schedule(self, schedule: maintenance_pb2.Schedule) -> Call[None]:
        """Replaces the whole schedule of maintenance."""
        return told(schedule=schedule)

    @call
    def start_maintenance(self, machines: Iterable[mesos_pb2.MachineID]) -> Call[None]:
        """Takes machines that are in the schedule down, with their agents."""
        return told(machines=machines)

    @call
    def stop_maintenance(self, machines: Iterable[mesos_pb2.MachineID]) -> Call[None]:
        """Lets machines that are down take part again."""
        return told(machines=machines)

    @call
    def drain_agent(
        self, agent_id: str | mesos_pb2.AgentID, max_grace_period: float | None = None, mark_gone: bool = False
    ) -> Call[None]:
        """Kills the tasks of an agent, whose resources are not offered any more.

        Returns at once. The agent is drained when :meth:`get_agents` shows its ``drain_info`` as DRAINED.

        :param max_grace_period: the most seconds that a task has to end by itself; if None, as its kill policy says
        :param mark_gone: whether the agent is removed for good when its tasks have ended
        """
        return told(agent_id=agent_id, max_grace_period=max_grace_period, mark_gone=mark_gone)

    @call
    def deactivate_agent(self, agent_id: str | mesos_pb2.AgentID) -> Call[None]:
        """Stops offering the resources of an agent; its tasks go on."""
        return told(agent_id=agent_id)

    @call
    def reactivate_agent(self, agent_id: str | mesos_pb2.AgentID) -> Call[None]:
        """Offers the resources of an agent again that was drained or deactivated."""
        return told(agent_id=agent_id)

    @call
    def get_quota(self) -> Call[quota_pb2.QuotaStatus]:
        """Returns the quotas of all roles that have one."""
        return _asked(lambda response: response.get_quota.status)

    @call
    def update_quota(self, quota_configs: Iterable[quota_pb2.QuotaConfig], force: bool = False) -> Call[None]:
        """Sets the guarantees and limits of some roles.

        :param force: whether it is done though the cluster has not enough for the guarantees
        """
        return told(quota_configs=quota_configs, force=force)

    @call
    def set_quota(self, quota_request: quota_pb2.QuotaRequest) -> Call[None]:
        """Sets the guarantee of a role that has none. Deprecated: use :meth:`update_quota`."""
        return told(quota_request=quota_request)

    @call
    def remove_quota(self, role: str) -> Call[None]:
        """Removes the quota of a role. Deprecated: use :meth:`update_quota`."""
        return told(role=role)

    @call
    def teardown(self, framework_id: str | mesos_pb2.FrameworkID) -> Call[None]:
        """Removes a framework, and kills its tasks and executors."""
        return told(framework_id=framework_id)

    @call
    def mark_agent_gone(self, agent_id: str | mesos_pb2.AgentID) -> Call[None]:
        """Removes an agent for good. Its tasks are lost, and its volumes cannot be used again."""
        return told(agent_id=agent_id)


def _weight(role: str, weight: float) -> mesos_pb2.WeightInfo:
    try:
        return mesos_pb2.WeightInfo(role=role, weight=weight)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(f"expected numbers by role as weight_infos, got {role!r}: {weight!r}") from error
