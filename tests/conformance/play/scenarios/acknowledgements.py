# Status updates and who acknowledges them. Semantics: `src/sched/sched.cpp`, `src/slave/task_status_update_manager.cpp`.

import time

from mesos.interface import mesos_pb2
from messages import filters, framework, status, task
from stage import scenario


def begun(stage, command="exit 0"):
    """A driver without implicit acknowledgements whose task was just launched."""
    driver = stage.driver(framework(failover_timeout=1000), 0)
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", command)], filters(1000))
    return driver


@scenario
def explicit_acknowledgements_release_the_next_update(stage):
    driver = begun(stage)
    for state in ("TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"):
        driver.acknowledgeStatusUpdate(driver.state("t", state))
    stage.until("the acknowledgement", lambda: not stage.framework_state(driver)["tasks"])
    driver.end()


@scenario
def an_unacknowledged_update_holds_the_next_one_back(stage):
    driver = begun(stage)
    first = driver.state("t", "TASK_STARTING")
    stage.note("the next one came: %s" % driver.pass_by("statusUpdate", 1))
    driver.acknowledgeStatusUpdate(first)
    driver.state("t", "TASK_RUNNING")
    driver.end()


@scenario
def an_unacknowledged_update_comes_again(stage):
    driver = begun(stage)
    driver.state("t", "TASK_STARTING")
    begun_at = time.time()
    again = driver.state("t", "TASK_STARTING")
    seconds = time.time() - begun_at
    stage.note("again after some 10 seconds: %s" % (9 < seconds < 13.9))
    driver.acknowledgeStatusUpdate(again)
    driver.acknowledgeStatusUpdate(driver.state("t", "TASK_RUNNING"))
    driver.acknowledgeStatusUpdate(driver.state("t", "TASK_FINISHED"))
    driver.end()


@scenario
def an_unacknowledged_update_comes_again_after_failover(stage):
    info = framework(failover_timeout=1000)
    first = stage.driver(info, 0)
    info.id.MergeFrom(first.begin()[0])
    offer = first.offer()
    first.launchTasks(offer.id, [task(offer, "t")], filters(1000))
    first.state("t", "TASK_STARTING")
    first.stop(True)
    first.join()
    second = stage.driver(info, 0)
    second.begin()
    for state in ("TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"):
        second.acknowledgeStatusUpdate(second.state("t", state))
    second.end()


@scenario
def acknowledging_twice_does_no_harm(stage):
    driver = begun(stage)
    first = driver.state("t", "TASK_STARTING")
    for _ in range(2):
        driver.acknowledgeStatusUpdate(first)
    second = driver.state("t", "TASK_RUNNING")
    driver.acknowledgeStatusUpdate(first)
    driver.acknowledgeStatusUpdate(second)
    driver.acknowledgeStatusUpdate(driver.state("t", "TASK_FINISHED"))
    driver.end()


@scenario
def acknowledgements_that_ask_for_nothing(stage):
    driver = begun(stage)
    first = driver.state("t", "TASK_STARTING")
    without_agent, without_uuid = mesos_pb2.TaskStatus(), mesos_pb2.TaskStatus()
    without_agent.MergeFrom(first)
    without_agent.ClearField("slave_id")
    without_uuid.MergeFrom(first)
    without_uuid.ClearField("uuid")
    driver.acknowledgeStatusUpdate(without_agent)
    driver.acknowledgeStatusUpdate(without_uuid)
    stage.note("the next one came: %s" % driver.pass_by("statusUpdate", 1))
    driver.acknowledgeStatusUpdate(first)
    driver.state("t", "TASK_RUNNING")
    driver.end()


@scenario
def acknowledgements_of_the_unknown_do_no_harm(stage):
    driver = begun(stage)
    first = driver.state("t", "TASK_STARTING")
    unknown = status("no such task", first.slave_id.value)
    unknown.uuid = b"0123456789abcdef"
    driver.acknowledgeStatusUpdate(unknown)
    elsewhere = status("t", "no such agent")
    elsewhere.uuid = first.uuid
    driver.acknowledgeStatusUpdate(elsewhere)
    driver.acknowledgeStatusUpdate(first)
    driver.state("t", "TASK_RUNNING")
    driver.end()


@scenario
def updates_that_the_master_makes_have_no_uuid(stage):
    driver = stage.driver(framework(), 0)
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "a/b")])
    update = driver.state("a/b", "TASK_ERROR")
    stage.note("has a uuid: %s" % update.HasField("uuid"))
    driver.acknowledgeStatusUpdate(update)
    driver.end()


@scenario
def a_finished_task_gives_its_resources_back_unacknowledged(stage):
    driver = stage.driver(framework(), 0)
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1", cpus=8)], filters(0))
    driver.state("t", "TASK_STARTING")
    driver.offer(lambda offer: offer.slave_id.value == agent and any(r.name == "cpus" for r in offer.resources))
    driver.end()


@scenario
def acknowledging_in_implicit_mode(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.acknowledgeStatusUpdate(status("t", "s"))
    driver.end()
