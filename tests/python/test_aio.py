"""``mesos.aio``: frameworks for asyncio, on the embedded cluster and on the real Mesos."""

from __future__ import annotations

import asyncio
import doctest
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio
from mesos.aio import _executor, _framework
from mesos.errors import ArgumentTypeError, ArgumentValueError, ClockError, DriverAbortedError, DriverError
from mesos.local import LocalCluster
from mesos.local import Run as Simulated
from mesos.v1.interface import mesos_pb2

from tests.python.support import WAIT_SECONDS, executor
from tests.python.test_docs import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine to its end, on each kind of loop."""
    factory = None
    if request.param == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop

    def run_it(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(asyncio.wait_for(coroutine, WAIT_SECONDS))

    return run_it


def task(name: str = "task", command: str = "exit 0", **fields: Any) -> mesos_pb2.TaskInfo:
    made = mesos_pb2.TaskInfo(name=name, task_id={"value": name}, **fields)
    made.command.value = command
    for resource, amount in (("cpus", 0.1), ("mem", 32)):
        made.resources.add(name=resource, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    return made


async def offer(framework: aio.Framework) -> mesos_pb2.Offer:
    async for event in framework:
        if isinstance(event, aio.Offers):
            return event.offers[0]
    raise AssertionError("the iteration ended without an offer")


async def update(framework: aio.Framework, state: int, task_id: str | None = None) -> mesos_pb2.TaskStatus:
    async for event in framework:
        match event:
            case aio.Update(status) if status.state == state and task_id in (None, status.task_id.value):
                return status
    raise AssertionError("the iteration ended without the update")


Run = Any


def test_a_task_is_launched_and_its_updates_come(master: str, run: Run) -> None:
    async def main() -> list[int]:
        states: list[int] = []
        async with aio.Framework("hello", master) as framework:
            async for event in framework:
                match event:
                    case aio.Subscribed(framework_id, master_info):
                        assert framework.id == framework_id
                        assert master_info.ip
                    case aio.Offers(offers):
                        assert offers[0].agent_id.value
                        await framework.suppress()
                        await framework.launch(offers[0], task())
                    case aio.Update(status):
                        states.append(status.state)
                        if status.state == mesos_pb2.TASK_FINISHED:
                            break
        return states

    assert run(main()) == [mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING, mesos_pb2.TASK_FINISHED]


def calls(cluster: LocalCluster, name: str) -> int:
    """How often a framework made this call."""
    return sum(each["kind"] == "call" and each["call"] == name for each in cluster.history())


def test_an_update_is_acknowledged_when_the_next_event_is_asked_for(embedded: LocalCluster, run: Run) -> None:
    async def main() -> None:
        async with aio.Framework("acknowledges", embedded) as framework:
            await framework.launch(await offer(framework), task())
            await update(framework, mesos_pb2.TASK_STARTING)
            await asyncio.sleep(0.2)
            assert calls(embedded, "ACKNOWLEDGE") == 0
            await update(framework, mesos_pb2.TASK_RUNNING)
            await update(framework, mesos_pb2.TASK_FINISHED)
            assert calls(embedded, "ACKNOWLEDGE") == 2
        assert calls(embedded, "ACKNOWLEDGE") == 2

    run(main())


@pytest.mark.parametrize("how", ["break", "exception", "cancellation"])
def test_an_iteration_that_is_left_acknowledges_nothing(embedded: LocalCluster, run: Run, how: str) -> None:
    async def main() -> None:
        launched = False
        async with aio.Framework("leaves", embedded) as framework:
            async for event in framework:
                match event:
                    case aio.Offers(offers) if not launched:
                        launched = True
                        await framework.launch(offers[0], task())
                    case aio.Update():
                        if how == "break":
                            break
                        if how == "exception":
                            raise ZeroDivisionError
                        current = asyncio.current_task()
                        assert current is not None
                        current.cancel()
                        await asyncio.sleep(1)

    if how == "break":
        run(main())
    else:
        with pytest.raises(ZeroDivisionError if how == "exception" else asyncio.CancelledError):
            run(main())
    assert calls(embedded, "ACKNOWLEDGE") == 0
    assert calls(embedded, "TEARDOWN") == 1


def test_an_update_that_is_acknowledged_is_not_acknowledged_again(embedded: LocalCluster, run: Run) -> None:
    async def main() -> None:
        async with aio.Framework("acknowledges", embedded) as framework:
            await framework.launch(await offer(framework), task())
            for count, state in enumerate(("TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"), 1):
                status = await update(framework, mesos_pb2.TaskState.Value(state))
                await framework.acknowledge(status)
                assert await settled(lambda: calls(embedded, "ACKNOWLEDGE"), count) == count

    run(main())


async def settled(value: Callable[[], int], least: int) -> int:
    """The value when it is at least this and has stopped changing."""
    last = -1
    while last < least or last != value():
        last = value()
        await asyncio.sleep(0.1)
    return last


def test_with_explicit_acknowledgements_an_update_comes_again_until_it_is_acknowledged(master: str, run: Run) -> None:
    async def main() -> None:
        info = mesos_pb2.FrameworkInfo(user="", name="explicit", failover_timeout=60)
        first = aio.Framework(info, master, implicit_acknowledgements=False)
        await first.start()
        await first.launch(await offer(first), task(command="sleep 1000"))
        status = await update(first, mesos_pb2.TASK_STARTING)
        assert first.id is not None
        info.id.CopyFrom(first.id)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(update(first, mesos_pb2.TASK_RUNNING), 0.5)
        await first.stop(failover=True)
        async with aio.Framework(info, master, implicit_acknowledgements=False) as second:
            again = await update(second, mesos_pb2.TASK_STARTING)
            assert again.uuid == status.uuid
            await second.acknowledge(again)
            await update(second, mesos_pb2.TASK_RUNNING)

    run(main())


def test_a_cancelled_wait_loses_no_event(embedded: LocalCluster, run: Run) -> None:
    async def main() -> None:
        async with aio.Framework("cancels", embedded) as framework:
            first = await offer(framework)
            await framework.launch(first, [task(f"task-{n}") for n in range(20)])
            seen = []
            while len(seen) < 60:
                waiting = asyncio.ensure_future(anext(framework))
                await asyncio.sleep(0)
                waiting.cancel()
                try:
                    event = await waiting
                except asyncio.CancelledError:
                    continue
                if isinstance(event, aio.Update):
                    seen.append((event.status.task_id.value, event.status.state))
            assert len(set(seen)) == 60

    run(main())


def test_two_iterations_at_once_are_an_error(embedded: LocalCluster, run: Run) -> None:
    async def main() -> None:
        async with aio.Framework("twice", embedded, suppressed_roles=["*"]) as framework:
            await anext(framework)
            first = asyncio.ensure_future(anext(framework))
            await asyncio.sleep(0)
            with pytest.raises(DriverError, match="another task already waits for the next event of this framework"):
                await anext(framework)
            await framework.revive()
            assert isinstance(await first, aio.Offers)

    run(main())


def test_errors_are_raised_by_the_iteration_and_by_calls(master: str, run: Run) -> None:
    async def main() -> None:
        info = mesos_pb2.FrameworkInfo(user="", name="refused", roles=["/bad/"])
        info.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.MULTI_ROLE)
        async with aio.Framework(info, master) as framework:
            with pytest.raises(DriverAbortedError) as first:
                async for _ in framework:
                    pass
            with pytest.raises(DriverAbortedError) as second:
                await anext(framework)
            with pytest.raises(DriverAbortedError) as third:
                await framework.revive()
        assert str(first.value) == str(second.value) == str(third.value)
        assert "/bad/" in str(first.value)

    run(main())


def test_what_does_not_run_says_so(run: Run) -> None:
    async def main() -> None:
        framework = aio.Framework("test", "localhost:1")
        for wait in (lambda: anext(framework), framework.revive):
            with pytest.raises(DriverError, match=r"the framework was not started: use `async with`"):
                await wait()
        assert repr(framework).startswith("<mesos.aio.Framework DRIVER_NOT_STARTED, 'test', not connected to ")
        await framework.start()
        with pytest.raises(DriverError, match="the framework was already started"):
            await framework.start()
        await framework.stop(failover=True)
        with pytest.raises(DriverError, match="the framework was stopped"):
            await framework.revive()
        assert [event async for event in framework] == []
        with pytest.raises(ArgumentValueError, match="zk://"):
            await aio.Framework("test", "zk://").start()
        with pytest.raises(ArgumentTypeError, match="expected a str as master"):
            aio.Framework("test", 5050)  # type: ignore[arg-type]
        aborted = aio.Framework("test", "localhost:1")
        await aborted.start()
        await aborted.abort()
        with pytest.raises(DriverError, match="the framework was aborted"):
            await aborted.revive()

    run(main())


def test_the_iteration_ends_when_another_task_stops_the_framework(embedded: LocalCluster, run: Run) -> None:
    async def main() -> list[type]:
        framework = aio.Framework("stopped", embedded, suppressed_roles=["*"])
        await framework.start()

        async def consume() -> list[type]:
            return [type(event) async for event in framework]

        consumer = asyncio.ensure_future(consume())
        while framework.id is None:
            await asyncio.sleep(0)
        await framework.stop()
        return await consumer

    assert run(main()) == [aio.Subscribed]
    assert calls(embedded, "TEARDOWN") == 1


def test_several_frameworks_share_a_loop(master: str, run: Run) -> None:
    async def sweep(name: str) -> str:
        async with aio.Framework(name, master) as framework:
            first = await offer(framework)
            await framework.suppress()
            await framework.launch(first, task(name))
            await update(framework, mesos_pb2.TASK_FINISHED)
        return name

    async def main() -> list[str]:
        return [await sweep(f"sweep-{n}") for n in range(2)] + list(
            await asyncio.gather(*(sweep(f"together-{n}") for n in range(2)))
        )

    assert run(main()) == ["sweep-0", "sweep-1", "together-0", "together-1"]


def test_loops_of_several_threads_have_frameworks_of_their_own(embedded: LocalCluster) -> None:
    done: list[str] = []

    async def main(name: str) -> None:
        async with aio.Framework(name, embedded) as framework:
            first = await offer(framework)
            await framework.decline(first)
            done.append(name)

    threads = [threading.Thread(target=asyncio.run, args=(main(f"thread-{n}"),)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    assert sorted(done) == ["thread-0", "thread-1", "thread-2"]


def test_other_tasks_have_their_turn_while_events_wait(run: Run) -> None:
    async def main(cluster: LocalCluster) -> None:
        async with aio.Framework("busy", cluster) as framework:
            await framework.launch(await offer(framework), [task(f"task-{n}") for n in range(100)])
            await framework.suppress()
            while sum(each["kind"] == "task_status" for each in cluster.history()) < 100:
                await asyncio.sleep(0.01)
            turns = 0

            async def other() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            background = asyncio.ensure_future(other())
            for _ in range(100):
                await anext(framework)
            background.cancel()
            assert turns > 0

    with LocalCluster(resources="cpus:20;mem:8192", simulate=Simulated(seconds=0)) as cluster:
        run(main(cluster))


def test_every_call_reaches_the_master(master: str, run: Run) -> None:
    async def main() -> None:
        info = mesos_pb2.FrameworkInfo(user="", name="calls", roles=["one", "two"])
        info.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.MULTI_ROLE)
        async with aio.Framework(info, master, suppressed_roles=["one", "two"]) as framework:
            await anext(framework)
            await framework.revive(["one"])
            first = await offer(framework)
            assert first.allocation_info.role == "one"
            await framework.decline(first, filters=mesos_pb2.Filters(refuse_seconds=0))
            first = await offer(framework)
            operation = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.LAUNCH)
            operation.launch.task_infos.add().CopyFrom(task("long", "sleep 1000", agent_id=first.agent_id))
            await framework.accept([first.id], operation)
            await update(framework, mesos_pb2.TASK_RUNNING)
            await framework.reconcile()
            again = await update(framework, mesos_pb2.TASK_RUNNING)
            assert again.reason == mesos_pb2.TaskStatus.REASON_RECONCILIATION
            await framework.suppress(["one"])
            await framework.request([mesos_pb2.Request()])
            assert framework.id is not None
            info.id.CopyFrom(framework.id)
            info.roles.append("three")
            await framework.update_framework(info, suppressed_roles=["one", "two"])
            second = await offer(framework)
            assert second.allocation_info.role == "three"
            await framework.kill("long", agent_id=first.agent_id, kill_policy=KILL_AT_ONCE)
            await update(framework, mesos_pb2.TASK_KILLED)

    run(main())


KILL_AT_ONCE = mesos_pb2.KillPolicy(grace_period={"nanoseconds": 0})


def task_of_executor() -> mesos_pb2.TaskInfo:
    """A task of the executor in ``tests/executors/aio.py``."""
    launched = task("on-executor")
    launched.ClearField("command")
    launched.executor.ParseFromString(executor("aio.py").SerializeToString())
    return launched


def test_messages_reach_an_executor_and_shutdown_ends_it(master: str, run: Run) -> None:
    async def main() -> tuple[bytes, int]:
        async with aio.Framework("messages", master) as framework:
            first = await offer(framework)
            await framework.suppress()
            await framework.launch(first, task_of_executor())
            await update(framework, mesos_pb2.TASK_RUNNING)
            await framework.message(first.agent_id, "executor", "hello")
            said = b""
            async for event in framework:
                match event:
                    case aio.Message(agent_id, executor_id, said):
                        assert (executor_id.value, agent_id) == ("executor", first.agent_id)
                        assert type(said) is bytes
                        await framework.shutdown(executor_id, agent_id)
                    case aio.ExecutorLost(agent_id, _, status):
                        assert agent_id == first.agent_id
                        return said, status
            raise AssertionError("the iteration ended")

    assert run(main()) == (b"Launch hello", 0)


def test_an_executor_kills_tasks_and_reports(master: str, run: Run) -> None:
    async def main() -> str:
        async with aio.Framework("kills", master) as framework:
            first = await offer(framework)
            await framework.suppress()
            await framework.launch(first, task_of_executor())
            await update(framework, mesos_pb2.TASK_RUNNING)
            await framework.kill("on-executor", kill_policy=KILL_AT_ONCE)
            return (await update(framework, mesos_pb2.TASK_KILLED)).message

    assert run(main()) == "within 0 ns"


def test_time_that_skips_waits_for_the_event_that_was_handed_out() -> None:
    async def main() -> list[str]:
        told: list[str] = []
        with LocalCluster(time="skip", simulate=lambda _: Simulated(seconds=3600)) as cluster:
            async with aio.Framework("skips", cluster) as framework:

                async def consume() -> None:
                    launched = False
                    async for event in framework:
                        match event:
                            case aio.Offers(offers) if not launched:
                                launched = True
                                await framework.launch(offers[0], task())
                            case aio.Update(status):
                                told.append(f"{mesos_pb2.TaskState.Name(status.state)} {cluster.time() - begin:.0f}")
                                with pytest.raises(ClockError, match="in a callback"):
                                    cluster.advance(1)

                begin = cluster.time()
                await anext(framework)
                consumer = asyncio.ensure_future(consume())
                await asyncio.to_thread(cluster.advance, 4000)
                assert cluster.time() - begin == 4000
            await consumer
        return told

    assert asyncio.run(asyncio.wait_for(main(), WAIT_SECONDS)) == [
        "TASK_STARTING 0",
        "TASK_RUNNING 0",
        "TASK_FINISHED 3600",
    ]


@pytest.mark.slow
def test_the_examples_of_the_page_are_typed(tmp_path: Path) -> None:
    typed = [block for block in BLOCKS if block.page.name == "asyncio.md" and "mesos.v1" in block.text]
    assert len(typed) == 3
    for number, block in enumerate(typed):
        (tmp_path / f"example_{number}.py").write_text(block.text)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "reportMatchNotExhaustive": false}')
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", tmp_path]
    pyright = [Path(sys.executable).parent / "basedpyright", "--pythonpath", sys.executable, "-p", tmp_path]
    for checker in (mypy, pyright):
        done = subprocess.run(checker, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_of_each_class_runs() -> None:
    for module in (_framework, _executor):
        assert doctest.testmod(module).failed == 0
