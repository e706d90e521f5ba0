# What an operator does to frameworks and agents. Semantics: `Master::markGone`, `Master::teardown`,
# `src/master/maintenance.cpp`.

import json

from messages import filters, framework, status, task
from stage import scenario


@scenario
def an_operator_removes_the_framework(stage):
    driver = stage.driver(framework(failover_timeout=1000))
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1000")])
    driver.state("t", "TASK_RUNNING")
    stage.note(
        "HTTP %d" % stage.post("/teardown", "frameworkId=" + driver.framework_id, "application/x-www-form-urlencoded")
    )
    stage.note("told: %s" % driver.pass_by("error", 3))
    stage.note("known: %s" % (stage.framework_state(driver) is not None))


@scenario
def an_operator_removes_an_unknown_framework(stage):
    for body in ("frameworkId=unknown", "nothing=1"):
        stage.note("HTTP %d" % stage.post("/teardown", body, "application/x-www-form-urlencoded"))


def gone(stage, capabilities):
    driver = stage.driver(framework(*capabilities))
    driver.begin()
    offer, other = driver.offers_of_agents(2)
    agent = offer.slave_id.value
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1000")], filters(1000))
    driver.state("t", "TASK_RUNNING")
    call = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": agent}}}
    stage.note("HTTP %d" % stage.operate(call))
    driver.state("t", "TASK_GONE_BY_OPERATOR" if capabilities else "TASK_LOST")
    driver.wait("slaveLost")
    driver.reconcileTasks([status("t", agent), status("u", agent), status("v")])
    for _ in range(3):
        driver.wait("statusUpdate")
    driver.launchTasks(other.id, [task(offer, "launched on the agent that is gone")])
    driver.state("launched on the agent that is gone", "TASK_ERROR")
    driver.end()


@scenario(own=True)
def an_agent_is_marked_gone(stage):
    gone(stage, [])


@scenario(own=True)
def an_agent_is_marked_gone_for_a_partition_aware_framework(stage):
    gone(stage, ["PARTITION_AWARE"])


@scenario(own=True)
def an_agent_is_marked_gone_while_it_is_offered(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer, _ = driver.offers_of_agents(2)
    call = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": offer.slave_id.value}}}
    stage.note("HTTP %d" % stage.operate(call))
    driver.wait("offerRescinded", lambda rescinded: rescinded == offer.id)
    driver.wait("slaveLost")
    driver.launchTasks(offer.id, [task(offer, "t")])
    driver.state("t", "TASK_LOST")
    driver.end()


@scenario(own=True)
def maintenance_is_planned(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer, _ = driver.offers_of_agents(2)
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1000")], filters(0))
    driver.state("t", "TASK_RUNNING")
    schedule = {
        "windows": [
            {
                "machine_ids": [{"hostname": offer.hostname, "ip": "127.0.0.1"}],
                "unavailability": {"start": {"nanoseconds": 4 * 10**18}, "duration": {"nanoseconds": 10**12}},
            }
        ]
    }
    stage.note("HTTP %d" % stage.post("/maintenance/schedule", json.dumps(schedule)))
    # Inverse offers have no callback in the classic API; offers say when their agent will not be there.
    again = driver.offer(lambda offer: offer.HasField("unavailability"))
    stage.note("unavailable from %s" % again.unavailability.start.nanoseconds)
    driver.killTask(status("t").task_id)
    driver.state("t", "TASK_KILLED")
    driver.end()


@scenario
def maintenance_that_makes_no_sense(stage):
    for body in (
        "{}",
        "rubbish",
        json.dumps({"windows": [{"machine_ids": [], "unavailability": {"start": {"nanoseconds": 1}}}]}),
    ):
        stage.note("HTTP %d" % stage.post("/maintenance/schedule", body))
