"""The connection for calls, cut at every point around a call, is no disconnection, and costs no call that counts.

What may be repeated is sent again. A framework message is dropped. A launch is never sent twice: its offers are
declined, and its tasks reconciled.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from mesos.interface import mesos_pb2
from mesos.v1.interface import executor_pb2, scheduler_pb2

from tests.python.split_proxy import LATE, POINTS, SplitProxy
from tests.python.support import Recorder, executor, filters, framework, running, task, task_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Call = scheduler_pb2.Call
NOT_PROCESSED = ("before", "reset", "within")
UNKNOWN = mesos_pb2.TaskID(value="unknown")


@contextlib.contextmanager
def subscribed(master: str) -> Iterator[tuple[SplitProxy, Any, Recorder]]:
    """A driver that is registered through a proxy, and is told of no disconnection until the end."""
    scheduler = Recorder(unwanted=("disconnected", "error"))
    with SplitProxy(master) as proxy, running(proxy.address, scheduler) as driver:
        scheduler.wait("registered")
        yield proxy, driver, scheduler
        mark(driver, scheduler, "end")
        assert proxy.subscriptions == 1


def mark(driver: Any, scheduler: Recorder, name: str) -> None:
    """Make a call that the master answers, and wait for that: what was called before has arrived, or never will."""
    driver.killTask(mesos_pb2.TaskID(value=f"mark-{name}"))
    scheduler.state(f"mark-{name}", mesos_pb2.TASK_LOST)


def wait_offered(scheduler: Recorder, since: int, agents: int = 2) -> None:
    """Wait until so many agents were offered after so many callbacks."""

    def offered() -> set[str]:
        events = [event for event in scheduler.seen[since:] if event.name == "resourceOffers"]
        return {offer.slave_id.value for event in events for offer in event.arguments[0]}

    while len(offered()) < agents:
        scheduler.wait("resourceOffers")


def kinds(calls: list[Any]) -> list[str]:
    """The types of calls in order, without acknowledgements and what :func:`mark` sends."""
    counted = [c for c in calls if c.type != Call.ACKNOWLEDGE and not c.kill.task_id.value.startswith("mark-")]
    return [Call.Type.Name(call.type) for call in counted]


def is_a(kind: int) -> Callable[[Any], bool]:
    return lambda call: call.type == kind


def state_of(master: str, framework_id: str) -> dict[str, Any] | None:
    """What the master tells of a framework that is active."""
    with urllib.request.urlopen(f"http://{master}/state", timeout=30) as response:
        frameworks = json.load(response)["frameworks"]
    return next((each for each in frameworks if each["id"] == framework_id), None)


def update_framework(driver: Any, scheduler: Recorder) -> None:
    info = framework(name="renamed")
    info.id.CopyFrom(next(event.arguments[0] for event in scheduler.seen if event.name == "registered"))
    driver.updateFramework(info, [])


CALLS: dict[str, Callable[[Any, Recorder], Any]] = {
    "KILL": lambda driver, _: driver.killTask(UNKNOWN),
    "RECONCILE": lambda driver, _: driver.reconcileTasks(
        [mesos_pb2.TaskStatus(task_id=UNKNOWN, state=mesos_pb2.TASK_STAGING)]
    ),
    "DECLINE": lambda driver, scheduler: driver.declineOffer(scheduler.offer().id, filters(0)),
    "SUPPRESS": lambda driver, _: driver.suppressOffers(),
    "REVIVE": lambda driver, _: driver.reviveOffers(),
    "REQUEST": lambda driver, _: driver.requestResources([mesos_pb2.Request()]),
    "UPDATE_FRAMEWORK": update_framework,
}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", CALLS)
def test_a_call_that_may_be_repeated_is_sent_again(master: str, kind: str, point: str) -> None:
    with subscribed(master) as (proxy, driver, scheduler):
        proxy.cut_at(point, is_a(Call.Type.Value(kind)))
        CALLS[kind](driver, scheduler)
        mark(driver, scheduler, "behind")
        assert kinds(proxy.received) == [kind, kind]
        assert kinds(proxy.forwarded) == [kind] * (1 if point in NOT_PROCESSED else 2)
        assert proxy.connections == 2
        if kind in ("KILL", "RECONCILE"):
            assert [event for event in scheduler.seen if "unknown" in repr(event)]


@pytest.mark.parametrize("point", POINTS)
def test_no_offer_is_held_when_a_decline_is_cut(master: str, point: str) -> None:
    with subscribed(master) as (proxy, driver, scheduler):
        offers = scheduler.offers_of_agents(2)
        proxy.cut_at(point, is_a(Call.DECLINE))
        for offer in offers:
            driver.declineOffer(offer.id, filters(0))
        scheduler.offers_of_agents(2)


@pytest.mark.parametrize("point", POINTS)
def test_suppress_and_revive_keep_their_order(master: str, point: str) -> None:
    with subscribed(master) as (proxy, driver, scheduler):
        for offer in scheduler.offers_of_agents(2):
            driver.declineOffer(offer.id, filters(0.5))
        proxy.cut_at(point, is_a(Call.SUPPRESS))
        since = len(scheduler.seen)
        driver.suppressOffers()
        driver.reviveOffers()
        mark(driver, scheduler, "behind")
        assert [kind for kind in kinds(proxy.forwarded) if kind != "DECLINE"][-2:] == ["SUPPRESS", "REVIVE"]
        wait_offered(scheduler, since)


@pytest.mark.parametrize("point", POINTS)
def test_a_framework_message_is_dropped(master: str, point: str) -> None:
    with subscribed(master) as (proxy, driver, scheduler):
        offer = scheduler.offer()
        proxy.cut_at(point, is_a(Call.MESSAGE))
        driver.sendFrameworkMessage(mesos_pb2.ExecutorID(value="e"), offer.slave_id, b"message")
        mark(driver, scheduler, "behind")
        assert kinds(proxy.received) == ["MESSAGE"]


def launch(offer: mesos_pb2.Offer, made: list[mesos_pb2.TaskInfo]) -> mesos_pb2.Offer.Operation:
    return mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.LAUNCH, launch={"task_infos": made})


def check_recovery(proxy: SplitProxy, offer: mesos_pb2.Offer, made: list[mesos_pb2.TaskInfo]) -> None:
    """The launch was sent once; then its offers were declined, and after that its tasks reconciled."""
    proxy.wait(lambda p: "RECONCILE" in kinds(p.received), "the tasks are reconciled")
    assert kinds(proxy.received)[:3] == ["ACCEPT", "DECLINE", "RECONCILE"]
    decline = next(call.decline for call in proxy.received if call.type == Call.DECLINE)
    assert [each.value for each in decline.offer_ids] == [offer.id.value]
    assert decline.filters.refuse_seconds == 0
    reconcile = next(call.reconcile for call in proxy.received if call.type == Call.RECONCILE)
    assert {each.task_id.value for each in reconcile.tasks} == {each.task_id.value for each in made}


@pytest.mark.parametrize("point", POINTS)
def test_a_launch_is_never_sent_twice(master: str, point: str) -> None:
    with subscribed(master) as (proxy, driver, scheduler):
        offer, other = scheduler.offers_of_agents(2)
        made = [task(offer), task(offer)]
        since = len(scheduler.seen)
        proxy.cut_at(point, is_a(Call.ACCEPT))
        driver.launchTasks(offer.id, made, filters(0))
        check_recovery(proxy, offer, made)
        expected = mesos_pb2.TASK_LOST if point in NOT_PROCESSED else mesos_pb2.TASK_FINISHED
        waiting = {each.task_id.value for each in made}
        while waiting:
            status = scheduler.wait("statusUpdate", lambda s: s.state == expected)
            waiting.discard(status.task_id.value)
        driver.declineOffer(other.id, filters(0))
        wait_offered(scheduler, since)
        assert kinds(proxy.received).count("ACCEPT") == 1


def test_a_launch_that_arrives_after_all_runs_nothing(master: str) -> None:
    """The decline was there first: the master has no such offer any more."""
    with subscribed(master) as (proxy, driver, scheduler):
        offer, other = scheduler.offers_of_agents(2)
        made = task(offer)
        since = len(scheduler.seen)
        proxy.cut_at(LATE, is_a(Call.ACCEPT))
        driver.launchTasks(offer.id, [made], filters(0))
        check_recovery(proxy, offer, [made])
        lost = scheduler.state(made.task_id.value, mesos_pb2.TASK_LOST)
        assert lost.reason == mesos_pb2.TaskStatus.REASON_RECONCILIATION
        proxy.release()
        refused = scheduler.state(made.task_id.value, mesos_pb2.TASK_LOST)
        assert refused.reason == mesos_pb2.TaskStatus.REASON_INVALID_OFFERS
        driver.declineOffer(other.id, filters(0))
        wait_offered(scheduler, since)


def test_every_task_of_a_cut_accept_is_reconciled(master: str) -> None:
    with subscribed(master) as (proxy, driver, scheduler):
        offer = scheduler.offer()
        group = [task(offer), task(offer)]
        made = executor()
        made.type = mesos_pb2.ExecutorInfo.DEFAULT
        made.ClearField("command")
        operations = [
            launch(offer, [single := task(offer)]),
            mesos_pb2.Offer.Operation(
                type=mesos_pb2.Offer.Operation.LAUNCH_GROUP,
                launch_group={"executor": made, "task_group": {"tasks": group}},
            ),
        ]
        proxy.cut_at("before", is_a(Call.ACCEPT))
        driver.acceptOffers([offer.id], operations, filters(0))
        check_recovery(proxy, offer, [single, *group])


@pytest.mark.parametrize("point", POINTS)
def test_an_acknowledgement_is_sent_again(master: str, point: str) -> None:
    with subscribed(master) as (proxy, driver, scheduler):
        framework_id = scheduler.seen[-1].arguments[0].value
        offer = scheduler.offer()
        made = task(offer)
        for _ in range(2):  # the first cut may meet the first update's, the second one the last update's
            proxy.cut_at(point, is_a(Call.ACKNOWLEDGE))
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)

        def put_away() -> bool:
            told = state_of(master, framework_id)
            return told is not None and [each["id"] for each in told["completed_tasks"]] == [made.task_id.value]

        wait_until(put_away, "the master knows that the last update is acknowledged", 8)
        uuids = [event.arguments[-1].uuid for event in scheduler.seen if event.name == "statusUpdate"]
        assert len(uuids) == len(set(uuids))


@pytest.mark.parametrize("point", POINTS)
def test_stop_tears_the_framework_down(master: str, point: str) -> None:
    scheduler = Recorder()
    with SplitProxy(master) as proxy:
        with running(proxy.address, scheduler) as driver:
            scheduler.wait("registered")
            framework_id = scheduler.seen[-1].arguments[0].value
            mark(driver, scheduler, "before")
            proxy.cut_at(point, is_a(Call.TEARDOWN))
        assert "TEARDOWN" in kinds(proxy.forwarded)
    wait_until(lambda: state_of(master, framework_id) is None, "the framework is gone")


def test_a_thousand_calls_over_many_cuts_keep_their_order(master: str) -> None:
    """Ignores repeated calls, which stay at their first position."""
    names = [f"call-{number}" for number in range(1000)]
    with subscribed(master) as (proxy, driver, scheduler):
        for number in range(30, 1000, 30):
            name = names[number]
            point = POINTS[number // 30 % len(POINTS)]
            proxy.cut_at(point, lambda call, name=name: call.kill.task_id.value == name)
        for name in names:
            driver.killTask(mesos_pb2.TaskID(value=name))
        mark(driver, scheduler, "behind")
        arrived = [call.kill.task_id.value for call in proxy.forwarded if call.kill.task_id.value.startswith("call-")]
        assert list(dict.fromkeys(arrived)) == names
        answered = [event.arguments[0].task_id.value for event in scheduler.seen if event.name == "statusUpdate"]
        assert set(names) <= set(answered)


@pytest.mark.parametrize("how", ["cut", "reset", "half"])
def test_an_idle_connection_for_calls_may_end(master: str, how: str) -> None:
    with subscribed(master) as (proxy, driver, scheduler):
        assert proxy.connections == 0
        for number in range(10):
            mark(driver, scheduler, str(number))
            proxy.wait(lambda p, number=number: p.answered > number, "the call is answered")
            proxy.end_calls(how)
        marks = [call.kill.task_id.value for call in proxy.forwarded]
        # A reset can discard an answer that has come and is not read yet.
        assert (list(dict.fromkeys(marks)) if how == "reset" else marks) == [f"mark-{number}" for number in range(10)]


def test_the_end_of_the_stream_alone_is_a_disconnection(master: str) -> None:
    scheduler = Recorder()
    info = framework(failover_timeout=600)
    with SplitProxy(master) as proxy, running(proxy.address, scheduler, info) as driver:
        scheduler.wait("registered")
        mark(driver, scheduler, "first")
        for number in range(2):
            proxy.swallow_calls()
            driver.killTask(UNKNOWN)
            proxy.wait(lambda p, number=number: kinds(p.received).count("KILL") > number, "the call is swallowed")
            proxy.cut_stream()
            scheduler.wait("disconnected")
            scheduler.wait("reregistered")
            mark(driver, scheduler, f"again-{number}")
        assert proxy.subscriptions == 3


# Executors.


def through(proxy: SplitProxy, offer: mesos_pb2.Offer) -> mesos_pb2.ExecutorInfo:
    """An executor that reaches its agent through a proxy."""
    made = executor()
    path = offer.url.path.strip("/")
    made.command.environment.variables.add(name="MESOS_SLAVE_PID", value=f"{path}@{proxy.address}")
    return made


@pytest.mark.parametrize("point", POINTS)
def test_an_executor_s_updates_arrive_once_and_in_order(master: str, point: str) -> None:
    scheduler = Recorder()
    words = [str(number) for number in range(5)]
    with SplitProxy(master, executor_pb2) as proxy, running(master, scheduler) as driver:
        for cut in ("1", "3"):
            proxy.cut_at(point, lambda call, cut=cut: call.update.status.message == cut)
        offer = scheduler.offer()
        made = task_of(
            offer, through(proxy, offer), " ".join(f"with:message={word} running" for word in words) + " finished"
        )
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)
        told = [event.arguments[0].message for event in scheduler.seen if event.name == "statusUpdate"]
        assert told == [*words, ""]
        assert (proxy.subscriptions, proxy.connections) == (1, 3)


@pytest.mark.parametrize("point", POINTS)
def test_an_executor_s_message_is_dropped(master: str, point: str) -> None:
    scheduler = Recorder()
    with SplitProxy(master, executor_pb2) as proxy, running(master, scheduler) as driver:
        proxy.cut_at(point, lambda call: call.message.data == b"one")
        offer = scheduler.offer()
        made = task_of(offer, through(proxy, offer), "say:one finished")
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)
        assert [call.message.data for call in proxy.received].count(b"one") == 1
        assert proxy.subscriptions == 1


@pytest.mark.parametrize("how", ["cut", "reset", "half"])
def test_an_executor_s_idle_connection_for_calls_may_end(master: str, how: str) -> None:
    scheduler = Recorder()
    with SplitProxy(master, executor_pb2) as proxy, running(master, scheduler) as driver:
        offer = scheduler.offer()
        made = task_of(offer, through(proxy, offer), "running")
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_RUNNING)
        proxy.end_calls(how)
        driver.killTask(made.task_id)
        scheduler.state(made.task_id.value, mesos_pb2.TASK_KILLED)
        assert proxy.subscriptions == 1
