"""Calls of the master's operator API."""

from __future__ import annotations

from typing import Any

from tests.requests.scenes import MACHINE, guarantee, reserved, volume

AGENT = {"agent_id": {"value": "@agent"}}
UNKNOWN_AGENT = {"agent_id": {"value": "unknown"}}

READS = (
    "GET_HEALTH",
    "GET_FLAGS",
    "GET_VERSION",
    "GET_LOGGING_LEVEL",
    "GET_STATE",
    "GET_AGENTS",
    "GET_FRAMEWORKS",
    "GET_EXECUTORS",
    "GET_OPERATIONS",
    "GET_TASKS",
    "GET_ROLES",
    "GET_WEIGHTS",
    "GET_MASTER",
    "GET_MAINTENANCE_STATUS",
    "GET_MAINTENANCE_SCHEDULE",
    "GET_QUOTA",
)
"""Calls without a body that the real master answers at once: GET_METRICS without a timeout waits for what never comes."""


def call(kind: str, **body: Any) -> dict[str, Any]:
    """A call with its body."""
    return {"type": kind, kind.lower(): body}


WINDOW = {"machine_ids": [MACHINE], "unavailability": {"start": {"nanoseconds": 1000}}}
QUOTA_REQUEST = {
    "role": "role",
    "force": True,
    "guarantee": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}],
}

BODIES: dict[str, dict[str, Any]] = {
    "GET_METRICS": {"timeout": {"nanoseconds": 500_000_000}},
    "SET_LOGGING_LEVEL": {"level": 1, "duration": {"nanoseconds": 1_000_000_000}},
    "LIST_FILES": {"path": "/master"},
    "READ_FILE": {"path": "/master/log", "offset": 0},
    "UPDATE_WEIGHTS": {"weight_infos": [{"role": "role", "weight": 2.5}]},
    "RESERVE_RESOURCES": {**AGENT, "resources": [reserved("cpus", 1)]},
    "UNRESERVE_RESOURCES": {**AGENT, "resources": [reserved("cpus", 1)]},
    "CREATE_VOLUMES": {**AGENT, "volumes": [volume(64)]},
    "DESTROY_VOLUMES": {**AGENT, "volumes": [volume(100)]},
    "GROW_VOLUME": {**AGENT, "volume": volume(100), "addition": reserved("disk", 10)},
    "SHRINK_VOLUME": {**AGENT, "volume": volume(100), "subtract": {"value": 10}},
    "UPDATE_MAINTENANCE_SCHEDULE": {"schedule": {"windows": [WINDOW]}},
    "START_MAINTENANCE": {"machines": [MACHINE]},
    "STOP_MAINTENANCE": {"machines": [MACHINE]},
    "DRAIN_AGENT": AGENT,
    "DEACTIVATE_AGENT": AGENT,
    "REACTIVATE_AGENT": AGENT,
    "UPDATE_QUOTA": {"quota_configs": [guarantee("role", cpus=1)]},
    "SET_QUOTA": {"quota_request": QUOTA_REQUEST},
    "REMOVE_QUOTA": {"role": "role"},
    "TEARDOWN": {"framework_id": {"value": "@framework"}},
    "MARK_AGENT_GONE": AGENT,
}
"""The bodies of calls that have one, each as it may be sent."""
