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
    "allocated_resources",
    "configs",
    "down_machines",
    "draining_machines",
    "executors",
    "file_infos",
    "flags",
    "frameworks",
    "infos",
    "metrics",
    "offered_resources",
    "offers",
    "recovered_agents",
    "roles",
    "slave_ids",
    "slaves",
    "tasks",
    "unreachable_slaves",
    "weight_infos",
    "windows",
}
TIME = re.compile(r"(?:.*_)?(?:time|timestamp|mtime)$")
MEASURED = {"avg_load_1min", "avg_load_5min", "avg_load_15min", "mem_free_bytes", "mem_total_bytes", "cpus_total"}
# Objects whose order is that of hash tables.
MAPS = {"limits", "guarantees", "attributes"}
# The framework with which the real cluster is started.
BOOT = "boot"


class Normal:
    """Replaces what differs in one answer.

    :param in_protobuf: whether lists that are empty are left out
    """

    def __init__(self, in_protobuf: bool = False) -> None:
        self._in_protobuf = in_protobuf

    def value(self, key: str, value: Any) -> Any:
        """A value of this key, with names for times and measurements, and lists in one order."""
        if isinstance(value, dict):
            if is_metrics(value):
                return {name: "@number" for name in sorted(value) if f"/{BOOT}/" not in name}
            names = sorted(value) if key in MAPS else list(value)
            made = {name: self._item(key, name, value[name]) for name in names}
            return {name: item for name, item in made.items() if not (self._in_protobuf and item == [])}
        if isinstance(value, list):
            inner = "" if key in {"then", "events"} else key
            items = [self.value(inner, item) for item in value if not is_boot(item)]
            return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if key in SORTED else items
        return value

    def _item(self, within: str, key: str, value: Any) -> Any:
        if TIME.fullmatch(key) and value != OWN_TIME:
            return normal_time(value)
        if key in MEASURED or (within == "metrics" and key == "value"):
            return "@number"
        return self.value(key, value)


OWN_TIME = 1.5
"""What requests themselves say."""


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
    info = item.get("framework_info")
    named = info.get("name") if isinstance(info, dict) else None
    return BOOT in (item.get("name"), named) or f"/{BOOT}/" in str(item.get("name"))
