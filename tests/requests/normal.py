"""What differs from run to run in answers of operator APIs, replaced by a name."""

from __future__ import annotations

import json
import re
from typing import Any

# Lists whose order is that of hash tables or of directories.
SORTED = {
    "agents",
    "child_roles",
    "completed_executors",
    "completed_frameworks",
    "completed_tasks",
    "configs",
    "executors",
    "file_infos",
    "flags",
    "frameworks",
    "infos",
    "metrics",
    "offers",
    "recovered_agents",
    "roles",
    "slave_ids",
    "slaves",
    "tasks",
    "weight_infos",
    "windows",
}
TIME = re.compile(r"(?:.*_)?(?:time|timestamp|mtime)$")
# The framework with which the real cluster is started.
BOOT = "boot"


def normal_value(key: str, value: Any) -> Any:
    """A value of this key, with names for times and measurements, and lists in one order."""
    if isinstance(value, dict):
        if key == "metrics" or is_metrics(value):
            return {name: "@number" for name in sorted(value) if f"/{BOOT}/" not in name}
        return {name: normal_item(value, name, item) for name, item in value.items()}
    if isinstance(value, list):
        items = [normal_value("" if key in {"then", "events"} else key, item) for item in value if not is_boot(item)]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if key in SORTED else items
    return value


def normal_item(holder: dict[str, Any], key: str, value: Any) -> Any:
    """The same for an item of an object."""
    if TIME.fullmatch(key) and value != 1.5:
        return normal_time(value)
    if key == "value" and "name" in holder and isinstance(value, float) and "/" in holder["name"]:
        return "@number"
    return normal_value(key, value)


def normal_time(value: Any) -> Any:
    """A point in time, of which the type matters."""
    if isinstance(value, dict):
        return {name: normal_time(item) for name, item in value.items()}
    return f"@time ({type(value).__name__})" if value else value


def is_metrics(value: dict[str, Any]) -> bool:
    """Whether an object is a snapshot of metrics."""
    return "system/cpus_total" in value or "master/uptime_secs" in value


def is_boot(item: Any) -> bool:
    """Whether something belongs to the framework with which the real cluster is started."""
    if not isinstance(item, dict):
        return False
    return item.get("name") == BOOT or normal_name(item) == BOOT or f"/{BOOT}/" in str(item.get("name"))


def normal_name(item: dict[str, Any]) -> Any:
    """The name in a FrameworkInfo."""
    info = item.get("framework_info")
    return info.get("name") if isinstance(info, dict) else None
