"""Drivers that record, and messages that are made up: unit tests of callbacks without a master."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError, DriverError
from mesos.interface import ExecutorDriver, Scheduler, SchedulerDriver, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver
from mesos.testing import Call, RecordingDriver, RecordingExecutorDriver, fake_offer, fake_update

from tests.python.support import filters, task


class Launcher(Scheduler):
    """Launches a task on each offer that is large enough, and again if it failed."""

    def __init__(self) -> None:
        self.launched = 0

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            cpus = sum(resource.scalar.value for resource in offer.resources if resource.name == "cpus")
            if cpus < 1:
                driver.declineOffer(offer.id)
                continue
            self.launched += 1
            made = task(offer)
            made.task_id.value = f"task-{self.launched}"
            driver.launchTasks(offer.id, [made])

    def statusUpdate(self, driver: Any, status: Any) -> None:
        if status.state == mesos_pb2.TASK_FAILED:
            driver.reviveOffers()
        elif status.state == mesos_pb2.TASK_FINISHED:
            driver.stop()


def test_a_scheduler_is_tested_without_a_master() -> None:
    scheduler, driver = Launcher(), RecordingDriver()
    scheduler.resourceOffers(driver, [fake_offer(cpus=2), fake_offer(cpus=0.5, offer_id="small")])
    assert [each.task_id.value for each in driver.launched] == ["task-1"]
    assert driver.declined == ["small"]
    scheduler.statusUpdate(driver, fake_update(driver.launched[0], "TASK_FAILED"))
    assert driver.called("reviveOffers") == [Call("reviveOffers", {"roles": None})]
    scheduler.statusUpdate(driver, fake_update("task-1", "TASK_FINISHED"))
    assert [call.name for call in driver.calls] == ["launchTasks", "declineOffer", "reviveOffers", "stop"]


@pytest.mark.parametrize(
    ("recording", "real", "interface"),
    [
        (RecordingDriver, MesosSchedulerDriver, SchedulerDriver),
        (RecordingExecutorDriver, MesosExecutorDriver, ExecutorDriver),
    ],
)
def test_the_methods_have_the_signatures_of_the_real_driver(recording: type, real: type, interface: type) -> None:
    names = [name for name, value in vars(interface).items() if inspect.isfunction(value)]
    assert len(names) >= 7
    for name in names:
        assert inspect.signature(getattr(recording, name)) == inspect.signature(getattr(real, name)), name
    assert issubclass(recording, real)


def test_arguments_are_checked_as_by_the_real_driver() -> None:
    driver = RecordingDriver()
    offer = fake_offer()
    with pytest.raises(ArgumentTypeError, match="expected a mesos_pb2.TaskInfo as tasks"):
        driver.launchTasks(offer.id, [offer.id.value])  # type: ignore[list-item]
    with pytest.raises(ArgumentValueError, match=r"(?s)complete mesos_pb2.TaskInfo as tasks.0.*name"):
        driver.launchTasks(offer.id, [mesos_pb2.TaskInfo()])
    with pytest.raises(DriverError, match="implicitAcknowledgements=False"):
        driver.acknowledgeStatusUpdate(fake_update("task-1"))
    with pytest.raises(TypeError, match="argument"):
        driver.killTask()  # type: ignore[call-arg]
    assert driver.calls == []


def test_a_call_is_kept_as_it_was_made() -> None:
    driver = RecordingDriver()
    offer = fake_offer()
    made = task(offer)
    name = made.task_id.value
    driver.launchTasks(offer.id, (each for each in [made]), filters(7))
    made.task_id.value = "changed later"
    assert [each.task_id.value for each in driver.launched] == [name]
    (call,) = driver.calls
    assert (call.offerIds, call.filters.refuse_seconds) == (offer.id, 7)
    assert repr(call) == f"launchTasks({offer.id.value}, [{name}], refuse_seconds=7)"
    with pytest.raises(AttributeError, match="launchTasks has no argument 'offers'"):
        _ = call.offers


def test_operations_count_as_launches() -> None:
    driver = RecordingDriver()
    offer = fake_offer()
    alone, together = (mesos_pb2.Offer.Operation(type=kind) for kind in (1, 6))
    alone.launch.task_infos.append(task(offer))
    together.launch_group.executor.executor_id.value = "executor"
    together.launch_group.task_group.tasks.append(task(offer))
    driver.acceptOffers([offer.id], [alone, together])
    assert len(driver.launched) == 2
    assert driver.declined == []
    driver.launchTasks([offer.id], [])
    driver.killTask("task-1")
    assert (driver.declined, driver.killed) == ([offer.id.value], ["task-1"])


def test_a_driver_that_was_stopped_takes_no_calls() -> None:
    driver = RecordingDriver()
    assert driver.start() == mesos_pb2.DRIVER_RUNNING
    assert driver.reviveOffers() == mesos_pb2.DRIVER_RUNNING
    with pytest.raises(DriverError, match="wait for ever|wait forever"):
        driver.run()
    assert driver.abort() == mesos_pb2.DRIVER_ABORTED
    assert driver.stop() == mesos_pb2.DRIVER_ABORTED
    assert driver.run() == driver.join() == mesos_pb2.DRIVER_STOPPED
    assert driver.killTask("task-1") == mesos_pb2.DRIVER_STOPPED
    assert driver.killed == []
    assert driver.called("killTask")[0].returned == mesos_pb2.DRIVER_STOPPED


def test_explicit_acknowledgements_are_recorded() -> None:
    driver = RecordingDriver(implicitAcknowledgements=False)
    status = fake_update("task-1")
    driver.acknowledgeStatusUpdate(status)
    assert driver.called("acknowledgeStatusUpdate")[0].status == status


def test_an_executor_is_tested_without_an_agent() -> None:
    driver = RecordingExecutorDriver()
    for state in ("TASK_RUNNING", "TASK_FINISHED"):
        driver.sendStatusUpdate(fake_update("task-1", state))
    driver.sendFrameworkMessage("done")
    assert driver.states("task-1") == ["TASK_RUNNING", "TASK_FINISHED"]
    assert driver.called("sendFrameworkMessage")[0].data == "done"
    with pytest.raises(ArgumentTypeError, match="TaskStatus as status"):
        driver.sendStatusUpdate("TASK_RUNNING")  # type: ignore[arg-type]


def test_an_offer_is_complete() -> None:
    offer = fake_offer(
        2, 512, 100, "[31000-31004,31010-31014]", resources={"gpus": 1, "zones": "{a, b}"}, role="dev",
        attributes={"rack": "a", "level": 3, "slots": "[1-4]"}, agent_id="agent-7", hostname="node7",
    )  # fmt: skip
    assert offer.IsInitialized()
    assert {each.name: mesos_pb2.Value.Type.Name(each.type) for each in offer.resources} == {
        "cpus": "SCALAR", "mem": "SCALAR", "disk": "SCALAR", "ports": "RANGES", "gpus": "SCALAR", "zones": "SET",
    }  # fmt: skip
    ports = next(each for each in offer.resources if each.name == "ports").ranges.range
    assert [(each.begin, each.end) for each in ports] == [(31000, 31004), (31010, 31014)]
    assert {each.allocation_info.role for each in offer.resources} == {offer.allocation_info.role} == {"dev"}
    assert [mesos_pb2.Value.Type.Name(each.type) for each in offer.attributes] == ["TEXT", "SCALAR", "RANGES"]
    assert (offer.slave_id.value, offer.hostname) == ("agent-7", "node7")
    assert fake_offer().id != fake_offer().id
    assert [each.name for each in fake_offer(cpus=0).resources] == ["mem"]


def test_an_update_is_complete() -> None:
    status = fake_update("task-1", "TASK_LOST", "gone", reason="REASON_SLAVE_REMOVED")
    assert status.IsInitialized()
    assert (status.task_id.value, status.message, len(bytes(status.uuid))) == ("task-1", "gone", 16)
    assert status.source == mesos_pb2.TaskStatus.SOURCE_MASTER
    assert status.reason == mesos_pb2.TaskStatus.REASON_SLAVE_REMOVED
    running = fake_update(task(fake_offer(agent_id="agent-7")), mesos_pb2.TASK_RUNNING, healthy=True, data="x")
    assert (running.slave_id.value, running.healthy, running.data) == ("agent-7", True, "x")
    assert running.source == mesos_pb2.TaskStatus.SOURCE_EXECUTOR
    assert running.uuid != status.uuid


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: fake_update("task-1", "RUNNING"), ArgumentValueError, "TASK_RUNNING.* as state, got 'RUNNING'"),
        (lambda: fake_update("task-1", 99), ArgumentValueError, "as state, got 99"),
        (lambda: fake_update("task-1", None), ArgumentTypeError, "as state, got NoneType"),
        (lambda: fake_offer(cpus="many"), ArgumentValueError, "as the resource cpus, got 'many'"),
        (lambda: fake_offer(resources={"gpus": [1]}), ArgumentTypeError, "as the resource gpus, got list"),
        (lambda: fake_offer(attributes={"rack": True}), ArgumentTypeError, "as the attribute rack, got bool"),
    ],
)
def test_errors_name_the_argument(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
