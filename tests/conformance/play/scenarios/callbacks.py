# What callbacks may do: call the driver, stop it, abort it, raise. Semantics: `src/python/scheduler` and
# `src/sched/sched.cpp`.

import sys
import threading

from calls import every_call
from mesos.interface import mesos_pb2
from messages import filters, framework, status, task
from stage import scenario


def to_each_callback(stage, name, do):
    """Brings a driver to the callback of this name, which does something; the driver."""
    driver = stage.driver(framework(), on={name: do}, name=name)
    driver.start()
    if name == "statusUpdate":
        offer = driver.offer()
        driver.launchTasks(offer.id, [task(offer, "t")])
    driver.wait(name)
    return driver


def once(function):
    """The function for the first of several calls."""
    done = []

    def first(driver, *arguments):
        if not done:
            done.append(True)
            function(driver, *arguments)

    return first


@scenario
def every_call_inside_registered(stage):
    driver = to_each_callback(stage, "registered", lambda driver, *_: every_call(driver))
    for _ in range(2):
        driver.state("no such task", "TASK_LOST")
    driver.end()


@scenario
def every_call_inside_resource_offers(stage):
    driver = to_each_callback(stage, "resourceOffers", once(lambda driver, *_: every_call(driver)))
    for _ in range(2):
        driver.state("no such task", "TASK_LOST")
    driver.end()


@scenario(apart=True)
def every_call_inside_status_update(stage):
    driver = to_each_callback(stage, "statusUpdate", once(lambda driver, *_: every_call(driver)))
    for _ in range(2):
        driver.state("no such task", "TASK_LOST")
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario
def every_call_inside_error(stage):
    done = []
    driver = stage.driver(framework(role="a b"), on={"error": lambda driver, _: done.append(every_call(driver))})
    driver.start()
    driver.wait("error")
    stage.until("the end of the callback", lambda: done)
    driver.join()


@scenario
def every_call_inside_offer_rescinded(stage):
    info = framework("MULTI_ROLE")
    info.roles.extend(["one", "two"])
    driver = stage.driver(info, on={"offerRescinded": once(lambda driver, _: every_call(driver))})
    framework_id = driver.begin()[0]
    driver.offers_of_agents(1)
    info.id.MergeFrom(framework_id)
    del info.roles[:]
    info.roles.append("three")
    driver.updateFramework(info, [])
    driver.wait("offerRescinded")
    for _ in range(2):
        driver.state("no such task", "TASK_LOST")
    driver.end()


@scenario
def start_stop_and_join_inside_callbacks(stage):
    ended = []

    def again(driver, *_):
        driver.start()
        driver.stop()
        driver.stop()
        ended.append(driver)

    for number, name in enumerate(("registered", "resourceOffers", "statusUpdate")):
        to_each_callback(stage, name, once(again)).join()
        # join() may return before what the second stop() returned is written down.
        stage.until("the end of the callback", lambda: len(ended) > number)  # noqa: B023


@scenario
def abort_inside_callbacks(stage):
    for name in ("registered", "resourceOffers", "statusUpdate"):
        aborted = []
        driver = to_each_callback(stage, name, once(lambda driver, *_: aborted.append(driver.abort())))  # noqa: B023
        driver.join()
        stage.until("the end of the callback", lambda: aborted)  # noqa: B023
        driver.stop()


@scenario
def run_ends_when_a_callback_stops_the_driver(stage):
    stopped = threading.Event()

    def stop(driver, *_):
        driver.stop()
        stopped.set()

    driver = stage.driver(framework(), on={"registered": stop})
    driver.run()
    # run() may return before what stop() returned is written down.
    stopped.wait(10)


@scenario
def an_update_is_not_acknowledged_when_its_callback_stopped_the_driver(stage):
    unacknowledged(stage, lambda driver: driver.stop(True))


@scenario
def an_update_is_not_acknowledged_when_its_callback_aborted_the_driver(stage):
    unacknowledged(stage, lambda driver: driver.abort())


@scenario
def an_update_is_not_acknowledged_when_its_callback_raised(stage):
    def fail(driver):
        raise ValueError("on purpose")

    unacknowledged(stage, fail)


def unacknowledged(stage, do):
    """The first update's callback does something; a second driver for the framework sees which updates come again."""
    info = framework(failover_timeout=1000)
    first = stage.driver(info, on={"statusUpdate": lambda driver, _: do(driver)})
    info.id.MergeFrom(first.begin()[0])
    offer = first.offer()
    first.launchTasks(offer.id, [task(offer, "t")], filters(1000))
    first.wait("statusUpdate")
    first.join()
    second = stage.driver(info)
    second.begin()
    second.state("t", "TASK_FINISHED")
    second.end()


@scenario
def a_callback_that_raises_aborts_the_driver(stage):
    def fail(driver, *_):
        raise ValueError("on purpose")

    for name in ("registered", "resourceOffers", "statusUpdate"):
        driver = to_each_callback(stage, name, fail)
        driver.join()
        driver.stop()


@scenario
def an_error_callback_that_raises(stage):
    def fail(driver, _):
        raise ValueError("on purpose")

    driver = stage.driver(framework(role="a b"), on={"error": fail})
    driver.start()
    driver.wait("error")
    driver.join()
    driver.stop()


@scenario
def a_scheduler_without_the_method_aborts_the_driver(stage):
    driver = stage.driver(framework(), scheduler=object())
    driver.run()


@scenario
def a_callback_of_the_wrong_arity_aborts_the_driver(stage):
    class Narrow(object):
        def registered(self, driver):
            pass

    driver = stage.driver(framework(), scheduler=Narrow())
    driver.run()


@scenario
def system_exit_in_a_callback_ends_the_process(stage):
    driver = stage.driver(framework(), on={"registered": lambda *_: sys.exit(7)})
    driver.run()
    stage.note("not reached")


@scenario
def callbacks_get_the_driver_that_was_started(stage):
    class Same(object):
        def registered(self, driver, *_):
            stage.note("the same object: %s" % (driver is native[0]))
            driver.stop()

    driver = stage.driver(framework(), scheduler=Same())
    native = [driver.native]
    driver.run()


@scenario
def implicit_acknowledgements_leave_after_the_callback(stage):
    seen = []

    def slow(driver, update):
        if mesos_pb2.TaskState.Name(update.state) != "TASK_STARTING" or seen:
            return
        # The agent keeps the task's next update back until this one is acknowledged.
        known = [t for f in stage.state()["frameworks"] for t in f["tasks"] if t["id"] == "t"]
        seen.append(" ".join(s["state"] for t in known for s in t["statuses"]))

    driver = stage.driver(framework(), on={"statusUpdate": slow})
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1000")])
    driver.state("t", "TASK_RUNNING")
    stage.note("known inside the first update: %s" % seen[0])
    driver.killTask(status("t").task_id)
    driver.state("t", "TASK_KILLED")
    driver.end()
