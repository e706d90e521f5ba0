"""`mesos.interface`: the classic signatures, and base methods that do nothing."""

from __future__ import annotations

import inspect
import subprocess
import sys

import mesos.executor
import mesos.interface
import mesos.native
import mesos.scheduler
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


def test_the_names_of_before_0_20() -> None:
    """One flat module, as the upgrade guide's fallback still imports it."""
    code = """
import mesos
assert not hasattr(mesos, "Resource")
import sys
assert "mesos.interface" not in sys.modules and "google.protobuf" not in sys.modules
from mesos import Executor, ExecutorDriver, MesosExecutorDriver, MesosSchedulerDriver, Scheduler, SchedulerDriver
import mesos_pb2
from mesos.interface import mesos_pb2 as new
assert mesos.Scheduler is Scheduler and issubclass(MesosSchedulerDriver, SchedulerDriver)
assert issubclass(MesosExecutorDriver, ExecutorDriver) and Executor.__module__ == "mesos.interface"
assert mesos_pb2.TaskInfo is new.TaskInfo and mesos_pb2._TASKINFO is new._TASKINFO
assert set(mesos.__all__) <= set(dir(mesos))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "code",
    [
        "from mesos.interface import *; Scheduler, SchedulerDriver, Executor, ExecutorDriver",
        "from mesos.native import *; MesosSchedulerDriver, MesosExecutorDriver",
        "from mesos import *; Scheduler, MesosSchedulerDriver",
        "from mesos_pb2 import *; TaskInfo, TASK_RUNNING, DRIVER_STOPPED",
        "from mesos.interface.mesos_pb2 import *; TaskInfo, TASK_RUNNING, DRIVER_STOPPED",
        "import mesos, mesos_pb2; mesos.Scheduler, mesos.MesosSchedulerDriver, mesos_pb2.TaskInfo",
        "import mesos.interface, mesos.native; mesos.interface.Scheduler, mesos.native.MesosSchedulerDriver",
        "import mesos.native; mesos.interface.mesos_pb2.TaskInfo",
        "import mesos.scheduler, mesos.executor; mesos.scheduler.MesosSchedulerDriver, mesos.executor.MesosExecutorDriver",
        "import mesos.interface.mesos_pb2 as mesos_pb2; mesos_pb2.TaskInfo",
        "try:\n    from mesos.native import MesosExecutorDriver\nexcept ImportError:\n    raise AssertionError",
    ],
)
def test_imports_of_every_era(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_names_of_every_module_are_sorted_and_there() -> None:
    for module in (mesos, mesos.interface, mesos.native, mesos.scheduler, mesos.executor):
        assert module.__all__ == sorted(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)
