"""The requests to the scheduler API, by subject."""

from __future__ import annotations

from typing import Any

FRAMEWORK = {"value": "@framework"}
SUBSCRIBE = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "requests"}}}
SUPPRESS = {"type": "SUPPRESS", "framework_id": FRAMEWORK}


def call(kind: str, **fields: Any) -> dict[str, Any]:
    """A call of the scene's framework."""
    return {"type": kind, "framework_id": FRAMEWORK, **fields}


def subscribe(
    subscribe: dict[str, Any] | None = None, call: dict[str, Any] | None = None, **info: Any
) -> dict[str, Any]:
    """A SUBSCRIBE with these fields of its FrameworkInfo; those that are None are left out."""
    framework = {"user": "root", "name": "requests", **info}
    framework = {name: value for name, value in framework.items() if value is not None}
    return {"type": "SUBSCRIBE", "subscribe": {"framework_info": framework, **(subscribe or {})}, **(call or {})}


def scalar(name: str, value: Any, **fields: Any) -> dict[str, Any]:
    """A scalar resource."""
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **fields}


def task(*resources: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A task that sleeps; fields that are None are left out."""
    made = {
        "name": "task",
        "task_id": {"value": "task"},
        "agent_id": {"value": "@agent"},
        "command": {"value": "exec sleep 1000"},
        "resources": list(resources) or [scalar("cpus", 0.1), scalar("mem", 32)],
        **fields,
    }
    return {name: value for name, value in made.items() if value is not None}


def executor(*resources: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A custom executor that sleeps; fields that are None are left out."""
    made = {
        "type": "CUSTOM",
        "executor_id": {"value": "executor"},
        "command": {"value": "exec sleep 1000"},
        "resources": list(resources) or [scalar("cpus", 0.1), scalar("mem", 32), scalar("disk", 32)],
        **fields,
    }
    return {name: value for name, value in made.items() if value is not None}


def accept(*operations: dict[str, Any], offers: tuple[str, ...] = ("@offer",), **fields: Any) -> dict[str, Any]:
    """An ACCEPT of the scene's offer."""
    body = {"offer_ids": [{"value": offer} for offer in offers], "operations": list(operations), **fields}
    return call("ACCEPT", accept=body)


def launch(*tasks: dict[str, Any]) -> dict[str, Any]:
    """The operation LAUNCH."""
    return {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}


def launch_group(executor: dict[str, Any], *tasks: dict[str, Any]) -> dict[str, Any]:
    """The operation LAUNCH_GROUP."""
    return {"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": {"tasks": list(tasks)}}}
