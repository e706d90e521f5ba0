"""Reservations and persistent volumes."""

from __future__ import annotations

from typing import Any

from tests.requests import Request
from tests.requests.operator.calls import AGENT, BODIES, UNKNOWN_AGENT, call
from tests.requests.scenes import RESERVATION, reserved, volume
from tests.requests.stage import scalar

AGENTS = ({"type": "GET_AGENTS"},)
STATIC = {"type": "STATIC", "role": "role"}


def requests() -> list[Request]:
    return [*reserve(), *unreserve(), *create(), *destroy(), *resize()]


def sent(what: str, kind: str, scene: str, **body: Any) -> Request:
    return Request(f"{kind}: {what}", call(kind, **{**AGENT, **body}), scene=scene, then=AGENTS)


def reserve() -> list[Request]:
    pushed = [RESERVATION, {"type": "DYNAMIC", "role": "role/child", "principal": "principal"}]
    cases: dict[str, dict[str, Any]] = {
        "two resources": {"resources": [reserved("cpus", 1), reserved("mem", 64)]},
        "an unknown agent": {**UNKNOWN_AGENT, "resources": [reserved("cpus", 1)]},
        "an empty agent id": {"agent_id": {"value": ""}, "resources": [reserved("cpus", 1)]},
        "no resources": {"resources": []},
        "an unreserved resource": {"resources": [scalar("cpus", 1)]},
        "a static reservation": {"resources": [scalar("cpus", 1, reservations=[STATIC])]},
        "more than there is": {"resources": [reserved("cpus", 1000)]},
        "an unknown resource": {"resources": [reserved("bananas", 1)]},
        "nothing of a resource": {"resources": [reserved("cpus", 0)]},
        "less than nothing": {"resources": [reserved("cpus", -1)]},
        "a resource without a name": {"resources": [{**reserved("", 1)}]},
        "a resource without a value": {"resources": [{"name": "cpus", "type": "SCALAR", "reservations": [RESERVATION]}]},
        "another principal": {"resources": [scalar("cpus", 1, reservations=[{**RESERVATION, "principal": "other"}])]},
        "no principal": {"resources": [scalar("cpus", 1, reservations=[{"type": "DYNAMIC", "role": "role"}])]},
        "a role that is not valid": {"resources": [scalar("cpus", 1, reservations=[{**RESERVATION, "role": "a b"}])]},
        "the role *": {"resources": [scalar("cpus", 1, reservations=[{**RESERVATION, "role": "*"}])]},
        "the old form": {"resources": [scalar("cpus", 1, role="role", reservation={"principal": "principal"})]},
        "the old form without a principal": {"resources": [scalar("cpus", 1, role="role", reservation={})]},
        "both forms": {"resources": [reserved("cpus", 1, role="role", reservation={"principal": "principal"})]},
        "two reservations": {"resources": [scalar("cpus", 1, reservations=pushed)]},
        "a revocable resource": {"resources": [reserved("cpus", 1, revocable={})]},
        "labels": {"resources": [scalar("cpus", 1, reservations=[{**RESERVATION, "labels": {"labels": [{"key": "k"}]}}])]},
        "a volume": {"resources": [volume(64)]},
        "ports": {
            "resources": [
                {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 31009}]}, "reservations": [RESERVATION]}
            ]
        },
        "a source that is there": {"source": [scalar("cpus", 1)], "resources": [reserved("cpus", 1)]},
        "a source of another amount": {"source": [scalar("cpus", 2)], "resources": [reserved("cpus", 1)]},
        "an allocated resource": {"resources": [reserved("cpus", 1, allocation_info={"role": "role"})]},
        "a resource provider": {"resources": [reserved("cpus", 1, provider_id={"value": "x"})]},
    }  # fmt: skip
    again = {
        "what is reserved already, again": {"resources": [reserved("cpus", 8)]},
        "a source that is reserved": {
            "source": [reserved("cpus", 1)],
            "resources": [scalar("cpus", 1, reservations=pushed)],
        },
        "a refinement": {"resources": [scalar("cpus", 1, reservations=pushed)]},
    }
    kind = "RESERVE_RESOURCES"
    return [
        Request(f"{kind}: one resource", call(kind, **BODIES[kind]), scene="nobody", then=AGENTS),
        Request(f"{kind}: one resource, in protobuf", call(kind, **BODIES[kind]), form="protobuf", scene="nobody", then=AGENTS),
        *(sent(what, kind, "nobody", **body) for what, body in cases.items()),
        *(sent(what, kind, "reserved", **body) for what, body in again.items()),
        sent("of an agent with tasks", kind, "running", resources=[reserved("cpus", 4)]),
        sent("more than is free of an agent with tasks", kind, "running", resources=[reserved("cpus", 8)]),
        # The framework is offered the rest after a while.
        Request(f"{kind}: what is offered", call(kind, **AGENT, resources=[reserved("cpus", 8)]), scene="offered"),
    ]  # fmt: skip


