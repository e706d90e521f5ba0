"""What frameworks of Python 2's time do: each as they do it, on the embedded cluster and on the real Mesos."""

from __future__ import annotations

import ast
import getpass
import inspect
import json
import pickle
import subprocess
import sys
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import mesos.native
import mesos_pb2 as old_pb2
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from mesos.interface import mesos_pb2

from tests.python.support import (
    EXECUTORS,
    Recorder,
    capable,
    executor,
    filters,
    framework,
    running,
    task,
    task_of,
    wait_until,
)
from tests.python.test_driver import known

SLEEP = "sleep 600"


PROGRAM = """
import atexit, os, signal, sys, threading, warnings
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

class Quiet(Scheduler):
    def registered(self, driver, frameworkId, masterInfo):
        print(frameworkId.value, flush=True)
        up.set()
    def statusUpdate(self, driver, status):
        answered.set()

def answers(driver):
    # Whether the master still answers this driver.
    answered.clear()
    driver.reconcileTasks([mesos_pb2.TaskStatus(task_id={"value": "t"}, state=mesos_pb2.TASK_RUNNING)])
    return answered.wait(30)

up, answered = threading.Event(), threading.Event()
info = mesos_pb2.FrameworkInfo(user="", name="program", failover_timeout=600)
# Forks in a process with threads, from Python 3.12 on.
warnings.simplefilter("ignore", DeprecationWarning)
"""


