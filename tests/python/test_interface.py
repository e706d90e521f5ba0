"""`mesos.interface`: the classic signatures, and base methods that do nothing."""

from __future__ import annotations

import inspect

import mesos.interface
import pytest
from mesos.interface import Executor, ExecutorDriver, Scheduler, SchedulerDriver

SIGNATURES = {
    Scheduler: {
        "registered": "driver, frameworkId, masterInfo",
        "reregistered": "driver, masterInfo",
        "disconnected": "driver",
        "resourceOffers": "driver, offers",
        "offerRescinded": "driver, offerId",
        "statusUpdate": "driver, status",
        "frameworkMessage": "driver, executorId, slaveId, message",
        "slaveLost": "driver, slaveId",
        "executorLost": "driver, executorId, slaveId, status",
        "error": "driver, message",
    },
    SchedulerDriver: {
        "start": "",
        "stop": "failover=False",
        "abort": "",
        "join": "",
        "run": "",
        "requestResources": "requests",
        "launchTasks": "offerIds, tasks, filters=None",
        "killTask": "taskId",
        "acceptOffers": "offerIds, operations, filters=None",
        "declineOffer": "offerId, filters=None",
        "reviveOffers": "roles=None",
        "suppressOffers": "roles=None",
        "acknowledgeStatusUpdate": "status",
        "sendFrameworkMessage": "executorId, slaveId, data",
        "reconcileTasks": "tasks",
        "updateFramework": "frameworkInfo, suppressedRoles",
    },
    Executor: {
        "registered": "driver, executorInfo, frameworkInfo, slaveInfo",
        "reregistered": "driver, slaveInfo",
        "disconnected": "driver",
        "launchTask": "driver, task",
        "killTask": "driver, taskId",
        "frameworkMessage": "driver, message",
        "shutdown": "driver",
        "error": "driver, message",
    },
    ExecutorDriver: {
        "start": "",
        "stop": "",
        "abort": "",
        "join": "",
        "run": "",
        "sendStatusUpdate": "status",
        "sendFrameworkMessage": "data",
    },
}


@pytest.mark.parametrize("cls", SIGNATURES, ids=lambda cls: cls.__name__)
def test_signatures_are_the_classic_ones(cls: type) -> None:
    methods = {name: value for name, value in vars(cls).items() if inspect.isfunction(value)}
    plain = {}
    for name, method in methods.items():
        parameters = list(inspect.signature(method).parameters.values())[1:]
        plain[name] = ", ".join(str(p.replace(annotation=p.empty)) for p in parameters)
    assert plain == SIGNATURES[cls]


@pytest.mark.parametrize("cls", SIGNATURES, ids=lambda cls: cls.__name__)
def test_base_methods_do_nothing(cls: type) -> None:
    for name in SIGNATURES[cls]:
        method = getattr(cls(), name)
        required = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
        assert method(*[None] * len(required)) is None


def test_errors_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Scheduler().error(SchedulerDriver(), "the scheduler's")
    Executor().error(ExecutorDriver(), "the executor's")
    assert capsys.readouterr().err == "Error from Mesos: the scheduler's \nError from Mesos: the executor's\n"


def test_star_import_works() -> None:
    assert mesos.interface.__all__ == sorted(mesos.interface.__all__)
    assert all(hasattr(mesos.interface, name) for name in mesos.interface.__all__)
