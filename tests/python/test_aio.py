"""``mesos.aio``: events are iterated over in an event loop, on the same driver as the classic API."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from mesos import aio
from mesos.errors import ArgumentTypeError, ArgumentValueError, DriverAbortedError, DriverError
from mesos.local import LocalCluster
from mesos.v1.interface import mesos_pb2

from tests.python.support import EXECUTORS, WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

FINISHED = mesos_pb2.TASK_FINISHED
LOOPS = {"asyncio": asyncio.run, "uvloop": uvloop.run}


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(main, 2 * WAIT_SECONDS))


def task(offer: mesos_pb2.Offer, name: str = "1", command: str = "true", cpus: float = 0.1) -> mesos_pb2.TaskInfo:
    made = mesos_pb2.TaskInfo(name=name, task_id={"value": name}, agent_id=offer.agent_id)
    made.command.value = command
    for resource, amount in (("cpus", cpus), ("mem", 32)):
        made.resources.add(name=resource, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    return made


def task_of_executor(offer: mesos_pb2.Offer, name: str) -> mesos_pb2.TaskInfo:
    made = task(offer, name)
    made.ClearField("command")
    made.data = name.encode()
    made.executor.executor_id.value = "executor"
    made.executor.command.value = f"exec {sys.executable} {EXECUTORS / 'asynchronous.py'}"
    for resource, amount in (("cpus", 0.1), ("mem", 32)):
        made.executor.resources.add(name=resource, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    return made


async def first(framework: aio.Framework, kind: type, true: Callable[[Any], Any] = lambda _: True) -> Any:
    """The next event of this kind for which this is true."""
    async for event in framework:
        if isinstance(event, kind) and true(event):
            return event
    raise AssertionError(f"the framework ended before {kind.__name__}")


async def states(framework: aio.Framework, name: str) -> AsyncIterator[str]:
    """The states of a task until it has ended."""
    async for event in framework:
        if isinstance(event, aio.Update) and event.status.task_id.value == name:
            yield mesos_pb2.TaskState.Name(event.status.state)
            if event.status.state not in (mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING):
                return


@pytest.mark.parametrize("loop", LOOPS)
def test_a_task_runs(master: str, loop: str) -> None:
    async def main() -> None:
        async with aio.Framework("hello", master) as framework:
            assert repr(framework) == "<mesos.aio.Framework DRIVER_RUNNING>"
            seen = []
            async for event in framework:
                seen.append(type(event))
                match event:
                    case aio.Subscribed(framework_id, info):
                        assert framework_id.value
                        assert info.port > 0
                    case aio.Offers([offer, *others]):
                        if aio.Update not in seen and seen.count(aio.Offers) == 1:
                            await framework.launch(offer, task(offer))
                            await framework.decline(others)
                    case aio.Update(status) if status.state == FINISHED:
                        assert status.agent_id.value
                        break
            assert seen[:2] == [aio.Subscribed, aio.Offers]
        assert repr(framework) == "<mesos.aio.Framework DRIVER_STOPPED>"
        assert [event async for event in framework] == []

    LOOPS[loop](main())


def test_an_executor_and_its_framework_talk(master: str) -> None:
    async def main() -> None:
        async with aio.Framework("talk", master) as framework:
            offers = (await first(framework, aio.Offers)).offers
            offer = offers[0]
            await framework.decline(offers[1:])
            await framework.launch(offer.id.value, [task_of_executor(offer, "a"), task_of_executor(offer, "b")])
            running = [await first(framework, aio.Update) for _ in range(2)]
            assert {(u.status.task_id.value, u.status.message, u.status.data) for u in running} == {
                ("a", "begun", b"a"),
                ("b", "begun", b"b"),
            }
            await framework.kill("a")
            assert (await first(framework, aio.Update)).status.state == mesos_pb2.TASK_KILLED
            await framework.message(offer.agent_id, "executor", "end")
            message = None
            async for event in framework:
                match event:
                    case aio.Message(agent_id, executor_id, data):
                        assert (agent_id, executor_id.value) == (offer.agent_id, "executor")
                        message = data
                    case aio.Update(status) if status.task_id.value == "b":
                        assert (message, status.state) == (b"END", FINISHED)
                        break
            await framework.shutdown("executor", offer.agent_id)
            lost = await first(framework, aio.ExecutorLost)
            assert (lost.executor_id.value, lost.agent_id) == ("executor", offer.agent_id)

    run(main())


def test_calls_that_the_classic_api_does_not_have(master: str) -> None:
    async def main() -> None:
        info = mesos_pb2.FrameworkInfo(user="", name="operations", roles=["operators"], principal="someone")
        info.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.MULTI_ROLE)
        info.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.RESERVATION_REFINEMENT)
        async with aio.Framework(info, master) as framework:
            offer = (await first(framework, aio.Offers)).offers[0]
            await framework.launch(offer, task(offer, "long", "sleep 600"))
            await first(framework, aio.Update, lambda u: u.status.state == mesos_pb2.TASK_RUNNING)
            policy = mesos_pb2.KillPolicy(grace_period={"nanoseconds": 10**9})
            await framework.kill("long", agent_id=offer.agent_id, kill_policy=policy)
            assert [state async for state in states(framework, "long")] == ["TASK_KILLED"]
            await framework.reconcile([mesos_pb2.TaskStatus(task_id={"value": "none"}, state=FINISHED)])
            unknown = await first(framework, aio.Update)
            assert (unknown.status.task_id.value, unknown.status.state) == ("none", mesos_pb2.TASK_LOST)
            await framework.reconcile_operations(
                [mesos_pb2.OperationStatus(operation_id={"value": "none"}, state=mesos_pb2.OPERATION_PENDING)]
            )
            await framework.suppress()
            await framework.revive(["operators"])

    run(main())


def test_a_call_with_an_argument_of_the_wrong_type_names_it(embedded: LocalCluster) -> None:
    async def main() -> None:
        async with aio.Framework("wrong", embedded) as framework:
            offer = (await first(framework, aio.Offers)).offers[0]
            with pytest.raises(ArgumentTypeError, match=r"expected a mesos_pb2.TaskInfo as tasks\[0\], got int 1"):
                await framework.launch(offer, [1])  # type: ignore[list-item]
            with pytest.raises(ArgumentTypeError, match=r"as offers, got int 7"):
                await framework.decline(7)  # type: ignore[arg-type]
            with pytest.raises(ArgumentTypeError, match="as agent_id, got int 7"):
                await framework.shutdown("executor", 7)  # type: ignore[arg-type]

    run(main())


async def finish_and_fail_over(cluster: LocalCluster, end: Callable[[aio.Framework], Coroutine[Any, Any, None]]) -> str:
    """The state that the next framework with the same id is told of a task, after an update of it was not asked past."""
    info = mesos_pb2.FrameworkInfo(user="", name="again", failover_timeout=1e4)
    async with aio.Framework(info, cluster) as framework:
        subscribed = await first(framework, aio.Subscribed)
        offer = (await first(framework, aio.Offers)).offers[0]
        await framework.launch(offer, task(offer))
        with contextlib.suppress(ZeroDivisionError):
            await end(framework)
        await framework.stop(failover=True)
    info.id.CopyFrom(subscribed.framework_id)
    async with aio.Framework(info, cluster) as framework:
        update = await asyncio.wait_for(first(framework, aio.Update), WAIT_SECONDS)
        return mesos_pb2.TaskState.Name(update.status.state)


async def leave_by_break(framework: aio.Framework) -> None:
    async for event in framework:
        if isinstance(event, aio.Update):
            break


async def leave_by_exception(framework: aio.Framework) -> None:
    async for event in framework:
        if isinstance(event, aio.Update):
            raise ZeroDivisionError


async def leave_by_cancellation(framework: aio.Framework) -> None:
    handling = asyncio.Event()

    async def handle() -> None:
        async for event in framework:
            if isinstance(event, aio.Update):
                handling.set()
                await asyncio.sleep(600)

    handler = asyncio.create_task(handle())
    await handling.wait()
    handler.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await handler


async def leave_after_the_next(framework: aio.Framework) -> None:
    async for event in framework:
        if isinstance(event, aio.Update) and event.status.state == mesos_pb2.TASK_RUNNING:
            break


@pytest.mark.parametrize(
    ("leave", "told"),
    [
        (leave_by_break, "TASK_STARTING"),
        (leave_by_exception, "TASK_STARTING"),
        (leave_by_cancellation, "TASK_STARTING"),
        (leave_after_the_next, "TASK_RUNNING"),
    ],
)
def test_an_update_is_acknowledged_when_the_next_event_is_asked_for(leave: Any, told: str) -> None:
    with LocalCluster(agents=1, time="skip") as cluster:
        assert run(finish_and_fail_over(cluster, leave)) == told


async def in_time(cluster: LocalCluster, main: Coroutine[Any, Any, Any]) -> Any:
    """Runs this while the cluster's time passes as it is wanted."""
    doing = asyncio.create_task(main)
    await asyncio.to_thread(cluster.run_until, doing.done, 1e6)
    return doing.result()


