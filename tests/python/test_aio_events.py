"""What frameworks of asyncio are told beside tasks: operations, maintenance, connections, refused arguments; and when."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.local import LocalCluster
from mesos.local import Run as Simulated
from mesos.v1.interface import mesos_pb2

from tests.python.support import WAIT_SECONDS
from tests.python.test_aio import offer, task, update

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

FINISHED = mesos_pb2.TASK_FINISHED


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(main, 2 * WAIT_SECONDS))


async def first(framework: aio.Framework, kind: type) -> Any:
    """The next event of this kind."""
    async for event in framework:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the iteration ended before {kind.__name__}")


def test_an_operation_with_an_id_is_told_of_until_it_is_acknowledged(master: str) -> None:
    async def main() -> None:
        info = mesos_pb2.FrameworkInfo(user="", name="operations", roles=["operators"])
        for capability in ("MULTI_ROLE", "RESERVATION_REFINEMENT"):
            info.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.Type.Value(capability))
        async with aio.Framework(info, master) as framework:
            offered = await offer(framework)
            await framework.suppress()
            reserve = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.RESERVE, id={"value": "o"})
            cpus = reserve.reserve.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR, scalar={"value": 1})
            cpus.allocation_info.role = "operators"
            cpus.reservations.add(role="operators", type=mesos_pb2.Resource.ReservationInfo.DYNAMIC)
            await framework.accept(offered, reserve)
            status = (await first(framework, aio.OperationUpdate)).status
            assert (status.operation_id.value, status.state) == ("o", mesos_pb2.OPERATION_FINISHED)
            await framework.reconcile_operations()
            again = (await first(framework, aio.OperationUpdate)).status
            assert (again.state, again.HasField("uuid")) == (mesos_pb2.OPERATION_FINISHED, False)
            await framework.acknowledge_operation(again)  # which needs none
            await framework.acknowledge_operation(status)
            await framework.reconcile_operations([status])
            unknown = (await first(framework, aio.OperationUpdate)).status
            assert unknown.state == mesos_pb2.OPERATION_UNKNOWN
            await framework.revive()
            offered = await offer_of(framework, offered.agent_id)
            release = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.UNRESERVE)
            release.unreserve.resources.extend(each for each in offered.resources if each.reservations)
            await framework.accept(offered, [release])

    run(main())


async def offer_of(framework: aio.Framework, agent_id: mesos_pb2.AgentID) -> mesos_pb2.Offer:
    while True:
        for each in (await first(framework, aio.Offers)).offers:
            if each.agent_id == agent_id:
                return each


def schedule(master: str, *machines: dict[str, str]) -> None:
    """Makes these machines, and no others, be maintained from now on."""
    window = {"machine_ids": machines, "unavailability": {"start": {"nanoseconds": time.time_ns()}}}
    body = json.dumps({"windows": [window] if machines else []}).encode()
    url = f"http://{master}/maintenance/schedule"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=WAIT_SECONDS).close()


def machine_of(master: str, agent_id: str) -> dict[str, str]:
    with urllib.request.urlopen(f"http://{master}/slaves", timeout=WAIT_SECONDS) as response:
        agent = next(each for each in json.load(response)["slaves"] if each["id"] == agent_id)
    return {"hostname": agent["hostname"], "ip": agent["pid"].partition("@")[2].rpartition(":")[0]}


async def running_task(framework: aio.Framework) -> mesos_pb2.Offer:
    """The offer on which a task runs that goes on."""
    offered = await offer(framework)
    await framework.launch(offered, task(command="sleep 1000"))
    await update(framework, mesos_pb2.TASK_RUNNING)
    return offered


def test_a_maintenance_asks_for_resources_back(master: str) -> None:
    async def main() -> None:
        async with aio.Framework("maintained", master) as framework:
            offered = await running_task(framework)
            try:
                schedule(master, machine_of(master, offered.agent_id.value))
                inverse = []
                # Agents of one machine are maintained together, and told of one by one.
                while offered.agent_id not in [each.agent_id for each in inverse]:
                    inverse = (await first(framework, aio.InverseOffers)).inverse_offers
                assert inverse[0].framework_id == framework.id
                await framework.decline_inverse_offers(inverse[0], filters=mesos_pb2.Filters(refuse_seconds=0))
                again = (await first(framework, aio.InverseOffers)).inverse_offers
                await framework.accept_inverse_offers([each.id for each in again])
            finally:
                schedule(master)

    run(main())


def test_an_inverse_offer_is_rescinded_when_the_maintenance_is_called_off(master: str) -> None:
    async def main() -> None:
        async with aio.Framework("maintained", master) as framework:
            offered = await running_task(framework)
            try:
                schedule(master, machine_of(master, offered.agent_id.value))
                inverse = (await first(framework, aio.InverseOffers)).inverse_offers
            finally:
                schedule(master)
            rescinded = await first(framework, aio.RescindedInverse)
            assert rescinded.inverse_offer_id in [each.id for each in inverse]

    run(main())


def test_a_call_with_an_argument_of_the_wrong_type_names_it(embedded: LocalCluster) -> None:
    async def main() -> None:
        async with aio.Framework("wrong", embedded) as framework:
            offered = await offer(framework)
            with pytest.raises(ArgumentTypeError, match=r"expected a mesos_pb2.TaskInfo as tasks\[0\], got int 1"):
                await framework.launch(offered, [1])  # type: ignore[list-item]
            with pytest.raises(ArgumentTypeError, match="as tasks, got int 1"):
                await framework.launch(offered, 1)  # type: ignore[arg-type]
            with pytest.raises(ArgumentTypeError, match="as offers, got int 7"):
                await framework.decline(7)  # type: ignore[arg-type]
            with pytest.raises(ArgumentTypeError, match="as offers, got int 7"):
                await framework.launch(7, [task(agent_id=offered.agent_id)])  # type: ignore[arg-type]
            with pytest.raises(ArgumentTypeError, match="as agent_id, got int 7"):
                await framework.shutdown("executor", 7)  # type: ignore[arg-type]
            with pytest.raises(ArgumentValueError, match="expected each role at most once"):
                await framework.update_framework(
                    mesos_pb2.FrameworkInfo(user="", name="x"), suppressed_roles=["a", "a"]
                )
            await framework.revive()

    run(main())


def test_messages_of_the_classic_api_are_taken_too(embedded: LocalCluster, recwarn: pytest.WarningsRecorder) -> None:
    from mesos.interface import mesos_pb2 as classic

    async def main() -> None:
        async with aio.Framework("classic", embedded) as framework:
            offered = await offer(framework)
            made = classic.TaskInfo(name="task", task_id={"value": "task"}, slave_id={"value": offered.agent_id.value})
            made.command.value = "exit 0"
            made.resources.add(name="cpus", type=classic.Value.SCALAR, scalar={"value": 0.1})
            made.resources.add(name="mem", type=classic.Value.SCALAR, scalar={"value": 32})
            await framework.launch(classic.OfferID(value=offered.id.value), made)  # type: ignore[arg-type]
            await update(framework, FINISHED)
            await framework.kill(classic.TaskID(value="task"), agent_id=classic.SlaveID(value="a"))  # type: ignore[arg-type]

    run(main())
    assert [str(warning.message) for warning in recwarn] == []


async def in_time(cluster: LocalCluster, main: Coroutine[Any, Any, Any]) -> Any:
    """Runs this while the cluster's time moves as it is wanted. Until the next event is asked for, time waits."""
    doing = asyncio.create_task(main)
    await asyncio.to_thread(cluster.run_until, doing.done, 1e6)
    return doing.result()


