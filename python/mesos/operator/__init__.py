"""Clients of the operator API, ``/api/v1`` of masters and agents, with the messages of :mod:`mesos.v1.interface`.

Those with ``await`` are :class:`mesos.aio.MasterClient` and :class:`mesos.aio.AgentClient`.
"""

from mesos.operator._clients import AgentClient, MasterClient
from mesos.operator._containers import ContainerOutput
from mesos.operator._events import MasterEvents

__all__ = ["AgentClient", "ContainerOutput", "MasterClient", "MasterEvents"]
