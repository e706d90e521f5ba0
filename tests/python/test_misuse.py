"""What does nothing, or not what it looks like, is warned of once, and returns what it does with libmesos."""

from __future__ import annotations

import functools
import logging
import threading
import unittest.mock
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import MesosWarning
from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver
from mesos.v1 import mesos_pb2 as v1_pb2

from tests.python.support import (
    Recorder,
    exit_status_of_executor,
    framework,
    running,
    task,
    wait_until,
)
from tests.python.test_driver import SLEEP

if TYPE_CHECKING:
    from collections.abc import Iterator


def driver_of(scheduler: Any, master: str = "localhost:1") -> MesosSchedulerDriver:
    return MesosSchedulerDriver(scheduler, framework(), master)


def warned(made: list[warnings.WarningMessage]) -> list[str]:
    assert all(each.category is MesosWarning and each.filename == __file__ for each in made)
    return [str(each.message) for each in made]


@pytest.fixture
def told() -> Iterator[list[warnings.WarningMessage]]:
    """Every warning, however often it comes."""
    with warnings.catch_warnings(record=True) as made:
        warnings.simplefilter("always")
        yield made


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "mesos" and r.levelno >= logging.WARNING]


def with_methods(base: type, *names: str) -> Any:
    return type("Mine", (base,), {name: lambda self, *_: None for name in names})()


class TestNearMisses:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("resourceOffer", "resourceOffers"),
            ("resource_offers", "resourceOffers"),
            ("resource_offer", "resourceOffers"),
            ("status_update", "statusUpdate"),
            ("StatusUpdate", "statusUpdate"),
            ("statusupdate", "statusUpdate"),
            ("statusUpdates", "statusUpdate"),
            ("statusUpdaet", "statusUpdate"),
            ("statusUpdste", "statusUpdate"),
            ("registerd", "registered"),
            ("reRegistered", "reregistered"),
            ("slavesLost", "slaveLost"),
            ("Error", "error"),
        ],
    )
    def test_a_scheduler_s(self, name: str, meant: str, told: list[warnings.WarningMessage]) -> None:
        driver_of(with_methods(Scheduler, name))
        said = f"Mine has methods that no driver calls: {name} (meant as {meant}?)"
        assert warned(told) == [said]
        driver_of(with_methods(object, name))
        assert warned(told) == [said] * 2

    def test_an_executor_s(self, told: list[warnings.WarningMessage]) -> None:
        MesosExecutorDriver(with_methods(Executor, "launch_task", "killtask", "shut_down"))
        assert warned(told) == [
            "Mine has methods that no driver calls: launch_task (meant as launchTask?), killtask (meant as killTask?), "
            "shut_down (meant as shutdown?)"
        ]

    def test_methods_of_the_object_alone_count(self, told: list[warnings.WarningMessage]) -> None:
        scheduler = Scheduler()
        scheduler.resourceOffer = print  # type: ignore[attr-defined]
        driver_of(scheduler)
        assert len(warned(told)) == 1

    def test_one_beside_the_right_one_is_a_helper(self) -> None:
        driver_of(with_methods(Scheduler, "statusUpdate", "status_update", "resourceOffers", "resourceOffer"))
        scheduler = with_methods(Scheduler, "status_update")
        scheduler.statusUpdate = print
        driver_of(scheduler)
        MesosExecutorDriver(with_methods(Executor, "launchTask", "launchTasks"))

    def test_helpers_have_names_of_their_own(self) -> None:
        helpers = (
            "launch_task launchTask kill_task offer offers update updates register unregister deregistered errors "
            "reregister disconnect lost slave_list slave_host slaveHost executor_host executors shut_down "
            "message framework_messages_of resources status on_error handle_error rescind run start stop join"
        )
        driver_of(with_methods(Scheduler, *helpers.split()))

    def test_a_property_may_give_the_right_one(self) -> None:
        class Mine(Scheduler):
            @property
            def statusUpdate(self) -> Any:  # type: ignore[override]
                return self.status_update

            def status_update(self, *_: Any) -> None: ...

        driver_of(Mine())

    def test_what_is_no_method_is_none(self) -> None:
        class Mine(Scheduler):
            status_update = "text"
            Error = ValueError

            @property
            def resourceOffer(self) -> Any:
                raise AssertionError

            def _statusupdate(self) -> None: ...

        driver_of(Mine())

    def test_an_object_that_makes_its_attributes_up_may_have_the_right_one(self) -> None:
        class Delegates:
            def __getattr__(self, name: str) -> Any:
                return print

            def resourceOffer(self) -> None: ...

        driver_of(Delegates())
        driver_of(unittest.mock.MagicMock(resourceOffer=1))

    def test_schedulers_with_nothing_wrong(self) -> None:
        class Slots:
            __slots__ = ()

        for scheduler in (Scheduler(), Recorder(), Slots(), object(), 1):
            driver_of(scheduler)