def test_an_update_is_sent_again_until_it_is_acknowledged() -> None:
    async def consume(framework: aio.Framework, cluster: LocalCluster) -> list[tuple[str, int]]:
        told: list[tuple[str, int]] = []
        async for event in framework:
            if isinstance(event, aio.Update):
                told.append((mesos_pb2.TaskState.Name(event.status.state), round(cluster.time() - began)))
                if len(told) > 1:
                    await framework.acknowledge(event.status)
                if event.status.state == FINISHED:
                    break
        return told

    async def main(cluster: LocalCluster) -> Any:
        async with aio.Framework("explicit", cluster, implicit_acknowledgements=False) as framework:
            await framework.launch(await offer(framework), task())
            return await in_time(cluster, consume(framework, cluster))

    with LocalCluster(agents=1, time="skip") as cluster:
        began = cluster.time()
        assert run(main(cluster)) == [
            ("TASK_STARTING", 0),
            ("TASK_STARTING", 10),
            ("TASK_RUNNING", 10),
            ("TASK_FINISHED", 10),
        ]


def test_a_task_of_ten_hours_ends_at_once_in_virtual_time() -> None:
    async def main(cluster: LocalCluster) -> float:
        async with aio.Framework("long", cluster) as framework:
            await framework.launch(await offer(framework), task())
            await in_time(cluster, update(framework, FINISHED))
            return cluster.time()

    with LocalCluster(agents=1, time="skip", simulate=Simulated(seconds=36_000)) as cluster:
        began = cluster.time()
        assert run(main(cluster)) - began == 36_000


