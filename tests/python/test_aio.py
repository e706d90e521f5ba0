"""``mesos.aio``: frameworks for asyncio, on the embedded cluster and on the real Mesos."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio
from mesos.errors import ArgumentTypeError, ArgumentValueError, DriverAbortedError, DriverError
from mesos.local import LocalCluster
from mesos.v1.interface import mesos_pb2

from tests.python.support import WAIT_SECONDS

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