def test_an_update_is_sent_again_until_it_is_acknowledged_explicitly() -> None:
    async def main(cluster: LocalCluster) -> list[tuple[str, int]]:
        async with aio.Framework("explicit", cluster, implicit_acknowledgements=False) as framework:
            told: list[tuple[str, int]] = []
            async for event in framework:
                match event:
                    case aio.Offers([offer, *_]) if not told:
                        await framework.launch(offer, task(offer))
                        told.append(("launched", 0))
                    case aio.Update(status):
                        told.append((mesos_pb2.TaskState.Name(status.state), round(cluster.time() - began)))
                        if len(told) > 2:
                            await framework.acknowledge(status)
                        if status.state == FINISHED:
                            return told
            raise AssertionError

    with LocalCluster(agents=1, time="skip") as cluster:
        began = cluster.time()
        assert run(in_time(cluster, main(cluster))) == [
            ("launched", 0),
            ("TASK_STARTING", 0),
            ("TASK_STARTING", 10),
            ("TASK_RUNNING", 10),
            ("TASK_FINISHED", 10),
        ]


def test_a_framework_that_acknowledges_implicitly_rejects_an_acknowledgement(embedded: LocalCluster) -> None:
    async def main() -> None:
        async with aio.Framework("implicit", embedded) as framework:
            with pytest.raises(DriverError, match="implicit_acknowledgements=False"):
                await framework.acknowledge(mesos_pb2.TaskStatus(task_id={"value": "1"}, state=FINISHED))

    run(main())


