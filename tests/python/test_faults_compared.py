"""The same events on the embedded cluster and on the real Mesos, where they can be caused: the same trace."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver
from mesos.operator import MasterClient

from tests.apache_mesos import ApacheMesos
from tests.python.proxy import Proxy
from tests.python.support import Recorder, capable, executor, framework, running, task, task_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESOURCES = "cpus:8;mem:8192;disk:20000;ports:[31000-32000]"


class Town(Protocol):
    """A cluster with two agents, and what can happen to it."""

    address: str

    def cut(self) -> None:
        """Break the connection of the only framework."""

    def operate(self, call: str, **fields: Any) -> None:
        """An operator's call."""

    def restart(self) -> None:
        """Kill the whole cluster, and start it again on the same directory."""


class Embedded:
    def __init__(self) -> None:
        self.cluster = LocalCluster(agents=2, resources=RESOURCES, allocation_interval=0.2)
        self.address = self.cluster.address

    def cut(self) -> None:
        self.cluster.frameworks[0].disconnect()

    def operate(self, call: str, **fields: Any) -> None:
        operate(self.address, call, **fields)

    def restart(self) -> None:
        agents = self.cluster.agents
        self.cluster.restart_master()
        for agent in agents:
            agent.restart()

    def stop(self) -> None:
        self.cluster.stop(drivers=False)


class Apache:
    def __init__(self, home: Path, work_dir: Path, launcher: Path) -> None:
        # Mesos' own command executor is not in Apache's package, and what stands in for it does not reconnect.
        # Executors try again at intervals that grow while the agents are away, and with them the time that they need.
        flags = {"MESOS_LAUNCHER_DIR": str(launcher), "MESOS_EXECUTOR_REREGISTRATION_TIMEOUT": "5secs"}
        self.cluster = ApacheMesos(home, work_dir, agents=2, flags=flags)
        self.cluster.start()
        self.proxy = Proxy(self.cluster.address)
        self.address = self.proxy.address

    def cut(self) -> None:
        self.proxy.cut()

    def operate(self, call: str, **fields: Any) -> None:
        operate(self.cluster.address, call, **fields)

    def restart(self) -> None:
        time.sleep(0.5)  # no event tells that an agent has written an acknowledgement down
        self.cluster.kill()
        self.cluster.start()

    def stop(self) -> None:
        self.proxy.close()
        self.cluster.stop()


def operate(address: str, call: str, **fields: Any) -> None:
    body = json.dumps({"type": call.upper(), call: fields}).encode()
    request = urllib.request.Request(
        f"http://{address}/api/v1", body, {"Content-Type": "application/json", "Accept": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30):
        pass


def is_completed(address: str, task_id: str) -> bool:
    with MasterClient(address) as client:
        return any(task.task_id.value == task_id for task in client.get_tasks().completed_tasks)


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.apache)])
def town(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Embedded | Apache]:
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
    if request.param == "embedded":
        made: Embedded | Apache = Embedded()
    else:
        home, launcher = request.getfixturevalue("apache_home"), request.getfixturevalue("our_launcher")
        made = Apache(home, tmp_path / "work", launcher)
    with contextlib.closing(_Stopping(made)):
        yield made


class _Stopping:
    def __init__(self, town: Embedded | Apache) -> None:
        self.close = town.stop