def run(body: str, expected: int = 0, said: str = "") -> str:
    """Run a program; the id of its framework."""
    command = [sys.executable, "-c", PROGRAM + inspect.cleandoc(body)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == expected, done.stderr
    assert (said in done.stderr) if said else done.stderr == ""
    return done.stdout.strip()


def wait_until_gone(master: str, framework_id: str) -> None:
    assert framework_id
    wait_until(lambda: known(master, framework_id) is None, "the framework is removed", seconds=20)


class TestTextAndBytes:
    """Through an executor that takes them for text and for bytes as it pleases."""

    def test_data_there_and_back(self, master: str) -> None:
        scheduler = Recorder()
        old = executor("old.py")
        old.data = "é and text"
        numbers = pickle.dumps([1, 2, 3])
        given: list[tuple[Any, Any]] = [
            ("text:é", "é, É"),
            (b"pickle:" + numbers, pickle.dumps(6)),
            (b"bytes:\0\xff", b"\0\xffbytes:\0\xff"),
            (b"same:\x80\0", b"same:\x80\0"),
            ("same:", "same:"),
        ]
        with running(master, scheduler) as driver:
            offer = scheduler.offer()
            tasks = [task_of(offer, old) for _ in given]
            for number, (one, (data, _)) in enumerate(zip(tasks, given, strict=True)):
                one.task_id.value, one.data = str(number), data
            driver.launchTasks(offer.id, tasks)
            message = scheduler.wait("frameworkMessage")
            assert message == "registered with é and text"
            assert "%s" % message == f"{message}" == "registered with é and text"  # noqa: UP031
            found = {}
            while len(found) < len(given):
                status = scheduler.wait("statusUpdate", lambda s: s.state == mesos_pb2.TASK_FINISHED)
                found[status.task_id.value] = status.data
            assert found == {str(number): data for number, (_, data) in enumerate(given)}
            assert pickle.loads(found["1"]) == 6
            assert bytes(found["3"]) == b"same:\x80\0"

    @pytest.mark.parametrize(
        ("sent", "heard"),
        [
            ("shout é", "É"),
            (b"echo \0\xff", b"echo \0\xff"),
            (bytearray(b"echo text"), "echo text"),
            ("this", "what is this?"),
            (b"\xfe\xff", b"what is \xfe\xff?"),
            (json.dumps({"é": [1]}), 'what is {"\\u00e9": [1]}?'),
        ],
        ids=repr,
    )
    def test_messages_there_and_back(self, master: str, sent: Any, heard: Any) -> None:
        scheduler = Recorder()
        with running(master, scheduler) as driver:
            offer = scheduler.offer()
            driver.launchTasks(offer.id, [task_of(offer, executor("old.py"), "text:")])
            scheduler.wait("frameworkMessage", lambda message: message.startswith("registered"))
            driver.sendFrameworkMessage("executor", offer.slave_id.value, sent)
            message = scheduler.wait("frameworkMessage")
            assert message == heard
            assert bytes(message) == (heard.encode() if isinstance(heard, str) else heard)
            assert ast.literal_eval(repr(message)) == message

    def test_what_an_executor_said_last_is_out_when_run_returns(self, master: str) -> None:
        scheduler = Recorder()
        with running(master, scheduler) as driver:
            offer = scheduler.offer()
            last = task_of(offer, executor("old.py"), "last:")
            driver.launchTasks(offer.id, [last])
            assert scheduler.state(last.task_id.value, mesos_pb2.TASK_FINISHED).data == "the last word"


class TestCalls:
    def test_ids_as_text(self, master: str) -> None:
        scheduler = Recorder()
        with running(master, scheduler) as driver:
            offer = scheduler.offer()
            one = task(offer, SLEEP)
            driver.launchTasks(offer.id.value, [one], filters(0))
            scheduler.state(one.task_id.value, mesos_pb2.TASK_RUNNING)
            driver.killTask(one.task_id.value)
            scheduler.state(one.task_id.value, mesos_pb2.TASK_KILLED)
            agent = offer.slave_id
            offer = scheduler.offer(lambda other: other.slave_id == agent)
            driver.declineOffer(offer.id.value, filters(0))
            offer = scheduler.offer(lambda other: other.slave_id == agent)
            driver.launchTasks([offer.id.value], [], filters(0))
            scheduler.offer(lambda other: other.slave_id == agent)

    def test_iterators_of_every_kind(self, master: str) -> None:
        """What `map`, `filter` and `dict.keys` give on Python 3 were lists on Python 2."""
        scheduler = Recorder()
        with running(master, scheduler) as driver:
            offer = scheduler.offer()
            launched = {"a": task(offer), "b": task(offer)}
            for name, one in launched.items():
                one.task_id.value = name
            driver.launchTasks(map(attrgetter("id"), [offer]), launched.values(), filters(0))
            finished: set[str] = set()
            while finished != launched.keys():
                status = scheduler.wait("statusUpdate", lambda s: s.state == mesos_pb2.TASK_FINISHED)
                finished.add(status.task_id.value)
            known_by = partial(mesos_pb2.TaskStatus, state=mesos_pb2.TASK_RUNNING)
            driver.reconcileTasks(map(lambda name: known_by(task_id={"value": name}), ["gone"]))  # noqa: C417
            scheduler.state("gone", mesos_pb2.TASK_LOST)
            operation = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.LAUNCH)
            offer = scheduler.unused_offer()
            operation.launch.task_infos.add().MergeFrom(task(offer))
            driver.acceptOffers(filter(None, [offer.id]), (o for o in [operation]), filters(0))
            scheduler.state(operation.launch.task_infos[0].task_id.value, mesos_pb2.TASK_FINISHED)

    def test_repeated_fields_of_messages_where_lists_belong(self, master: str) -> None:
        """With protobuf's C runtime they have no `__iter__`; Apache's example passes its own roles as the suppressed ones."""
        scheduler = Recorder(registered=lambda driver, *_: driver.reviveOffers(info.roles))
        info = framework(capabilities=capable("MULTI_ROLE"), roles=["*"])
        with running(master, scheduler, info, suppressedRoles=info.roles) as driver:
            offer = scheduler.offer()
            launch = mesos_pb2.Offer.Operation.Launch(task_infos=[task(offer)])
            driver.launchTasks(offer.id, launch.task_infos, filters(0))
            scheduler.state(launch.task_infos[0].task_id.value, mesos_pb2.TASK_FINISHED)
            assert driver.suppressOffers(info.roles) == mesos_pb2.DRIVER_RUNNING

    def test_offers_that_the_callback_takes_out_of_the_list(self, master: str) -> None:
        taken = []

        def take(driver: Any, offers: Any) -> None:
            while offers:
                offer = offers.pop()
                taken.append(offer)
                driver.launchTasks([offer.id], [task(offer)] if len(taken) < 3 else [])
            offers.append("nobody minds")

        scheduler = Recorder(resourceOffers=take)
        with running(master, scheduler):
            for _ in range(2):
                scheduler.wait("statusUpdate", lambda status: status.state == mesos_pb2.TASK_FINISHED)
            assert len({offer.id.value for offer in taken}) == len(taken)

    def test_a_scheduler_that_inherits_from_nothing(self, master: str) -> None:
        class Duck:
            def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
                driver.reconcileTasks([])
                driver.stop()

        assert mesos.native.MesosSchedulerDriver(Duck(), framework(), master).run() == mesos_pb2.DRIVER_STOPPED

    @pytest.mark.usefixtures("callbacks_may_raise")
    @pytest.mark.parametrize(
        ("callback", "said"),
        [
            (lambda driver: None, "Failed to call scheduler's registered\n"),
            (lambda driver, frameworkId, masterInfo, more: None, "Failed to call scheduler's registered\n"),
            (None, "Failed to call scheduler's registered\n"),
        ],
    )
    def test_a_callback_with_the_wrong_number_of_arguments_aborts(
        self, master: str, callback: Any, said: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        class Duck:
            registered = staticmethod(callback) if callback else None

        assert mesos.native.MesosSchedulerDriver(Duck(), framework(), master).run() == mesos_pb2.DRIVER_ABORTED
        error = capfd.readouterr().err
        assert said in error
        assert "TypeError" in error

    def test_super_of_type_self(self, master: str) -> None:
        class Mine(mesos.native.MesosSchedulerDriver):
            def __init__(self, *arguments: Any) -> None:
                super(type(self), self).__init__(*arguments)

            def stop(self, failover: bool = False) -> int:
                return super(type(self), self).stop(failover)

        class Stopper(Recorder):
            def __init__(self) -> None:
                super(type(self), self).__init__(registered=lambda driver, *_: driver.stop())

        assert Mine(Stopper(), framework(), master).run() == mesos_pb2.DRIVER_STOPPED

    def test_the_names_of_before_0_20_are_enough(self, master: str) -> None:
        import mesos

        class Old(mesos.Scheduler):
            def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
                assert old_pb2._TASKSTATE.values_by_number[old_pb2.TASK_LOST].name == "TASK_LOST"
                driver.stop()

        info = old_pb2.FrameworkInfo()
        info.user, info.name = "", "old"
        credential = old_pb2.Credential(principal="p", secret=b"bytes, as they were then")  # type: ignore[arg-type]
        info.principal = credential.principal
        driver = mesos.MesosSchedulerDriver(Old(), info, master, credential)
        assert driver.run() == old_pb2.DRIVER_STOPPED

    def test_messages_of_a_vendored_copy_are_taken(self, master: str) -> None:
        """A framework's own mesos.proto, in protobuf's default pool, whose classes are not ours."""
        copy = descriptor_pb2.FileDescriptorProto()
        mesos_pb2.DESCRIPTOR.CopyToProto(copy)
        copy.name = "vendored/mesos.proto"
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(copy.SerializeToString())
        theirs = {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"mesos.{name}"))
            for name in ("FrameworkInfo", "TaskInfo", "OfferID", "Filters", "TaskID", "Credential")
        }
        scheduler = Recorder()
        info = theirs["FrameworkInfo"](user="", name="vendored", principal="p")
        driver = mesos.native.MesosSchedulerDriver(scheduler, info, master, theirs["Credential"](principal="p"))
        driver.start()
        try:
            offer = scheduler.offer()
            one = task(offer)
            vendored = theirs["TaskInfo"].FromString(one.SerializeToString())
            driver.launchTasks(theirs["OfferID"](value=offer.id.value), [vendored], theirs["Filters"]())
            assert type(scheduler.state(one.task_id.value, mesos_pb2.TASK_FINISHED)) is mesos_pb2.TaskStatus
        finally:
            driver.stop()
            driver.join()


