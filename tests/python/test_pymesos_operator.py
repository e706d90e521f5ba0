"""pymesos' operator drivers: calls and events of both masters, and calls of a real agent."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import UnreachableError
from mesos.pymesos import MesosOperatorAgentDriver, MesosOperatorMasterDriver, OperatorMaster
from mesos.pymesos.operator_v1 import OperatorRequestError

from tests.python.support import WAIT_SECONDS, Recorder, framework, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesos.local import LocalCluster


class Told(OperatorMaster):
    """Puts each callback into a queue."""

    def __init__(self) -> None:
        self.told: queue.Queue[tuple[str, Any]] = queue.Queue()

    def __getattribute__(self, name: str) -> Any:
        if name[:4] in ("task", "fram", "agen"):
            return lambda event: self.told.put((name, event))
        return super().__getattribute__(name)

    def wait(self, name: str, where: Callable[[Any], object] = lambda _: True) -> Any:
        while True:
            told, event = self.told.get(timeout=WAIT_SECONDS)
            if told == name and where(event):
                return event


def test_calls_need_no_start(master: str) -> None:
    driver = MesosOperatorMasterDriver(master)
    assert driver.getHealth() == {"type": "GET_HEALTH", "get_health": {"healthy": True}}
    assert driver.getVersion()["get_version"]["version_info"]["version"] == "1.11.0"
    assert driver.getMaintenanceSchedule()["get_maintenance_schedule"] == {"schedule": {}}


def test_a_call_that_is_refused_says_so(master: str) -> None:
    driver = MesosOperatorMasterDriver(master)
    with pytest.raises(OperatorRequestError, match="code=400") as raised:
        driver._send({"type": "MARK_AGENT_GONE"})
    assert raised.value.status == 400
    with pytest.raises(RuntimeError, match="Failed to send request code=404"):
        driver.markAgentGone("nobody")


def test_calls_that_ask_what_there_is(master: str) -> None:
    driver = MesosOperatorMasterDriver(master)
    assert len(driver.getAgents()["get_agents"]["agents"]) == 2
    for call in (driver.getState, driver.getFlags, driver.getFrameworks, driver.getExecutors, driver.getTasks):
        answer = call()
        assert set(answer) == {"type", answer["type"].lower()}
    for call in (driver.getRoles, driver.getMaster, driver.getLoggingLevel, driver.getMaintenanceStatus):
        assert call()["type"].startswith("GET_")
    assert driver.getMetrics(10**9)["get_metrics"]["metrics"]


def test_calls_of_an_agent(master: str) -> None:
    agents = MesosOperatorMasterDriver(master).getAgents()["get_agents"]["agents"]
    path = agents[0]["pid"].split("@")[0]
    agent = MesosOperatorAgentDriver(f"http://{master}/{path}")
    assert agent.getHealth()["get_health"] == {"healthy": True}
    assert agent.getContainers()["type"] == "GET_CONTAINERS"
    assert agent.getState()["get_state"].keys() >= {"get_tasks"}


def test_events_tell_what_happens(master: str) -> None:
    operator = Told()
    driver = MesosOperatorMasterDriver(master, operator, use_addict=True)
    driver.start()
    try:
        wait_until(lambda: driver.connected, "the driver is subscribed")
        scheduler = Recorder()
        with running(master, scheduler, framework(name="watched")) as run:
            added = operator.wait("frameworkAdded", lambda event: event.framework_info.name == "watched")
            offer = scheduler.wait("resourceOffers")[0]
            launched = task(offer)
            run.launchTasks(offer.id, [launched])
            assert operator.wait("taskAdded").task_id.value == launched.task_id.value
            operator.wait("taskUpdated", lambda event: event.state == "TASK_FINISHED")
        removed = operator.wait("frameworkRemoved")
        assert removed.id == added.framework_info.id
        assert driver.connected
    finally:
        driver.stop()
        driver.join()
    assert driver.aborted


def test_agents_that_come_and_go(embedded: LocalCluster) -> None:
    operator = Told()
    driver = MesosOperatorMasterDriver(embedded.address, operator)
    driver.start()
    wait_until(lambda: driver.connected, "the driver is subscribed")
    agent = embedded.add_agent(resources="cpus:1;mem:64", attributes="rack:a")
    added = operator.wait("agentAdded")
    assert added["agent_info"]["id"]["value"] == agent.id
    assert added["agent_info"]["attributes"] == [{"name": "rack", "type": "TEXT", "text": {"value": "a"}}]
    agent.remove()
    assert operator.wait("agentRemoved") == agent.id
    driver.stop()
    driver.join()


def test_an_event_calls_the_method_of_its_type() -> None:
    operator = Told()
    driver = MesosOperatorMasterDriver("127.0.0.1:1", operator)
    driver.on_event({"type": "AGENT_REMOVED", "agent_removed": {"agent_id": {"value": "a"}}})
    assert operator.wait("agentRemoved") == "a"
    driver.on_event({"type": "HEARTBEAT"})


def test_nobody_listens() -> None:
    with pytest.raises(UnreachableError, match="Connection refused"):
        MesosOperatorAgentDriver("127.0.0.1:1").getHealth()
