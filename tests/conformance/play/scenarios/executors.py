# Executors of the framework's own, and their tasks. Semantics: `src/slave/slave.cpp`, `src/exec/exec.cpp`,
# `docs/executor-http-api.md`. The executor is `tests/executors/scripted.py`: beside Apache's scheduler driver it runs on
# plain HTTP, beside ours on our executor driver.

import os
import tempfile

from mesos.interface import mesos_pb2
from messages import amounts, filters, framework, launch, operation, task_id
from stage import scenario


def executor(name="e", play="", **fields):
    """The scripted executor, with words for itself."""
    made = mesos_pb2.ExecutorInfo(**dict({"name": "scripted"}, **fields))
    made.executor_id.value = name
    made.command.value = os.environ["CONFORMANCE_EXECUTOR"]
    if play:
        made.command.environment.variables.add(name="PLAY", value=play)
    amounts(made.resources, cpus=0.1, mem=32)
    return made


def task(offer, name, words, on):
    """A task of an executor, with what it is to do."""
    made = mesos_pb2.TaskInfo(name="task " + name, data=words.encode())
    made.task_id.value = name
    made.slave_id.value = offer.slave_id.value
    made.executor.MergeFrom(on)
    amounts(made.resources, cpus=0.1, mem=32)
    return made


def fresh():
    """A path of a file that is not there."""
    return os.path.join(tempfile.mkdtemp(), "file")


def touch(path):
    open(path, "w").close()


def message(driver, expected):
    """Waits for a framework message."""
    return driver.wait("frameworkMessage", lambda e, s, data: bytes(data) == expected)


def begun(stage, *capabilities, **fields):
    """A registered driver, and an offer."""
    driver = stage.driver(framework(*capabilities, **fields))
    driver.begin()
    return driver, driver.offer()


@scenario
def an_executor_runs_tasks(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "t", "running with:message=done with:data=a.b finished", executor())])
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario
def an_executor_is_told_who_it_is(stage):
    driver, offer = begun(stage)
    made = executor(shutdown_grace_period={"nanoseconds": 3 * 10**9})
    made.command.environment.variables.add(name="MINE", value="own")
    driver.launchTasks(offer.id, [task(offer, "t", "environment finished", made)])
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario
def an_executor_of_a_framework_that_checkpoints(stage):
    driver, offer = begun(stage, checkpoint=True)
    driver.launchTasks(offer.id, [task(offer, "t", "environment finished", executor())])
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario(apart=True)
def tasks_share_an_executor(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, name, "running finished", executor()) for name in "abc"])
    for name in "abc":
        driver.state(name, "TASK_FINISHED")
    again = driver.offer()
    driver.note_executors(again)
    driver.launchTasks(again.id, [task(again, "d", "running finished", executor())])
    driver.state("d", "TASK_FINISHED")
    driver.end()


@scenario
def two_executors_on_one_agent(stage):
    driver, offer = begun(stage)
    first, second = executor("first"), executor("second")
    driver.launchTasks(offer.id, [task(offer, "a", "finished", first)])
    driver.state("a", "TASK_FINISHED")
    again = driver.offer()
    driver.launchTasks(again.id, [task(again, "b", "finished", second)])
    driver.state("b", "TASK_FINISHED")
    driver.note_executors(driver.offer())
    driver.end()


@scenario
def an_executor_s_resources_are_taken_once(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "a", "running", executor())], filters(0))
    driver.state("a", "TASK_RUNNING")
    again = driver.offer()
    driver.show_offer("beside a task and its executor", again)
    driver.launchTasks(again.id, [task(again, "b", "running", executor())], filters(0))
    driver.state("b", "TASK_RUNNING")
    driver.show_offer("beside two tasks and their executor", driver.offer())
    driver.end()


def lost(driver, *tasks):
    """Waits until an executor is lost and its tasks have failed, in whatever order that is told."""
    failed = set()

    def all_is_told(callback, arguments):
        if callback == "statusUpdate" and arguments[0].state == mesos_pb2.TASK_FAILED:
            failed.add(arguments[0].task_id.value)
        all_is_told.lost = all_is_told.lost or callback == "executorLost"
        return all_is_told.lost and failed == set(tasks)

    all_is_told.lost = False
    driver.listen(all_is_told)


def ends(stage, words):
    driver, offer = begun(stage)
    go = fresh()
    driver.launchTasks(offer.id, [task(offer, "t", "running wait:%s %s" % (go, words), executor())])
    driver.state("t", "TASK_RUNNING")
    touch(go)
    lost(driver, "t")
    driver.end()


@scenario
def an_executor_exits_with_a_task(stage):
    ends(stage, "exit:0")


@scenario
def an_executor_exits_with_a_status(stage):
    ends(stage, "exit:3")


@scenario
def an_executor_dies_of_a_signal(stage):
    ends(stage, "signal:9")


