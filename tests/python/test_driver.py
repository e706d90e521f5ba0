"""The scheduler driver: every test on the embedded cluster and on the real Mesos."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from typing import Any

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError, DriverError
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

from tests.python.support import WAIT_SECONDS, Recorder, capable, filters, framework, heard, running, task, wait_until

STATUS = mesos_pb2.TaskStatus
SLEEP = "sleep 600"


def state_of(master: str) -> Any:
    with urllib.request.urlopen(f"http://{master}/state", timeout=30) as response:
        return json.load(response)


def known(master: str, framework_id: str) -> Any:
    """What the master shows of a framework that is not completed, or None."""
    return next((f for f in state_of(master)["frameworks"] if f["id"] == framework_id), None)


def test_a_task_runs_and_every_state_is_reported(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        scheduler.wait("registered", lambda framework_id, info: framework_id.value and info.hostname and info.id)
        offer = scheduler.offer()
        assert {r.name for r in offer.resources} == {"cpus", "mem", "disk", "ports"}
        assert {r.role for r in offer.resources} == {"*"}
        assert offer.url.path.startswith("/slave(")
        launched = task(offer, "exit 0")
        assert driver.launchTasks(offer.id, [launched]) == mesos_pb2.DRIVER_RUNNING
        for state in (mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING, mesos_pb2.TASK_FINISHED):
            status = scheduler.state(launched.task_id.value, state)
            assert status.slave_id == offer.slave_id
            assert status.source == STATUS.SOURCE_EXECUTOR
            assert len(status.uuid) == 16
            assert status.timestamp == pytest.approx(time.time(), abs=60)
            assert status.container_status.container_id.value
        assert status.message == "Command exited with status 0"


@pytest.mark.parametrize(
    ("command", "message"),
    [("exit 3", "Command exited with status 3"), ("nosuchcommand", "Command exited with status 127")],
)
def test_a_command_that_fails_is_a_failed_task(master: str, command: str, message: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, command)
        driver.launchTasks(offer.id, [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
        assert (status.message, status.reason) == (message, STATUS.REASON_COMMAND_EXECUTOR_FAILED)


def test_arguments_and_environment_reach_the_command(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer)
        launched.command.shell = False
        launched.command.value = "/bin/sh"
        launched.command.arguments.extend(
            ["sh", "-c", 'test "$1" = "two words" && test "$GREETING" = hello', "x", "two words"]
        )
        launched.command.environment.variables.add(name="GREETING", value="hello")
        driver.launchTasks([offer.id], [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)


def test_a_running_task_is_killed(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, SLEEP)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        driver.killTask(launched.task_id)
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED)


@pytest.mark.slow
def test_a_task_that_ignores_sigterm_is_killed_after_its_grace_period(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "trap '' TERM; while :; do sleep 0.1; done")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        driver.killTask(launched.task_id)
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED)


def test_killing_an_unknown_task_is_answered_as_reconciliation(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        scheduler.wait("registered")
        driver.killTask(mesos_pb2.TaskID(value="nobody"))
        status = scheduler.state("nobody", mesos_pb2.TASK_LOST)
        assert (status.reason, status.message) == (STATUS.REASON_RECONCILIATION, "Reconciliation: Task is unknown")


def test_reconciliation(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, SLEEP)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        driver.reconcileTasks([])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        assert (status.reason, status.message) == (
            STATUS.REASON_RECONCILIATION,
            "Reconciliation: Latest task state",
        )
        assert not status.uuid
        stranger = STATUS(task_id={"value": "stranger"}, slave_id=offer.slave_id, state=mesos_pb2.TASK_STAGING)
        driver.reconcileTasks([stranger])
        status = scheduler.state("stranger", mesos_pb2.TASK_LOST)
        assert status.message == "Reconciliation: Task is unknown to the agent"


def test_partition_aware_frameworks_are_told_more(master: str) -> None:
    scheduler = Recorder()
    info = framework(capabilities=capable("PARTITION_AWARE"))
    with running(master, scheduler, info) as driver:
        offer = scheduler.offer()
        driver.killTask(mesos_pb2.TaskID(value="nobody"))
        scheduler.state("nobody", mesos_pb2.TASK_UNKNOWN)
        launched = task(offer)
        driver.launchTasks(mesos_pb2.OfferID(value="stale"), [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_DROPPED)
        assert status.reason == STATUS.REASON_INVALID_OFFERS


def test_a_stale_offer_loses_its_tasks(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer)
        driver.launchTasks(mesos_pb2.OfferID(value="stale"), [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_LOST)
        assert status.message == "Task launched with invalid offers: Offer stale is no longer valid"
        assert (status.source, status.reason) == (STATUS.SOURCE_MASTER, STATUS.REASON_INVALID_OFFERS)
        assert not status.uuid


def no_id(launched: mesos_pb2.TaskInfo) -> None:
    launched.task_id.value = ""


def slash_in_id(launched: mesos_pb2.TaskInfo) -> None:
    launched.task_id.value = "a/b"


def wrong_agent(launched: mesos_pb2.TaskInfo) -> None:
    launched.slave_id.value = "elsewhere"


def no_resources(launched: mesos_pb2.TaskInfo) -> None:
    launched.ClearField("resources")


def negative_cpus(launched: mesos_pb2.TaskInfo) -> None:
    launched.resources[0].scalar.value = -1


def too_much(launched: mesos_pb2.TaskInfo) -> None:
    launched.resources[0].scalar.value = 9999


def neither_command_nor_executor(launched: mesos_pb2.TaskInfo) -> None:
    launched.ClearField("command")


def both_command_and_executor(launched: mesos_pb2.TaskInfo) -> None:
    launched.executor.executor_id.value = "e"
    launched.executor.command.value = "true"


def variable_without_value(launched: mesos_pb2.TaskInfo) -> None:
    launched.command.environment.variables.add(name="X")


def negative_grace(launched: mesos_pb2.TaskInfo) -> None:
    launched.kill_policy.grace_period.nanoseconds = -1


ERRORS = [
    (no_id, "ID must not be empty"),
    (slash_in_id, "'a/b' contains invalid characters"),
    (wrong_agent, "Task uses invalid agent elsewhere while agent "),
    (no_resources, "Task uses no resources"),
    (negative_cpus, "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"),
    (too_much, " required by task and its executor is more than available "),
    (
        neither_command_nor_executor,
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present",
    ),
    (both_command_and_executor, "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"),
    (variable_without_value, "Environment variable 'X' of type 'VALUE' must have a value set"),
    (negative_grace, "Task's 'kill_policy.grace_period' must be non-negative"),
]


@pytest.mark.parametrize(("spoil", "message"), ERRORS, ids=lambda value: getattr(value, "__name__", None))
def test_a_bad_task_is_an_error_that_says_why(master: str, spoil: Any, message: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer)
        spoil(launched)
        driver.launchTasks(offer.id, [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_ERROR)
        assert message in status.message
        assert (status.source, status.reason) == (STATUS.SOURCE_MASTER, STATUS.REASON_TASK_INVALID)
        assert status.slave_id == launched.slave_id
        assert not status.uuid


def test_one_bad_task_leaves_the_others_of_its_launch_alone(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        good, twin, other = task(offer, SLEEP), task(offer), task(offer)
        twin.task_id.value = good.task_id.value
        driver.launchTasks(offer.id, [good, twin, other])
        status = scheduler.state(good.task_id.value, mesos_pb2.TASK_ERROR)
        assert status.message == f"Task has duplicate ID: {good.task_id.value}"
        scheduler.state(other.task_id.value, mesos_pb2.TASK_FINISHED)


def test_offers_of_two_agents_and_one_offer_twice_are_refused(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        first, second = scheduler.offers_of_agents(2)
        launched = task(first)
        driver.launchTasks([first.id, second.id], [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_LOST)
        assert "Aggregated offers must belong to one single agent" in status.message
        again = scheduler.offer()
        fresh = task(again)
        driver.launchTasks([again.id, again.id], [fresh])
        status = scheduler.state(fresh.task_id.value, mesos_pb2.TASK_LOST)
        assert status.message == f"Task launched with invalid offers: Duplicate offer {again.id.value} in offer list"


@pytest.mark.slow
def test_a_declined_offer_comes_back_when_its_filter_ends(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        driver.declineOffer(offer.id, filters(0))
        again = scheduler.offer(lambda o: o.slave_id == offer.slave_id)
        assert again.id != offer.id
        declined = time.monotonic()
        driver.declineOffer(again.id, filters(2))
        scheduler.offer(lambda o: o.slave_id == offer.slave_id)
        assert time.monotonic() - declined > 1.9


def test_launching_nothing_declines(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        driver.launchTasks(offer.id, [], filters(0))
        assert scheduler.offer(lambda o: o.slave_id == offer.slave_id).id != offer.id


def test_what_a_launch_leaves_over_is_offered_again(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, SLEEP, cpus=3)
        driver.launchTasks(offer.id, [launched], filters(0))
        rest = scheduler.offer(lambda o: o.slave_id == offer.slave_id)
        assert next(r.scalar.value for r in rest.resources if r.name == "cpus") == 5


def test_accept_offers_launches(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer)
        operation = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.LAUNCH)
        operation.launch.task_infos.add().CopyFrom(launched)
        driver.acceptOffers([offer.id], [operation], filters(0))
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)


def test_suppressed_offers_stay_away_until_they_are_revived(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offers = scheduler.offers_of_agents(2)
        driver.suppressOffers()
        for offer in offers:
            driver.declineOffer(offer.id, filters(0))
        with pytest.raises(AssertionError, match="no such resourceOffers"):
            scheduler.wait("resourceOffers", seconds=1.5)
        driver.reviveOffers()
        scheduler.offer()


def test_reviving_clears_filters(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        driver.declineOffer(offer.id, filters(600))
        driver.reviveOffers()
        scheduler.offer(lambda o: o.slave_id == offer.slave_id)


def test_roles(master: str) -> None:
    scheduler = Recorder()
    info = framework(roles=["a", "b"], capabilities=capable("MULTI_ROLE"))
    with running(master, scheduler, info, suppressedRoles=["a"]) as driver:
        offer = scheduler.offer()
        assert offer.allocation_info.role == "b"
        assert {r.allocation_info.role for r in offer.resources} == {"b"}
        driver.suppressOffers(["b"])
        driver.reviveOffers(["a"])
        driver.declineOffer(offer.id, filters(0))
        scheduler.offer(lambda o: o.allocation_info.role == "a")


def test_update_framework(master: str) -> None:
    scheduler = Recorder()
    info = framework(roles=["a"], capabilities=capable("MULTI_ROLE"))
    with running(master, scheduler, info, suppressedRoles=["a"]) as driver:
        scheduler.wait("registered")
        info.id.CopyFrom(scheduler.seen[-1].arguments[0])
        info.name = "renamed"
        driver.updateFramework(info, [])
        scheduler.offer()
        assert known(master, info.id.value)["name"] == "renamed"


def test_explicit_acknowledgements_release_the_next_update(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler, implicitAcknowledgements=False) as driver:
        offer = scheduler.offer()
        launched = task(offer)
        driver.launchTasks(offer.id, [launched])
        starting = scheduler.state(launched.task_id.value, mesos_pb2.TASK_STARTING)
        with pytest.raises(AssertionError, match="no such statusUpdate"):
            scheduler.wait("statusUpdate", seconds=1)
        driver.acknowledgeStatusUpdate(starting)
        driver.acknowledgeStatusUpdate(scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING))
        driver.acknowledgeStatusUpdate(scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED))


def test_acknowledging_in_implicit_mode_raises(master: str) -> None:
    driver = MesosSchedulerDriver(Recorder(), framework(), master)
    with pytest.raises(DriverError, match="implicitAcknowledgements=False"):
        driver.acknowledgeStatusUpdate(STATUS())


@pytest.mark.usefixtures("misuse")
def test_statuses_from_start_to_stop(master: str) -> None:
    scheduler = Recorder()
    driver = MesosSchedulerDriver(scheduler, framework(), master)
    assert driver.stop() == driver.abort() == driver.join() == mesos_pb2.DRIVER_NOT_STARTED
    assert driver.reviveOffers() == mesos_pb2.DRIVER_NOT_STARTED
    assert driver.start() == driver.start() == mesos_pb2.DRIVER_RUNNING
    framework_id = scheduler.wait("registered") and scheduler.seen[-1].arguments[0].value
    assert known(master, framework_id)["active"]
    assert driver.stop() == mesos_pb2.DRIVER_STOPPED
    assert driver.join() == driver.start() == driver.run() == mesos_pb2.DRIVER_STOPPED
    assert known(master, framework_id) is None, "TEARDOWN is sent before join() returns"
    assert driver.killTask(mesos_pb2.TaskID(value="t")) == mesos_pb2.DRIVER_STOPPED


def test_stop_from_a_callback_ends_run(master: str) -> None:
    scheduler = Recorder(registered=lambda driver, *_: driver.stop())
    assert MesosSchedulerDriver(scheduler, framework(), master).run() == mesos_pb2.DRIVER_STOPPED


def test_stop_removes_the_framework_and_kills_its_tasks(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, SLEEP)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
    completed = next(f for f in state_of(master)["completed_frameworks"] if f["id"] == offer.framework_id.value)
    assert [t["state"] for t in completed["completed_tasks"]] == ["TASK_KILLED"]


def test_failover_keeps_tasks_and_a_new_driver_takes_over(master: str) -> None:
    scheduler = Recorder()
    info = framework(failover_timeout=60)
    first = MesosSchedulerDriver(scheduler, info, master)
    first.start()
    offer = scheduler.offer()
    launched = task(offer, SLEEP)
    first.launchTasks(offer.id, [launched])
    scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
    assert first.stop(True) == first.join() == mesos_pb2.DRIVER_STOPPED
    info.id.CopyFrom(offer.framework_id)
    successor = Recorder()
    with running(master, successor, info) as second:
        successor.wait("registered", lambda framework_id, _: framework_id == offer.framework_id)
        second.reconcileTasks([])
        successor.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)


def test_a_second_scheduler_takes_over_and_the_first_is_told(master: str) -> None:
    scheduler, successor = Recorder(), Recorder()
    with running(master, scheduler) as first:
        scheduler.wait("registered")
        info = framework(id=scheduler.seen[-1].arguments[0])
        with running(master, successor, info):
            successor.wait("registered")
            assert scheduler.wait("error") == "Framework failed over"
            assert first.join() == mesos_pb2.DRIVER_ABORTED


def test_a_removed_framework_does_not_come_back(master: str) -> None:
    scheduler, again = Recorder(), Recorder()
    with running(master, scheduler):
        scheduler.wait("registered")
    info = framework(id=scheduler.seen[-1].arguments[0])
    driver = MesosSchedulerDriver(again, info, master)
    assert driver.run() == mesos_pb2.DRIVER_ABORTED
    assert again.wait("error") == "Framework has been removed"


def test_abort_leaves_the_tasks_running_and_calls_nothing_back(master: str) -> None:
    scheduler = Recorder()
    driver = MesosSchedulerDriver(scheduler, framework(), master)
    driver.start()
    offer = scheduler.offer()
    launched = task(offer, SLEEP)
    driver.launchTasks(offer.id, [launched])
    scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
    assert driver.abort() == driver.join() == driver.abort() == mesos_pb2.DRIVER_ABORTED
    assert driver.reviveOffers() == mesos_pb2.DRIVER_ABORTED
    shown = known(master, offer.framework_id.value)
    assert [t["state"] for t in shown["tasks"]] == ["TASK_RUNNING"]
    assert driver.stop() == mesos_pb2.DRIVER_ABORTED, "what libmesos gives here"
    assert driver.stop() == driver.join() == mesos_pb2.DRIVER_STOPPED
    assert known(master, offer.framework_id.value) is None


@pytest.mark.usefixtures("callbacks_may_raise")
@pytest.mark.parametrize("where", ["registered", "resourceOffers", "statusUpdate"])
def test_a_callback_that_raises_aborts_the_driver(master: str, where: str, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("oops")

    def launch(driver: Any, offers: Any) -> None:
        driver.launchTasks(offers[0].id, [task(offers[0])])

    scheduler = Recorder(**{"resourceOffers": launch, where: fail})
    driver = MesosSchedulerDriver(scheduler, framework(), master)
    assert driver.run() == mesos_pb2.DRIVER_ABORTED
    driver.stop()
    driver.join()
    shown = capfd.readouterr().err
    name = "resourceOffer" if where == "resourceOffers" else where
    assert f"Failed to call scheduler's {name}\n" in shown
    assert "Traceback (most recent call last):\n" in shown
    assert 'raise ValueError("oops")\nValueError: oops\n' in shown


@pytest.mark.usefixtures("callbacks_may_raise")
def test_a_scheduler_that_lacks_the_method_aborts_the_driver(master: str, capfd: pytest.CaptureFixture[str]) -> None:
    driver = MesosSchedulerDriver(object(), framework(), master)
    assert driver.run() == mesos_pb2.DRIVER_ABORTED
    driver.stop()
    driver.join()
    assert "Failed to call scheduler's registered\n" in capfd.readouterr().err


@pytest.mark.usefixtures("callbacks_may_raise")
def test_an_update_whose_callback_raised_is_not_acknowledged(master: str) -> None:
    def launch(driver: Any, offers: Any) -> None:
        driver.launchTasks(offers[0].id, [task(offers[0], SLEEP)])

    def fail(*_: Any) -> None:
        raise ValueError("not acknowledged")

    info = framework(failover_timeout=60)
    scheduler = Recorder(resourceOffers=launch, statusUpdate=fail)
    first = MesosSchedulerDriver(scheduler, info, master)
    assert first.run() == mesos_pb2.DRIVER_ABORTED
    lost = scheduler.wait("statusUpdate")
    info.id.CopyFrom(next(e.arguments[0] for e in scheduler.seen if e.name == "registered"))
    successor = Recorder()
    with running(master, successor, info):
        again = successor.wait("statusUpdate", lambda s: s.uuid == lost.uuid)
        assert again.state == lost.state


def test_callbacks_come_one_at_a_time_on_one_thread(master: str) -> None:
    threads = set()
    busy = threading.Lock()

    def note(*_: Any) -> None:
        assert busy.acquire(blocking=False)
        threads.add(threading.get_ident())
        busy.release()

    def launch(driver: Any, offers: Any) -> None:
        note()
        for offer in offers:
            driver.launchTasks(offer.id, [task(offer) for _ in range(10)])

    scheduler = Recorder(registered=note, resourceOffers=launch, statusUpdate=note)
    with running(master, scheduler):
        for _ in range(30):
            scheduler.wait("statusUpdate")
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_the_same_driver_object_is_passed_to_callbacks_and_may_be_subclassed(master: str) -> None:
    class Mine(MesosSchedulerDriver):
        colour = "red"

    given: list[Any] = []
    scheduler = Recorder(registered=lambda driver, *_: given.append(driver))
    driver = Mine(scheduler, framework(), master)
    driver.start()
    scheduler.wait("registered")
    driver.stop()
    driver.join()
    assert given == [driver]


def test_user_and_hostname_are_filled_in(master: str) -> None:
    scheduler = Recorder()
    info = framework()
    with running(master, scheduler, info):
        scheduler.wait("registered")
        shown = known(master, scheduler.seen[-1].arguments[0].value)
        assert shown["user"]
        assert shown["hostname"] == os.uname().nodename
    assert info == framework(), "the caller's message is left alone"


def test_a_bad_role_is_an_error(master: str) -> None:
    scheduler = Recorder()
    driver = MesosSchedulerDriver(scheduler, framework(role="a/../b"), master)
    assert driver.run() == mesos_pb2.DRIVER_ABORTED
    assert "a/../b" in scheduler.wait("error")


def test_ctrl_c_ends_run(master: str) -> None:
    code = f"""