class TestBeforeStart:
    CALLS: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("requestResources", ([],)),
        ("launchTasks", ("o", [])),
        ("killTask", ("t",)),
        ("acceptOffers", (["o"], [])),
        ("declineOffer", ("o",)),
        ("reviveOffers", ()),
        ("reviveOffers", ([],)),
        ("suppressOffers", ()),
        ("sendFrameworkMessage", ("e", "s", b"")),
        ("reconcileTasks", ([],)),
        ("updateFramework", (framework(), [])),
        ("join", ()),
    )

    @pytest.mark.parametrize(("call", "arguments"), CALLS)
    def test_a_scheduler_driver_s_calls(
        self, call: str, arguments: tuple[Any, ...], told: list[warnings.WarningMessage]
    ) -> None:
        driver = driver_of(Scheduler())
        for _ in range(2):
            assert getattr(driver, call)(*arguments) == mesos_pb2.DRIVER_NOT_STARTED
        assert warned(told) == [f"{call}() has no effect before start()"]

    def test_acknowledging(self, told: list[warnings.WarningMessage]) -> None:
        driver = MesosSchedulerDriver(Scheduler(), framework(), "localhost:1", implicitAcknowledgements=False)
        status = mesos_pb2.TaskStatus(task_id={"value": "t"}, state=mesos_pb2.TASK_RUNNING)
        assert driver.acknowledgeStatusUpdate(status) == mesos_pb2.DRIVER_NOT_STARTED
        assert warned(told) == ["acknowledgeStatusUpdate() has no effect before start()"]

    def test_an_executor_driver_s_calls(self, told: list[warnings.WarningMessage]) -> None:
        status = mesos_pb2.TaskStatus(task_id={"value": "t"}, state=mesos_pb2.TASK_RUNNING)
        for call, arguments in (("sendStatusUpdate", (status,)), ("sendFrameworkMessage", (b"",)), ("join", ())):
            driver = MesosExecutorDriver(Executor())
            assert getattr(driver, call)(*arguments) == mesos_pb2.DRIVER_NOT_STARTED
            assert warned(told)[-1] == f"{call}() has no effect before start()"

    def test_to_end_a_driver_is_no_misuse(self) -> None:
        for driver in (driver_of(Scheduler()), MesosExecutorDriver(Executor())):
            assert driver.stop() == driver.abort() == mesos_pb2.DRIVER_NOT_STARTED
            with driver:
                pass


def test_a_second_start_and_run_are_warned_of_once(master: str, told: list[warnings.WarningMessage]) -> None:
    said = "has no effect on a driver that was already started: a driver runs once, create another one"
    for again in ("start", "run"):
        with running(master, Recorder()) as driver:
            driver.stop()
            for _ in range(2):
                assert getattr(driver, again)() == mesos_pb2.DRIVER_STOPPED
        assert warned(told) == [f"{again}() {said}"]
        told.clear()


def test_a_driver_that_runs_once_is_not_warned_of(master: str) -> None:
    scheduler = Recorder(registered=lambda driver, *_: driver.stop())
    driver = driver_of(scheduler, master)
    assert driver.run() == driver.stop() == driver.join() == mesos_pb2.DRIVER_STOPPED