def test_a_cancelled_wait_loses_no_event(master: str) -> None:
    tasks = 20

    async def main() -> None:
        async with aio.Framework("impatient", master) as framework:
            left, cancelled, launched = {str(number) for number in range(tasks)}, 0, False
            while left:
                try:
                    event = await asyncio.wait_for(anext(framework), 0.001)
                except TimeoutError:
                    cancelled += 1
                    continue
                match event:
                    case aio.Offers([offer, *_]) if not launched:
                        launched = True
                        await framework.launch(offer, [task(offer, str(number)) for number in range(tasks)])
                    case aio.Update(status) if status.state == FINISHED:
                        left.remove(status.task_id.value)
            assert cancelled > 0

    run(main())


def test_two_tasks_do_not_wait_for_the_same_event(embedded: LocalCluster) -> None:
    async def main() -> None:
        async with aio.Framework("two", embedded, suppressed_roles=["*"]) as framework:
            await first(framework, aio.Subscribed)
            waiting = asyncio.create_task(anext(framework))
            await asyncio.sleep(0)
            with pytest.raises(DriverError, match="another task waits for the next event"):
                await anext(framework)
            await framework.revive()
            assert isinstance(await waiting, aio.Offers)

    run(main())


def test_a_framework_that_is_not_started_or_belongs_to_another_loop_says_so(embedded: LocalCluster) -> None:
    framework = aio.Framework("mine", embedded)

    async def use() -> None:
        with pytest.raises(DriverError, match="not started: use 'async with'"):
            await anext(framework)
        with pytest.raises(DriverError, match="not started: use 'async with'"):
            await framework.revive()

    async def enter() -> None:
        async with framework:
            await first(framework, aio.Offers)

            def elsewhere() -> None:
                async def take() -> None:
                    with pytest.raises(DriverError, match="belongs to another event loop"):
                        await anext(framework)

                asyncio.run(take())

            await asyncio.to_thread(elsewhere)
        with pytest.raises(DriverError, match="was started already"):
            await framework.__aenter__()
        with pytest.raises(DriverError, match="is stopped"):
            await framework.revive()

    run(use())
    run(enter())


