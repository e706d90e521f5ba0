"""Every call of the operator API, through the clients that wait and those that are awaited, on both masters."""

from __future__ import annotations

import asyncio
import contextlib
import doctest
import inspect
import pydoc
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio, errors, operator
from mesos.errors import (
    AnswerTimeoutError,
    RequestRefusedError,
)
from mesos.interface import mesos_pb2 as v0
from mesos.local import LocalCluster
from mesos.v1.interface import agent_pb2, maintenance_pb2, master_pb2, mesos_pb2, quota_pb2

from tests.apache_mesos import ApacheMesos
from tests.python.conftest import RESOURCES, ROOT
from tests.python.operating import MASTERS, Waiting, agent_of, resource
from tests.python.support import WAIT_SECONDS, Recorder, framework, running, task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

CLIENTS = {
    "master": (operator.MasterClient, aio.MasterClient, master_pb2.Call),
    "agent": (operator.AgentClient, aio.AgentClient, agent_pb2.Call),
}
EXAMPLE = ROOT / "examples" / "drain_agent.py"
STREAMS = {"events", "launch_nested_container_session", "attach_container_input", "attach_container_output"}
CLOSED = "127.0.0.1:1"


def methods(call: Any) -> dict[str, str]:
    """The name of the method for each type of call."""
    named = {name: name.lower() for name in call.Type.DESCRIPTOR.values_by_name if name != "UNKNOWN"}
    return {name: "events" if name == "SUBSCRIBE" else method for name, method in named.items()}


@pytest.mark.parametrize("daemon", CLIENTS)
def test_every_call_is_a_method_with_the_fields_of_its_message(daemon: str) -> None:
    waits, awaited, call = CLIENTS[daemon]
    for name, method in methods(call).items():
        for client in (waits, awaited):
            made = getattr(client, method)
            assert inspect.getdoc(made), method
            if method in STREAMS:
                continue
            assert inspect.iscoroutinefunction(made) == (client is awaited)
            parameters = list(inspect.signature(made).parameters)[1:]
            field = call.DESCRIPTOR.fields_by_name.get(method)
            fields = [each.name for each in field.message_type.fields] if field else []
            own = {"timeout"} if name.startswith("WAIT_") else set()
            assert sorted(parameters) == sorted({*fields, *own}), method


def test_signatures_are_shown() -> None:
    for client in (operator.MasterClient, aio.MasterClient):
        shown = str(inspect.signature(client.drain_agent)).replace("'", "")
        assert shown == (
            "(self, agent_id: str | mesos_pb2.AgentID, max_grace_period: float | None = None, "
            "mark_gone: bool = False) -> None"
        )
        assert str(inspect.signature(client.get_metrics).return_annotation) == "dict[str, float]"
        helped = pydoc.plain(pydoc.render_doc(client))
        assert "drain_agent(self, agent_id" in helped
        assert "Kills the tasks of an agent" in helped


def test_examples() -> None:
    for module in (operator._clients, aio._operator, errors):
        assert doctest.testmod(module).failed == 0


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.apache)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A cluster of this module's own with three agents: two are removed for good."""
    if request.param == "embedded":
        with LocalCluster(agents=3, resources=RESOURCES, allocation_interval=0.2) as embedded:
            yield embedded
        return
    home = request.getfixturevalue("apache_home")
    work = request.getfixturevalue("tmp_path_factory").mktemp("operated")
    with ApacheMesos(home, work, agents=3) as real:
        yield real