import threading, signal, os
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
class S(Scheduler):
    def registered(self, driver, framework_id, master_info):
        print("up", flush=True)
driver = MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="ctrl-c"), {master!r})
try:
    driver.run()
except KeyboardInterrupt:
    driver.stop()
    print("stopped", driver.join(), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped 4\n"
        assert process.wait(WAIT_SECONDS) == 0


@pytest.mark.parametrize("waiting", ["driver.join()", "time.sleep(60)"])
def test_sys_exit_in_a_callback_ends_the_process_with_its_code(master: str, waiting: str) -> None:
    code = f"""
import atexit, sys, time
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
class S(Scheduler):
    def registered(self, driver, framework_id, master_info):
        sys.exit(7)
atexit.register(print, "at exit")
driver = MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="exit"), {master!r})
driver.start()
{waiting}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (7, "at exit\n")


@pytest.mark.parametrize("before", ["pass", "sys.stdout.close()"])
def test_sys_exit_in_a_callback_ends_the_process_although_the_main_thread_joins_after_it(
    master: str, before: str
) -> None:
    code = f"""
import atexit, sys, threading, time
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
class S(Scheduler):
    def registered(self, driver, framework_id, master_info):
        sys.exit(7)
left = threading.Event()
atexit.register(time.sleep, 1)
atexit.register(left.set)
{before}
driver = MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="exit"), {master!r})
driver.start()
assert left.wait(30)
driver.join()
print("went on")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


