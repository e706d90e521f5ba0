"""What Apache's own Python example framework exercises (`src/examples/python/test_framework.py`), on the real Mesos.

Five tasks on an executor of the framework's own, data with NUL bytes both ways, a framework message to the executor
for each task and back, a role that is suppressed at first, implicit and explicit acknowledgements, authentication.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.testing import Mesos

from tests.apache_mesos import ApacheMesos, wants_credential
from tests.python.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

TASKS = 5
DATA = b"data with a \x00 byte"
MESSAGE = b"message with a \x00 byte"
AMOUNTS = (("cpus", 0.5), ("mem", 32))
END_SECONDS = 60


def add(resources: Any, amounts: tuple[tuple[str, float], ...]) -> None:
    for name, amount in amounts:
        resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount


class ExampleScheduler(Scheduler):
    def __init__(self, implicit: bool, executor: mesos_pb2.ExecutorInfo, info: mesos_pb2.FrameworkInfo) -> None:
        self.implicit, self.executor, self.info = implicit, executor, info
        self.launched, self.finished, self.messages_sent, self.messages_received = 0, 0, 0, 0
        self.agents: dict[str, str] = {}

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        self.info.id.MergeFrom(frameworkId)
        driver.updateFramework(self.info, [])

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            tasks = []
            cpus = sum(r.scalar.value for r in offer.resources if r.name == "cpus")
            while self.launched < TASKS and cpus >= 0.5 * (len(tasks) + 1):
                tasks.append(self.task(offer))
            operation = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.LAUNCH)
            operation.launch.task_infos.extend(tasks)
            driver.acceptOffers([offer.id], [operation])

    def task(self, offer: Any) -> mesos_pb2.TaskInfo:
        task = mesos_pb2.TaskInfo(name=f"task {self.launched}", data=DATA)
        task.task_id.value = str(self.launched)
        task.slave_id.value = offer.slave_id.value
        task.executor.MergeFrom(self.executor)
        add(task.resources, AMOUNTS)
        self.agents[task.task_id.value] = offer.slave_id.value
        self.launched += 1
        return task

    def statusUpdate(self, driver: Any, status: Any) -> None:
        assert status.data == DATA
        if status.state == mesos_pb2.TASK_FINISHED:
            self.finished += 1
            agent = mesos_pb2.SlaveID(value=self.agents[status.task_id.value])
            self.messages_sent += 1
            driver.sendFrameworkMessage(self.executor.executor_id, agent, MESSAGE)
        else:
            assert status.state == mesos_pb2.TASK_RUNNING
        if not self.implicit:
            driver.acknowledgeStatusUpdate(status)

    def frameworkMessage(self, driver: Any, executorId: Any, slaveId: Any, message: Any) -> None:
        self.messages_received += 1
        assert message == MESSAGE
        if self.messages_received == TASKS:
            driver.stop()


@pytest.fixture(scope="module")
def guarded(apache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheMesos]:
    """A real master that takes frameworks only with a credential."""
    work = tmp_path_factory.mktemp("guarded")
    flags = wants_credential(work / "credentials", "alice", "s3cret")
    with ApacheMesos(apache_home, work, flags=flags) as mesos:
        yield mesos


def play(master: str, implicit: bool, principal: str | None = None, executor_file: str = "example.py") -> None:
    executor = mesos_pb2.ExecutorInfo(name="echo", source="example")
    executor.executor_id.value = "default"
    executor.command.value = f"exec {sys.executable} {ROOT / 'tests' / 'executors' / executor_file}"
    add(executor.resources, (("cpus", 0.1), ("mem", 32)))
    info = mesos_pb2.FrameworkInfo(user="", name="example", checkpoint=True)
    info.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.MULTI_ROLE)
    info.roles.append("*")
    credential = None
    if principal is not None:
        info.principal = principal
        credential = mesos_pb2.Credential(principal=principal, secret="s3cret")
    scheduler = ExampleScheduler(implicit, executor, info)
    with Mesos(master) as mesos:
        framework = mesos.start(
            scheduler, info, implicitAcknowledgements=implicit, credential=credential, suppressedRoles=["*"]
        )
        assert framework.join(END_SECONDS) == mesos_pb2.DRIVER_STOPPED
    assert (scheduler.launched, scheduler.finished) == (TASKS, TASKS)
    assert (scheduler.messages_sent, scheduler.messages_received) == (TASKS, TASKS)


@pytest.fixture(scope="module", params=["apache", "embedded"])
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of the real Mesos, and of an embedded cluster."""
    if request.param == "apache":
        yield request.getfixturevalue("apache_mesos").address
    else:
        with LocalCluster(resources="cpus:4;mem:10240") as embedded:
            yield embedded.address


@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "explicit"])
def test_the_example_framework(cluster: str, implicit: bool) -> None:
    play(cluster, implicit)


def test_the_example_framework_with_an_executor_of_plain_http(cluster: str) -> None:
    play(cluster, True, executor_file="echo.py")


@pytest.mark.apache
@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "explicit"])
def test_the_example_framework_with_authentication(guarded: ApacheMesos, implicit: bool) -> None:
    play(guarded.address, implicit, "alice")
