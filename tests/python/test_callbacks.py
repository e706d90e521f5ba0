"""Which schedulers and executors a driver takes, and what it makes of coroutines and generators."""

from __future__ import annotations

import contextvars
import functools
import gc
import subprocess
import sys
import types
import unittest.mock
import warnings
from typing import TYPE_CHECKING, Any

import mesos.interface
import pytest
from mesos.errors import ArgumentTypeError
from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver

from tests.python.support import Recorder, exit_status_of_executor, framework, running, task
from tests.python.test_driver import SLEEP

if TYPE_CHECKING:
    from collections.abc import Callable


def driver_of(scheduler: Any, master: str = "localhost:1") -> MesosSchedulerDriver:
    return MesosSchedulerDriver(scheduler, framework(), master)


async def coroutine(*_: Any) -> None: ...


async def asynchronous_generator(*_: Any) -> Any:
    yield


def generator(*_: Any) -> Any:
    yield


class Called:
    async def __call__(self, *_: Any) -> None: ...


class Awaits:
    async def method(self, *_: Any) -> None: ...


ASYNCHRONOUS = [
    pytest.param(coroutine, "a coroutine function", id="coroutine"),
    pytest.param(asynchronous_generator, "an asynchronous generator function", id="asynchronous generator"),
    pytest.param(generator, "a generator function", id="generator"),
    pytest.param(functools.partial(coroutine, 1), "a coroutine function", id="partial"),
    pytest.param(functools.partialmethod(generator, 1), "a generator function", id="partialmethod"),
    pytest.param(staticmethod(coroutine), "a coroutine function", id="staticmethod"),
    pytest.param(classmethod(coroutine), "a coroutine function", id="classmethod"),
    pytest.param(Called(), "a coroutine function", id="object with such a __call__"),
    pytest.param(Awaits().method, "a coroutine function", id="bound method"),
]


@pytest.mark.parametrize(("callback", "kind"), ASYNCHRONOUS)
def test_an_asynchronous_callback_is_refused_at_once(callback: Any, kind: str) -> None:
    said = f"the callback statusUpdate of Mine, got {kind}.*calls plain functions"
    mine = type("Mine", (Scheduler,), {"statusUpdate": callback})
    with pytest.raises(ArgumentTypeError, match=said):
        driver_of(mine())
    said = f"the callback launchTask of Mine, got {kind}.*calls plain functions"
    mine = type("Mine", (Executor,), {"launchTask": callback})
    with pytest.raises(ArgumentTypeError, match=said):
        MesosExecutorDriver(mine())


def test_an_asynchronous_callback_that_is_set_later_is_refused_by_start() -> None:
    scheduler, runner = Scheduler(), Executor()
    driver, other = driver_of(scheduler), MesosExecutorDriver(runner)
    scheduler.registered = coroutine  # type: ignore[method-assign]
    runner.shutdown = generator  # type: ignore[method-assign]
    with pytest.raises(ArgumentTypeError, match="registered"):
        driver.start()
    with pytest.raises(ArgumentTypeError, match="registered"):
        driver.run()
    with pytest.raises(ArgumentTypeError, match="shutdown"):
        other.start()


def test_a_plain_function_around_a_coroutine_function_is_taken() -> None:
    @functools.wraps(coroutine)
    def plain(*_: Any) -> None: ...

    driver_of(type("Mine", (Scheduler,), {"statusUpdate": plain})())


def test_looking_at_callbacks_runs_none_of_an_object_s_own_code() -> None:
    class Touchy:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

        @property
        def registered(self) -> Any:
            raise AssertionError("registered")

    driver_of(Touchy())
    MesosExecutorDriver(Touchy())
    for mock in (unittest.mock.MagicMock(), unittest.mock.Mock(spec=Scheduler), unittest.mock.AsyncMock()):
        driver_of(mock)
        MesosExecutorDriver(mock)
        assert mock._mock_children == {}
        assert mock.mock_calls == []


def test_a_mock_is_called_back(master: str) -> None:
    mock = unittest.mock.MagicMock()
    mock.registered.side_effect = lambda driver, *_: driver.stop()
    assert driver_of(mock, master).run() == mesos_pb2.DRIVER_STOPPED
    mock.registered.assert_called_once()


async def never_awaited() -> None: ...


