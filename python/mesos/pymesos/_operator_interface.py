"""The base class of operators, whose callbacks receive dicts, and the interfaces of their drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Message: TypeAlias = dict[str, Any]
"""A message as a dict, or as an ``addict.Dict``."""

__all__ = ["OperatorAgentDriver", "OperatorDaemonDriver", "OperatorMaster", "OperatorMasterDriver"]


class OperatorMaster:
    """The base class of operators. Each callback does nothing unless it is overridden.

    >>> from mesos.pymesos import OperatorMaster
    >>> class Watcher(OperatorMaster):
    ...     def taskUpdated(self, task):
    ...         print(task["status"]["task_id"]["value"], task["state"])
    """

    def taskAdded(self, task_info: Message) -> None:
        """A task was launched, or is known again after a failover of the master: a ``Task``."""

    def taskUpdated(self, task_info: Message) -> None:
        """The state of a task changed: a dict with ``framework_id``, ``status`` and ``state``."""

    def frameworkAdded(self, framework_info: Message) -> None:
        """A framework registered: a ``Response.GetFrameworks.Framework``."""

    def frameworkUpdated(self, framework_info: Message) -> None:
        """A framework registered again, or changed its info: a ``Response.GetFrameworks.Framework``."""

    def frameworkRemoved(self, framework_info: Message) -> None:
        """A framework was removed: a ``FrameworkInfo``."""

    def agentAdded(self, agent_info: Message) -> None:
        """An agent registered, or registered again after a failover of the master: a ``Response.GetAgents.Agent``."""

    def agentRemoved(self, agent_id: str) -> None:
        """An agent was removed."""


class OperatorDaemonDriver:
    """The calls that both masters and agents take. Each returns the answer, a dict of the daemon's JSON."""

    def getHealth(self) -> Message:
        """Returns whether the daemon is healthy."""
        raise NotImplementedError

    def getFlags(self) -> Message:
        """Returns the daemon's flags."""
        raise NotImplementedError

    def getVersion(self) -> Message:
        """Returns the daemon's version."""
        raise NotImplementedError

    def getMetrics(self, timeout: int) -> Message:
        """Returns the metrics that are known within ``timeout`` nanoseconds."""
        raise NotImplementedError

    def getLoggingLevel(self) -> Message:
        """Returns the level of verbose logging."""
        raise NotImplementedError

    def setLoggingLevel(self, level: int, duration: int) -> Message:
        """Sets the level of verbose logging for ``duration`` nanoseconds."""
        raise NotImplementedError

    def listFiles(self, path: str) -> Message:
        """Returns what is in a directory of the daemon."""
        raise NotImplementedError

    def readFile(self, path: str, length: int, offset: int) -> Message:
        """Returns up to ``length`` bytes of a file of the daemon, in base64, from ``offset`` on."""
        raise NotImplementedError

    def getState(self) -> Message:
        """Returns all that the daemon knows of agents, frameworks, executors and tasks."""
        raise NotImplementedError

    def getFrameworks(self) -> Message:
        """Returns the frameworks that the daemon knows."""
        raise NotImplementedError

    def getExecutors(self) -> Message:
        """Returns the executors that the daemon knows."""
        raise NotImplementedError

    def getTasks(self) -> Message:
        """Returns the tasks that the daemon knows."""
        raise NotImplementedError


