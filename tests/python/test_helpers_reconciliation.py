"""``mesos.helpers.Reconciliation``: tasks are asked for until each has been answered."""

from __future__ import annotations

import asyncio
import doctest
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.helpers import Reconciliation, _reconciliation, watched
from mesos.helpers._reconciliation import ReconciliationState
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver
from mesos.pymesos import MesosSchedulerDriver as DictSchedulerDriver
from mesos.testing import Mesos, fake_update
from mesos.v1.interface import mesos_pb2 as v1

from tests.apache_mesos import ApacheMesos
from tests.python.support import WAIT_SECONDS, Recorder, framework, running, task

if TYPE_CHECKING:
    from pathlib import Path

LOST, RUNNING = mesos_pb2.TASK_LOST, mesos_pb2.TASK_RUNNING


def state_of(**fields: Any) -> ReconciliationState:
    """Waits as long as it may."""
    return ReconciliationState(**{"shortest": 2, "longest": 30, "chance": lambda: 1.0, **fields})


class Spy(MesosSchedulerDriver):
    """Notes which tasks are asked for, and asks."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.asked: list[set[str]] = []

    def reconcileTasks(self, tasks: Any) -> Any:
        self.asked.append({each.task_id.value for each in tasks})
        return super().reconcileTasks(tasks)


class TestState:
    def test_rounds_come_ever_more_rarely_until_each_task_is_answered(self) -> None:
        state = state_of()
        state.begin(100, {"a": "agent", "b": ""})
        now, asked = 100.0, []
        for _ in range(7):
            step = state.poll(now)
            asked.append((now, step.ask))
            assert step.due is not None
            assert state.poll(step.due - 0.1).ask == []
            now = step.due
            if len(asked) == 3:
                state.answered("a")
        assert [at for at, _ in asked] == [100, 102, 106, 114, 130, 160, 190]
        assert [ask for _, ask in asked] == [[{"a": "agent", "b": ""}]] * 3 + [[{"b": ""}]] * 4
        state.answered("b")
        assert state.poll(now) == ([], False, None)
        assert state.is_complete

    def test_half_of_the_wait_is_left_to_chance(self) -> None:
        for chance, due in ((0.0, 1), (0.5, 1.5), (1.0, 2)):
            state = state_of(chance=lambda chance=chance: chance)
            state.begin(0, {"a": ""})
            assert state.poll(0).due == due

    def test_no_tasks_are_answered_at_once_and_never_asked_for(self) -> None:
        # Asking for no tasks is asking for all.
        state = state_of()
        state.begin(0, {})
        assert state.poll(0) == ([], False, None)
        assert state.is_complete

    def test_a_new_beginning_forgets_the_answers_before(self) -> None:
        state = state_of()
        state.begin(0, {"a": "", "b": ""})
        state.poll(0)
        state.answered("a")
        state.begin(1, {"a": "", "b": ""})
        assert state.poll(1) == ([{"a": "", "b": ""}], False, 3)

    def test_what_is_asked_while_one_runs_joins_it(self) -> None:
        state = state_of()
        state.begin(0, {"a": "", "b": ""})
        state.poll(0)
        state.answered("a")
        state.join(1, {"b": "", "c": ""})
        assert state.poll(1) == ([{"c": ""}], False, 2)
        assert state.poll(2) == ([{"b": "", "c": ""}], False, 6)

    def test_what_is_asked_while_none_runs_begins_one(self) -> None:
        state = state_of()
        state.join(5, {"a": ""})
        assert state.poll(5) == ([{"a": ""}], False, 7)

    def test_after_the_last_answer_the_master_s_own_tasks_are_asked_for(self) -> None:
        state = state_of(implicit=True, every=900)
        state.begin(0, {"a": ""})
        assert state.poll(0).ask == [{"a": ""}]
        state.answered("a")
        assert state.poll(1) == ([{}], False, 901)
        assert state.poll(900) == ([], False, 901)
        assert state.poll(901) == ([], True, 1801)
        state.begin(901, {"b": ""})
        assert state.poll(901).ask == [{"b": ""}]


class TestArguments:
    @pytest.mark.parametrize(
        "tasks",
        [
            ["a"],
            [mesos_pb2.TaskID(value="a")],
            [mesos_pb2.TaskInfo(name="x", task_id={"value": "a"}, slave_id={"value": "agent"})],
            [fake_update("a", "TASK_RUNNING", agent_id="agent")],
            [v1.TaskStatus(task_id={"value": "a"}, agent_id={"value": "agent"}, state=v1.TASK_RUNNING)],
            [{"task_id": {"value": "a"}, "agent_id": {"value": "agent"}}],
            {"a": "agent"},
            {"a": None},
        ],
        ids=str,
    )
    def test_tasks_may_be_whatever_names_them(self, tasks: Any) -> None:
        found = _reconciliation._known(tasks)
        assert found in ({"a": "agent"}, {"a": ""})
        assert (found["a"] == "agent") == ("agent" in str(tasks).replace("agent_id", ""))

    def test_what_names_no_task_is_refused(self) -> None:
        for wrong in (5, None, {}, mesos_pb2.TaskID()):
            with pytest.raises(ArgumentTypeError, match="expected the id of a task"):
                _reconciliation._known([wrong])

    def test_arguments_are_checked(self) -> None:
        with pytest.raises(ArgumentTypeError, match="expected a function that returns tasks"):
            Reconciliation(["a"])  # type: ignore[arg-type]
        with pytest.raises(ArgumentValueError, match="expected 0 < shortest <= longest"):
            Reconciliation(list, shortest=5, longest=1)
        with pytest.raises(ArgumentValueError, match="expected 0 < shortest <= longest"):
            Reconciliation(list, shortest=0)
        with pytest.raises(ArgumentValueError, match="expected more than 0 seconds as every"):
            Reconciliation(list, every=0)


class TestOnBothMasters:
    def test_each_task_is_answered_and_unknown_ones_are_found(self, master: str) -> None:
        known: dict[str, str] = {"gone": ""}
        reconciliation, scheduler = Reconciliation(lambda: known, shortest=60, implicit=True), Recorder()
        with Spy(watched(scheduler, reconciliation), framework(), master) as driver:
            driver.start()
            scheduler.state("gone", LOST)
            assert reconciliation.wait(WAIT_SECONDS)
            assert driver.asked == [{"gone"}, set()]
            offer = scheduler.offer()
            made = task(offer, "sleep 100")
            driver.launchTasks(offer.id, [made])
            scheduler.state(made.task_id.value, RUNNING)
            known.clear()
            known[made.task_id.value] = offer.slave_id.value
            known["other"] = ""
            reconciliation.reconcile()
            scheduler.wait("statusUpdate", lambda s: s.task_id.value == made.task_id.value and s.reason == RECONCILED)
            scheduler.state("other", LOST)
            assert reconciliation.wait(WAIT_SECONDS)
            assert reconciliation.unanswered == frozenset()
            # Of the framework's own tasks, and of those that the master knows.
            known.clear()
            reconciliation.reconcile()
            scheduler.wait("statusUpdate", lambda s: s.task_id.value == made.task_id.value and s.reason == RECONCILED)

    def test_it_works_with_asyncio(self, master: str) -> None:
        async def main() -> None:
            reconciliation = Reconciliation(lambda: ["first", "second"])
            answered = []
            async with aio.Framework("test", master) as scheduler:
                async for event in scheduler:
                    await reconciliation.handle(scheduler, event)
                    if isinstance(event, aio.Update):
                        answered.append(event.status.task_id.value)
                    if reconciliation.is_complete:
                        break
            assert sorted(answered) == ["first", "second"]

        asyncio.run(asyncio.wait_for(main(), WAIT_SECONDS))

    def test_it_works_with_pymesos(self, master: str) -> None:
        reconciliation = Reconciliation(lambda: [{"task_id": {"value": "gone"}, "agent_id": {"value": "none"}}])
        driver = DictSchedulerDriver(watched(object(), reconciliation), {"user": "", "name": "test"}, master)
        driver.start()
        try:
            assert reconciliation.wait(WAIT_SECONDS)
        finally:
            driver.stop()
            driver.join()

    def test_many_threads_ask_and_join(self, master: str) -> None:
        numbers = itertools.count()
        reconciliation = Reconciliation(lambda: [f"task-{next(numbers)}" for _ in range(5)])
        with running(master, watched(Scheduler(), reconciliation)):  # type: ignore[arg-type]
            threads = [threading.Thread(target=reconciliation.reconcile) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert reconciliation.wait(WAIT_SECONDS)


RECONCILED = mesos_pb2.TaskStatus.REASON_RECONCILIATION


class TestFailover:
    @pytest.mark.apache
    def test_the_real_master_that_was_started_again_is_asked_until_its_agent_is_back(
        self, apache_home: Path, tmp_path: Path
    ) -> None:
        known: list[mesos_pb2.TaskStatus] = []
        reconciliation = Reconciliation(lambda: known, shortest=0.2, longest=1)
        scheduler = Recorder()
        with ApacheMesos(apache_home, tmp_path / "mesos") as cluster:
            info = framework(failover_timeout=60, checkpoint=True)
            with Spy(watched(scheduler, reconciliation), info, cluster.address) as driver:
                driver.start()
                assert reconciliation.wait(WAIT_SECONDS)
                offer = scheduler.offer()
                made = task(offer, "sleep 100")
                driver.launchTasks(offer.id, [made])
                known.append(scheduler.state(made.task_id.value, RUNNING))
                assert driver.asked == []
                cluster.kill()
                cluster.start()
                scheduler.wait("reregistered", seconds=60)
                # Whether its executor has outlived the agent is another matter.
                scheduler.wait("statusUpdate", lambda status: status.task_id == made.task_id)
                assert reconciliation.wait(WAIT_SECONDS)
                assert driver.asked[0] == {made.task_id.value}

    def test_the_back_off_of_minutes_takes_no_time_in_virtual_time(self) -> None:
        known: dict[str, str] = {}
        reconciliation = Reconciliation(lambda: known, shortest=2, longest=60, every=None)
        with Mesos(time="skip", agents=1, simulate=Run(seconds=None)) as mesos:
            started = mesos.start(watched(Launcher(known), reconciliation), failover_timeout=3600)
            started.wait_for("task", "TASK_RUNNING")
            (agent,) = mesos.cluster.agents
            agent.disconnect()
            mesos.cluster.restart_master()
            started.wait_for_callback("reregistered")
            began = mesos.cluster.time()
            mesos.cluster.advance(300)
            assert reconciliation.unanswered == {"task"}
            assert not reconciliation.is_complete
            asked = rounds(started.calls)
            # 2, 4, 8, 16, 32 and then 60 seconds, of which each is at least half.
            assert 8 <= len(asked) <= 14
            agent.reconnect()
            mesos.cluster.run_until(lambda: reconciliation.is_complete)
            assert mesos.cluster.time() - began < 300 + 62
            assert reconciliation.unanswered == frozenset()
            number = len(rounds(started.calls))
            mesos.cluster.advance(3600)
            assert len(rounds(started.calls)) == number

    def test_asyncio_follows_the_cluster_s_clock(self) -> None:
        async def main(cluster: LocalCluster) -> None:
            began, reconciliation = cluster.time(), Reconciliation(lambda: ["task"], every=900, implicit=True)
            updates = 0
            async with aio.Framework("test", cluster) as scheduler:

                async def follow() -> None:
                    nonlocal updates
                    async for event in scheduler:
                        await reconciliation.handle(scheduler, event)
                        updates += isinstance(event, aio.Update)
                        if updates == 3:
                            return

                following = asyncio.create_task(follow())
                await asyncio.to_thread(cluster.run_until, following.done)
                await following
            assert cluster.time() - began == 1800

        with LocalCluster(time="skip") as cluster:
            asyncio.run(asyncio.wait_for(main(cluster), WAIT_SECONDS))


def rounds(calls: Any) -> list[Any]:
    return [call for call in calls if call.name == "reconcileTasks"]


class Launcher(Scheduler):
    """Launches one task, and notes on which agent."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            if self.known:
                driver.declineOffer(offer.id)
                continue
            made = task(offer)
            made.task_id.value = "task"
            self.known["task"] = offer.slave_id.value
            driver.launchTasks(offer.id, [made])