def test_a_time_out_that_cancels_the_wait_loses_no_event(master: str) -> None:
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
                    case aio.Offers([first_offer, *_]) if not launched:
                        launched = True
                        await framework.launch(first_offer, [task(str(number)) for number in range(tasks)])
                    case aio.Update(status) if status.state == FINISHED:
                        left.remove(status.task_id.value)
            assert cancelled > 0

    run(main())


async def finish_and_fail_over(cluster: LocalCluster, end: Callable[[aio.Framework], Coroutine[Any, Any, None]]) -> str:
    """The state that the next framework with the same id is told of a task."""
    info = mesos_pb2.FrameworkInfo(user="", name="again", failover_timeout=1e4)
    async with aio.Framework(info, cluster) as framework:
        await framework.launch(await offer(framework), task())
        with contextlib.suppress(ZeroDivisionError):
            await end(framework)
        await framework.stop(failover=True)
        assert framework.id is not None
        info.id.CopyFrom(framework.id)
    async with aio.Framework(info, cluster) as framework:
        told = await asyncio.wait_for(first(framework, aio.Update), WAIT_SECONDS)
        return mesos_pb2.TaskState.Name(told.status.state)


async def leave_by_break(framework: aio.Framework) -> None:
    await first(framework, aio.Update)


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
    await asyncio.wait([handler])


async def leave_after_the_next(framework: aio.Framework) -> None:
    await update(framework, mesos_pb2.TASK_RUNNING)


@pytest.mark.parametrize(
    ("leave", "told"),
    [
        (leave_by_break, "TASK_STARTING"),
        (leave_by_exception, "TASK_STARTING"),
        (leave_by_cancellation, "TASK_STARTING"),
        (leave_after_the_next, "TASK_RUNNING"),
    ],
)
def test_an_update_that_was_not_asked_past_is_told_to_the_next_framework(leave: Any, told: str) -> None:
    with LocalCluster(agents=1, time="skip") as cluster:
        assert run(finish_and_fail_over(cluster, leave)) == told


def test_the_end_of_the_cluster_ends_the_iteration() -> None:
    async def main() -> None:
        with LocalCluster() as cluster:
            async with aio.Framework("left", cluster) as framework:
                await first(framework, aio.Subscribed)
                waiting = asyncio.create_task(first(framework, aio.AgentLost))
                await asyncio.sleep(0)
                cluster.stop()
                with pytest.raises(AssertionError, match="the iteration ended"):
                    await waiting

    run(main())


def test_a_lost_connection_is_told_and_mended(embedded: LocalCluster) -> None:
    async def main() -> None:
        info = mesos_pb2.FrameworkInfo(user="", name="cut", failover_timeout=600)
        async with aio.Framework(info, embedded) as framework:
            await offer(framework)
            embedded.frameworks[0].disconnect()
            for kind in (aio.Disconnected, aio.Resubscribed, aio.Offers):
                await first(framework, kind)

    run(main())
