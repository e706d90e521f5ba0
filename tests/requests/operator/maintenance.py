"""Maintenance of machines, and agents that are drained, deactivated and gone."""

from __future__ import annotations

from typing import Any

from tests.requests import Request
from tests.requests.operator.calls import AGENT, UNKNOWN_AGENT, call
from tests.requests.scenes import MACHINE, OTHER_MACHINE

SCHEDULE = ({"type": "GET_MAINTENANCE_SCHEDULE"}, {"type": "GET_MAINTENANCE_STATUS"})
AGENTS = ({"type": "GET_AGENTS"},)
START = {"start": {"nanoseconds": 1000}}
KINDS = ("DRAIN_AGENT", "DEACTIVATE_AGENT", "REACTIVATE_AGENT", "MARK_AGENT_GONE")


def requests() -> list[Request]:
    return [*schedules(), *machines(), *agents()]


def schedules() -> list[Request]:
    def window(*machines: dict[str, Any], **unavailability: Any) -> dict[str, Any]:
        return {"machine_ids": list(machines), "unavailability": {**START, **unavailability}}

    cases: dict[str, Any] = {
        "one machine": [window(MACHINE)],
        "two windows": [window(MACHINE), window(OTHER_MACHINE, duration={"nanoseconds": 5})],
        "two machines": [window(MACHINE, OTHER_MACHINE)],
        "no windows": [],
        "a window without machines": [window()],
        "a window without its time": [{"machine_ids": [MACHINE]}],
        "a machine twice": [window(MACHINE, MACHINE)],
        "a machine in two windows": [window(MACHINE), window(MACHINE)],
        "a machine of nothing": [window({})],
        "a machine of empty names": [window({"hostname": "", "ip": ""})],
        "a hostname alone": [window({"hostname": "host"})],
        "an address alone": [window({"ip": "10.0.0.2"})],
        "a hostname in capitals": [window({"hostname": "HOST"})],
        "an address that is none": [window({"hostname": "host", "ip": "nowhere"})],
        "an address of IPv6": [window({"hostname": "host", "ip": "::1"})],
        "a duration of nothing": [window(MACHINE, duration={"nanoseconds": 0})],
        "a duration of less than that": [window(MACHINE, duration={"nanoseconds": -1})],
        "a start before 1970": [window(MACHINE, start={"nanoseconds": -1})],
        "a start without its value": [window(MACHINE, start={})],
    }
    kind = "UPDATE_MAINTENANCE_SCHEDULE"

    def made(windows: Any) -> dict[str, Any]:
        return call(kind, schedule={"windows": windows})

    return [
        *(Request(f"{kind}: {what}", made(w), scene="nobody", then=SCHEDULE) for what, w in cases.items()),
        Request(f"{kind}: in protobuf", made(cases["two windows"]), form="protobuf", scene="nobody", then=SCHEDULE),
        Request(f"{kind}: without windows", call(kind, schedule={}), scene="nobody"),
        Request(f"{kind}: none any more", made([]), scene="maintained", then=SCHEDULE),
        Request(f"{kind}: without a machine that is down", made([window(MACHINE)]), scene="down", then=SCHEDULE),
        Request(f"{kind}: with a machine that is down", made([window(OTHER_MACHINE)]), scene="down", then=SCHEDULE),
    ]


def machines() -> list[Request]:
    cases: dict[str, list[dict[str, Any]]] = {
        "another machine": [OTHER_MACHINE],
        "no machines": [],
        "an unscheduled machine": [{"hostname": "x", "ip": "10.9.9.9"}],
        "a machine twice": [OTHER_MACHINE, OTHER_MACHINE],
        "a machine of nothing": [{}],
        "a hostname alone": [{"hostname": "other"}],
        "another case": [{**OTHER_MACHINE, "hostname": "OTHER"}],
        "an address that is none": [{"hostname": "other", "ip": "x"}],
    }
    return [
        *(
            Request(f"{kind}: {what} ({scene})", call(kind, machines=found), scene=scene, then=SCHEDULE)
            for kind in ("START_MAINTENANCE", "STOP_MAINTENANCE")
            for scene in ("maintained", "down")
            for what, found in cases.items()
        ),
        Request("START_MAINTENANCE: the agents' machine", call("START_MAINTENANCE", machines=[MACHINE]), scene="maintained"),
    ]  # fmt: skip


def agents() -> list[Request]:
    drains: dict[str, dict[str, Any]] = {
        "an agent": {},
        "with a grace period": {"max_grace_period": {"seconds": 5}},
        "with a grace period of parts": {"max_grace_period": {"seconds": 1, "nanos": 5}},
        "with a grace period of less than nothing": {"max_grace_period": {"seconds": -5}},
        "with a grace period of nothing": {"max_grace_period": {}},
        "with a grace period as text": {"max_grace_period": "5s"},
        "with mark_gone": {"mark_gone": True},
        "with mark_gone as text": {"mark_gone": "yes"},
    }
    return [
        *(Request(f"DRAIN_AGENT: {what}", call("DRAIN_AGENT", **AGENT, **body), scene="nobody") for what, body in drains.items()),
        *(Request(f"{kind}: an unknown agent", call(kind, **UNKNOWN_AGENT), scene="nobody") for kind in KINDS),
        *(Request(f"{kind}: an empty id", call(kind, agent_id={"value": ""}), scene="nobody") for kind in KINDS),
        Request("DEACTIVATE_AGENT: an agent", call("DEACTIVATE_AGENT", **AGENT), scene="nobody", then=AGENTS),
        Request("DEACTIVATE_AGENT: in protobuf", call("DEACTIVATE_AGENT", **AGENT), form="protobuf", scene="nobody", then=AGENTS),
        Request("REACTIVATE_AGENT: one that is active", call("REACTIVATE_AGENT", **AGENT), scene="nobody", then=AGENTS),
        Request("DRAIN_AGENT: one with tasks", call("DRAIN_AGENT", **AGENT, max_grace_period={"seconds": 100}), scene="running"),
        Request("DRAIN_AGENT: one that is drained", call("DRAIN_AGENT", **AGENT), scene="drained"),
        Request("DEACTIVATE_AGENT: one that is drained", call("DEACTIVATE_AGENT", **AGENT), scene="drained", then=AGENTS),
        Request("DEACTIVATE_AGENT: one that is deactivated", call("DEACTIVATE_AGENT", agent_id={"value": "@other-agent"}), scene="drained", then=AGENTS),
        Request("REACTIVATE_AGENT: one that is drained", call("REACTIVATE_AGENT", **AGENT), scene="drained", then=AGENTS),
        Request("REACTIVATE_AGENT: one that is deactivated", call("REACTIVATE_AGENT", agent_id={"value": "@other-agent"}), scene="drained", then=AGENTS),
        Request("MARK_AGENT_GONE: an agent", call("MARK_AGENT_GONE", **AGENT), scene="nobody"),
        Request("MARK_AGENT_GONE: in protobuf", call("MARK_AGENT_GONE", **AGENT), form="protobuf", scene="nobody"),
    ]  # fmt: skip
