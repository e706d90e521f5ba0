"""``mesos.helpers.Demand``: REVIVE and SUPPRESS when they are needed, and not more often."""

from __future__ import annotations

import asyncio
import doctest
import gc
import itertools
import random
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio
from mesos.errors import ArgumentTypeError, ArgumentValueError, MesosWarning
from mesos.helpers import Demand, Reconciliation, _demand, _observer, watched
from mesos.helpers._demand import DemandState
from mesos.interface import Scheduler
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver
from mesos.pymesos import MesosSchedulerDriver as DictSchedulerDriver
from mesos.testing import Mesos
from mesos.v1.interface import mesos_pb2

from tests.apache_mesos import ApacheMesos
from tests.python.support import WAIT_SECONDS, Recorder, capable, filters, framework, running, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from mesos.helpers import Observer

HOURS = 10 * 3600.0
LONG = mesos_pb2.Filters(refuse_seconds=HOURS)


def roles_of(calls: list[tuple[str, Any]]) -> list[tuple[str, list[str] | None]]:
    return [(name, None if not roles else sorted(roles)) for name, roles in calls]


def helper_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mesos-helper"]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, WAIT_SECONDS))


class Spy(MesosSchedulerDriver):
    """Notes the calls of demand, and makes them."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.sent: list[tuple[str, Any]] = []

    def reviveOffers(self, roles: Any = None) -> Any:
        self.sent.append(("revive", roles))
        return super().reviveOffers(roles)

    def suppressOffers(self, roles: Any = None) -> Any:
        self.sent.append(("suppress", roles))
        return super().suppressOffers(roles)


class TestState:
    def test_the_first_call_is_sent_at_once_and_the_next_one_after_the_interval(self) -> None:
        state = DemandState(None, 5)
        state.want(None, 1)
        assert state.poll(100) == ([], [None], None)
        state.want(None, 0)
        assert state.poll(101) == ([], [], 105)
        assert state.poll(105) == ([None], [], None)
        assert state.poll(200) == ([], [], None)

    def test_what_is_over_before_the_end_of_the_interval_is_not_sent(self) -> None:
        state = DemandState(None, 5)
        assert state.poll(0) == ([None], [], None)
        state.want(None, 3)
        assert state.poll(1).due == 5
        state.want(None, 0)
        assert state.poll(2) == ([], [], None)
        assert state.poll(5) == ([], [], None)

    @pytest.mark.parametrize(
        ("before", "after", "revives"),
        [
            (1, 2, True),
            (2, 2, False),
            (2, 1, False),
            (True, True, False),
            (frozenset("ab"), frozenset("b"), False),
            (frozenset("ab"), frozenset("bc"), True),
            (2, frozenset("ab"), True),
        ],
    )
    def test_only_what_was_not_wanted_before_revives_again(self, before: Any, after: Any, revives: bool) -> None:
        state = DemandState(None, 0)
        state.want(None, before)
        assert state.poll(0).revive == [None]
        state.want(None, after)
        assert state.poll(1).revive == ([None] if revives else [])

    def test_roles_of_one_time_share_a_call(self) -> None:
        state = DemandState(["a", "b", "c"], 5)
        state.want("b", 1)
        assert state.poll(0) == (["a", "c"], ["b"], None)
        state.want("a", 1)
        state.want("c", 1)
        state.want("b", 0)
        assert state.poll(5) == (["b"], ["a", "c"], None)

    def test_registration_has_everything_sent_again_at_once(self) -> None:
        state = DemandState(["a", "b"], 5)
        state.want("a", 1)
        assert state.poll(0) == (["b"], ["a"], None)
        state.registered()
        assert state.poll(1) == (["b"], ["a"], None)
        # By another clock.
        state.registered()
        assert state.poll(-1000) == (["b"], ["a"], None)

    @pytest.mark.parametrize("seed", range(50))
    def test_whatever_is_wanted_the_master_knows_it_an_interval_later(self, seed: int) -> None:
        chance = random.Random(seed)
        state, now, told, grown, last = DemandState(None, 5), 0.0, None, True, -5.0
        wanted = 0
        for _ in range(200):
            if chance.random() < 0.5:
                new = chance.choice([0, 0, 1, 2, 3])
                grown, wanted = bool(new) and (grown or new > wanted), new
                state.want(None, new)
            now += chance.choice([0, 0.5, 2, 6])
            step = state.poll(now)
            if step.suppress or step.revive:
                assert now - last >= 5
                assert (told, grown) != (bool(wanted), False), "it was not needed"
                last, told, grown = now, bool(step.revive), False
            assert told is bool(wanted) or now - last < 5
            assert step.due is None or now < step.due <= now + 5


class TestArguments:
    def test_wanted_is_a_number_or_a_collection(self) -> None:
        demand = Demand()
        for wrong in ("abc", 1.5, None):
            with pytest.raises(ArgumentTypeError, match="expected a number, a bool or a collection of ids as wanted"):
                demand.set(wrong)  # type: ignore[arg-type]
        with pytest.raises(ArgumentValueError, match="expected a number from 0 as wanted, got -1"):
            demand.set(-1)

    def test_a_role_is_given_if_there_are_roles(self) -> None:
        with pytest.raises(ArgumentValueError, match="use Demand"):
            Demand().set(1, "a")
        with pytest.raises(ArgumentValueError, match="expected one of the roles 'a', 'b' as role, got None"):
            Demand(["a", "b"]).set(1)
        with pytest.raises(ArgumentTypeError, match="expected an iterable of roles"):
            Demand("web")

    def test_the_interval_is_a_number_of_seconds(self) -> None:
        with pytest.raises(ArgumentTypeError, match="expected a number of seconds as interval"):
            Demand(interval="5")  # type: ignore[arg-type]
        with pytest.raises(ArgumentValueError, match="from 0 as interval"):
            Demand(interval=-1)

    def test_suppressed_roles_are_those_that_want_nothing(self) -> None:
        demand = Demand(["b", "a"])
        assert demand.suppressed_roles == ["a", "b"]
        demand.set(1, "a")
        assert demand.suppressed_roles == ["b"]
        assert Demand().suppressed_roles == []

    def test_a_helper_is_watched_with_and_nothing_else(self) -> None:
        with pytest.raises(ArgumentTypeError, match="expected a helper"):
            watched(Scheduler(), object())  # type: ignore[arg-type]
        with pytest.raises(ArgumentTypeError, match="got None"):
            watched(None)
        with pytest.raises(ArgumentTypeError, match="expected an instance as scheduler, got the class Recorder"):
            watched(Recorder)
        assert repr(watched(Recorder(), Demand())).endswith(", Demand)")


class TestOnBothMasters:
    def test_declined_offers_come_again_when_more_is_wanted(self, master: str) -> None:
        demand, scheduler = Demand(interval=0.1), Recorder()
        demand.set(1)
        with running(master, watched(scheduler, demand)) as driver:
            for offer in scheduler.offers_of_agents(2):
                driver.declineOffer(offer.id, filters(HOURS))
            demand.set(2)
            for offer in scheduler.offers_of_agents(2):
                driver.declineOffer(offer.id, filters(HOURS))
            demand.renew()
            assert len(scheduler.offers_of_agents(2)) == 2

    def test_nothing_is_offered_while_nothing_is_wanted(self, master: str) -> None:
        demand, idle, other = Demand(["*"], interval=0.1), Recorder(unwanted=("resourceOffers",)), Recorder()
        with running(master, watched(idle, demand), suppressedRoles=demand.suppressed_roles):
            idle.wait("registered")
            with running(master, other) as driver:
                # What this one declines would be offered to the other one next.
                for _ in range(3):
                    for offer in other.offers_of_agents(2):
                        driver.declineOffer(offer.id, filters(0))
            assert idle.events.empty()
            demand.set(1, "*")
            idle.unwanted = ()
            assert idle.offer()

    def test_roles_have_demands_of_their_own(self, master: str) -> None:
        info = framework(roles=["first", "second"], capabilities=capable("MULTI_ROLE"))
        demand, scheduler = Demand(["first", "second"], interval=0.1), Recorder()
        demand.set(["a task"], "second")
        driver = MesosSchedulerDriver(watched(scheduler, demand), info, master, suppressedRoles=demand.suppressed_roles)
        with driver:
            driver.start()
            for offer in scheduler.offers_of_agents(2):
                assert offer.allocation_info.role == "second"
                driver.declineOffer(offer.id, filters(HOURS))
            demand.set(1, "first")
            for offer in scheduler.offers_of_agents(2):
                assert offer.allocation_info.role == "first"

    def test_it_works_with_asyncio(self, master: str) -> None:
        async def main() -> None:
            demand, declined = Demand(interval=0.1), 0
            demand.set(1)
            async with aio.Framework("test", master) as scheduler:
                async for event in scheduler:
                    await demand.handle(scheduler, event)
                    if isinstance(event, aio.Offers):
                        for offer in event.offers:
                            declined += 1
                            await scheduler.decline(offer, filters=LONG)
                        if declined == 2:
                            # From a thread that is not that of the loop.
                            await asyncio.to_thread(demand.set, 2)
                        if declined == 4:
                            return

        run(main())

    def test_it_works_with_pymesos(self, master: str) -> None:
        demand, offered, told = Demand(interval=0.1), [], threading.Event()

        class Declining:
            def resourceOffers(self, driver: Any, offers: Any) -> None:
                for offer in offers:
                    offered.append(offer)
                    driver.declineOffer(offer["id"], {"refuse_seconds": HOURS})
                if len(offered) == 2:
                    demand.set(2)
                if len(offered) == 4:
                    told.set()

        demand.set(1)
        driver = DictSchedulerDriver(watched(Declining(), demand), {"user": "", "name": "test"}, master)
        driver.start()
        try:
            assert told.wait(WAIT_SECONDS)
        finally:
            driver.stop()
            driver.join()

    def test_many_threads_leave_the_master_with_what_was_wanted_last(self, master: str) -> None:
        demand, scheduler = Demand(interval=0.01), Recorder()
        driver = Spy(watched(scheduler, demand), framework(), master)
        with driver:
            driver.start()
            scheduler.wait("registered")

            def change(number: int) -> None:
                chance = random.Random(number)
                for _ in range(200):
                    demand.set(chance.randrange(3))

            threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            demand.set(0)
            wait_until(lambda: driver.sent[-1][0] == "suppress" and not helper_threads(), "the last call")
            names = [name for name, _ in driver.sent]
            assert ("suppress", "suppress") not in itertools.pairwise(names)
            demand.set(1)
            wait_until(lambda: driver.sent[-1][0] == "revive", "the first call after the rest")


class TestFailover:
    def test_the_next_scheduler_says_anew_what_it_wants(self, master: str) -> None:
        # SUBSCRIBE of a scheduler that names no roles ends the suppression.
        first, scheduler = Demand(), Recorder()
        driver = MesosSchedulerDriver(watched(scheduler, first), framework(failover_timeout=60), master)
        driver.start()
        scheduler.wait("registered")
        framework_id = scheduler.seen[-1].arguments[0]
        driver.stop(failover=True)
        driver.join()
        second = Recorder()
        info = framework(failover_timeout=60, id=framework_id)
        with Spy(watched(second, Demand()), info, master) as spy:
            spy.start()
            second.wait("registered")
            assert spy.sent == [("suppress", None)]

    @pytest.mark.apache
    def test_everything_is_sent_anew_to_the_real_master_that_was_started_again(
        self, apache_home: Path, tmp_path: Path
    ) -> None:
        cluster = ApacheMesos(apache_home, tmp_path / "mesos")
        scheduler = Recorder()
        with cluster:
            self.follow(cluster.address, lambda: (cluster.kill(), cluster.start()), scheduler)

    def test_everything_is_sent_anew_to_the_embedded_master_that_was_started_again(self) -> None:
        with LocalCluster() as cluster:
            self.follow(cluster, lambda: cluster.restart_master(), Recorder())

    def follow(self, master: Any, restart: Callable[[], object], scheduler: Recorder) -> None:
        info = framework(roles=["busy", "idle"], capabilities=capable("MULTI_ROLE"), failover_timeout=60)
        demand = Demand(["busy", "idle"], interval=0.1)
        demand.set(1, "busy")
        with Spy(watched(scheduler, demand), info, master) as driver:
            driver.start()
            scheduler.wait("registered")
            both = [("suppress", ["idle"]), ("revive", ["busy"])]
            assert roles_of(driver.sent) == both
            driver.declineOffer(scheduler.offer().id, filters(HOURS))
            restart()
            scheduler.wait("reregistered", seconds=60)
            assert roles_of(driver.sent) == both + both
            assert scheduler.offer().allocation_info.role == "busy"


class TestTime:
    def test_the_interval_is_that_of_the_cluster_s_clock(self) -> None:
        demand = Demand(interval=600)
        with Mesos(time="skip") as mesos:
            started = mesos.start(watched(Scheduler(), demand))
            began = mesos.cluster.time()
            mesos.cluster.advance(1)
            for wanted in (1, 2, 0, 3):
                demand.set(wanted)
            mesos.cluster.advance(598)
            assert [call.name for call in started.calls] == ["start", "suppressOffers"]
            mesos.cluster.run_until(lambda: len(started.calls) == 3)
            assert started.calls[-1].name == "reviveOffers"
            assert mesos.cluster.time() - began == 600
            assert helper_threads() == []

    def test_a_cluster_that_was_named_by_its_address_is_found(self) -> None:
        demand, scheduler = Demand(interval=600), Recorder()
        with (
            LocalCluster(time="skip") as cluster,
            Spy(watched(scheduler, demand), framework(), cluster.address) as driver,
        ):
            driver.start()
            cluster.advance(1)
            demand.set(1)
            cluster.advance(600)
            assert [name for name, _ in driver.sent] == ["suppress", "revive"]

    def test_asyncio_follows_the_cluster_s_clock(self) -> None:
        async def main(cluster: LocalCluster) -> None:
            demand = Demand(interval=600)
            async with aio.Framework("test", cluster) as scheduler:

                async def follow() -> None:
                    async for event in scheduler:
                        await demand.handle(scheduler, event)
                        if isinstance(event, aio.Subscribed):
                            demand.set(1)
                        if isinstance(event, aio.Offers) and cluster.time() - began >= 600:
                            return
                        if isinstance(event, aio.Offers):
                            await scheduler.decline(event.offers, filters=LONG)

                following = asyncio.create_task(follow())
                await asyncio.to_thread(cluster.run_until, following.done)
                await following

        with LocalCluster(time="skip") as cluster:
            began = cluster.time()
            run(main(cluster))
            assert cluster.time() - began == 600


class TestThreads:
    def test_there_is_a_thread_only_while_something_waits(self, embedded: LocalCluster) -> None:
        demand, scheduler = Demand(interval=3), Recorder()
        with running(embedded, watched(scheduler, demand)):  # type: ignore[arg-type]
            scheduler.wait("registered")
            assert helper_threads() == []
            demand.set(1)
            assert len(helper_threads()) == 1
            wait_until(lambda: not helper_threads(), "the end of the thread")

    def test_the_thread_ends_with_the_driver(self, embedded: LocalCluster) -> None:
        demand, scheduler = Demand(interval=3600), Recorder()
        with running(embedded, watched(scheduler, demand)):  # type: ignore[arg-type]
            scheduler.wait("registered")
            demand.set(1)
            assert len(helper_threads()) == 1
        wait_until(lambda: not helper_threads(), "the end of the thread")
        demand.set(2)
        assert helper_threads() == []

    def test_neither_the_driver_nor_the_demand_is_kept(self, embedded: LocalCluster) -> None:
        demand, scheduler = Demand(interval=3600), Recorder()
        driver = MesosSchedulerDriver(watched(scheduler, demand), framework(), embedded)
        driver.start()
        scheduler.wait("registered")
        demand.set(1)
        gone = [weakref.ref(each) for each in (driver, demand, scheduler)]
        del driver, demand
        scheduler.seen.clear()
        del scheduler

        def is_gone() -> bool:
            gc.collect()
            return all(each() is None for each in gone) and not helper_threads()

        wait_until(is_gone, "nothing is left")


class TestWatched:
    def test_a_scheduler_without_a_callback_stays_without_it(self) -> None:
        class Bare:
            def resourceOffers(self, driver: Any, offers: Any) -> None: ...

        scheduler = watched(Bare(), Reconciliation(list))
        assert scheduler.statusUpdate(None, {"task_id": {"value": "task"}}) is None
        assert not hasattr(scheduler, "inverseOffers")
        assert type(scheduler).__name__ == "Bare"

    def test_a_method_that_was_meant_as_a_callback_is_warned_about(self) -> None:
        class Misspelt(Scheduler):
            def statusupdate(self, driver: Any, status: Any) -> None: ...

        with pytest.warns(MesosWarning, match="statusupdate") as caught:
            watched(Misspelt(), Demand())
        assert caught[0].filename == __file__

    def test_callbacks_that_are_coroutines_run_in_the_loop(self, embedded: LocalCluster) -> None:
        async def main() -> str:
            called: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            class Asynchronous(Scheduler):
                async def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
                    await asyncio.sleep(0)
                    called.set_result(frameworkId.value)

            loop = asyncio.get_running_loop()
            driver = MesosSchedulerDriver(watched(Asynchronous(), Demand()), framework(), embedded, loop=loop)
            driver.start()
            try:
                return await called
            finally:
                driver.stop()
                await asyncio.to_thread(driver.join)

        assert run(main())

    def test_the_examples_of_the_docstrings(self) -> None:
        for module in (_demand, _observer):
            assert doctest.testmod(module).failed == 0


def test_an_event_that_no_helper_needs_is_passed_over() -> None:
    async def main() -> None:
        helper: Observer = Demand()
        await helper.handle(aio.Framework("test", "127.0.0.1:1"), aio.Disconnected())

    run(main())