@pytest.fixture(params=MASTERS)
def face(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def run(story: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(story, 2 * WAIT_SECONDS))


async def until_agent_has_drained(master: Any, agent_id: str) -> None:
    """The master knows it first. Until the executors have ended, the agent refuses tasks."""
    agent = master.agent(agent_of(await master.get_agents(), agent_id))
    while (await agent.get_agent()).HasField("drain_config"):
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def refused(status: int) -> AsyncIterator[None]:
    with pytest.raises(RequestRefusedError) as raised:
        yield
    assert raised.value.status == status


def test_addresses(face: str, embedded: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        address = embedded.address
        for given in (embedded, address, f"http://{address}/", f"127.0.0.1:1,{address}"):
            assert len((await MASTERS[face](given).get_agents()).agents) == 2
        async with MASTERS[face]("local") as own:
            assert len((await own.get_agents()).agents) == 1
        monkeypatch.setenv("REMESOS_MASTER", address)
        assert len((await MASTERS[face]().get_agents()).agents) == 2

    run(story())


def test_a_client_works_with_uvloop(embedded: LocalCluster) -> None:
    async def story() -> None:
        master = aio.MasterClient(embedded)
        assert await asyncio.gather(*(master.get_health() for _ in range(10))) == [True] * 10
        async for event in master.events(timeout=WAIT_SECONDS):
            assert event.type == master_pb2.Event.SUBSCRIBED
            break

    pytest.importorskip("uvloop").run(story())


def test_what_a_master_tells(cluster: Any, face: str) -> None:
    async def story() -> None:
        master = MASTERS[face](cluster.address)
        assert await master.get_health() is True
        assert (await master.get_version()).version == "1.11.0"
        assert "work_dir" in await master.get_flags() or isinstance(cluster, LocalCluster)
        assert (await master.get_metrics())["master/elected"] == 1
        assert (await master.get_master()).master_info.port == int(cluster.address.rpartition(":")[2])
        await master.set_logging_level(2, 0.1)
        assert await master.get_logging_level() in (0, 2)
        state = await master.get_state()
        assert state.get_agents == await master.get_agents()
        assert state.get_frameworks == await master.get_frameworks()
        assert state.get_executors == await master.get_executors()
        assert state.get_tasks == await master.get_tasks()
        response = await master.call(master_pb2.Call(type=master_pb2.Call.GET_AGENTS))
        assert response.get_agents == state.get_agents
        for made in (master.list_files("/nothing"), master.read_file("/nothing"), master.read_file("/nothing", 2, 3)):
            async with refused(404):
                await made
        # Only clusterd has it.
        with pytest.raises(RequestRefusedError):
            await master.read_log()

    run(story())


def test_roles(cluster: Any, face: str) -> None:
    async def story() -> None:
        master = MASTERS[face](cluster)
        role = f"role-{face}"
        await master.update_weights({role: 2.5})
        assert (await master.get_weights())[role] == 2.5
        await master.update_weights([mesos_pb2.WeightInfo(role=role, weight=1.5)])
        assert (await master.get_weights())[role] == 1.5
        limited = quota_pb2.QuotaConfig(role=role)
        limited.limits["cpus"].value = 3
        await master.update_quota([limited])
        assert limited in (await master.get_quota()).configs
        await master.update_quota([quota_pb2.QuotaConfig(role=role)], force=True)
        assert limited not in (await master.get_quota()).configs
        old = quota_pb2.QuotaRequest(role=f"old-{face}", guarantee=[resource("cpus", 1)], force=True)
        await master.set_quota(old)
        assert f"old-{face}" in {each.role for each in (await master.get_quota()).infos}
        await master.remove_quota(f"old-{face}")
        assert f"old-{face}" not in {each.role for each in (await master.get_quota()).infos}

    run(story())


def test_resources_and_volumes(cluster: Any, face: str) -> None:
    async def story() -> None:
        master = MASTERS[face](cluster.address)
        role = f"volumes-{face}"
        found = (await master.get_agents()).agents[0].agent_info.id

        async def reserved() -> list[mesos_pb2.Resource]:
            total = agent_of(await master.get_agents(), found.value).total_resources
            held = [each for each in total if each.reservations and each.reservations[0].role == role]
            return sorted((each.scalar.value, each.disk.persistence.id) for each in held)

        await master.reserve_resources(found, [resource("disk", 64, role)])
        assert await reserved() == [(64, "")]
        assert role in {each.name for each in await master.get_roles()}
        await master.create_volumes(found.value, [resource("disk", 32, role, "one")])
        assert await reserved() == [(32, ""), (32, "one")]
        await master.grow_volume(found, resource("disk", 32, role, "one"), resource("disk", 8, role))
        assert await reserved() == [(24, ""), (40, "one")]
        await master.shrink_volume(found, resource("disk", 40, role, "one"), 16)
        assert await reserved() == [(24, "one"), (40, "")]
        await master.destroy_volumes(found, [resource("disk", 24, role, "one")])
        await master.unreserve_resources(found, [resource("disk", 64, role)])
        assert await reserved() == []
        assert {each.agent_id.value for each in await master.get_operations()} <= {found.value}

    run(story())


def test_maintenance(cluster: Any, face: str) -> None:
    async def story() -> None:
        master = MASTERS[face](cluster.address)
        machine = mesos_pb2.MachineID(hostname=f"elsewhere-{face}")
        window = maintenance_pb2.Window(machine_ids=[machine], unavailability={"start": {"nanoseconds": 1}})
        schedule = maintenance_pb2.Schedule(windows=[window])
        await master.update_maintenance_schedule(schedule)
        assert await master.get_maintenance_schedule() == schedule
        status = await master.get_maintenance_status()
        assert [each.id for each in status.draining_machines] == [machine]
        await master.start_maintenance([machine])
        assert list((await master.get_maintenance_status()).down_machines) == [machine]
        await master.stop_maintenance([machine])
        await master.update_maintenance_schedule(maintenance_pb2.Schedule())
        assert await master.get_maintenance_status() == maintenance_pb2.ClusterStatus()

    run(story())


def test_an_agent_is_drained_and_another_one_is_gone(cluster: Any, face: str) -> None:
    async def story(scheduler: Recorder, agent_id: str, executor_id: str) -> None:
        master = MASTERS[face](cluster.address)
        assert agent_id in {each.agent_id.value for each in (await master.get_tasks()).tasks}
        assert executor_id in {each.executor_id.value for each in await executors(master, agent_id)}
        await master.deactivate_agent(agent_id)
        assert agent_of(await master.get_agents(), agent_id).deactivated
        await master.reactivate_agent(agent_id)
        assert not agent_of(await master.get_agents(), agent_id).deactivated
        await master.drain_agent(mesos_pb2.AgentID(value=agent_id), max_grace_period=1.5)
        config = agent_of(await master.get_agents(), agent_id).drain_info.config
        assert (config.max_grace_period.nanoseconds, config.mark_gone) == (1_500_000_000, False)
        scheduler.wait("statusUpdate", lambda status: status.state == v0.TASK_KILLED)
        while agent_of(await master.get_agents(), agent_id).drain_info.state != mesos_pb2.DRAINED:
            await asyncio.sleep(0.02)
        await master.reactivate_agent(agent_id)
        await until_agent_has_drained(master, agent_id)
        other = next(each for each in (await master.get_agents()).agents if each.agent_info.id.value != agent_id)
        await master.mark_agent_gone(other.agent_info.id)
        assert other.agent_info.id.value not in {e.agent_info.id.value for e in (await master.get_agents()).agents}
        (own,) = [each for each in (await master.get_frameworks()).frameworks if each.framework_info.name == face]
        await master.teardown(own.framework_info.id.value)
        assert own.framework_info.id not in [e.framework_info.id for e in (await master.get_frameworks()).frameworks]

    async def executors(master: Any, agent_id: str) -> list[mesos_pb2.ExecutorInfo]:
        agent = master.agent(agent_of(await master.get_agents(), agent_id))
        return [
            each.executor_info.executor_id and each.executor_info for each in (await agent.get_executors()).executors
        ]

    scheduler = Recorder()
    with running(cluster.address, scheduler, framework(name=face)) as driver:
        offer = scheduler.offer()
        launched = task(offer, "exec sleep 1000")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, v0.TASK_RUNNING)
        run(story(scheduler, offer.slave_id.value, launched.task_id.value))


def test_what_an_agent_tells_and_its_containers(cluster: Any, face: str) -> None:
    async def story(agent_id: str, task_id: str) -> None:
        master = MASTERS[face](cluster.address)
        agent = master.agent(agent_of(await master.get_agents(), agent_id))
        assert await agent.get_health() is True
        assert (await agent.get_version()).version == "1.11.0"
        assert "work_dir" in await agent.get_flags() or isinstance(cluster, LocalCluster)
        # The real agents are in one process, and share what they count.
        assert all(isinstance(value, float) for value in (await agent.get_metrics(0.5)).values())
        await agent.set_logging_level(2, 0.1)
        assert await agent.get_logging_level() in (0, 2)
        state = await agent.get_state()
        assert state.get_tasks == await agent.get_tasks()
        assert state.get_executors == await agent.get_executors()
        assert state.get_frameworks == await agent.get_frameworks()
        assert (await agent.get_agent()).agent_info.id.value == agent_id
        assert await agent.get_operations() == []
        assert await agent.get_resource_providers() == []
        # That of the test before may be at its end.
        (container,) = [each for each in await agent.get_containers() if each.executor_id.value == task_id]
        await containers(agent, container.container_id.value)
        await what_is_refused(agent)

    async def containers(agent: Any, outer: str) -> None:
        await agent.launch_container(f"{outer}.one", "exit 3")
        assert (await agent.wait_container(f"{outer}.one", timeout=WAIT_SECONDS)).exit_status == 3 << 8
        await agent.remove_container(f"{outer}.one")
        nested = mesos_pb2.ContainerID(value="two", parent={"value": outer})
        await agent.launch_nested_container(nested, mesos_pb2.CommandInfo(value="echo told; exec sleep 1000"))
        assert nested in [each.container_status.container_id for each in await agent.get_containers(show_nested=True)]
        started = time.monotonic()
        with pytest.raises(AnswerTimeoutError):
            await agent.wait_nested_container(nested, timeout=0.1)
        assert time.monotonic() - started < 5
        await agent.kill_nested_container(nested)
        assert (await agent.wait_nested_container(nested)).exit_status == 9
        await agent.remove_nested_container(nested)
        alone = f"alone-{outer}"
        await agent.launch_container(alone, "exec sleep 1000", [resource("cpus", 0.1)], limits={"cpus": 1.0})
        assert alone in {each.container_id.value for each in await agent.get_containers(show_standalone=True)}
        await agent.kill_container(alone, signal=9)
        # It is forgotten when it has ended.
        while alone in {each.container_id.value for each in await agent.get_containers(show_standalone=True)}:
            await asyncio.sleep(0.02)
        await agent.prune_images()

    async def what_is_refused(agent: Any) -> None:
        info = mesos_pb2.ResourceProviderInfo(type="org.apache.mesos.rp.local.storage", name="x")
        for made in (agent.add_resource_provider_config(info), agent.update_resource_provider_config(info)):
            async with refused(400):
                await made
        async with refused(500):
            await agent.remove_resource_provider_config("org.apache.mesos.rp.local.storage", "x")
        await agent.mark_resource_provider_gone("nobody")
        async with refused(404):
            await agent.wait_container("nobody")
        with pytest.raises(RequestRefusedError):
            await agent.read_log(agent_pb2.Call.ReadLog.AGENT)
        with contextlib.suppress(RequestRefusedError):
            await agent.update_container_memory_limit("nobody", 64)

    scheduler = Recorder()
    with running(cluster.address, scheduler, framework(name=face)) as driver:
        offer = scheduler.offer()
        launched = task(offer, "exec sleep 1000")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, v0.TASK_RUNNING)
        run(story(offer.slave_id.value, launched.task_id.value))