def unreserve() -> list[Request]:
    kind = "UNRESERVE_RESOURCES"
    cases: dict[str, dict[str, Any]] = {
        "a part": {"resources": [reserved("cpus", 1)]},
        "two resources": {"resources": [reserved("cpus", 2), reserved("mem", 512)]},
        "more than is reserved": {"resources": [reserved("cpus", 3)]},
        "what a volume takes": {"resources": [reserved("disk", 1000)]},
        "an unknown agent": {**UNKNOWN_AGENT, "resources": [reserved("cpus", 1)]},
        "an unreserved resource": {"resources": [scalar("cpus", 1)]},
        "a volume": {"resources": [volume(100)]},
        "another principal": {"resources": [scalar("cpus", 1, reservations=[{**RESERVATION, "principal": "other"}])]},
        "another role": {"resources": [scalar("cpus", 1, reservations=[{**RESERVATION, "role": "other"}])]},
        "no resources": {"resources": []},
        "nothing of a resource": {"resources": [reserved("cpus", 0)]},
        "the old form": {"resources": [scalar("cpus", 1, role="role", reservation={"principal": "principal"})]},
        "another agent": {"agent_id": {"value": "@other-agent"}, "resources": [reserved("cpus", 1)]},
    }
    return [*(sent(what, kind, "reserved", **body) for what, body in cases.items())]


def create() -> list[Request]:
    kind = "CREATE_VOLUMES"
    persistence = {"id": "q", "principal": "principal"}
    nowhere = {"persistence": persistence}
    new = {"persistence": persistence, "volume": {"mode": "RW", "container_path": "b"}}
    cases: dict[str, dict[str, Any]] = {
        "a volume": {"volumes": [volume(64, **new)]},
        "two volumes": {"volumes": [volume(64, **new), volume(32, persistence={**persistence, "id": "r"})]},
        "an id twice": {"volumes": [volume(64, **new), volume(32, **new)]},
        "an id that is there": {"volumes": [volume(64)]},
        "more than there is": {"volumes": [volume(5000, **new)]},
        "an unknown agent": {**UNKNOWN_AGENT, "volumes": [volume(64, **new)]},
        "another agent": {"agent_id": {"value": "@other-agent"}, "volumes": [volume(64, **new)]},
        "no volumes": {"volumes": []},
        "no disk": {"volumes": [reserved("disk", 64)]},
        "no container path": {"volumes": [reserved("disk", 64, disk=nowhere)]},
        "no persistence": {"volumes": [reserved("disk", 64, disk={"volume": new["volume"]})]},
        "a read-only volume": {"volumes": [volume(64, persistence=persistence, volume={"mode": "RO", "container_path": "b"})]},
        "a host path": {
            "volumes": [volume(64, persistence=persistence, volume={"mode": "RW", "container_path": "b", "host_path": "/a"})]
        },
        "an absolute container path": {
            "volumes": [volume(64, persistence=persistence, volume={"mode": "RW", "container_path": "/b"})]
        },
        "an id with a slash": {"volumes": [volume(64, persistence={**persistence, "id": "a/b"})]},
        "an empty id": {"volumes": [volume(64, persistence={**persistence, "id": ""})]},
        "another principal": {"volumes": [volume(64, persistence={**persistence, "principal": "other"})]},
        "no principal": {"volumes": [volume(64, persistence={"id": "q"})]},
        "unreserved disk": {"volumes": [scalar("disk", 64, disk=new)]},
        "memory": {"volumes": [reserved("mem", 64, disk=new)]},
        "a shared volume": {"volumes": [{**volume(64, **new), "shared": {}}]},
        "nothing of the disk": {"volumes": [volume(0, **new)]},
    }  # fmt: skip
    return [sent(what, kind, "reserved", **body) for what, body in cases.items()]