class TestEnds:
    """However the process ends, the master learns what the program meant."""

    def test_atexit_stop(self, master: str) -> None:
        code = f"""
        driver = MesosSchedulerDriver(Quiet(), info, {master!r})
        atexit.register(driver.stop)
        driver.start()
        up.wait(30)
        """
        wait_until_gone(master, run(code))

    @pytest.mark.parametrize("how", ["driver.stop()", "driver.stop(False)", "driver.stop(True)"])
    def test_os_exit_right_after_run(self, master: str, how: str) -> None:
        code = f"""
        class Stopper(Quiet):
            def resourceOffers(self, driver, offers):
                {how}
        driver = MesosSchedulerDriver(Stopper(), info, {master!r})
        os._exit(0 if driver.run() == mesos_pb2.DRIVER_STOPPED else 1)
        """
        framework_id = run(code)
        if how == "driver.stop(True)":
            wait_until(lambda: not known(master, framework_id)["active"], "the framework is disconnected")
        else:
            wait_until_gone(master, framework_id)

    def test_a_signal_handler_that_stops_and_exits(self, master: str) -> None:
        code = f"""
        driver = MesosSchedulerDriver(Quiet(), info, {master!r})
        def handle(signum, frame):
            driver.stop()
            sys.exit(3)
        signal.signal(signal.SIGTERM, handle)
        driver.start()
        up.wait(30)
        os.kill(os.getpid(), signal.SIGTERM)
        driver.join()
        """
        wait_until_gone(master, run(code, expected=3))

    @pytest.mark.parametrize("where", ["resourceOffers", "statusUpdate"])
    @pytest.mark.parametrize("reason", ["1", "'no good'", ""])
    def test_sys_exit_in_a_callback(self, master: str, where: str, reason: str) -> None:
        code = f"""
        class Leaver(Quiet):
            def resourceOffers(self, driver, offers):
                if {where!r} == "resourceOffers":
                    sys.exit({reason})
                driver.reconcileTasks([mesos_pb2.TaskStatus(task_id=dict(value="t"), state=mesos_pb2.TASK_RUNNING)])
            def statusUpdate(self, driver, status):
                sys.exit({reason})
        MesosSchedulerDriver(Leaver(), info, {master!r}).run()
        """
        run(code, expected=1 if reason else 0, said="no good" if "no" in reason else "")


