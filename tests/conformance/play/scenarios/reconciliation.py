# Reconciliation. Semantics: `Master::reconcile`.

from messages import filters, framework, status, task
from stage import scenario

AWARE = [("plain", []), ("PARTITION_AWARE", ["PARTITION_AWARE"])]


@scenario(apart=True)
def implicit_reconciliation(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, name, "sleep 1000") for name in ("t", "u")], filters(1000))
    driver.state("t", "TASK_RUNNING")
    driver.state("u", "TASK_RUNNING")
    driver.reconcileTasks([])
    driver.state("t", "TASK_RUNNING")
    driver.state("u", "TASK_RUNNING")
    driver.end()


@scenario
def implicit_reconciliation_without_tasks(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.reconcileTasks([])
    stage.note("an update came: %s" % driver.pass_by("statusUpdate", 0.5))
    driver.end()


@scenario
def explicit_reconciliation_of_a_known_task(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1000")], filters(1000))
    agent = driver.state("t", "TASK_RUNNING").slave_id.value
    for asked in (status("t"), status("t", agent), status("t", agent, "TASK_LOST"), status("t", "no such agent")):
        driver.reconcileTasks([asked])
        driver.state("t", "TASK_RUNNING")
    driver.end()


@scenario
def explicit_reconciliation_of_the_unknown(stage):
    for name, capabilities in AWARE:
        driver = stage.driver(framework(*capabilities), name=name)
        driver.begin()
        agent = driver.offer().slave_id.value
        driver.reconcileTasks([status("nowhere"), status("on an agent", agent), status("elsewhere", "no such agent")])
        for _ in range(3):
            driver.wait("statusUpdate")
        driver.end()


@scenario
def reconciliation_of_a_finished_task(stage):
    for name, capabilities in AWARE:
        driver = stage.driver(framework(*capabilities), name=name)
        driver.begin()
        offer = driver.offer()
        driver.launchTasks(offer.id, [task(offer, "t")], filters(1000))
        agent = driver.state("t", "TASK_FINISHED").slave_id.value
        stage.until("the acknowledgement", lambda: not stage.framework_state(driver)["tasks"])  # noqa: B023
        driver.reconcileTasks([status("t", agent)])
        driver.wait("statusUpdate")
        driver.end()


@scenario
def reconciliation_of_an_unacknowledged_task(stage):
    driver = stage.driver(framework(), 0)
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t")], filters(1000))
    first = driver.state("t", "TASK_STARTING")
    driver.reconcileTasks([status("t")])
    driver.state("t", "TASK_STARTING")
    driver.acknowledgeStatusUpdate(first)
    driver.acknowledgeStatusUpdate(driver.state("t", "TASK_RUNNING"))
    finished = driver.state("t", "TASK_FINISHED")
    driver.reconcileTasks([status("t"), status("t")])
    driver.state("t", "TASK_FINISHED")
    driver.state("t", "TASK_FINISHED")
    driver.acknowledgeStatusUpdate(finished)
    driver.end()


@scenario
def reconciliation_after_failover(stage):
    info = framework(failover_timeout=1000)
    first = stage.driver(info)
    info.id.MergeFrom(first.begin()[0])
    offer = first.offer()
    first.launchTasks(offer.id, [task(offer, "t", "sleep 1000")], filters(1000))
    first.state("t", "TASK_RUNNING")
    first.stop(True)
    first.join()
    second = stage.driver(info)
    second.begin()
    second.reconcileTasks([status("t"), status("u")])
    second.state("t", "TASK_RUNNING")
    second.state("u", "TASK_LOST")
    second.end()
