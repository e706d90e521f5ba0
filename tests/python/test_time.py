"""Time that moves only when it is told to (``LocalCluster(time="skip")``)."""

from __future__ import annotations

import contextvars
import os
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import ArgumentValueError, ClockError, ClusterError, ConditionTimeoutError
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESOURCES = {"cpus": 4, "mem": 4096, "disk": 1000, "ports": "[31000-32000]"}
BEGIN = 946684800.0


class Retrying(Scheduler):
    """Launches one task, again whenever it is over without success, and notes what happens."""

    def __init__(self, cluster: LocalCluster, command: str = "true", executor: str | None = None) -> None:
        self.cluster, self.command, self.executor = cluster, command, executor
        self.trace: list[tuple[Any, ...]] = []
        self.wanted = True
        self.launched = 0
        self.in_callback: Callable[[Any], None] | None = None

    def note(self, *what: Any) -> None:
        self.trace.append((round(self.cluster.time() - BEGIN, 6), *what))

    def states(self) -> list[str]:
        return [what[2] for what in self.trace if what[1] == "status"]

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        self.note("registered", frameworkId.value)
        if self.in_callback:
            self.in_callback(driver)

    def reregistered(self, driver: Any, masterInfo: Any) -> None:
        self.note("reregistered")

    def disconnected(self, driver: Any) -> None:
        self.note("disconnected")

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            self.note("offer", offer.id.value, offer.slave_id.value)
            if not self.wanted:
                driver.declineOffer(offer.id, mesos_pb2.Filters(refuse_seconds=60))
                continue
            self.wanted = False
            self.launched += 1
            task = mesos_pb2.TaskInfo(name="task", slave_id=offer.slave_id)
            task.task_id.value = f"task-{self.launched}"
            task.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 1
            task.resources.add(name="mem", type=mesos_pb2.Value.SCALAR).scalar.value = 32
            if self.executor is None:
                task.command.value = self.command
            else:
                task.executor.executor_id.value = "executor"
                task.executor.command.value = self.executor
            driver.launchTasks(offer.id, [task])

    def offerRescinded(self, driver: Any, offerId: Any) -> None:
        self.note("rescinded", offerId.value)

    def slaveLost(self, driver: Any, slaveId: Any) -> None:
        self.note("agent lost", slaveId.value)

    def statusUpdate(self, driver: Any, status: Any) -> None:
        state = mesos_pb2.TaskState.Name(status.state)
        when = round(status.timestamp - BEGIN, 6)
        self.note("status", state, status.task_id.value, when, status.uuid, status.message)
        if state in ("TASK_LOST", "TASK_FAILED", "TASK_UNREACHABLE"):
            self.wanted = True
            driver.reviveOffers()

    def error(self, driver: Any, message: str) -> None:
        self.note("error", message)


def skipping(**options: Any) -> LocalCluster:
    return LocalCluster(**{"agents": 2, "resources": RESOURCES, "allocation_interval": 0.05, "time": "skip", **options})


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with skipping(simulate=Run(seconds=3600)) as cluster:
        yield cluster


def driver(scheduler: Any, cluster: LocalCluster, failover_timeout: float = 0.0) -> MesosSchedulerDriver:
    info = mesos_pb2.FrameworkInfo(user="", name="framework", failover_timeout=failover_timeout)
    return MesosSchedulerDriver(scheduler, info, cluster)


def retried_trace() -> list[tuple[Any, ...]]:
    with skipping(simulate=Run(seconds=3600)) as cluster:
        scheduler = Retrying(cluster)
        with driver(scheduler, cluster) as running:
            running.start()
            cluster.run_until(lambda: "TASK_RUNNING" in scheduler.states())
            [task] = cluster.tasks
            cluster.agent(task.agent_id).disconnect()
            cluster.run_until(lambda: scheduler.launched == 2)
            cluster.advance(600)
            cluster.agent(task.agent_id).reconnect()
            cluster.advance(60)
        return scheduler.trace


def test_a_framework_that_loses_its_agent_for_ten_minutes_gives_the_same_trace_every_time() -> None:
    first = retried_trace()
    assert "TASK_LOST" in [what[2] for what in first if what[1] == "status"]
    assert first[-1][0] > 600
    for _ in range(int(os.environ.get("REMESOS_REPETITIONS", "20"))):
        assert retried_trace() == first