class TestForks:
    """Python 2's frameworks fork: pools of multiprocessing, daemons, subprocesses with `preexec_fn`."""

    def test_a_driver_made_before_a_fork_is_run_by_the_child(self, master: str) -> None:
        """As daemons do it that detach themselves after everything is set up."""
        code = f"""
        class Stopper(Quiet):
            def resourceOffers(self, driver, offers):
                driver.stop()
        driver = MesosSchedulerDriver(Stopper(), info, {master!r})
        child = os.fork()
        if child == 0:
            os._exit(0 if driver.run() == mesos_pb2.DRIVER_STOPPED else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        wait_until_gone(master, run(code))

    @pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)"])
    @pytest.mark.parametrize("place", ["main", "callback"])
    def test_a_forked_child_leaves_its_parent_s_driver_alone(self, master: str, place: str, end: str) -> None:
        """Even if its exit handlers stop the driver that it inherited."""
        code = f"""
        def fork():
            child = os.fork()
            if child == 0:
                {end}
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        class Forker(Quiet):
            def resourceOffers(self, driver, offers):
                if {place!r} == "callback":
                    fork()
                offered.set()
        offered = threading.Event()
        driver = MesosSchedulerDriver(Forker(), info, {master!r})
        atexit.register(driver.stop)
        driver.start()
        offered.wait(30)
        if {place!r} == "main":
            fork()
        assert answers(driver)
        assert driver.stop() == driver.join() == mesos_pb2.DRIVER_STOPPED
        """
        wait_until_gone(master, run(code))

    @pytest.mark.parametrize("use", ["join", "stop", "abort", "run", "start", "reviveOffers"])
    def test_for_a_forked_child_its_parent_s_driver_is_stopped(self, master: str, use: str) -> None:
        """Nothing hangs for want of the parent's threads, and nothing reaches the parent's master."""
        code = f"""
        driver = MesosSchedulerDriver(Quiet(), info, {master!r})
        driver.start()
        up.wait(30)
        child = os.fork()
        if child == 0:
            os._exit(driver.{use}())
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == mesos_pb2.DRIVER_STOPPED
        assert answers(driver)
        driver.stop()
        driver.join()
        """
        said = "MesosWarning" if use in ("run", "start") else ""
        wait_until_gone(master, run(code, said=said))

    def test_a_child_of_a_process_with_a_cluster_in_it_leaves_it_alone(self) -> None:
        code = """
        from mesos.local import LocalCluster
        with LocalCluster() as cluster:
            child = os.fork()
            if child == 0:
                assert cluster.tasks() == []
                cluster.stop()
                sys.exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            driver = MesosSchedulerDriver(Quiet(), info, cluster.address)
            driver.start()
            up.wait(30)
            assert answers(driver)
            driver.stop()
            driver.join()
        """
        assert run(code)

    def test_subprocesses_and_pools_in_callbacks(self, master: str) -> None:
        code = f"""
        import multiprocessing, subprocess
        class Busy(Quiet):
            def resourceOffers(self, driver, offers):
                assert subprocess.check_output("echo said", shell=True, preexec_fn=os.setsid) == b"said\\n"
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    assert pool.map(abs, [-1, -2]) == [1, 2]
                driver.stop()
        assert MesosSchedulerDriver(Busy(), info, {master!r}).run() == mesos_pb2.DRIVER_STOPPED
        """
        wait_until_gone(master, run(code))


class TestWholeFrameworks:
    """In the shape of those that were read."""

    def test_local_with_an_executor_of_each_task_s_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A cluster in the process, an executable that is fetched, what it is to do in JSON, ports, one executor a task."""
        monkeypatch.setenv("MESOS_RESOURCES", "cpus:4;mem:4096;disk:4096;ports:[31000-31009]")
        program = tmp_path / "executor.sh"
        program.write_text(f"#!/bin/sh\nexec {sys.executable} {EXECUTORS / 'old.py'}\n")
        scheduler = Recorder()
        driver = mesos.native.MesosSchedulerDriver(scheduler, framework(user=getpass.getuser()), "local")
        assert driver.start() == mesos_pb2.DRIVER_RUNNING
        try:
            offer = scheduler.offer()
            (ports,) = (r.ranges.range for r in offer.resources if r.name == "ports")
            tasks = []
            for number in range(3):
                one = task(offer, cpus=0.5, mem=64)
                one.ClearField("command")
                one.task_id.value = one.executor.executor_id.value = f"task-{number}"
                one.executor.command.value = "./executor.sh"
                one.executor.command.uris.add(value=str(program), executable=True)
                one.data = "same:" + json.dumps({"port": ports[0].begin + number, "host": "é"}, ensure_ascii=False)
                port = one.resources.add(name="ports", type=mesos_pb2.Value.RANGES).ranges.range.add()
                port.begin = port.end = ports[0].begin + number
                tasks.append(one)
            driver.launchTasks(offer.id, tasks, mesos_pb2.Filters(refuse_seconds=60))
            found = {}
            while len(found) < 3:
                status = scheduler.wait("statusUpdate", lambda s: s.state == mesos_pb2.TASK_FINISHED)
                found[status.task_id.value] = json.loads(status.data.split(":", 1)[1])
            assert found == {f"task-{number}": {"port": 31000 + number, "host": "é"} for number in range(3)}
        finally:
            assert driver.stop() == driver.join() == mesos_pb2.DRIVER_STOPPED