class Witness(Recorder):
    """Writes down what its framework is told of its tasks and agents."""

    def __init__(self) -> None:
        super().__init__()
        self.trace: list[str] = []

    def slaveLost(self, driver: Any, slaveId: Any) -> None:
        self._record("slaveLost", driver, slaveId)

    def _record(self, name: str, driver: Any, *arguments: Any) -> None:
        if name == "statusUpdate":
            line = shown(arguments[0])
            # An update may come again before it is acknowledged.
            if line not in self.trace[-1:]:
                self.trace.append(line)
        elif name not in ("resourceOffers", "offerRescinded", "registered", "frameworkMessage"):
            self.trace.append(name)
        super()._record(name, driver, *arguments)

    def run_task(self, driver: MesosSchedulerDriver, made: Any = None) -> mesos_pb2.TaskStatus:
        """Launches a task, waits until it runs, and forgets what came until then."""
        offer = self.offer()
        made = made(offer) if made else task(offer, "sleep 300")
        driver.launchTasks(offer.id, [made])
        status = self.state(made.task_id.value, mesos_pb2.TASK_RUNNING)
        # What is acknowledged is not sent again.
        driver.reconcileTasks([])
        self.wait("statusUpdate", lambda status: status.reason == mesos_pb2.TaskStatus.REASON_RECONCILIATION)
        self.trace.clear()
        return status

    def ask(self, driver: MesosSchedulerDriver, status: mesos_pb2.TaskStatus) -> None:
        """Reconciles a task, and waits for the answer."""
        driver.reconcileTasks([status])
        self.wait("statusUpdate", lambda status: status.reason == mesos_pb2.TaskStatus.REASON_RECONCILIATION)


def shown(status: mesos_pb2.TaskStatus) -> str:
    words = [mesos_pb2.TaskState.Name(status.state)]
    words.append(mesos_pb2.TaskStatus.Source.Name(status.source).removeprefix("SOURCE_"))
    if status.HasField("reason"):
        words.append(mesos_pb2.TaskStatus.Reason.Name(status.reason).removeprefix("REASON_"))
    words += [field for field in ("uuid", "executor_id", "unreachable_time") if status.HasField(field)]
    return " ".join([*words, f"({status.message})"])


def info(*capabilities: str, **fields: Any) -> mesos_pb2.FrameworkInfo:
    return framework(failover_timeout=600, capabilities=capable(*capabilities), **fields)


def test_a_cut_connection(town: Town) -> None:
    scheduler = Witness()
    with running(town.address, scheduler, info()) as driver:
        status = scheduler.run_task(driver)
        town.cut()
        scheduler.wait("reregistered")
        scheduler.ask(driver, status)
        driver.killTask(status.task_id)
        scheduler.state(status.task_id.value, mesos_pb2.TASK_KILLED)
    assert scheduler.trace == [
        "disconnected",
        "reregistered",
        "TASK_RUNNING MASTER RECONCILIATION (Reconciliation: Latest task state)",
        "TASK_KILLED EXECUTOR uuid executor_id (Command terminated with signal Terminated)",
    ]


@pytest.mark.parametrize(
    ("capabilities", "gone"),
    [
        (["PARTITION_AWARE"], "TASK_GONE_BY_OPERATOR MASTER SLAVE_REMOVED_BY_OPERATOR (Agent has been marked gone)"),
        ([], "TASK_LOST MASTER SLAVE_REMOVED (Agent has been marked gone)"),
    ],
)
def test_an_agent_that_is_marked_gone(town: Town, capabilities: list[str], gone: str) -> None:
    scheduler = Witness()
    with running(town.address, scheduler, info(*capabilities)) as driver:
        status = scheduler.run_task(driver)
        town.operate("mark_agent_gone", agent_id={"value": status.slave_id.value})
        scheduler.wait("slaveLost")
        scheduler.ask(driver, status)
    state = gone.split()[0]
    assert scheduler.trace == [gone, "slaveLost", f"{state} MASTER RECONCILIATION (Reconciliation: Task is gone)"]


def test_an_agent_that_is_marked_gone_with_a_custom_executor(town: Town) -> None:
    scheduler = Witness()
    with running(town.address, scheduler, info("PARTITION_AWARE")) as driver:
        status = scheduler.run_task(driver, lambda offer: task_of(offer, executor(), "running"))
        town.operate("mark_agent_gone", agent_id={"value": status.slave_id.value})
        scheduler.wait("slaveLost")
    assert scheduler.trace == [
        "TASK_GONE_BY_OPERATOR MASTER SLAVE_REMOVED_BY_OPERATOR executor_id (Agent has been marked gone)",
        "slaveLost",
    ]