@scenario
def an_executor_that_is_no_program(stage):
    driver, offer = begun(stage)
    made = executor()
    made.command.value = "exit 7"
    driver.launchTasks(offer.id, [task(offer, "t", "", made)])
    lost(driver, "t")
    driver.end()


@scenario
def an_executor_that_ends_at_once(stage):
    driver, offer = begun(stage)
    made = executor(play="leave:5")
    driver.launchTasks(offer.id, [task(offer, "a", "", made), task(offer, "b", "", made)])
    lost(driver, "a", "b")
    driver.end()


@scenario(own=True, flags={"MESOS_EXECUTOR_REGISTRATION_TIMEOUT": "1secs"})
def an_executor_that_never_subscribes(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "t", "", executor(play="silent"))])
    lost(driver, "t")
    driver.end()


@scenario
def an_executor_that_ends_without_tasks(stage):
    driver, offer = begun(stage)
    go = fresh()
    driver.launchTasks(offer.id, [task(offer, "t", "finished wait:%s exit:0" % go, executor())])
    driver.state("t", "TASK_FINISHED")
    touch(go)
    driver.wait("executorLost")
    driver.end()


@scenario
def an_executor_s_task_is_killed(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "t", "running", executor())])
    driver.state("t", "TASK_RUNNING")
    driver.killTask(task_id("t"))
    driver.state("t", "TASK_KILLED")
    driver.end()


@scenario
def an_executor_does_not_kill_its_task(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "t", "running", executor(play="stubborn"))])
    driver.state("t", "TASK_RUNNING")
    driver.killTask(task_id("t"))
    driver.sendFrameworkMessage(executor().executor_id, offer.slave_id, b"still there")
    message(driver, b"heard still there")
    driver.end()


def slow_executor():
    """An executor that has started but does not subscribe before it may; how to see the one, and how to let it."""
    started, go = fresh(), fresh()
    return executor(play="started:%s slow:%s" % (started, go)), started, go


@scenario
def a_task_is_killed_before_its_executor_subscribes(stage):
    driver, offer = begun(stage)
    made, started, go = slow_executor()
    driver.launchTasks(offer.id, [task(offer, "t", "running", made)])
    stage.until("the executor starts", lambda: os.path.exists(started))
    driver.killTask(task_id("t"))
    driver.state("t", "TASK_KILLED")
    touch(go)
    driver.wait("executorLost")
    driver.end()


@scenario
def one_of_two_tasks_is_killed_before_their_executor_subscribes(stage):
    driver, offer = begun(stage)
    made, started, go = slow_executor()
    driver.launchTasks(offer.id, [task(offer, "a", "finished", made), task(offer, "b", "finished", made)])
    stage.until("the executor starts", lambda: os.path.exists(started))
    driver.killTask(task_id("a"))
    driver.state("a", "TASK_KILLED")
    touch(go)
    driver.state("b", "TASK_FINISHED")
    driver.end()


@scenario(apart=True)
def framework_messages_of_any_bytes(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "t", "running say:unasked", executor())])
    driver.state("t", "TASK_RUNNING")
    for data in (b"a\x00b", b"\xff\xfe", b"", b"x" * 100000):
        driver.sendFrameworkMessage(executor().executor_id, offer.slave_id, data)
        message(driver, b"heard " + data)
    driver.end()


@scenario
def a_framework_message_to_nobody(stage):
    driver, offer = begun(stage)
    driver.sendFrameworkMessage(mesos_pb2.ExecutorID(value="nobody"), offer.slave_id, b"data")
    driver.launchTasks(offer.id, [task(offer, "t", "finished", executor())])
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario
def an_executor_of_another_making_with_the_same_id(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "a", "running", executor())], filters(0))
    driver.state("a", "TASK_RUNNING")
    again = driver.offer()
    driver.short.add("b")
    driver.launchTasks(again.id, [task(again, "b", "running", executor(source="another"))])
    driver.state("b", "TASK_ERROR")
    driver.end()


@scenario
def an_executor_that_does_not_fit(stage):
    driver, offer = begun(stage)
    made = executor()
    made.resources[0].scalar.value = 8
    driver.launchTasks(offer.id, [task(offer, "t", "running", made)])
    driver.state("t", "TASK_ERROR")
    driver.end()


@scenario
def a_framework_that_ends_shuts_its_executor_down(stage):
    driver, offer = begun(stage)
    told = fresh()
    driver.launchTasks(offer.id, [task(offer, "t", "running", executor(play="mark:" + told))])
    driver.state("t", "TASK_RUNNING")
    driver.end()
    stage.until("the executor is told", lambda: os.path.exists(told))
    stage.until("the executor is gone", lambda: not alive(told))
    stage.note("it is told, and ends")