def test_time_begins_with_the_year_2000_and_moves_only_when_it_is_told_to(cluster: LocalCluster) -> None:
    assert cluster.time() == BEGIN
    time.sleep(0.05)
    assert cluster.time() == BEGIN
    cluster.advance(0.25)
    cluster.advance(0)
    assert cluster.time() == BEGIN + 0.25


def test_the_time_of_other_clusters_and_of_the_world_stays_their_own(cluster: LocalCluster) -> None:
    with skipping() as other, LocalCluster() as real:
        cluster.advance(100)
        assert (cluster.time(), other.time()) == (BEGIN + 100, BEGIN)
        assert abs(real.time() - time.time()) < 10
        scheduler = Retrying(real)
        with driver(scheduler, real) as running:
            running.start()
            until = time.monotonic() + 30
            while "TASK_FINISHED" not in scheduler.states():
                assert time.monotonic() < until
                time.sleep(0.01)
        with pytest.raises(ClockError, match='time="skip"'):
            real.advance(1)
        with pytest.raises(ClockError, match='time="skip"'):
            real.run_until(lambda: True)


def test_ten_minutes_take_a_moment(cluster: LocalCluster) -> None:
    scheduler = Retrying(cluster)
    with driver(scheduler, cluster) as running:
        running.start()
        cluster.run_until(lambda: "TASK_RUNNING" in scheduler.states())
        begin = time.monotonic()
        cluster.advance(600)
        assert time.monotonic() - begin < 20, "a build for debugging, on a busy machine"


def test_a_condition_that_stays_false_is_named(cluster: LocalCluster) -> None:
    def never() -> bool:
        return False

    with pytest.raises(ConditionTimeoutError, match="after 30 seconds.*def never") as raised:
        cluster.run_until(never, timeout=30)
    assert isinstance(raised.value, TimeoutError)
    assert cluster.time() == BEGIN + 30


def test_an_exception_of_a_condition_is_raised(cluster: LocalCluster) -> None:
    with pytest.raises(ZeroDivisionError):
        cluster.run_until(lambda: 1 / 0)
    cluster.advance(1)


def test_a_condition_may_ask_for_the_time_and_the_cluster(cluster: LocalCluster) -> None:
    cluster.run_until(lambda: cluster.time() >= BEGIN + 10)
    assert cluster.time() == BEGIN + 10
    cluster.run_until(lambda: len(cluster.agents) == 2)


def test_what_takes_no_time_happens_without_moving_it(cluster: LocalCluster) -> None:
    registered = threading.Event()
    scheduler = Retrying(cluster)
    scheduler.in_callback = lambda _: registered.set()
    running = driver(scheduler, cluster)
    assert running.start() == mesos_pb2.DRIVER_RUNNING
    assert registered.wait(10), "though nobody waits for the cluster"
    assert running.stop() == mesos_pb2.DRIVER_STOPPED
    assert running.join(timeout=10) == mesos_pb2.DRIVER_STOPPED
    assert not cluster.frameworks[0].connected
    assert cluster.time() == BEGIN


def test_calls_later_are_made_in_their_order_and_time_waits_for_them(cluster: LocalCluster) -> None:
    made: list[tuple[str, float]] = []

    def slowly() -> None:
        time.sleep(0.05)
        made.append(("slow", cluster.time() - BEGIN))

    cluster.call_later(20, lambda: made.append(("second", cluster.time() - BEGIN)))
    cluster.call_later(10, slowly)
    cluster.call_later(10, lambda: made.append(("first", cluster.time() - BEGIN)))
    cancelled = cluster.call_later(15, lambda: made.append(("cancelled", 0)))
    assert cancelled.cancel()
    assert not cancelled.cancel()
    cluster.advance(60)
    assert made == [("slow", 10), ("first", 10), ("second", 20)]


def test_a_call_later_may_use_the_cluster_and_have_more_calls_made(cluster: LocalCluster) -> None:
    seen: list[float] = []

    def again() -> None:
        seen.append(len(cluster.agents))
        if len(seen) < 3:
            cluster.call_later(10, again)

    cluster.call_later(10, again)
    cluster.run_until(lambda: len(seen) == 3)
    assert cluster.time() == BEGIN + 30
    assert seen == [2, 2, 2]