def test_files_of_an_agent(cluster: Any, face: str) -> None:
    async def story(agent_id: str, task_id: str) -> None:
        master = MASTERS[face](cluster.address)
        agent = master.agent(agent_of(await master.get_agents(), agent_id))
        every = (await agent.get_executors()).executors
        (executor,) = [each for each in every if each.executor_info.executor_id.value == task_id]
        sandbox = f"/frameworks/{executor.executor_info.framework_id.value}"
        sandbox = f"{sandbox}/executors/{executor.executor_info.executor_id.value}/runs/latest"
        files: dict[str, mesos_pb2.FileInfo] = {}
        while not ("told" in files and files["told"].size == 5):  # it runs before it has written
            files = {each.path.rpartition("/")[2]: each for each in await agent.list_files(sandbox)}
        part = await agent.read_file(f"{sandbox}/told", 1, 3)
        assert (part.size, part.data) == (5, b"ell")
        assert (await agent.read_file(files["told"].path)).data == b"hello"

    scheduler = Recorder()
    with running(cluster.address, scheduler, framework(name=face)) as driver:
        offer = scheduler.offer()
        launched = task(offer, "printf hello > told; exec sleep 1000")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, v0.TASK_RUNNING)
        run(story(offer.slave_id.value, launched.task_id.value))


def test_the_example_drains_an_agent(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler, framework(name="drained")) as driver:
        offer = scheduler.offer()
        launched = task(offer, "exec sleep 1000")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, v0.TASK_RUNNING)
        agent_id = offer.slave_id.value
        try:
            command = [sys.executable, str(EXAMPLE), master, agent_id]
            done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
        finally:
            client = operator.MasterClient(master)
            client.reactivate_agent(agent_id)
            run(until_agent_has_drained(Waiting(client), agent_id))
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert f"agent {agent_id} on localhost" in said
    assert "framework drained" in said
    assert f"task {launched.task_id.value} TASK_RUNNING on {agent_id}" in said
    assert f"task {launched.task_id.value} TASK_KILLED" in said
    assert said[-1] == f"drained {agent_id}"