def test_an_address_that_is_not_valid_is_reported_at_the_start() -> None:
    async def main() -> None:
        with pytest.raises(ArgumentValueError, match="no-port"):
            async with aio.Framework("lost", "no-port"):
                pass

    run(main())


def test_a_refusal_of_the_master_is_raised(embedded: LocalCluster) -> None:
    async def main() -> None:
        info = mesos_pb2.FrameworkInfo(user="", name="refused", id={"value": "x"}, roles=["a", "a"])
        info.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.MULTI_ROLE)
        async with aio.Framework(info, embedded) as framework:
            with pytest.raises(DriverAbortedError) as raised:
                await anext(framework)
            assert framework.exception is raised.value
            with pytest.raises(DriverAbortedError):
                await anext(framework)
            with pytest.raises(DriverAbortedError):
                await framework.revive()

    run(main())


def test_the_end_of_the_cluster_ends_the_iteration() -> None:
    async def main() -> None:
        with LocalCluster() as cluster:
            async with aio.Framework("left", cluster) as framework:
                await first(framework, aio.Subscribed)
                waiting = asyncio.create_task(first(framework, aio.AgentLost))
                await asyncio.sleep(0)
                cluster.stop()
                with pytest.raises(AssertionError, match="the framework ended"):
                    await waiting

    run(main())


def test_a_lost_connection_is_told_and_mended(embedded: LocalCluster) -> None:
    async def main() -> None:
        info = mesos_pb2.FrameworkInfo(user="", name="cut", failover_timeout=600)
        async with aio.Framework(info, embedded) as framework:
            await first(framework, aio.Offers)
            embedded.frameworks[0].disconnect()
            await first(framework, aio.Disconnected)
            await first(framework, aio.Resubscribed)
            await first(framework, aio.Offers)

    run(main())


def test_several_frameworks_share_a_loop(master: str) -> None:
    async def one(number: int) -> list[str]:
        async with aio.Framework(f"framework {number}", master) as framework:
            offer = (await first(framework, aio.Offers)).offers[0]
            await framework.launch(offer, task(offer, str(number), cpus=0.1))
            return [state async for state in states(framework, str(number))]

    async def main() -> None:
        for told in await asyncio.gather(*map(one, range(4))):
            assert told == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]

    run(main())


def test_each_thread_may_have_a_loop(embedded: LocalCluster) -> None:
    ended = []

    async def main(number: int) -> None:
        async with aio.Framework(f"thread {number}", embedded) as framework:
            offer = (await first(framework, aio.Offers)).offers[0]
            await framework.launch(offer, task(offer, str(number)))
            ended.append([state async for state in states(framework, str(number))][-1])

    threads = [threading.Thread(target=lambda n=n: asyncio.run(main(n))) for n in range(3)]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == ["TASK_FINISHED"] * 3


