"""Agents that are drained, deactivated, gone, or about to be maintained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.allocation.scenarios import scenario

if TYPE_CHECKING:
    from tests.allocation.client import Framework, Offer
    from tests.allocation.stage import Stage

SECOND = 10**9


def maintain(stage: Stage, *offers: Offer) -> None:
    """Plans the maintenance of the machine of these offers' agents, or of none."""
    machines = [{"hostname": offer.whole["hostname"], "ip": "127.0.0.1"} for offer in offers]
    times = {
        "start": {"nanoseconds": int(stage.master.wall_time() + 3600) * SECOND},
        "duration": {"nanoseconds": 600 * SECOND},
    }
    windows = [{"machine_ids": machines, "unavailability": times}] if machines else []
    stage.operate("UPDATE_MAINTENANCE_SCHEDULE", update_maintenance_schedule={"schedule": {"windows": windows}})


def answers(framework: Framework, kind: str, **filters: Any) -> None:
    """Accepts or declines all inverse offers."""
    ids = [offer["id"] for offer in framework.inverse_offers.values()]
    framework.inverse_offers.clear()
    framework.call(
        f"{kind}_INVERSE_OFFERS", **{f"{kind.lower()}_inverse_offers": {"inverse_offer_ids": ids, **filters}}
    )


def statuses(stage: Stage) -> None:
    """What frameworks have answered, as an operator is told."""
    status = stage.ask("GET_MAINTENANCE_STATUS").get("get_maintenance_status", {}).get("status", {})
    machines = status.get("draining_machines", [])
    for machine in machines:
        told = sorted(one["status"] for one in machine.get("statuses", []))
        stage.say(f"one machine drains: {told}")
    stage.say(f"{len(machines)} drain, {len(status.get('down_machines', []))} are down")


@scenario(fresh=True, alike=True)
def maintenance_is_planned_and_given_up(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    known = a.held()[0]
    maintain(stage, known)
    stage.step("maintenance is planned")
    a.decline()
    stage.step("a declines its offers")
    maintain(stage)
    stage.step("maintenance is given up")
    a.decline()
    stage.step("a declines its offers")


@scenario(fresh=True, agents=1)
def a_task_is_asked_for(stage: Stage) -> None:
    a, _ = stage.framework("a"), stage.framework("b")
    stage.step("a and b subscribe")
    a.call("SUPPRESS")
    known = a.held()[0]
    a.launch(known)
    stage.step("a suppresses and runs a task", timed=False)
    maintain(stage, known)
    stage.step("maintenance is planned", timed=False)
    statuses(stage)
    answers(a, "ACCEPT", filters={"refuse_seconds": 0})
    stage.step("a accepts", timed=False)
    statuses(stage)
    answers(a, "DECLINE", filters={"refuse_seconds": 0})
    stage.step("a declines", timed=False)
    statuses(stage)
    a.kill()
    a.wait_for("t", "TASK_KILLED")
    stage.step("the task is killed", timed=False)


@scenario(fresh=True, agents=1)
def an_inverse_offer_is_filtered(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.call("SUPPRESS")
    known = a.held()[0]
    a.launch(known)
    stage.step("a suppresses and runs a task", timed=False)
    maintain(stage, known)
    stage.step("maintenance is planned", timed=False)
    answers(a, "DECLINE", filters={"refuse_seconds": 1000})
    stage.step("a declines for long", timed=False)
    a.call("REVIVE")
    stage.step("a revives", timed=False)


@scenario(fresh=True, agents=1)
def an_inverse_offer_is_rescinded(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.call("SUPPRESS")
    known = a.held()[0]
    a.launch(known)
    stage.step("a suppresses and runs a task", timed=False)
    maintain(stage, known)
    stage.step("maintenance is planned", timed=False)
    maintain(stage)
    stage.step("maintenance is given up", timed=False)
    statuses(stage)


@scenario(fresh=True)
def an_agent_is_deactivated(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    known = a.held()[0]
    stage.operate("DEACTIVATE_AGENT", deactivate_agent={"agent_id": known.agent_id})
    stage.step("one agent is deactivated", timed=False)
    a.decline()
    stage.step("a declines")
    stage.operate("REACTIVATE_AGENT", reactivate_agent={"agent_id": known.agent_id})
    stage.step("it is reactivated", timed=False)


@scenario(fresh=True, agents=1)
def a_deactivated_agent_keeps_its_tasks(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    known = a.held()[0]
    a.launch(known)
    stage.step("a runs a task", timed=False)
    stage.operate("DEACTIVATE_AGENT", deactivate_agent={"agent_id": known.agent_id})
    stage.step("its agent is deactivated", timed=False)
    stage.framework("b")
    a.decline()
    stage.step("b subscribes, a declines")
    a.kill()
    a.wait_for("t", "TASK_KILLED")
    stage.step("the task is killed", timed=False)
    stage.operate("REACTIVATE_AGENT", reactivate_agent={"agent_id": known.agent_id})
    stage.step("the agent is reactivated", timed=False)


@scenario(fresh=True)
def an_agent_is_drained(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    known = a.held()[0]
    a.launch(known)
    a.wait_for_offers(2)
    stage.step("a runs a task", timed=False)
    stage.operate("DRAIN_AGENT", drain_agent={"agent_id": known.agent_id})
    a.wait_for("t", "TASK_KILLED")
    stage.step("its agent is drained", timed=False)
    a.decline()
    stage.step("a declines")
    stage.operate("REACTIVATE_AGENT", reactivate_agent={"agent_id": known.agent_id})
    stage.step("it is reactivated", timed=False)


@scenario(fresh=True)
def operators_speak_of_unknown_agents(stage: Stage) -> None:
    unknown = {"agent_id": {"value": "unknown"}}
    stage.operate("DRAIN_AGENT", drain_agent=unknown)
    stage.operate("DEACTIVATE_AGENT", deactivate_agent=unknown)
    stage.operate("REACTIVATE_AGENT", reactivate_agent=unknown)
    stage.operate("MARK_AGENT_GONE", mark_agent_gone=unknown)
    a = stage.framework("a")
    stage.step("a subscribes")
    stage.operate("REACTIVATE_AGENT", reactivate_agent={"agent_id": a.held()[0].agent_id})
    stage.step("an active agent is reactivated", timed=False)


@scenario(fresh=True)
def an_agent_is_gone(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    stage.operate("MARK_AGENT_GONE", mark_agent_gone={"agent_id": a.held()[0].agent_id})
    stage.step("one agent is marked gone", timed=False)
    a.decline()
    stage.step("a declines")