def test_sys_exit_in_a_callback_leaves_run_although_it_comes_before_the_wait(master: str) -> None:
    code = f"""
import sys, time
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
class S(Scheduler):
    def registered(self, driver, framework_id, master_info):
        sys.exit(7)
class Slow(MesosSchedulerDriver):
    def start(self):
        status = super().start()
        while self._core.status() == mesos_pb2.DRIVER_RUNNING:
            time.sleep(0.01)
        return status
try:
    Slow(S(), mesos_pb2.FrameworkInfo(user="", name="exit"), {master!r}).run()
finally:
    print("cleaned up")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "cleaned up\n", "")


@pytest.mark.parametrize("ending", ["pass", "driver.stop()", "driver.abort()", "del driver", "os._exit(0)"])
def test_the_interpreter_ends_with_a_driver_in_any_state(master: str, ending: str) -> None:
    code = f"""
import os, threading
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
up = threading.Event()
class S(Scheduler):
    def registered(self, driver, framework_id, master_info):
        print(framework_id.value, flush=True)
    def resourceOffers(self, driver, offers):
        up.set()
driver = MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="end"), {master!r})
driver.start()
assert up.wait(30)
{ending}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    wait_until(lambda: known(master, done.stdout.strip()) is None, "the framework is gone from the master")


