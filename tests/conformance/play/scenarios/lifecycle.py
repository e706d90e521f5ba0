# start, stop, abort, join, run, in every order. Semantics: `src/sched/sched.cpp`.

from calls import every_call
from messages import framework, status, task
from stage import scenario


@scenario
def start_stop_join(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.stop()
    driver.join()
    driver.join()


@scenario
def start_twice(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.start()
    driver.end()


@scenario
def stop_twice(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.stop()
    driver.stop()
    driver.join()


@scenario
def stop_before_start(stage):
    driver = stage.driver(framework())
    driver.stop()
    driver.join()
    driver.begin()
    driver.end()


@scenario
def abort_before_start(stage):
    driver = stage.driver(framework())
    driver.abort()
    driver.join()
    driver.begin()
    driver.end()


@scenario
def abort_twice_then_stop_twice(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.abort()
    driver.abort()
    driver.join()
    driver.stop()
    driver.stop()
    driver.join()
    driver.abort()


@scenario
def abort_after_stop(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.stop()
    driver.abort()
    driver.join()


@scenario
def start_after_stop_and_after_abort(stage):
    for end in ("stop", "abort"):
        driver = stage.driver(framework(), name=end)
        driver.begin()
        getattr(driver, end)()
        driver.start()
        driver.run()


@scenario
def calls_before_start(stage):
    driver = stage.driver(framework(), 0)
    every_call(driver)
    driver.acknowledgeStatusUpdate(status("t"))
    driver.updateFramework(framework(), [])


@scenario
def calls_after_stop(stage):
    driver = stage.driver(framework(), 0)
    driver.begin()
    driver.end()
    every_call(driver)
    driver.acknowledgeStatusUpdate(status("t"))
    driver.updateFramework(framework(), [])


@scenario
def calls_after_abort(stage):
    driver = stage.driver(framework(), 0)
    driver.begin()
    driver.abort()
    every_call(driver)
    driver.acknowledgeStatusUpdate(status("t"))
    driver.updateFramework(framework(), [])
    driver.join()


@scenario
def calls_while_running(stage):
    driver = stage.driver(framework(), 0)
    driver.begin()
    every_call(driver)
    driver.acknowledgeStatusUpdate(status("t"))
    for _ in range(2):
        driver.state("no such task", "TASK_LOST")
    driver.end()


@scenario
def stop_removes_the_framework(stage):
    driver = stage.driver(framework(failover_timeout=1000))
    driver.begin()
    driver.stop()
    driver.join()
    stage.until("the framework is gone", lambda: stage.framework_state(driver) is None)
    completed = [f for f in stage.state()["completed_frameworks"] if f["id"] == driver.framework_id]
    stage.note("completed: %d" % len(completed))


@scenario
def stop_with_failover_keeps_the_framework(stage):
    driver = stage.driver(framework(failover_timeout=1000))
    driver.begin()
    driver.stop(True)
    driver.join()
    stage.note("known after stop(True): %s" % (stage.framework_state(driver) is not None))


@scenario
def stop_takes_any_integer(stage):
    for failover in (False, 1, 255):
        driver = stage.driver(framework(), name="stop(%r)" % failover)
        driver.begin()
        driver.stop(failover)
        driver.join()


@scenario
def abort_leaves_tasks_running_and_calls_nothing_back(stage):
    driver = stage.driver(framework(failover_timeout=1000))
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1000")])
    driver.state("t", "TASK_RUNNING")
    driver.abort()
    driver.join()
    stage.until("the framework has no offers", lambda: not stage.framework_state(driver)["offers"])
    state = stage.framework_state(driver)
    stage.note("after the abort: tasks %s" % " ".join(t["state"] for t in state["tasks"]))
    heard = any(driver.pass_by(callback, 0.3) for callback in ("resourceOffers", "statusUpdate"))
    stage.note("callbacks after the abort: %s" % heard)
    driver.stop()
    stage.until("the framework is gone", lambda: stage.framework_state(driver) is None)