def destroy() -> list[Request]:
    kind = "DESTROY_VOLUMES"
    cases: dict[str, dict[str, Any]] = {
        "a volume": {"volumes": [volume(100)]},
        "a part of a volume": {"volumes": [volume(50)]},
        "an unknown id": {"volumes": [volume(100, persistence={"id": "q", "principal": "principal"})]},
        "an unknown agent": {**UNKNOWN_AGENT, "volumes": [volume(100)]},
        "another agent": {"agent_id": {"value": "@other-agent"}, "volumes": [volume(100)]},
        "no volumes": {"volumes": []},
        "a volume twice": {"volumes": [volume(100), volume(100)]},
        "reserved disk": {"volumes": [reserved("disk", 100)]},
        "another principal": {"volumes": [volume(100, persistence={"id": "p", "principal": "other"})]},
    }
    return [sent(what, kind, "reserved", **body) for what, body in cases.items()]


def resize() -> list[Request]:
    grow: dict[str, dict[str, Any]] = {
        "by a part": {"volume": volume(100), "addition": reserved("disk", 50)},
        "by more than there is": {"volume": volume(100), "addition": reserved("disk", 5000)},
        "by nothing": {"volume": volume(100), "addition": reserved("disk", 0)},
        "by memory": {"volume": volume(100), "addition": reserved("mem", 10)},
        "by unreserved disk": {"volume": volume(100), "addition": scalar("disk", 10)},
        "a volume of another size": {"volume": volume(99), "addition": reserved("disk", 10)},
        "no volume": {"volume": reserved("disk", 100), "addition": reserved("disk", 10)},
        "of an unknown agent": {**UNKNOWN_AGENT, "volume": volume(100), "addition": reserved("disk", 10)},
        "by a volume": {"volume": volume(100), "addition": volume(10)},
        "a shared volume": {"volume": {**volume(100), "shared": {}}, "addition": reserved("disk", 10)},
    }
    shrink: dict[str, dict[str, Any]] = {
        "by a part": {"volume": volume(100), "subtract": {"value": 50}},
        "by all of it": {"volume": volume(100), "subtract": {"value": 100}},
        "by more than it is": {"volume": volume(100), "subtract": {"value": 101}},
        "by nothing": {"volume": volume(100), "subtract": {"value": 0}},
        "by less than nothing": {"volume": volume(100), "subtract": {"value": -1}},
        "a volume of another size": {"volume": volume(99), "subtract": {"value": 10}},
        "no volume": {"volume": reserved("disk", 100), "subtract": {"value": 10}},
        "of an unknown agent": {**UNKNOWN_AGENT, "volume": volume(100), "subtract": {"value": 10}},
    }
    no_agent = {"volume": volume(100), "addition": reserved("disk", 50)}
    return [
        *(sent(what, "GROW_VOLUME", "reserved", **body) for what, body in grow.items()),
        *(sent(what, "SHRINK_VOLUME", "reserved", **body) for what, body in shrink.items()),
        Request("GROW_VOLUME: without an agent", call("GROW_VOLUME", **no_agent), scene="reserved"),
    ]