class TestBadInput:
    """Each a clear error that names the value and what was expected."""

    @pytest.mark.usefixtures("misuse")
    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "nowhere",
            "ftp://h:1",
            "h:notaport",
            "zk://h:2181",
            "zk://h:2181/",
            "file:///nonexistent/master",
            "::1:5050",
        ],
    )
    def test_a_master_that_is_none(self, bad: str) -> None:
        scheduler = Recorder()
        driver = MesosSchedulerDriver(scheduler, framework(), bad)
        assert driver.start() == driver.join() == driver.run() == mesos_pb2.DRIVER_ABORTED
        message = scheduler.wait("error")
        assert f"Failed to create a master detector for '{bad}'" in message
        assert "expect" in message.lower() or "cannot read" in message

    @pytest.mark.usefixtures("callbacks_may_raise")
    def test_an_error_callback_that_raises_changes_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        def fail(*_: Any) -> None:
            raise ValueError("oops")

        driver = MesosSchedulerDriver(Recorder(error=fail), framework(), "nowhere")
        assert driver.start() == mesos_pb2.DRIVER_ABORTED
        assert "Failed to call scheduler's error\n" in capfd.readouterr().err

    def test_a_bad_flag_in_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "2 moons")
        scheduler = Recorder()
        assert MesosSchedulerDriver(scheduler, framework(), "localhost:1").start() == mesos_pb2.DRIVER_ABORTED
        message = scheduler.wait("error")
        assert "registration_backoff_factor" in message
        assert "2 moons" in message

    def test_a_flag_in_the_environment_that_is_not_utf8(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", os.fsdecode(b"\xff"))
        scheduler = Recorder()
        assert MesosSchedulerDriver(scheduler, framework(), "localhost:1").start() == mesos_pb2.DRIVER_ABORTED
        assert "'MESOS_REGISTRATION_BACKOFF_FACTOR' is not valid UTF-8" in scheduler.wait("error")

    def test_a_master_that_is_not_utf8(self, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = "zk://user:" + 100 * "secret" + os.fsdecode(b"@\xff/mesos")
        with pytest.raises(ArgumentValueError, match=r"in UTF-8 as master, got str 'zk://user:\*\*\*@"):
            MesosSchedulerDriver(Recorder(), framework(), secret)
        monkeypatch.setenv("REMESOS_MASTER", secret)
        with pytest.raises(ArgumentValueError, match=r"in UTF-8 as REMESOS_MASTER, got str 'zk://user:\*\*\*@"):
            MesosSchedulerDriver(Recorder(), framework(), "local")

    @pytest.mark.parametrize("bad", [{"principal": "p", "secret": "s3cret"}, ("p", "s3cret")])
    def test_a_credential_that_is_none_is_not_shown(self, bad: Any) -> None:
        for arguments in ({"credential": bad}, {"implicitAcknowledgements": bad}):
            with pytest.raises(ArgumentTypeError) as error:
                MesosSchedulerDriver(Recorder(), framework(), "localhost:1", **arguments)
            assert "s3cret" not in str(error.value)

    @pytest.mark.parametrize("bad", ["zk://user:s3cret@h", "http://user:s3cret@h:1", "user:s3cret@h:1"])
    def test_a_password_in_a_master_that_is_none_is_not_shown(self, bad: str) -> None:
        scheduler = Recorder()
        driver = MesosSchedulerDriver(scheduler, framework(), bad)
        assert driver.start() == mesos_pb2.DRIVER_ABORTED
        message = scheduler.wait("error")
        assert f"for '{bad.replace('s3cret', '***')}'" in message
        assert "s3cret" not in message + repr(driver)

    def test_a_framework_without_a_name(self) -> None:
        with pytest.raises(ArgumentValueError, match=r"FrameworkInfo.*as framework.*name"):
            MesosSchedulerDriver(Recorder(), mesos_pb2.FrameworkInfo(user=""), "localhost:5050")

    @pytest.mark.parametrize("bad", [None, "text", {"name": "dict"}, 7])
    def test_a_framework_that_is_no_message(self, bad: Any) -> None:
        with pytest.raises(ArgumentTypeError, match=r"FrameworkInfo as framework, got .*"):
            MesosSchedulerDriver(Recorder(), bad, "localhost:5050")

    @pytest.mark.parametrize("bad", [None, 5050, ["localhost:5050"]])
    def test_a_master_that_is_no_text(self, bad: Any) -> None:
        with pytest.raises(ArgumentTypeError, match="expected a str as master, got"):
            MesosSchedulerDriver(Recorder(), framework(), bad)

    def test_messages_of_another_kind(self) -> None:
        driver = MesosSchedulerDriver(Recorder(), framework(), "localhost:5050")
        offer, launched = mesos_pb2.OfferID(value="o"), mesos_pb2.TaskInfo(name="no id")
        with pytest.raises(ArgumentValueError, match=r"TaskInfo as tasks\[0\].*task_id"):
            driver.launchTasks(offer, [launched])
        with pytest.raises(ArgumentTypeError, match=r"mesos_pb2.TaskInfo as tasks\[1\], got str 'x'"):
            driver.launchTasks(
                offer, [mesos_pb2.TaskInfo(name="t", task_id={"value": "t"}, slave_id={"value": "s"}), "x"]
            )  # type: ignore[list-item]
        with pytest.raises(ArgumentTypeError, match="an iterable of mesos_pb2.TaskInfo as tasks, got TaskInfo"):
            driver.launchTasks(offer, launched)  # type: ignore[arg-type]
        with pytest.raises(ArgumentTypeError, match="mesos_pb2.TaskID as taskId, got int 7"):
            driver.killTask(7)  # type: ignore[arg-type]
        with pytest.raises(ArgumentTypeError, match=r"mesos_pb2.TaskStatus as tasks\[0\], got str 't'"):
            driver.reconcileTasks(["t"])  # type: ignore[list-item]
        with pytest.raises(ArgumentTypeError, match="an iterable of str as roles, got str 'web'"):
            driver.reviveOffers("web")
        with pytest.raises(ArgumentTypeError, match="bytes or str as data, got int 7"):
            driver.sendFrameworkMessage(mesos_pb2.ExecutorID(value="e"), mesos_pb2.SlaveID(value="s"), 7)  # type: ignore[arg-type]
        with pytest.raises(ArgumentTypeError, match="suppressedRoles, got int 7"):
            MesosSchedulerDriver(Recorder(), framework(), "localhost:5050", suppressedRoles=7)  # type: ignore[arg-type]

    @pytest.mark.usefixtures("misuse")
    def test_any_object_that_serializes_to_the_right_bytes_serves(self) -> None:
        driver = MesosSchedulerDriver(Recorder(), framework(), "localhost:5050")
        assert driver.killTask(mesos_pb2.SlaveID(value="t")) == mesos_pb2.DRIVER_NOT_STARTED  # type: ignore[arg-type]

    @pytest.mark.usefixtures("misuse")
    def test_lists_tuples_and_iterators_all_serve(self) -> None:
        driver = MesosSchedulerDriver(Recorder(), framework(), "localhost:5050")
        offer = mesos_pb2.OfferID(value="o")

        class Sequence:
            """What iterated before there were iterators."""

            def __getitem__(self, index: int) -> Any:
                return [offer][index]

        for ids in ([offer], (offer,), iter([offer]), (o for o in [offer]), Sequence()):
            assert driver.launchTasks(ids, iter(()), None) == mesos_pb2.DRIVER_NOT_STARTED


def test_launches_while_disconnected_are_reported_lost() -> None:
    scheduler = Recorder()
    with running("127.0.0.1:1", scheduler) as driver:
        offer = mesos_pb2.Offer(slave_id={"value": "s"})
        first, second = task(offer), task(offer)
        driver.launchTasks(mesos_pb2.OfferID(value="o"), [first, second])
        for launched in (first, second):
            status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_LOST)
            assert (status.message, status.reason) == ("Master disconnected", STATUS.REASON_MASTER_DISCONNECTED)
            assert (status.source, status.uuid, status.HasField("slave_id")) == (STATUS.SOURCE_MASTER, b"", False)


def test_update_framework_before_registration_is_an_error() -> None:
    scheduler = Recorder()
    driver = MesosSchedulerDriver(scheduler, framework(), "127.0.0.1:1")
    driver.start()
    driver.updateFramework(framework(id={"value": "f"}), [])
    assert driver.join() == mesos_pb2.DRIVER_ABORTED
    assert "must not be called prior to registration" in scheduler.wait("error")


def test_an_unreachable_master_is_tried_again_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with heard("Not connected to the master at http://127.0.0.1:1:") as heard_it, running("127.0.0.1:1", Recorder()):
        assert heard_it.wait(30)
    assert "trying again in" in caplog.text


def test_the_environment_names_another_master(
    embedded: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REMESOS_MASTER", embedded.address)
    scheduler = Recorder()
    with running("zk://nowhere:2181/mesos", scheduler):
        scheduler.wait("registered")
    assert (
        f"Using the master {embedded.address}, from REMESOS_MASTER, instead of zk://nowhere:2181/mesos" in caplog.text
    )


def test_the_environment_names_the_master_of_a_script_that_has_none(
    embedded: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REMESOS_MASTER", embedded.address)
    scheduler = Recorder()
    with running(None, scheduler):
        scheduler.wait("registered")
    assert f"Using the master {embedded.address}, from REMESOS_MASTER, instead of None" in caplog.text


def test_the_environment_excuses_no_master_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMESOS_MASTER", "localhost:5050")
    with pytest.raises(ArgumentTypeError, match="expected a str as master, got int 5050"):
        MesosSchedulerDriver(Recorder(), framework(), 5050)


def test_the_warning_of_another_master_shows_no_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REMESOS_MASTER", "zk://user:s3cret@h:2181/mesos")
    MesosSchedulerDriver(Recorder(), framework(), "zk://other:s3cret2@h:2181/mesos")
    assert "the master zk://user:***@h:2181/mesos, from" in caplog.text
    assert "instead of zk://other:***@h:2181/mesos" in caplog.text


def test_a_credential_in_the_fourth_place_as_before_0_22(embedded: Any) -> None:
    scheduler = Recorder()
    driver = MesosSchedulerDriver(
        scheduler, framework(), embedded.address, mesos_pb2.Credential(principal="p", secret="s")
    )
    driver.start()
    scheduler.wait("registered")
    driver.stop()
    driver.join()


def test_repr_tells_the_status() -> None:
    assert repr(MesosSchedulerDriver(Scheduler(), framework(), "h:1")) == (
        "<MesosSchedulerDriver DRIVER_NOT_STARTED, 'test', not connected to h:1>"
    )


@pytest.mark.parametrize("end", ["stop", "abort, stop", "stop, failover"])
def test_a_driver_that_ends_while_it_subscribes_leaves_no_framework(master: str, end: str) -> None:
    """With failover the framework is left, and is gone when the driver is: it has no failover timeout."""
    name = f"quick {end}"
    for number in range(60):
        driver = MesosSchedulerDriver(Recorder(), framework(name=name), master)
        driver.start()
        time.sleep(number / 20_000)  # SUBSCRIBE is at another point of its way each time
        if end == "abort, stop":
            driver.abort()
        driver.stop("failover" in end)
        driver.join()
        del driver
    wait_until(
        lambda: not any(each["name"] == name for each in state_of(master)["frameworks"]), "every framework is gone"
    )