@pytest.mark.usefixtures("callbacks_may_raise")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (never_awaited, "the coroutine never_awaited"),
        (generator, "the generator generator"),
        (asynchronous_generator, "the asynchronous generator asynchronous_generator"),
    ],
)
def test_an_update_whose_callback_returned_a_coroutine_is_not_acknowledged(
    master: str, make: Callable[[], Any], kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    class Returning(Recorder):
        def statusUpdate(self, driver: Any, status: Any) -> Any:
            super().statusUpdate(driver, status)
            return make()

    def launch(driver: Any, offers: Any) -> None:
        driver.launchTasks(offers[0].id, [task(offers[0], SLEEP)])

    info = framework(failover_timeout=60)
    scheduler = Returning(resourceOffers=launch)
    driver = MesosSchedulerDriver(scheduler, info, master)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert driver.run() == mesos_pb2.DRIVER_ABORTED
        gc.collect()
    shown = capfd.readouterr().err
    assert "Failed to call scheduler's statusUpdate\n" in shown
    assert f"got {kind}: a driver calls plain functions" in shown
    assert "never awaited" not in shown
    assert isinstance(driver.exception, ArgumentTypeError)
    lost = scheduler.wait("statusUpdate")
    info.id.CopyFrom(next(e.arguments[0] for e in scheduler.seen if e.name == "registered"))
    successor = Recorder()
    with running(master, successor, info):
        assert successor.wait("statusUpdate", lambda s: s.uuid == lost.uuid).state == lost.state


def test_an_executor_s_callback_that_returns_a_coroutine_aborts_it(master: str) -> None:
    code = """
import sys
from mesos.errors import ArgumentTypeError
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2
async def later(): pass
class Later(Executor):
    launchTask = lambda self, driver, task: later()
driver = MesosExecutorDriver(Later())
sys.exit(7 if driver.run() == mesos_pb2.DRIVER_ABORTED and isinstance(driver.exception, ArgumentTypeError) else 8)
"""
    assert exit_status_of_executor(master, code, "-W error") == 7


@pytest.mark.usefixtures("callbacks_may_raise")
def test_an_error_callback_that_returns_a_coroutine_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    scheduler = type("Mine", (Scheduler,), {"error": lambda *_: never_awaited()})()
    assert driver_of(scheduler, "nowhere").start() == mesos_pb2.DRIVER_ABORTED
    shown = capfd.readouterr().err
    assert "Failed to call scheduler's error\n" in shown
    assert "never awaited" not in shown


@pytest.mark.usefixtures("callbacks_may_raise")
def test_what_a_callback_returns_else_counts_for_nothing(master: str) -> None:
    scheduler = unittest.mock.MagicMock(spec=Scheduler)
    scheduler.registered = lambda driver, *_: driver.reviveOffers()
    scheduler.resourceOffers = lambda driver, offers: [driver.stop(), object()]
    assert driver_of(scheduler, master).run() == mesos_pb2.DRIVER_STOPPED


class TestNoScheduler:
    def test_none(self) -> None:
        with pytest.raises(ArgumentTypeError, match="callbacks as scheduler, got None"):
            driver_of(None)
        with pytest.raises(ArgumentTypeError, match="callbacks as executor, got None"):
            MesosExecutorDriver(None)

    def test_a_class(self) -> None:
        for cls in (Scheduler, Recorder, dict):
            with pytest.raises(ArgumentTypeError, match=rf"got the class {cls.__name__}.* use {cls.__name__}\(\)"):
                driver_of(cls)
        with pytest.raises(ArgumentTypeError, match=r"expected an instance as executor, got the class Executor"):
            MesosExecutorDriver(Executor)

    def test_a_class_whose_callbacks_want_no_instance(self, master: str) -> None:
        class Static:
            @staticmethod
            def registered(driver: Any, frameworkId: Any, masterInfo: Any) -> None:
                driver.stop()

        class Meta(type):
            def registered(cls, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
                driver.stop()

        class Made(metaclass=Meta): ...

        for cls in (Static, Made):
            assert driver_of(cls, master).run() == mesos_pb2.DRIVER_STOPPED

    def test_a_module(self, master: str) -> None:
        module = types.ModuleType("module")
        module.registered = lambda driver, *_: driver.stop()  # type: ignore[attr-defined]
        assert driver_of(module, master).run() == mesos_pb2.DRIVER_STOPPED

    def test_libmesos_takes_anything_else(self) -> None:
        for thing in (1, "text", object(), mesos.interface):
            driver_of(thing)
            MesosExecutorDriver(thing)


def test_a_program_with_an_asynchronous_callback_says_so() -> None:
    code = """
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
class S(Scheduler):
    async def statusUpdate(self, driver, status): pass
MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="f"), "local").run()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert (
        done.stderr.rstrip().rpartition("\n")[2].startswith("mesos.errors.ArgumentTypeError: expected a plain function")
    )


def test_callbacks_run_in_a_copy_of_the_context_in_which_the_driver_was_started(master: str) -> None:
    value: contextvars.ContextVar[str] = contextvars.ContextVar("value", default="unset")
    seen = []

    class Looking(Scheduler):
        def registered(self, driver: MesosSchedulerDriver, frameworkId: Any, masterInfo: Any) -> None:
            seen.append(value.get())
            value.set("set by a callback")

        def resourceOffers(self, driver: MesosSchedulerDriver, offers: Any) -> None:
            seen.append(value.get())
            driver.stop()

    def run() -> None:
        value.set("set before the start")
        with MesosSchedulerDriver(Looking(), framework(), master) as driver:
            driver.start()
            value.set("set after the start")
            driver.join(check=True, timeout=60)
        seen.append(value.get())

    contextvars.copy_context().run(run)
    assert seen == ["set before the start", "set by a callback", "set after the start"]