class TestAnotherKind:
    def test_an_id_of_another_kind_is_taken_and_warned_of(
        self, master: str, told: list[warnings.WarningMessage]
    ) -> None:
        scheduler = Recorder()
        with running(master, scheduler) as driver:
            offer = scheduler.offer()
            launched = task(offer, SLEEP)
            driver.launchTasks(offer.id, [launched])
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
            for _ in range(2):
                driver.killTask(mesos_pb2.FrameworkID(value=launched.task_id.value))  # type: ignore[arg-type]
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED)
        assert warned(told) == [
            "expected a mesos_pb2.TaskID as taskId, got a FrameworkID: its bytes are parsed as a TaskID, as by libmesos"
        ]

    def test_under_w_error_the_call_is_not_made(self, master: str) -> None:
        scheduler = Recorder()
        with running(master, scheduler) as driver:
            offer = scheduler.offer()
            with pytest.raises(MesosWarning, match="expected a mesos_pb2.OfferID as offerId, got a SlaveID"):
                driver.declineOffer(offer.slave_id)  # type: ignore[arg-type]

    def test_each_of_an_iterable_is_looked_at(self, told: list[warnings.WarningMessage]) -> None:
        driver_of(Scheduler()).launchTasks([mesos_pb2.OfferID(value="o"), mesos_pb2.TaskID(value="t")], [])  # type: ignore[list-item]
        assert warned(told)[0].startswith("expected a mesos_pb2.OfferID as offerIds[1], got a TaskID")

    def test_the_same_kind_of_another_api_is_the_same(self, master: str) -> None:
        with running(master, Recorder()) as driver:
            driver.killTask(v1_pb2.TaskID(value="t"))  # type: ignore[arg-type]
            driver.sendFrameworkMessage(v1_pb2.ExecutorID(value="e"), v1_pb2.AgentID(value="s"), b"")  # type: ignore[arg-type]

    def test_an_object_that_only_serializes_is_of_no_kind(self, master: str) -> None:
        fake = unittest.mock.Mock(SerializeToString=mesos_pb2.TaskID(value="t").SerializeToString)
        with running(master, Recorder()) as driver:
            driver.killTask(fake)


class TestInCallbacks:
    """In callbacks it is logged: under -W error, as here, a warning would abort the driver."""

    def test_a_scheduler_s(self, master: str, caplog: pytest.LogCaptureFixture) -> None:
        other = driver_of(Scheduler())

        def misuse(driver: Any, *_: Any) -> None:
            for _ in range(2):
                assert driver.start() == mesos_pb2.DRIVER_RUNNING
                driver.killTask(mesos_pb2.SlaveID(value="t"))
                assert other.reviveOffers() == mesos_pb2.DRIVER_NOT_STARTED
            driver_of(with_methods(Scheduler, "resourceOffer"))
            driver.stop()

        assert driver_of(Recorder(registered=misuse), master).run(check=True) == mesos_pb2.DRIVER_STOPPED
        assert [said.partition(" ")[0] for said in logged(caplog)] == ["start()", "expected", "reviveOffers()", "Mine"]

    @pytest.mark.parametrize("wait", ["join", "run"])
    def test_waiting_for_oneself(self, master: str, wait: str, caplog: pytest.LogCaptureFixture) -> None:
        returned: list[int] = []
        scheduler = Recorder(registered=lambda driver, *_: returned.append(getattr(driver, wait)()))
        driver = driver_of(scheduler, master)
        driver.start()
        wait_until(lambda: any("in a callback of the same driver" in said for said in logged(caplog)), "a warning")
        driver.stop()
        assert driver.join() == mesos_pb2.DRIVER_STOPPED
        wait_until(lambda: returned, "the callback returned")
        assert returned == [mesos_pb2.DRIVER_STOPPED]

    def test_waiting_for_another_driver_or_not_for_long(self, master: str, caplog: pytest.LogCaptureFixture) -> None:
        other = driver_of(Recorder(registered=lambda driver, *_: driver.stop()), master)

        def wait(driver: Any, *_: Any) -> None:
            other.run(check=True)
            assert driver.join(timeout=0) == mesos_pb2.DRIVER_RUNNING
            driver.stop()
            driver.join()

        driver_of(Recorder(registered=wait), master).run(check=True)
        assert logged(caplog) == []

    def test_an_executor_s(self, master: str) -> None:
        code = """
import logging, sys
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2
told = []
class Handler(logging.Handler):
    def emit(self, record): told.append(record.getMessage())
logging.getLogger("mesos").addHandler(Handler())
class Misusing(Executor):
    def launchTask(self, driver, task):
        driver.start()
        driver.start()
        driver.stop()
assert MesosExecutorDriver(Misusing()).run(check=True) == mesos_pb2.DRIVER_STOPPED
sys.exit(7 if len(told) == 1 and told[0].startswith("start() ") else 8)
"""
        assert exit_status_of_executor(master, code, "-W error") == 7


def test_a_subclass_s_caller_is_named(told: list[warnings.WarningMessage]) -> None:
    class Mine(MesosSchedulerDriver):
        pass

    make = functools.partial(Mine, with_methods(Scheduler, "resourceOffer"), framework(), "localhost:1")
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    Mine(with_methods(Scheduler, "resourceOffer"), framework(), "localhost:1")
    assert [each.filename for each in told] == [threading.__file__, __file__]
