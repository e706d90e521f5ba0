"""The calls of agents."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, TypeVar

from mesos import _arguments, _master, _operator
from mesos.errors import ArgumentTypeError
from mesos.operator._calls import Call, call, streamed, told
from mesos.operator._daemon import DaemonCalls
from mesos.operator._transport import PROTOBUF, Daemon
from mesos.v1.interface import agent_pb2, mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mesos.operator._transport import Authenticating

T = TypeVar("T")
_STREAMED_INPUT = {"Content-Type": _operator.RECORDIO, "Message-Content-Type": PROTOBUF, "Accept": PROTOBUF}


def _asked(read: Callable[[agent_pb2.Response], T], **fields: object) -> Call[T]:
    return Call(fields, read)


class AgentCalls(DaemonCalls, Daemon[agent_pb2.Call, agent_pb2.Response]):
    """The calls of an agent, which both of its clients have."""

    _Call = agent_pb2.Call
    _Response = agent_pb2.Response
    _STREAMS: ClassVar[dict[str, str]] = {
        name.upper(): name
        for name in ("launch_nested_container_session", "attach_container_input", "attach_container_output")
    }

    def __init__(
        self,
        agent: str,
        *,
        credential: mesos_pb2.Credential | None = None,
        authentication: Authenticating = None,
        timeout: float = 10.0,
    ) -> None:
        address = _master.with_scheme(_arguments.text(agent, "agent"))
        super().__init__(address, credential=credential, authentication=authentication, timeout=timeout)

    def _opened_input(self) -> _operator.Stream:
        """Begins a call that is a stream."""
        return self._operator.open(None, headers=_STREAMED_INPUT, idle=self._timeout)

    def _first_of_input(self, container_id: str | mesos_pb2.ContainerID) -> agent_pb2.Call:
        """Returns the call with which the input of a container begins."""
        kind = agent_pb2.Call.AttachContainerInput.CONTAINER_ID
        call: agent_pb2.Call = self._built("ATTACH_CONTAINER_INPUT", {"type": kind, "container_id": container_id})
        if not call.attach_container_input.HasField("container_id"):
            raise ArgumentTypeError("expected a mesos_pb2.ContainerID as container_id, got None")
        return call

    @call
    def read_file(self, path: str, offset: int = 0, length: int | None = None) -> Call[agent_pb2.Response.ReadFile]:
        """Returns a part of a file that the agent shows, such as one in a sandbox, and the size of the whole.

        :param path: ``/slave/log`` is the agent's log, if it has one
        :param length: the most bytes to read; if None, as many as the agent sends at once
        """
        return _asked(lambda response: response.read_file, path=path, offset=offset, length=length)

    @call
    def read_log(
        self,
        source: agent_pb2.Call.ReadLog.Source.ValueType,
        container_id: str | mesos_pb2.ContainerID | None = None,
        stdout_offset: int = 0,
        stderr_offset: int = 0,
        length: int | None = None,
    ) -> Call[agent_pb2.Response.ReadLog]:
        """Returns a part of the agent's log or of a container's output. Only clusterd has this call.

        :param source: ``agent_pb2.Call.ReadLog.AGENT`` or ``CONTAINER``
        :param container_id: the container's
        """
        return _asked(
            lambda response: response.read_log,
            source=source,
            container_id=container_id,
            stdout_offset=stdout_offset,
            stderr_offset=stderr_offset,
            length=length,
        )

    @call
    def get_state(self) -> Call[agent_pb2.Response.GetState]:
        """Returns all tasks, executors and frameworks of the agent."""
        return _asked(lambda response: response.get_state)

    @call
    def get_containers(
        self, show_nested: bool = False, show_standalone: bool = False
    ) -> Call[list[agent_pb2.Response.GetContainers.Container]]:
        """Returns the containers, with their state and what they use.

        :param show_nested: also those in others
        :param show_standalone: also those without a task
        """
        return _asked(
            lambda response: list(response.get_containers.containers),
            show_nested=show_nested,
            show_standalone=show_standalone,
        )

    @call
    def get_frameworks(self) -> Call[agent_pb2.Response.GetFrameworks]:
        """Returns the frameworks that have, or had, tasks here."""
        return _asked(lambda response: response.get_frameworks)

    @call
    def get_executors(self) -> Call[agent_pb2.Response.GetExecutors]:
        """Returns the executors that run, or ran, here."""
        return _asked(lambda response: response.get_executors)

    @call
    def get_operations(self) -> Call[list[mesos_pb2.Operation]]:
        """Returns the operations that are not finished, or whose end has not been acknowledged."""
        return _asked(lambda response: list(response.get_operations.operations))

    @call
    def get_tasks(self) -> Call[agent_pb2.Response.GetTasks]:
        """Returns the tasks of the agent."""
        return _asked(lambda response: response.get_tasks)

    @call
    def get_agent(self) -> Call[agent_pb2.Response.GetAgent]:
        """Returns the agent's info, and whether it is being drained."""
        return _asked(lambda response: response.get_agent)

    @call
    def get_resource_providers(self) -> Call[list[agent_pb2.Response.GetResourceProviders.ResourceProvider]]:
        """Returns the resource providers of the agent."""
        return _asked(lambda response: list(response.get_resource_providers.resource_providers))

    @call
    def launch_nested_container(
        self,
        container_id: str | mesos_pb2.ContainerID,
        command: str | mesos_pb2.CommandInfo | None = None,
        container: mesos_pb2.ContainerInfo | None = None,
    ) -> Call[None]:
        """Launches a container in another one. Deprecated: use :meth:`launch_container`.

        :param command: the text for a shell, or a message
        """
        return told(container_id=container_id, command=command, container=container)

    @call
    def wait_nested_container(
        self, container_id: str | mesos_pb2.ContainerID, timeout: float | None = None
    ) -> Call[agent_pb2.Response.WaitNestedContainer]:
        """Waits until a container in another one has ended. Deprecated: use :meth:`wait_container`.

        :param timeout: the seconds to wait; if None, there is no limit
        :raises AnswerTimeoutError: it has not ended in time
        """
        fields: dict[str, object] = {"container_id": container_id}
        within = _arguments.seconds(timeout, "timeout")
        return Call(fields, lambda response: response.wait_nested_container, takes=math.inf, within=within)

    @call
    def kill_nested_container(self, container_id: str | mesos_pb2.ContainerID, signal: int | None = None) -> Call[None]:
        """Sends a container in another one a signal. Deprecated: use :meth:`kill_container`.

        :param signal: SIGKILL if None
        """
        return told(container_id=container_id, signal=signal)

    @call
    def remove_nested_container(self, container_id: str | mesos_pb2.ContainerID) -> Call[None]:
        """Removes what a container in another one has left behind. Deprecated: use :meth:`remove_container`."""
        return told(container_id=container_id)

    @streamed
    def launch_nested_container_session(
        self,
        container_id: str | mesos_pb2.ContainerID,
        command: str | mesos_pb2.CommandInfo | None = None,
        container: mesos_pb2.ContainerInfo | None = None,
    ) -> Call[None]:
        """Launches a container in another one, and returns what it writes. It ends when that is closed.

        :param command: the text for a shell, or a message
        """
        return told(container_id=container_id, command=command, container=container)

    @streamed
    def attach_container_output(self, container_id: str | mesos_pb2.ContainerID) -> Call[None]:
        """Returns what a container writes from now on."""
        return told(container_id=container_id)

    @call
    def launch_container(
        self,
        container_id: str | mesos_pb2.ContainerID,
        command: str | mesos_pb2.CommandInfo | None = None,
        resources: Iterable[mesos_pb2.Resource] = (),
        container: mesos_pb2.ContainerInfo | None = None,
        limits: Mapping[str, float | mesos_pb2.Value.Scalar] | None = None,
    ) -> Call[None]:
        """Launches a container that stands alone, or one in another container.

        :param command: the text for a shell, or a message
        :param resources: what a container that stands alone may use. The agent does not take account of them
        :param limits: the most cpus and MB of memory that it may use, if that differs from its resources
        """
        return told(container_id=container_id, command=command, resources=resources, container=container, limits=limits)

    @call
    def wait_container(
        self, container_id: str | mesos_pb2.ContainerID, timeout: float | None = None
    ) -> Call[agent_pb2.Response.WaitContainer]:
        """Waits until a container has ended, and returns how.

        :param timeout: the seconds to wait; if None, there is no limit
        :raises AnswerTimeoutError: it has not ended in time
        """
        fields: dict[str, object] = {"container_id": container_id}
        within = _arguments.seconds(timeout, "timeout")
        return Call(fields, lambda response: response.wait_container, takes=math.inf, within=within)

    @call
    def kill_container(self, container_id: str | mesos_pb2.ContainerID, signal: int | None = None) -> Call[None]:
        """Sends the processes of a container a signal.

        :param signal: SIGKILL if None
        """
        return told(container_id=container_id, signal=signal)

    @call
    def remove_container(self, container_id: str | mesos_pb2.ContainerID) -> Call[None]:
        """Removes what a container that has ended left behind, such as its sandbox."""
        return told(container_id=container_id)

    @call
    def update_container_memory_limit(
        self, container_id: str | mesos_pb2.ContainerID, memory_limit: float | mesos_pb2.Value.Scalar
    ) -> Call[None]:
        """Changes how much memory a container may use. Only clusterd has this call.

        :param memory_limit: MB
        """
        return told(container_id=container_id, memory_limit=memory_limit)

    @call
    def add_resource_provider_config(self, info: mesos_pb2.ResourceProviderInfo) -> Call[None]:
        """Adds a resource provider, which the agent starts."""
        return told(info=info)

    @call
    def update_resource_provider_config(self, info: mesos_pb2.ResourceProviderInfo) -> Call[None]:
        """Replaces the configuration of a resource provider, which is started anew."""
        return told(info=info)

    @call
    def remove_resource_provider_config(self, type: str, name: str) -> Call[None]:  # noqa: A002  (the field's name)
        """Removes the configuration of a resource provider, which is stopped. It stays known to the cluster."""
        return told(type=type, name=name)

    @call
    def mark_resource_provider_gone(self, resource_provider_id: str | mesos_pb2.ResourceProviderID) -> Call[None]:
        """Removes a resource provider without resources in use for good."""
        return told(resource_provider_id=resource_provider_id)

    @call
    def prune_images(self, excluded_images: Iterable[mesos_pb2.Image] = ()) -> Call[None]:
        """Removes the images of containers that nothing uses.

        :param excluded_images: those to keep
        """
        return told(excluded_images=excluded_images)