def test_calls_later_are_made_in_real_time_as_well() -> None:
    called = threading.Event()
    with LocalCluster() as cluster:
        cluster.call_later(0.01, called.set)
        assert called.wait(10)


def test_a_call_later_is_made_in_a_copy_of_the_context_in_which_it_was_asked_for(cluster: LocalCluster) -> None:
    value: contextvars.ContextVar[str] = contextvars.ContextVar("value", default="unset")
    seen = []
    for text in ("first", "second"):
        contextvars.copy_context().run(
            lambda text=text: (value.set(text), cluster.call_later(1, lambda: seen.append(value.get())))
        )
    cluster.advance(1)
    assert seen == ["first", "second"]


def test_an_exception_of_a_call_later_is_reported(
    cluster: LocalCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", hooked.append)
    cluster.call_later(1, lambda: 1 / 0)
    done: list[bool] = []
    cluster.call_later(2, lambda: done.append(True))
    cluster.run_until(lambda: done)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert [each.exc_type for each in hooked] == [ZeroDivisionError]


def test_in_a_callback_time_cannot_be_moved_and_the_cluster_can_be_looked_at(cluster: LocalCluster) -> None:
    outcome: list[Any] = []

    def called(running: Any) -> None:
        for move in (lambda: cluster.advance(1), lambda: cluster.run_until(lambda: True)):
            with pytest.raises(ClockError, match="callback"):
                move()
        outcome.append([framework.name for framework in cluster.frameworks])

    scheduler = Retrying(cluster)
    scheduler.in_callback = called
    with driver(scheduler, cluster) as running:
        running.start()
        cluster.run_until(lambda: outcome, timeout=5)
    assert outcome == [["framework"]]


def test_a_real_process_is_waited_for() -> None:
    with skipping() as cluster:
        scheduler = Retrying(cluster, command="sleep 0.3; echo done")
        with driver(scheduler, cluster) as running:
            running.start()
            cluster.run_until(lambda: "TASK_FINISHED" in scheduler.states(), timeout=30)
            assert cluster.time() == BEGIN, "time does not move while it runs"
            assert cluster.task("task-1").stdout() == "done\n"


def test_a_real_process_that_runs_does_not_hold_up_time_that_is_told_how_far() -> None:
    with skipping() as cluster:
        scheduler = Retrying(cluster, command="sleep 1000")
        with driver(scheduler, cluster) as running:
            running.start()
            cluster.run_until(lambda: "TASK_RUNNING" in scheduler.states())
            cluster.advance(500)
            assert cluster.time() == BEGIN + 500
            running.killTask("task-1")
            cluster.run_until(lambda: "TASK_KILLED" in scheduler.states(), timeout=30)


def test_a_real_process_that_ignores_its_end_is_killed_after_the_grace_period() -> None:
    with skipping() as cluster:
        scheduler = Retrying(cluster, command="trap '' TERM; echo ready; while :; do sleep 0.01; done")
        with driver(scheduler, cluster) as running:
            running.start()
            cluster.run_until(lambda: "TASK_RUNNING" in scheduler.states())
            while not cluster.task("task-1").stdout():
                time.sleep(0.01)
            running.killTask("task-1")
            cluster.advance(60)
        assert scheduler.states()[-1] == "TASK_KILLED"


def test_executors_with_processes_of_their_own_are_refused() -> None:
    with skipping() as cluster:
        scheduler = Retrying(cluster, executor="sleep 1000")
        with driver(scheduler, cluster) as running:
            running.start()
            # The framework tries again and again, at the same time.
            cluster.run_until(lambda: "TASK_FAILED" in scheduler.states(), timeout=60)
            scheduler.wanted = False
    [message] = {what[-1] for what in scheduler.trace if what[1:3] == ("status", "TASK_FAILED")}
    assert 'time="skip"' in message
    assert "simulate=" in message


def test_schedulers_of_other_processes_are_refused_and_others_may_look(cluster: LocalCluster) -> None:
    code = """
        import sys, urllib.request
        from mesos.interface import Scheduler, mesos_pb2
        from mesos.native import MesosSchedulerDriver
        class Told(Scheduler):
            def error(self, driver, message):
                print(message)
        urllib.request.urlopen(f"http://{sys.argv[1]}/state").read()
        MesosSchedulerDriver(Told(), mesos_pb2.FrameworkInfo(user="", name="f"), sys.argv[1]).run()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), cluster.address]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 'time="skip"' in run.stdout, run


def test_whoever_waits_is_told_that_the_cluster_stopped(cluster: LocalCluster) -> None:
    threading.Timer(0.2, cluster.stop).start()

    def advance_for_long() -> None:
        begin = time.monotonic()
        while time.monotonic() - begin < 30:
            cluster.advance(1000)

    with pytest.raises(ClusterError, match="stopped"):
        advance_for_long()
    with pytest.raises(ClusterError, match="stopped"):
        cluster.run_until(lambda: False)


def test_a_driver_whose_cluster_stopped_can_be_joined(cluster: LocalCluster) -> None:
    running = driver(Retrying(cluster), cluster)
    running.start()
    cluster.advance(1)
    cluster.stop()
    assert running.join(timeout=10) == mesos_pb2.DRIVER_STOPPED


def test_ctrl_c_ends_the_wait() -> None:
    code = """
        import os, signal, threading, time
        from mesos.interface import Scheduler, mesos_pb2
        from mesos.local import LocalCluster
        from mesos.native import MesosSchedulerDriver
        class Slow(Scheduler):
            def registered(self, driver, frameworkId, masterInfo):
                time.sleep(20)
        with LocalCluster(time="skip") as cluster:
            driver = MesosSchedulerDriver(Slow(), mesos_pb2.FrameworkInfo(user="", name="f"), cluster)
            driver.start()
            for wait in (lambda: cluster.advance(1), lambda: cluster.run_until(lambda: False)):
                threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
                begin = time.monotonic()
                try:
                    wait()
                except KeyboardInterrupt:
                    print("interrupted" if time.monotonic() - begin < 10 else "late")
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout == "interrupted\ninterrupted\n", run


def test_a_failover_that_takes_too_long_removes_the_framework(cluster: LocalCluster) -> None:
    scheduler = Retrying(cluster)
    running = driver(scheduler, cluster, failover_timeout=600)
    running.start()
    cluster.run_until(lambda: "TASK_RUNNING" in scheduler.states())
    running.stop(failover=True)
    running.join()
    del running  # a driver that is stopped stays connected until it is let go
    cluster.advance(599)
    assert [task.state for task in cluster.tasks] == ["TASK_RUNNING"]
    cluster.advance(2)
    assert [task.state for task in cluster.tasks] != ["TASK_RUNNING"]


def test_the_seed_decides_what_is_left_to_chance() -> None:
    def framework_id(seed: int) -> str:
        with skipping(seed=seed) as cluster:
            scheduler = Retrying(cluster)
            with driver(scheduler, cluster) as running:
                running.start()
                cluster.run_until(lambda: scheduler.trace)
            registered: str = scheduler.trace[0][2]
            return registered

    assert framework_id(1) == framework_id(1) != framework_id(2)


def test_arguments_are_checked(cluster: LocalCluster) -> None:
    with pytest.raises(ArgumentValueError, match="real or skip"):
        LocalCluster(time="fast")
    with pytest.raises(ArgumentValueError, match="seed"):
        LocalCluster(seed=-1)
    for seconds in (-1, float("nan"), float("inf")):
        with pytest.raises(ArgumentValueError, match="seconds"):
            cluster.advance(seconds)


FORKED = """
import os
from mesos.errors import ClusterError
from mesos.local import LocalCluster
cluster = LocalCluster(time="skip")
child = os.fork()
if child == 0:
    for move in (lambda: cluster.advance(5), lambda: cluster.run_until(lambda: False)):
        try:
            move()
        except ClusterError as error:
            print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
cluster.advance(5)
print(cluster.time())
cluster.stop()
"""


def test_a_forked_child_does_not_move_the_time_of_its_parents_cluster() -> None:
    ran = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=30)
    said = "the embedded cluster was stopped while its time was moved\n"
    assert (ran.stdout, ran.returncode) == (2 * said + "946684805.0\n", 0), ran.stderr
