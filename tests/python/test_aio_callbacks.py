"""Callbacks of classic drivers that are coroutine functions run in the loop that the driver is given."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import ArgumentTypeError, DriverError
from mesos.interface import Executor, Scheduler, mesos_pb2
from mesos.native import MesosExecutorDriver, MesosSchedulerDriver

from tests.python.support import Recorder, executor, framework, running, task, task_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesos.local import LocalCluster


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs in a thread of its own."""
    made = asyncio.new_event_loop() if request.param == "asyncio" else pytest.importorskip("uvloop").new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    if not made.is_closed():
        made.call_soon_threadsafe(made.stop)
        thread.join()
        made.close()


class Launcher(Scheduler):
    """Launches one task and notes the states that its coroutines have seen to their end."""

    def __init__(self) -> None:
        self.states: list[int] = []
        self.threads: set[int] = set()
        self.at_once = self.most_at_once = 0
        self.launched = False

    async def resourceOffers(self, driver: Any, offers: Any) -> None:
        await asyncio.sleep(0)
        if not self.launched:
            self.launched = True
            driver.launchTasks(offers[0].id, [task(offers[0])])

    async def statusUpdate(self, driver: Any, status: Any) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.threads.add(threading.get_ident())
        await asyncio.sleep(0.01)
        self.states.append(status.state)
        self.at_once -= 1
        if status.state == mesos_pb2.TASK_FINISHED:
            driver.stop()


def test_coroutines_run_in_the_loop_in_order_and_one_at_a_time(master: str, loop: asyncio.AbstractEventLoop) -> None:
    scheduler = Launcher()
    driver = MesosSchedulerDriver(scheduler, framework(), master, loop=loop)
    assert driver.run(check=True) == mesos_pb2.DRIVER_STOPPED
    assert scheduler.states == [mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING, mesos_pb2.TASK_FINISHED]
    assert scheduler.most_at_once == 1
    assert scheduler.threads != {threading.get_ident()}
    assert len(scheduler.threads) == 1


def test_an_update_is_acknowledged_after_its_coroutine_has_ended(
    embedded: LocalCluster, loop: asyncio.AbstractEventLoop
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    class Slow(Launcher):
        async def statusUpdate(self, driver: Any, status: Any) -> None:
            begun.set()
            await asyncio.to_thread(may_end.wait)
            await super().statusUpdate(driver, status)

    driver = MesosSchedulerDriver(Slow(), framework(), embedded, loop=loop)
    driver.start()
    assert begun.wait(30)
    acknowledged = [each for each in embedded.history() if "ACKNOWLEDGE" in str(each)]
    assert acknowledged == []
    may_end.set()
    assert driver.join(check=True, timeout=30) == mesos_pb2.DRIVER_STOPPED
    assert [each for each in embedded.history() if "ACKNOWLEDGE" in str(each)] != []


@pytest.mark.usefixtures("callbacks_may_raise")
def test_an_exception_of_a_coroutine_aborts_the_driver(embedded: LocalCluster, loop: asyncio.AbstractEventLoop) -> None:
    class Raises(Scheduler):
        async def registered(self, *_: Any) -> None:
            await asyncio.sleep(0)
            raise TimeoutError("on purpose")

    driver = MesosSchedulerDriver(Raises(), framework(), embedded, loop=loop)
    with pytest.raises(TimeoutError, match="on purpose"):
        driver.run(check=True)
    assert isinstance(driver.exception, TimeoutError)


@pytest.mark.usefixtures("callbacks_may_raise")
def test_a_loop_that_is_closed_aborts_the_driver(embedded: LocalCluster) -> None:
    loop = asyncio.new_event_loop()
    begun = threading.Event()

    class Waits(Scheduler):
        async def registered(self, *_: Any) -> None:
            begun.set()
            await asyncio.Event().wait()

    driver = MesosSchedulerDriver(Waits(), framework(), embedded, loop=loop)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    driver.start()
    assert begun.wait(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    # asyncio.run cancels the tasks; a program of its own may only close the loop.
    waiting = asyncio.all_tasks(loop)
    loop.close()
    with pytest.raises(DriverError, match="the loop was closed while the callback registered ran in it"):
        driver.join(check=True, timeout=30)
    for each in waiting:
        each.cancel = None  # type: ignore[method-assign,assignment]
        each._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_wait_in_the_thread_of_the_loop_is_refused(embedded: LocalCluster) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        driver = MesosSchedulerDriver(Launcher(), framework(), embedded, loop=loop)
        with pytest.raises(DriverError, match=r"would be blocked.*to_thread\(driver.join\)"):
            driver.run()
        driver.start()
        with pytest.raises(DriverError, match=r"would be blocked.*to_thread\(driver.join\)"):
            driver.join(timeout=1)
        assert await asyncio.to_thread(driver.join, check=True) == mesos_pb2.DRIVER_STOPPED

    asyncio.run(main())


def test_an_error_in_the_thread_of_the_loop_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = []

    class Tells(Scheduler):
        async def error(self, _: Any, message: str) -> None:
            told.append(message)

    async def main() -> None:
        driver = MesosSchedulerDriver(Tells(), framework(), "zk://", loop=asyncio.get_running_loop())
        assert driver.start() == mesos_pb2.DRIVER_ABORTED
        await asyncio.sleep(0)

    asyncio.run(main())
    assert len(told) == 1


def test_only_a_loop_is_taken_and_only_coroutines_run_in_it() -> None:
    with pytest.raises(ArgumentTypeError, match="expected an asyncio event loop as loop, got str 'loop'"):
        MesosSchedulerDriver(Scheduler(), framework(), "localhost:1", loop="loop")  # type: ignore[arg-type]

    class Generates(Scheduler):
        def registered(self, *_: Any) -> Any:
            yield

    loop = asyncio.new_event_loop()
    with pytest.raises(ArgumentTypeError, match="got a generator function.*does not iterate"):
        MesosSchedulerDriver(Generates(), framework(), "localhost:1", loop=loop)
    loop.close()


def test_without_a_loop_the_refusal_names_it() -> None:
    class Runs(Executor):
        async def launchTask(self, *_: Any) -> None: ...

    with pytest.raises(ArgumentTypeError, match="the callback resourceOffers of Launcher.*unless it is given loop="):
        MesosSchedulerDriver(Launcher(), framework(), "localhost:1")
    with pytest.raises(ArgumentTypeError, match="the callback launchTask of Runs.*unless it is given loop="):
        MesosExecutorDriver(Runs())


EXECUTOR = """
import asyncio, threading
from mesos.interface import Executor, mesos_pb2
from mesos.native import MesosExecutorDriver

class Mine(Executor):
    async def launchTask(self, driver, task):
        await asyncio.sleep(0)
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=task.task_id, state=mesos_pb2.TASK_FINISHED))
    async def shutdown(self, driver):
        driver.stop()

async def main():
    driver = MesosExecutorDriver(Mine(), loop=asyncio.get_running_loop())
    driver.start()
    await asyncio.to_thread(driver.join)

asyncio.run(main())
"""


def test_an_executor_has_coroutines_too(master: str) -> None:
    made = executor()
    made.command.value = f'exec {sys.executable} -c "$CODE"'
    made.command.environment.variables.add(name="CODE", value=EXECUTOR)
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task_of(offer, made)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
