"""The clients of the operator API whose calls are awaited."""

from __future__ import annotations

from mesos.operator._agent import AgentCalls
from mesos.operator._master import MasterCalls
from mesos.operator._transport import AsyncTransport
from mesos.v1.interface import agent_pb2, master_pb2


class AgentClient(AgentCalls, AsyncTransport[agent_pb2.Call, agent_pb2.Response]):
    """A client of an agent whose calls are awaited; see :class:`mesos.operator.AgentClient`.

    >>> import asyncio
    >>> from mesos import aio
    >>> from mesos.local import LocalCluster
    >>> async def main():
    ...     master = aio.MasterClient(cluster)
    ...     for found in (await master.get_agents()).agents:
    ...         agent = master.agent(found)
    ...         print((await agent.get_version()).version, len(await agent.get_containers()))
    >>> with LocalCluster() as cluster:
    ...     asyncio.run(main())
    1.11.0 0
    """


class MasterClient(MasterCalls, AsyncTransport[master_pb2.Call, master_pb2.Response]):
    """A client of the leading master whose calls are awaited; see :class:`mesos.operator.MasterClient`.

    >>> import asyncio
    >>> from mesos import aio
    >>> from mesos.local import LocalCluster
    >>> async def main():
    ...     async with aio.MasterClient(cluster) as master:
    ...         await master.update_weights({"analytics": 2.0})
    ...         print(await asyncio.gather(master.get_health(), master.get_weights()))
    >>> with LocalCluster() as cluster:
    ...     asyncio.run(main())
    [True, {'analytics': 2.0}]
    """

    def agent(self, agent: master_pb2.Response.GetAgents.Agent) -> AgentClient:
        """Returns a client of an agent that :meth:`get_agents` has returned. It authenticates as this client does.

        :raises ArgumentValueError: the agent has not registered since the master started
        """
        return AgentClient(
            self._agent_address(agent),
            credential=self._credential,
            authentication=self._authentication,
            timeout=self._timeout,
        )