@pytest.mark.parametrize("gone", [False, True])
def test_an_agent_that_is_drained(town: Town, gone: bool) -> None:
    scheduler = Witness()
    with running(town.address, scheduler, info("PARTITION_AWARE")) as driver:
        status = scheduler.run_task(driver)
        town.operate("drain_agent", agent_id={"value": status.slave_id.value}, mark_gone=gone)
        scheduler.wait("statusUpdate")
        if gone:
            scheduler.wait("slaveLost")
        else:  # until the end is acknowledged, the master answers with it
            wait_until(lambda: is_completed(town.address, status.task_id.value), "the task is completed")
        scheduler.ask(driver, status)
    words = "EXECUTOR SLAVE_DRAINING uuid executor_id (Command terminated with signal Terminated)"
    if gone:
        assert scheduler.trace == [
            f"TASK_GONE_BY_OPERATOR {words}",
            "slaveLost",
            "TASK_GONE_BY_OPERATOR MASTER RECONCILIATION (Reconciliation: Task is gone)",
        ]
    else:
        unknown = "TASK_GONE MASTER RECONCILIATION (Reconciliation: Task is unknown to the agent)"
        assert scheduler.trace == [f"TASK_KILLED {words}", unknown]


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_cluster_that_is_restarted(town: Town, checkpoint: bool) -> None:
    scheduler = Witness()
    with running(town.address, scheduler, info("PARTITION_AWARE", checkpoint=checkpoint)) as driver:
        status = scheduler.run_task(driver)
        town.restart()
        scheduler.wait("reregistered")
        scheduler.offers_of_agents(2)
        scheduler.ask(driver, status)
        if checkpoint:
            driver.killTask(status.task_id)
            scheduler.state(status.task_id.value, mesos_pb2.TASK_KILLED)
    known = [
        "TASK_RUNNING MASTER RECONCILIATION (Reconciliation: Latest task state)",
        "TASK_KILLED EXECUTOR uuid executor_id (Command terminated with signal Terminated)",
    ]
    unknown = ["TASK_GONE MASTER RECONCILIATION (Reconciliation: Task is unknown to the agent)"]
    assert scheduler.trace == ["disconnected", "reregistered", *(known if checkpoint else unknown)]


def test_a_cluster_that_is_restarted_with_a_custom_executor(town: Town) -> None:
    scheduler = Witness()
    with running(town.address, scheduler, info("PARTITION_AWARE", checkpoint=True)) as driver:
        status = scheduler.run_task(driver, lambda offer: task_of(offer, executor(), "running"))
        town.restart()
        scheduler.wait("reregistered")
        scheduler.offers_of_agents(2)
        scheduler.ask(driver, status)
    assert scheduler.trace == [
        "disconnected",
        "reregistered",
        "TASK_RUNNING MASTER RECONCILIATION executor_id (Reconciliation: Latest task state)",
    ]


def test_a_framework_that_fails_over(town: Town) -> None:
    first, second = Witness(), Witness()
    with running(town.address, first, info()) as driver:
        status = first.run_task(driver)
        framework_id = mesos_pb2.FrameworkID()
        framework_id.value = first.seen[0].arguments[0].value
        again = info(id=framework_id)
        with running(town.address, second, again) as other:
            second.wait("registered")
            first.wait("error")
            second.ask(other, status)
            other.killTask(status.task_id)
            second.state(status.task_id.value, mesos_pb2.TASK_KILLED)
    assert first.trace == ["error"]
    assert second.trace == [
        "TASK_RUNNING MASTER RECONCILIATION (Reconciliation: Latest task state)",
        "TASK_KILLED EXECUTOR uuid executor_id (Command terminated with signal Terminated)",
    ]
