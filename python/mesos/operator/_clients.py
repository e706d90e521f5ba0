"""The clients that wait for the answers to their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesos import _arguments
from mesos.operator import _containers
from mesos.operator._agent import AgentCalls
from mesos.operator._containers import ContainerOutput
from mesos.operator._events import MasterEvents
from mesos.operator._master import MasterCalls
from mesos.operator._transport import Transport
from mesos.v1.interface import agent_pb2, master_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesos.v1.interface import mesos_pb2


class AgentClient(AgentCalls, Transport[agent_pb2.Call, agent_pb2.Response]):
    """A client of an agent.

    >>> from mesos.local import LocalCluster
    >>> from mesos.operator import MasterClient
    >>> with LocalCluster() as cluster:
    ...     master = MasterClient(cluster)
    ...     for found in master.get_agents().agents:
    ...         agent = master.agent(found)
    ...         print(agent.get_version().version, len(agent.get_containers()))
    1.11.0 0

    The id of a container is a message, or text. That of a nested container has the ids of its parents before it, with
    dots between them, as in Mesos' log.

    :param agent: the address, as ``host:port``, or as a URL. One that shares its port with others has a path:
        ``host:port/slave(1)``
    :param credential: sent as HTTP Basic
    :param authentication: what gives the ``Authorization`` header; see :mod:`mesos.auth`
    :param timeout: the seconds to wait for a connection, the beginning of an answer, and each further part of it
    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: the address is not valid
    """

    def attach_container_input(
        self, container_id: str | mesos_pb2.ContainerID, process_ios: Iterable[agent_pb2.ProcessIO | bytes]
    ) -> None:
        """Sends a container its standard input, and returns when all of it was sent.

        Heartbeats are sent as well, every 30 seconds, for agents that end an input that is silent. A container has one
        input at a time, and can be attached to again: its standard input stays open until an empty piece is sent.

        :param process_ios: bytes of standard input, or messages, such as those that tell the size of a terminal
        """
        first = self._first_of_input(container_id)
        _containers.check_input(process_ios)
        stream = self._opened_input()
        with stream:
            _containers.feed(stream, first, process_ios)
            self._check("ATTACH_CONTAINER_INPUT", stream.answer(self._timeout))

    def _begin(self, name: str, fields: dict[str, object]) -> ContainerOutput:
        output = self._noted(ContainerOutput(self._opened(name, fields)))
        self._check(name, output._stream.answer(), streamed=True)
        return output


class MasterClient(MasterCalls, Transport[master_pb2.Call, master_pb2.Response]):
    """A client of the leading master.

    A method makes each call of the operator API and returns its answer: a message, or what that holds if it is only one
    thing. It raises :class:`mesos.errors.RequestRefusedError` if the call is refused,
    :class:`mesos.errors.UnreachableError` if there is no connection, and :class:`mesos.errors.AnswerTimeoutError` if
    there is no answer in time. Ids are messages or their text; durations are seconds.

    >>> from mesos.local import LocalCluster
    >>> from mesos.operator import MasterClient
    >>> with LocalCluster() as cluster:
    ...     master = MasterClient(cluster)
    ...     master.update_weights({"analytics": 2.0})
    ...     print(master.get_health(), master.get_weights(), len(master.get_agents().agents))
    True {'analytics': 2.0} 1

    :param master: as for :class:`mesos.scheduler.MesosSchedulerDriver`: text, such as an address, a URL with a path, or
        a list of these with commas between them; or a cluster
    :param credential: sent as HTTP Basic
    :param authentication: what gives the ``Authorization`` header; see :mod:`mesos.auth`
    :param timeout: the seconds to wait for a leading master, a connection, the beginning of an answer, and each further
        part of it
    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: the address is not valid
    :raises ClusterError: the master is ``local`` and its cluster could not be started
    """

    def events(self, timeout: float | None = None) -> MasterEvents:
        """Subscribes to the events of the leading master, and returns an iterator over them.

        SUBSCRIBED with the state of the cluster is the first one. It comes again, instead of the events that were
        missed, after each new connection: to the master when it has been restarted, or to a new leader. Heartbeats are
        left out.

        :param timeout: the seconds to wait for an event; if None, there is no limit. After an
            :class:`mesos.errors.AnswerTimeoutError`, the next one can be waited for again
        """
        return self._noted(MasterEvents(self._subscription(), _arguments.seconds(timeout, "timeout"), self._ask_why))

    def _ask_why(self) -> None:
        """Raises the refusal of a subscription with its status."""
        with self._opened("SUBSCRIBE", {}) as stream:
            self._check("SUBSCRIBE", stream.answer(), streamed=True)

    def agent(self, agent: master_pb2.Response.GetAgents.Agent) -> AgentClient:
        """Returns a client of an agent that :meth:`get_agents` has returned. It authenticates as this client does.

        :raises ArgumentValueError: the agent has not registered since the master started
        """
        return self._beside(AgentClient, self._agent_address(agent))