@scenario
def an_executor_that_ignores_its_shutdown_is_killed(stage):
    driver, offer = begun(stage)
    told = fresh()
    made = executor(play="deaf mark:" + told, shutdown_grace_period={"nanoseconds": 4 * 10**9})
    driver.launchTasks(offer.id, [task(offer, "t", "running", made)])
    driver.state("t", "TASK_RUNNING")
    driver.end()
    stage.until("the executor is told", lambda: os.path.exists(told))
    stage.until("the executor is gone", lambda: not alive(told))
    stage.note("it is told, and killed")


def alive(path):
    with open(path) as file:
        process = file.read()
    try:
        with open("/proc/%s/stat" % process) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (IOError, OSError):
        return False


@scenario
def an_update_of_a_task_that_nobody_launched(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "t", "running other:ghost running finished", executor())])
    driver.state("ghost", "TASK_FINISHED")
    driver.killTask(task_id("t"))
    driver.state("t", "TASK_KILLED")
    driver.end()


@scenario
def updates_after_a_terminal_one(stage):
    driver = stage.driver(framework(), False)
    driver.begin()
    offer = driver.offer()
    words = "finished running failed other:u finished"
    driver.launchTasks(offer.id, [task(offer, "t", words, executor())])
    heard = driver.state("t", "TASK_FINISHED")
    driver.acknowledgeStatusUpdate(driver.state("u", "TASK_FINISHED"))
    driver.acknowledgeStatusUpdate(heard)
    driver.note("more comes: %s" % driver.pass_by("statusUpdate", 1))
    driver.end()


@scenario
def states_that_executors_may_tell(stage):
    driver, offer = begun(stage)
    states = ["starting", "running", "failed", "lost", "error", "killed"]
    driver.launchTasks(offer.id, [task(offer, name, name, executor()) for name in states])
    for name in states:
        driver.state(name, "TASK_" + name.upper())
    driver.end()


@scenario
def an_update_with_fields_of_its_own(stage):
    driver, offer = begun(stage)
    words = "with:healthy=yes running with:healthy=no running with:message=m with:data=d failed"
    driver.launchTasks(offer.id, [task(offer, "t", words, executor())])
    driver.state("t", "TASK_FAILED")
    driver.end()


@scenario
def a_flood_of_updates(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "t", "flood:200 finished", executor())])
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario
def an_executor_that_sends_rubbish_first(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "t", "running finished", executor(play="rubbish"))])
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario
def updates_wait_for_the_acknowledgement_before(stage):
    driver = stage.driver(framework(), False)
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", "starting running finished", executor())])
    for state in ("TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"):
        heard = driver.state("t", state)
        driver.note("more comes before the acknowledgement: %s" % driver.pass_by("statusUpdate", 0.5))
        driver.acknowledgeStatusUpdate(heard)
    driver.end()


@scenario
def a_finished_executor_makes_room_for_another_of_its_name(stage):
    driver, offer = begun(stage)
    go = fresh()
    driver.launchTasks(offer.id, [task(offer, "a", "finished wait:%s exit:0" % go, executor())])
    driver.state("a", "TASK_FINISHED")
    touch(go)
    driver.wait("executorLost")
    again = driver.offer()
    driver.launchTasks(again.id, [task(again, "b", "finished", executor(source="another"))])
    driver.state("b", "TASK_FINISHED")
    driver.end()


@scenario
def reconciliation_of_an_executor_s_tasks(stage):
    driver, offer = begun(stage)
    driver.launchTasks(offer.id, [task(offer, "t", "with:message=m with:data=d running", executor())])
    driver.state("t", "TASK_RUNNING")
    driver.reconcileTasks([])
    driver.wait("statusUpdate", lambda s: s.reason == mesos_pb2.TaskStatus.REASON_RECONCILIATION)
    driver.end()


@scenario(apart=True)
def a_group_on_an_executor_of_its_own(stage):
    driver, offer = begun(stage)
    made = executor(type=mesos_pb2.ExecutorInfo.CUSTOM)
    made.framework_id.value = driver.framework_id
    amounts(made.resources, disk=32)
    group = operation("LAUNCH_GROUP")
    group.launch_group.executor.MergeFrom(made)
    for name in "ab":
        member = task(offer, name, "running finished", made)
        group.launch_group.task_group.tasks.add().MergeFrom(member)
    driver.acceptOffers([offer.id], [group])
    for name in "ab":
        driver.state(name, "TASK_FINISHED")
    driver.end()


@scenario(apart=True)
def a_command_task_beside_an_executor(stage):
    driver, offer = begun(stage)
    command = mesos_pb2.TaskInfo(name="command")
    command.task_id.value = "command"
    command.slave_id.value = offer.slave_id.value
    command.command.value = "exit 0"
    amounts(command.resources, cpus=0.1, mem=32)
    driver.acceptOffers([offer.id], [launch(command, task(offer, "t", "finished", executor()))])
    driver.state("command", "TASK_FINISHED")
    driver.state("t", "TASK_FINISHED")
    driver.end()
