#!/usr/bin/env python3
"""Shows what runs on a cluster, drains one of its agents, and returns when no task is left on it.

Run it as ``drain_agent.py MASTER [AGENT_ID]``. Without an agent, it only shows what runs.
"""

import contextlib
import sys

from mesos.errors import AnswerTimeoutError
from mesos.operator import MasterClient
from mesos.v1.interface import master_pb2, mesos_pb2


def show(state: master_pb2.Response.GetState) -> None:
    for agent in state.get_agents.agents:
        print("agent", agent.agent_info.id.value, "on", agent.agent_info.hostname)
    for framework in state.get_frameworks.frameworks:
        print("framework", framework.framework_info.name)
    for task in state.get_tasks.tasks:
        print("task", task.task_id.value, mesos_pb2.TaskState.Name(task.state), "on", task.agent_id.value)


def show_update(event: master_pb2.Event) -> None:
    if event.type == master_pb2.Event.TASK_UPDATED:
        print("task", event.task_updated.status.task_id.value, mesos_pb2.TaskState.Name(event.task_updated.state))


def is_drained(master: MasterClient, agent_id: str) -> bool:
    agents = master.get_agents().agents
    states = [agent.drain_info.state for agent in agents if agent.agent_info.id.value == agent_id]
    # An agent that is to be gone when it is drained is not there any more.
    return mesos_pb2.DRAINED in states or not states


def drain(master: MasterClient, agent_id: str) -> None:
    with master.events(timeout=1) as events:
        next(events)  # SUBSCRIBED
        master.drain_agent(agent_id, max_grace_period=10)
        is_over = False
        while not is_over:
            # No event tells that an agent is drained: ask after each one, and once a second.
            with contextlib.suppress(AnswerTimeoutError):
                show_update(next(events))
            is_over = is_drained(master, agent_id)
    print("drained", agent_id)


def main(address: str, agent_id: str | None = None) -> None:
    with MasterClient(address) as master:
        show(master.get_state())
        if agent_id is not None:
            drain(master, agent_id)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["local"]))
