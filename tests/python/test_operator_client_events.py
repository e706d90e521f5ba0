"""The events of a master, through the clients that wait and those that are awaited, on both masters."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from kazoo.client import KazooClient
from mesos import aio, auth
from mesos.errors import AnswerTimeoutError, RequestRefusedError
from mesos.interface import mesos_pb2 as v0
from mesos.local import LocalCluster
from mesos.operator import MasterClient
from mesos.v1.interface import master_pb2

from tests.apache_mesos import ApacheMesos, credentials, free_port
from tests.python.operating import MASTERS
from tests.python.support import WAIT_SECONDS, Recorder, framework, running, task, wait_until
from tests.python.test_zookeeper import elect, json_info

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from tests.apache_mesos import ZooKeeper

Event = master_pb2.Event


@pytest.fixture(params=MASTERS)
def face(request: pytest.FixtureRequest) -> Any:
    return MASTERS[request.param]


def run(story: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(story, 2 * WAIT_SECONDS))


async def wait(events: Any, kind: Event.Type.ValueType, where: Callable[[Any], object] = lambda _: True) -> Any:
    """The next event of a kind."""
    async for event in events:
        assert event.type != Event.HEARTBEAT
        if event.type == kind and where(event):
            return event
    raise AssertionError("the events have ended")


async def next_of(events: Any) -> Any:
    """The next event, however often the wait for it times out."""
    while True:
        with contextlib.suppress(AnswerTimeoutError):
            return await anext(events)


def test_events_tell_what_happens(master: str, face: Any) -> None:
    async def story() -> None:
        async with face(master).events(timeout=WAIT_SECONDS) as events:
            first = await anext(events)
            assert first.type == Event.SUBSCRIBED
            assert len(first.subscribed.get_state.get_agents.agents) == 2
            scheduler = Recorder()
            with running(master, scheduler, framework(name="watched")) as driver:
                named = lambda event: event.framework_added.framework.framework_info.name == "watched"  # noqa: E731
                added = await wait(events, Event.FRAMEWORK_ADDED, named)
                offer = scheduler.offer()
                launched = task(offer)
                driver.launchTasks(offer.id, [launched])
                told = await wait(events, Event.TASK_ADDED)
                assert told.task_added.task.task_id.value == launched.task_id.value
                await wait(events, Event.TASK_UPDATED, lambda e: e.task_updated.state == v0.TASK_FINISHED)
            framework_id = added.framework_added.framework.framework_info.id
            removed = lambda event: event.framework_removed.framework_info.id == framework_id  # noqa: E731
            await wait(events, Event.FRAMEWORK_REMOVED, removed)

    run(story())


def test_a_time_out_ends_a_wait_and_not_the_events(embedded: LocalCluster, face: Any) -> None:
    async def story() -> None:
        async with face(embedded).events(timeout=0.1) as events:
            await next_of(events)
            for _ in range(2):
                with pytest.raises(AnswerTimeoutError, match=r"no event within 0\.1 s"):
                    await anext(events)
            embedded.add_agent()
            assert (await next_of(events)).type == Event.AGENT_ADDED

    run(story())


def test_heartbeats_are_not_shown(face: Any) -> None:
    """A minute has four. Time waits for whoever reads them, so it has to move in another thread."""
    with LocalCluster(time="skip") as cluster:

        def pass_a_minute() -> None:
            cluster.advance(60)
            cluster.add_agent()

        async def story() -> None:
            async with face(cluster).events(timeout=WAIT_SECONDS) as events:
                assert (await anext(events)).type == Event.SUBSCRIBED
                passing.start()
                assert (await anext(events)).type == Event.AGENT_ADDED

        passing = threading.Thread(target=pass_a_minute)
        began = cluster.time()
        run(story())
        passing.join()
        assert cluster.time() - began >= 60


@pytest.mark.parametrize("memory", [True, False])
def test_they_go_on_when_the_embedded_master_is_restarted(embedded: LocalCluster, face: Any, memory: bool) -> None:
    async def story() -> None:
        async with face(embedded).events(timeout=WAIT_SECONDS) as events:
            await wait(events, Event.SUBSCRIBED)
            embedded.restart_master(memory=memory)
            assert (await anext(events)).type == Event.SUBSCRIBED
            agent = embedded.add_agent()
            await wait(events, Event.AGENT_ADDED, lambda e: e.agent_added.agent.agent_info.id.value == agent.id)

    run(story())


def test_they_go_on_when_the_real_master_is_restarted(apache_home: Path, tmp_path: Path) -> None:
    mesos = ApacheMesos(apache_home, tmp_path / "mesos")

    async def story(events: list[Any]) -> None:
        for each in events:
            await wait(each, Event.SUBSCRIBED)
        mesos.kill()
        await asyncio.to_thread(mesos.start)
        for each in events:
            again = await anext(each)
            assert again.type == Event.SUBSCRIBED
            if not again.subscribed.get_state.get_agents.agents:
                await wait(each, Event.AGENT_ADDED)

    with mesos:
        run(story([face(mesos.address).events(timeout=WAIT_SECONDS) for face in MASTERS.values()]))


def test_they_follow_a_new_leader(
    apache_home: Path, apache_mesos: ApacheMesos, zookeeper: ZooKeeper, tmp_path: Path
) -> None:
    """The first one leads in ZooKeeper, then the other one, and both are real."""
    kazoo = KazooClient(zookeeper.address)
    kazoo.start(timeout=30)

    async def story(events: list[Any], other: ApacheMesos) -> None:
        for each in events:
            told = await anext(each)
            assert len(told.subscribed.get_state.get_agents.agents) == 2
        elect(kazoo, json_info(other.port))
        kazoo.delete(first)
        for each in events:
            told = await anext(each)
            assert told.type == Event.SUBSCRIBED
            assert len(told.subscribed.get_state.get_agents.agents) == 1

    try:
        with ApacheMesos(apache_home, tmp_path / "other", agents=1) as other:
            first = elect(kazoo, json_info(apache_mesos.port))
            address = f"zk://{zookeeper.address}/mesos"
            run(story([face(address).events(timeout=WAIT_SECONDS) for face in MASTERS.values()], other))
    finally:
        kazoo.stop()
        kazoo.close()


def test_they_wait_for_a_master_that_is_not_there_yet(face: Any) -> None:
    port = free_port()

    async def story() -> None:
        async with face(f"127.0.0.1:{port}").events(timeout=WAIT_SECONDS) as events:
            with LocalCluster(port=port):
                assert (await anext(events)).type == Event.SUBSCRIBED

    run(story())


@pytest.fixture(scope="module")
def guarded(apache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheMesos]:
    """A real master that answers alice alone."""
    work = tmp_path_factory.mktemp("guarded")
    flags = {
        "MESOS_AUTHENTICATE_HTTP_READWRITE": "true",
        **credentials(work / "credentials", "alice", "s3cret"),
    }
    with ApacheMesos(apache_home, work / "mesos", agents=0, flags=flags) as mesos:
        yield mesos


def test_who_is_not_known_is_told_so(guarded: ApacheMesos, face: Any) -> None:
    async def story() -> None:
        events = face(guarded.address, authentication="Basic bm9ib2R5Og==").events(timeout=WAIT_SECONDS)
        with pytest.raises(RequestRefusedError) as raised:
            await anext(events)
        assert (raised.value.call, raised.value.status) == ("SUBSCRIBE", 401)
        known = face(guarded.address, authentication=auth.Basic("alice", "s3cret"))
        async with known.events(timeout=WAIT_SECONDS) as events:
            assert (await anext(events)).type == Event.SUBSCRIBED

    run(story())


class TestTheEnd:
    def test_close_ends_a_wait_in_another_thread(self, embedded: LocalCluster) -> None:
        for close in (lambda client, _: client.close(), lambda _, events: events.close()):
            client = MasterClient(embedded)
            events = client.events()
            assert next(events).type == Event.SUBSCRIBED
            seen: list[Any] = []
            thread = threading.Thread(target=lambda events=events, seen=seen: seen.extend(events))
            thread.start()
            close(client, events)
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()
            assert seen == []
            assert list(events) == []

    def test_ctrl_c_ends_a_wait(self, embedded: LocalCluster) -> None:
        events = MasterClient(embedded).events()
        next(events)
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the signal may come before the wait
            timer.start()
            next(events)
        assert time.monotonic() - started < 5
        timer.join()
        embedded.add_agent()
        assert next(events).type == Event.AGENT_ADDED, "it may be waited for again"

    def test_a_task_that_waits_is_cancelled(self, embedded: LocalCluster) -> None:
        async def story() -> None:
            client = aio.MasterClient(embedded)
            events = client.events()
            assert (await anext(events)).type == Event.SUBSCRIBED
            for _ in range(3):
                waiting = asyncio.ensure_future(anext(events))
                await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            embedded.add_agent()
            assert (await anext(events)).type == Event.AGENT_ADDED
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            await client.close()
            with pytest.raises(StopAsyncIteration):
                await waiting

        run(story())

    def test_nothing_is_left_of_200_loops(self, embedded: LocalCluster) -> None:
        """However the loop is left."""

        class Left(Exception):
            """Raised in the loop."""

        def leave(client: MasterClient, number: int) -> None:
            if number % 3 == 0:
                for event in client.events():
                    assert event.type == Event.SUBSCRIBED
                    break
            elif number % 3 == 1:
                with client.events() as events:
                    next(events)
            else:
                with contextlib.suppress(Left):
                    for _ in client.events(timeout=WAIT_SECONDS):
                        raise Left

        async def leave_async(client: aio.MasterClient, number: int) -> None:
            if number % 2:
                async for event in client.events():
                    assert event.type == Event.SUBSCRIBED
                    break
            else:
                async with client.events(timeout=WAIT_SECONDS) as events:
                    await anext(events)

        async def both() -> None:
            client = aio.MasterClient(embedded)
            for number in range(100):
                await leave_async(client, number)

        def open_things() -> tuple[int, int]:
            gc.collect()
            return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

        waiting = MasterClient(embedded)
        leave(waiting, 0)
        asyncio.run(leave_async(aio.MasterClient(embedded), 0))
        before = open_things()
        for number in range(100):
            leave(waiting, number)
        run(both())
        # Connections are closed by the runtime of this process, and threads of Tokio's pool come and go.
        wait_until(lambda: all(now <= was + 2 for now, was in zip(open_things(), before, strict=True)), "all is closed")
