"""What differs from run to run in answers of operator APIs, replaced by a name."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.requests.wire import ODD

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
TIME = re.compile(r"(?:.*_)?(?:time|time_seconds|timestamp|mtime)$")
MEASURED = {"avg_load_1min", "avg_load_5min", "avg_load_15min", "mem_free_bytes", "mem_total_bytes", "cpus_total"}
# Objects whose order is that of hash tables.
MAPS = {"limits", "guarantees", "attributes"}
# What names the build of a cluster.
BUILD = {"build_date", "build_time", "build_user", "git_sha", "git_tag", "remesos"}
# The flags that mean the same to both.
FLAGS = {
    "agent_ping_timeout",
    "agent_reregister_timeout",
    "allocation_interval",
    "allocator",
    "authenticate_agents",
    "authenticate_frameworks",
    "authenticate_http_executors",
    "authenticate_http_frameworks",
    "authenticate_http_readonly",
    "authenticate_http_readwrite",
    "containerizers",
    "default_role",
    "executor_registration_timeout",
    "executor_shutdown_grace_period",
    "filter_gpu_resources",
    "framework_sorter",
    "launcher",
    "max_agent_ping_timeouts",
    "max_completed_frameworks",
    "max_completed_tasks_per_framework",
    "max_unreachable_tasks_per_framework",
    "min_allocatable_resources",
    "publish_per_framework_metrics",
    "require_agent_domain",
    "resources",
    "role_sorter",
    "root_submissions",
}
# The framework with which the real cluster is started.
BOOT = "boot"


class Normal:
    """Replaces what differs in one answer.

    :param in_protobuf: whether lists that are empty are left out
    :param whole: whether what is of the build, flags and metrics are kept
    :param classic: whether it is an answer of an endpoint beside the APIs
    """

    def __init__(self, in_protobuf: bool = False, whole: bool = True, classic: bool = False) -> None:
        self._in_protobuf, self._whole, self._classic = in_protobuf, whole, classic

    def value(self, key: str, value: Any) -> Any:
        """A value of this key, with names for times and measurements, and lists in one order."""
        if isinstance(value, dict):
            if is_metrics(value):
                return (
                    "@metrics"
                    if not self._whole
                    else {name: "@number" for name in sorted(value) if f"/{BOOT}/" not in name}
                )
            names = [name for name in (sorted(value) if key in MAPS else value) if self._is_kept(key, name)]
            made = {name: self._item(key, name, value[name]) for name in names}
            return {name: item for name, item in made.items() if not (self._in_protobuf and item == [])}
        if isinstance(value, list):
            inner = "" if key in {"then", "events"} else key
            items = [self.value(inner, item) for item in value if not is_boot(item)]
            if not self._whole and key in {"flags", "metrics"}:
                return [item for item in items if item.get("name") in FLAGS]
            return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if key in SORTED else items
        return value

    def _is_kept(self, key: str, name: str) -> bool:
        # Older endpoints of Mesos do not tell of a status' message.
        said = key == "statuses" and name == "message" and self._classic
        return self._whole or (name not in BUILD and not said and (key != "flags" or name in FLAGS))

    def _item(self, within: str, key: str, value: Any) -> Any:
        if TIME.fullmatch(key) and value != OWN_TIME:
            return normal_time(value)
        if within == "flags" and isinstance(value, str) and value.startswith("/"):
            return "@path"
        if key in MEASURED or (within == "metrics" and key == "value"):
            return "@number"
        return self.value(key, value)


OWN_TIME = 1.5
"""What requests themselves say."""


def normal_time(value: Any) -> Any:
    """A point in time, of which the type matters."""
    if isinstance(value, dict):
        return {name: normal_time(item) for name, item in value.items()}
    if isinstance(value, str) and value.startswith("@time"):
        return value
    # Digits that Python would not write.
    kind = "float" if isinstance(value, str) and value.startswith(ODD) else type(value).__name__
    return f"@time ({kind})" if value else value


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