class OperatorMasterDriver(OperatorDaemonDriver):
    """The calls that a master takes, and its events."""

    def start(self) -> None:
        """Subscribes to the master's events."""

    def stop(self) -> None:
        """Ends the subscription."""

    def abort(self) -> None:
        """Ends the subscription."""

    def join(self) -> Any:
        """Waits until the subscription has ended."""

    def run(self) -> Any:
        """Calls :meth:`start` and :meth:`join`."""

    def getAgents(self) -> Message:
        """Returns the agents."""
        raise NotImplementedError

    def getRoles(self) -> Message:
        """Returns the roles."""
        raise NotImplementedError

    def getWeights(self) -> Message:
        """Returns the weights of roles."""
        raise NotImplementedError

    def updateWeights(self, weight_infos: Iterable[Message]) -> Message:
        """Sets the weights of roles: dicts with ``role`` and ``weight``."""
        raise NotImplementedError

    def getMaster(self) -> Message:
        """Returns the info of the master."""
        raise NotImplementedError

    def reserveResources(self, agent_id: str, resources: list[Message]) -> Message:
        """Reserves resources of an agent."""
        raise NotImplementedError

    def unreserveResources(self, agent_id: str, resources: list[Message]) -> Message:
        """Ends reservations of an agent's resources."""
        raise NotImplementedError

    def createVolumes(self, agent_id: str, volumes: list[Message]) -> Message:
        """Creates persistent volumes on reserved resources."""
        raise NotImplementedError

    def destroyVolumes(self, agent_id: str, volumes: list[Message]) -> Message:
        """Destroys persistent volumes."""
        raise NotImplementedError

    def getMaintenanceStatus(self) -> Message:
        """Returns which machines are being maintained."""
        raise NotImplementedError

    def getMaintenanceSchedule(self) -> Message:
        """Returns when which machines are to be maintained."""
        raise NotImplementedError

    def updateMaintenanceSchedule(self, windows: list[Message]) -> Message:
        """Sets when which machines are to be maintained."""
        raise NotImplementedError

    def startMaintenance(self, machines: Iterable[Message]) -> Message:
        """Begins the maintenance of machines: dicts with ``hostname`` and ``ip``. Their agents are removed."""
        raise NotImplementedError

    def stopMaintenance(self, machines: Iterable[Message]) -> Message:
        """Ends the maintenance of machines: dicts with ``hostname`` and ``ip``."""
        raise NotImplementedError

    def getQuota(self) -> Message:
        """Returns the quotas of roles."""
        raise NotImplementedError

    def setQuota(self, quota_request: Message) -> Message:
        """Sets the quota of a role, which has none."""
        raise NotImplementedError

    def removeQuota(self, role: str) -> Message:
        """Removes the quota of a role."""
        raise NotImplementedError

    def markAgentGone(self, agent_id: str) -> Message:
        """Removes an agent for good. Its tasks are TASK_GONE_BY_OPERATOR."""
        raise NotImplementedError


class OperatorAgentDriver(OperatorDaemonDriver):
    """The calls that an agent takes."""

    def getContainers(self, show_nested: bool = False, show_standalone: bool = False) -> Message:
        """Returns the containers of executors, and, if wanted, nested and standalone ones."""
        raise NotImplementedError

    def launchNestedContainer(self, launch_nested_container: Message) -> Message:
        """Launches a container inside another one."""
        raise NotImplementedError

    def waitNestedContainer(self, container_id: str, parent_id: str | None = None) -> Message:
        """Waits until a nested container has ended, and returns its status."""
        raise NotImplementedError

    def killNestedContainer(self, container_id: str, parent_id: str | None = None) -> Message:
        """Kills a nested container."""
        raise NotImplementedError

    def launchNestedContainerSession(self, launch_nested_container_session: Message) -> Any:
        """Launches a nested container that lives as long as this call, and returns its output when it has ended."""
        raise NotImplementedError

    def attachContainerInput(self, container_id: str, process_ios: Iterable[Message]) -> Message:
        """Writes to the standard input of a container: a list of ``ProcessIO``."""
        raise NotImplementedError

    def attachContainerOutput(self, container_id: str) -> Any:
        """Returns the output of a container until it has ended."""
        raise NotImplementedError

    def removeNestedContainer(self, container_id: str, parent_id: str | None = None) -> Message:
        """Removes what a nested container that has ended left."""
        raise NotImplementedError

    def addResourceProviderConfig(self, info: Message) -> Message:
        """Launches a local resource provider."""
        raise NotImplementedError

    def updateResourceProviderConfig(self, info: Message) -> Message:
        """Changes a local resource provider."""
        raise NotImplementedError

    def removeResourceProviderConfig(self, type: str, name: str) -> Message:  # noqa: A002  (pymesos names it so)
        """Ends a local resource provider."""
        raise NotImplementedError

    def pruneImages(self, excluded_images: list[Message] | None = None) -> Message:
        """Removes the images that no container uses."""
        raise NotImplementedError