def test_a_task_of_ten_hours_ends_at_once_in_virtual_time() -> None:
    async def main(cluster: LocalCluster) -> float:
        async with aio.Framework("long", cluster) as framework:
            offer = (await first(framework, aio.Offers)).offers[0]
            await framework.launch(offer, task(offer))
            assert [state async for state in states(framework, "1")][-1] == "TASK_FINISHED"
            return cluster.time()

    from mesos.local import Run

    with LocalCluster(agents=1, time="skip", simulate=Run(seconds=36_000)) as cluster:
        began = cluster.time()
        assert run(in_time(cluster, main(cluster))) - began == pytest.approx(36_000, abs=60)


def test_events_that_nobody_asks_for_wait_and_stop_the_reading(embedded: LocalCluster) -> None:
    count = 30

    async def main() -> None:
        async with aio.Framework("slow", embedded) as framework:
            offer = (await first(framework, aio.Offers)).offers[0]
            await framework.launch(offer, [task(offer, str(number)) for number in range(count)])
            await asyncio.to_thread(lambda: [each.wait() for each in embedded.tasks])
            ended = 0
            while ended < count:
                update = await first(framework, aio.Update)
                ended += update.status.state == FINISHED

    run(main())


def script(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Runs this with an embedded cluster; exits with the seconds that it took at its end."""
    (tmp_path / "script.py").write_text(
        "import asyncio, os, signal, sys, threading\nfrom mesos import aio\nfrom mesos.local import LocalCluster\n"
        + body
    )
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", tmp_path / "script.py"],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )


NEVER_CLOSED = """
async def main():
    framework = await aio.Framework("open", "localquiet").__aenter__()
    async for event in framework:
        print(type(event).__name__)
        return framework
kept = asyncio.run(main())
"""
STILL_WAITING = """
async def wait(framework):
    async with framework:
        async for event in framework:
            print(type(event).__name__, flush=True)
            began.set()
async def main():
    global began, task
    began = asyncio.Event()
    task = asyncio.create_task(wait(aio.Framework("waiting", "localquiet", suppressed_roles=["*"])))
    await began.wait()
asyncio.run(main())
"""
INTERRUPTED = """
async def main():
    async with aio.Framework("interrupted", "localquiet", suppressed_roles=["*"]) as framework:
        async for event in framework:
            print(type(event).__name__, flush=True)
            asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
"""


@pytest.mark.parametrize("body", [NEVER_CLOSED, STILL_WAITING, INTERRUPTED])
def test_a_process_ends_cleanly_whatever_its_framework_does(tmp_path: Path, body: str) -> None:
    ended = script(tmp_path, body)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "Subscribed\n", "")


FORK = """
async def one(master, name):
    async with aio.Framework(name, master) as framework:
        async for event in framework:
            return type(event).__name__
async def parent(cluster):
    async with aio.Framework("parent", cluster) as framework:
        await anext(framework)
        child = os.fork()
        if child == 0:
            try:
                assert repr(framework) == "<mesos.aio.Framework DRIVER_STOPPED>", framework
                assert asyncio.run(one(cluster.address, "child")) == "Subscribed"
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        await framework.revive()
        await anext(framework)
cluster = LocalCluster()
asyncio.run(parent(cluster))
print("parent")
cluster.stop()
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_its_own_frameworks(tmp_path: Path) -> None:
    ended = script(tmp_path, FORK.replace("os.fork()", "__import__('warnings').simplefilter('ignore') or os.fork()"))
    assert (ended.returncode, ended.stdout) == (0, "parent\n"), ended.stderr


def held() -> tuple[int, int, float]:
    """Threads, descriptors and MB of this process."""
    gc.collect()
    status = Path("/proc/self/status").read_text().split()
    rss = int(status[status.index("VmRSS:") + 1]) / 1024
    return int(status[status.index("Threads:") + 1]), len(os.listdir("/proc/self/fd")), rss


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_frameworks_leave_nothing_in_their_loop(embedded: LocalCluster, count: int) -> None:
    async def main() -> None:
        async def one() -> None:
            async with aio.Framework("brief", embedded) as framework:
                await first(framework, aio.Subscribed)

        for _ in range(20):
            await one()
        threads, descriptors, memory = held()
        for _ in range(count):
            await one()
        until = time.monotonic() + WAIT_SECONDS
        while held()[:2] > (threads, descriptors) and time.monotonic() < until:
            await asyncio.sleep(0.05)
        assert held()[0] <= threads
        assert held()[1] <= descriptors
        assert held()[2] < memory + 4 + 0.01 * count

    run(main())


class Coroutines:
    """A scheduler whose callbacks are coroutine functions."""

    def __init__(self, broken: bool = False) -> None:
        self.told: list[str] = []
        self.ended = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.broken = broken

    async def registered(self, *_: Any) -> None:
        assert asyncio.get_running_loop() is self.loop
        self.told.append("registered begins")
        await asyncio.sleep(0.05)
        self.told.append("registered ends")

    async def resourceOffers(self, driver: Any, offers: Any) -> None:
        if "offers" not in self.told:
            self.told.append("offers")
            from mesos.interface import mesos_pb2 as classic

            driver.launchTasks(offers[0].id, [classic.TaskInfo.FromString(task_of_classic(offers[0]))])

    async def statusUpdate(self, driver: Any, status: Any) -> None:
        await asyncio.sleep(0)
        if self.broken:
            raise ZeroDivisionError("on purpose")
        self.told.append(mesos_pb2.TaskState.Name(status.state))
        if status.state == FINISHED:
            self.ended.set()


def task_of_classic(offer: Any) -> bytes:
    return task(mesos_pb2.Offer.FromString(offer.SerializeToString())).SerializeToString()


def classic_driver(scheduler: Any, master: Any, **options: Any) -> Any:
    from mesos.interface import mesos_pb2 as classic
    from mesos.native import MesosSchedulerDriver

    return MesosSchedulerDriver(scheduler, classic.FrameworkInfo(user="", name="coroutines"), master, **options)


def test_coroutine_functions_are_callbacks_if_there_is_a_loop(master: str) -> None:
    async def main() -> None:
        scheduler = Coroutines()
        driver = classic_driver(scheduler, master, loop=asyncio.get_running_loop())
        driver.start()
        await scheduler.ended.wait()
        driver.stop()
        await asyncio.to_thread(driver.join)
        began = ["registered begins", "registered ends", "offers"]
        assert scheduler.told == [*began, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]

    run(main())


@pytest.mark.usefixtures("callbacks_may_raise")
def test_an_exception_of_a_coroutine_aborts_the_driver(embedded: LocalCluster) -> None:
    async def main() -> None:
        driver = classic_driver(Coroutines(broken=True), embedded, loop=asyncio.get_running_loop())
        driver.start()
        with pytest.raises(ZeroDivisionError, match="on purpose"):
            await asyncio.to_thread(driver.join, check=True)
        driver.stop()

    run(main())


@pytest.mark.usefixtures("callbacks_may_raise")
def test_a_loop_that_has_ended_aborts_the_driver(embedded: LocalCluster) -> None:
    async def main() -> Any:
        return classic_driver(Coroutines(), embedded, loop=asyncio.get_running_loop())

    driver = run(main())
    driver.start()
    with pytest.raises(DriverError, match="the event loop has ended before the callback registered has"):
        driver.join(check=True)
    driver.stop()


def test_without_a_loop_a_coroutine_function_is_refused_with_words_about_it(embedded: LocalCluster) -> None:
    async def main() -> None:
        with pytest.raises(ArgumentTypeError, match=r"coroutine functions only if they are created with loop="):
            classic_driver(Coroutines(), embedded)
        with pytest.raises(ArgumentTypeError, match="expected an event loop as loop, got int"):
            classic_driver(Coroutines(), embedded, loop=7)

    run(main())