def test_the_framework_s_function_may_wait_for_a_lock_that_a_callback_has(embedded: LocalCluster) -> None:
    lock, asked = threading.Lock(), threading.Event()

    def tasks() -> list[str]:
        asked.set()
        with lock:
            return []

    reconciliation = Reconciliation(tasks)
    scheduler = Recorder()
    with running(embedded, watched(scheduler, reconciliation)):  # type: ignore[arg-type]
        scheduler.wait("registered")
        asked.clear()
        with lock:
            thread = threading.Thread(target=reconciliation.reconcile)
            thread.start()
            assert asked.wait(WAIT_SECONDS)
            # As in the callback of an update, while another thread asks.
            reconciliation.update(fake_update("task"))
        thread.join()


def test_the_thread_ends_with_the_driver(embedded: LocalCluster) -> None:
    before, scheduler = set(threading.enumerate()), Recorder()
    with running(embedded, watched(scheduler, Reconciliation(list, every=3600))):  # type: ignore[arg-type]
        scheduler.wait("registered")
        (thread,) = [each for each in set(threading.enumerate()) - before if each.name == "mesos-helper"]
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()


def test_an_exception_of_the_framework_s_function_is_told_and_it_is_called_again(
    embedded: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    calls, again = itertools.count(), threading.Event()

    def tasks() -> list[str]:
        number = next(calls)
        if number == 1:
            raise LookupError("of the function")
        if number == 2:
            again.set()
        return []

    with running(embedded, watched(Scheduler(), Reconciliation(tasks, every=0.05))):  # type: ignore[arg-type]
        assert again.wait(WAIT_SECONDS)
    assert [str(each.exc_value) for each in told] == ["of the function"]


def test_the_examples_of_the_docstrings() -> None:
    assert doctest.testmod(_reconciliation).failed == 0
