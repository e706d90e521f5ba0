"""What frameworks that others wrote rely on in pymesos' API; ``tests/frameworks`` runs them themselves."""

from __future__ import annotations

import ast
import os
import pwd
import queue
import sys
from abc import ABC, abstractmethod
from typing import Any

import addict
import pytest
from mesos.pymesos import MesosSchedulerDriver, Scheduler, decode_data, encode_data

from tests.python.support import EXECUTORS, WAIT_SECONDS


class Beats:
    def __init__(self) -> None:
        self.seen: list[Any] = []


class Today(Beats, Scheduler):
    def processHeartBeat(self, driver: MesosSchedulerDriver) -> None:
        self.seen.append(driver)


class UntilPymesos0310(Beats):
    def processHeartBeat(self) -> None:
        self.seen.append(None)


@pytest.mark.parametrize("kind", [Today, UntilPymesos0310])
def test_a_heartbeat_is_told_with_and_without_the_driver(kind: type[Beats]) -> None:
    scheduler = kind()
    driver = MesosSchedulerDriver(scheduler, {"user": "", "name": "beats"}, "127.0.0.1:1")
    driver.on_event({"type": "HEARTBEAT"})
    assert scheduler.seen == [driver if kind is Today else None]


def test_a_scheduler_without_heartbeats_needs_none() -> None:
    driver = MesosSchedulerDriver(object(), {"user": "", "name": "beats"}, "127.0.0.1:1")
    driver.on_event({"type": "HEARTBEAT"})


class BatchSystem(ABC):
    def __init__(self, config: str) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def shutdown(self) -> None: ...


class LikeToil(BatchSystem, Scheduler):
    """One task with an executor of its own, as Toil's batch system describes it."""

    def __init__(self, states: str) -> None:
        super().__init__("config")
        self.states = states
        self.told: queue.Queue[Any] = queue.Queue()
        self.launched = False

    def shutdown(self) -> None: ...

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        self.told.put(("registered", driver.version, masterInfo.port > 0, bool(frameworkId.value)))

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            if self.launched:
                driver.declineOffer(offer.id, addict.Dict(refuse_seconds=0xFFFFFFFF))
                continue
            self.launched = True
            assert "value" in offer.agent_id
            assert list(offer.attributes) == []
            task = addict.Dict()
            task.task_id.value = "1"
            task.agent_id.value = offer.agent_id.value
            task.name = "job"
            task.data = encode_data(self.states.encode())
            executor = addict.Dict()
            executor.name = "like toil"
            executor.command.value = f"exec {sys.executable} {EXECUTORS / 'patched.py'}"
            executor.executor_id.value = "like-toil"
            executor.source = "tests"
            task.executor = addict.Dict(executor)
            task.resources = [addict.Dict(name="cpus", type="SCALAR"), addict.Dict(name="mem", type="SCALAR")]
            task.resources[0].scalar.value = 0.5
            task.resources[1].scalar.value = 64
            driver.launchTasks(offer.id, [task])

    def statusUpdate(self, driver: Any, update: Any) -> None:
        labels = [float(label["value"]) for label in update.labels.labels if label["key"] == "wallTime"]
        self.told.put((update.state, update.message or "", labels, "limitation" in update))

    def frameworkMessage(self, driver: Any, executorId: Any, agentId: Any, message: str) -> None:
        told = ast.literal_eval(decode_data(message).decode())
        seen = bool(told["address"]), told["agent"].startswith("slave")
        self.told.put((executorId.value, bool(agentId.value), told["events"][:2], *seen))


@pytest.mark.parametrize(
    "states", ["TASK_RUNNING TASK_FINISHED TASK_FINISHED", "TASK_RUNNING TASK_FAILED TASK_FINISHED"]
)
def test_a_batch_system_like_toil_s(master: str, states: str) -> None:
    scheduler = LikeToil(states)
    framework = addict.Dict()
    framework.user = pwd.getpwuid(os.getuid()).pw_name
    framework.name = framework.principal = "like toil"
    framework.roles = "science"  # a text where a list belongs, as with --mesosRole
    framework.capabilities = [{"type": "MULTI_ROLE"}]
    driver = MesosSchedulerDriver(scheduler, framework, master, use_addict=True, implicit_acknowledgements=True)
    _, end, _ = states.split()
    # The message may overtake updates, and whether the second end is told is left to chance: it is if the agent has it
    # after the first was acknowledged.
    expected = [
        ("registered", "1.11.0", True, True),
        ("TASK_RUNNING", "", [1.5], False),
        (end, "", [1.5], False),
        ("like-toil", True, ["SUBSCRIBED", "LAUNCH"], True, True),
    ]
    told: list[Any] = []
    driver.start()
    try:
        while not all(each in told for each in expected):
            told.append(scheduler.told.get(timeout=WAIT_SECONDS))
    finally:
        driver.stop()
    assert driver.join() in (None, "DRIVER_STOPPED")
    updates = [each[0] for each in told if str(each[0]).startswith("TASK_")]
    assert updates in (["TASK_RUNNING", end], ["TASK_RUNNING", end, "TASK_FINISHED"])
