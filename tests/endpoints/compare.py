"""What endpoints answer in the same state, made comparable, and the differences that are meant to be there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.endpoints import scene

# Each is asked with and without what it can be filtered by.
MASTER = (
    "/state",
    "/state-summary",
    "/slaves",
    "/slaves?slave_id={AGENT-0}",
    "/slaves?slave_id=nobody",
    "/frameworks",
    "/frameworks?framework_id={FRAMEWORK-first}",
    "/frameworks?framework_id={FRAMEWORK-gone}",
    "/tasks",
    "/tasks?framework_id={FRAMEWORK-first}&limit=2&order=asc",
    "/tasks?task_id=done",
    "/tasks?limit=2&offset=1",
    "/tasks?limit=nonsense&offset=-1",
    "/roles",
    "/weights",
    "/quota",
    "/maintenance/schedule",
    "/maintenance/status",
    "/flags",
    "/health",
)
# The process' own, which are not below /master.
PROCESS = ("/version", "/metrics/snapshot?timeout=2secs", "/system/stats.json", "/files/debug")
AGENT = ("/state", "/flags")

# The values of these depend on the time, the machine or the build. Their types are compared.
VARYING = {
    "avg_load_15min",
    "avg_load_1min",
    "avg_load_5min",
    "build_date",
    "build_time",
    "build_user",
    "container",
    "directory",
    "elected_time",
    "mem_free_bytes",
    "registered_time",
    "reregistered_time",
    "start_time",
    "timestamp",
    "unregistered_time",
    # Metrics: what the time, the machine, and the framework that the real one is started with decide.
    "allocation_runs",
    "dropped_messages",
    "event_queue_dispatches",
    "event_queue_http_requests",
    "event_queue_messages",
    "load_15min",
    "load_1min",
    "load_5min",
    "messages_register_framework",
    "uptime_secs",
    # How often resources are offered before all of them are is left to chance.
    "calls",
    "decline",
    "declined",
    "events",
    "messages_decline_offers",
    "offers",
    "sent",
}


@dataclass(frozen=True)
class Exemption:
    """A difference that stays: where it is, as a pattern, what docs/embedded-cluster.md says of it, and why."""

    place: str
    subject: str
    reason: str

    def covers(self, difference: str) -> bool:
        """Whether it explains a difference."""
        return re.match(self.place, difference) is not None


METRICS = r"/metrics/snapshot[^:]*"
EXEMPTIONS = (
    Exemption(r".*: no git_(sha|tag)$", "`git_sha`, `git_tag`", "it is not built from Mesos' repository"),
    Exemption(r".*/flags: no \w+$", "flags of parts that it does not have", "they decide nothing here"),
    Exemption(r".*/flags/port:", "the flag `port`", "the real one shows the default, not the port that it listens on"),
    Exemption(
        r".*/flags/max_completed_executors_per_framework:",
        "the flag `max_completed_executors_per_framework`",
        "a command task has an executor of its own, and its sandbox is looked for as long as the task is shown",
    ),
    Exemption(r".*/statuses\[\d+\]: message is not", "`message` of statuses", "the web page shows it"),
    Exemption(r"/version: remesos is not", "`remesos` in `/version`", "the version of this package"),
    Exemption(
        METRICS + r": no (containerizer|gc|registrar|resource_provider_manager)/",
        "metrics of the containerizer, the registrar, resource providers and garbage collection",
        "it does not have these parts",
    ),
    Exemption(
        METRICS + r": no (allocator/event_queue_dispatches|allocator/mesos/allocation_run_(latency_)?ms)",
        "metrics of how long an allocation takes",
        "it is made between two events, within microseconds",
    ),
    Exemption(
        METRICS + r": no slave/(executor_directory_max_allowed_age_secs|recovery_time_secs|valid_\w+)$",
        "metrics of an agent's recovery, and of what it finds valid",
        "an agent does not read its own files again, and believes its executors",
    ),
    Exemption(
        METRICS + r"/slave/",
        "the values of `slave/` in `/metrics/snapshot`",
        "they are sums of all agents, of which the real one shows one if several are in a process",
    ),
    Exemption(
        METRICS + r"/master/(messages_operation_status_update|valid_operation_status_updates):",
        "metrics of the updates of operations",
        "what operators ask for is done at once, without an update",
    ),
)
# What the real one keeps in hash maps.
UNORDERED = ("resources", "reserved_resources_full", "guarantees", "limits")
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def fetched(address: str, names: dict[str, str]) -> dict[str, Any]:
    """What every endpoint answers, by its path with names in place of ids."""
    ids = {name: known for known, name in names.items()}
    asked = [(path, path) for path in MASTER]
    asked += [(f"/master{path}", f"/master{path}") for path in MASTER]
    asked += [(path, path) for path in PROCESS]
    for number, place in enumerate(scene.paths_of_agents(address)):
        asked += [(f"/AGENT-{number}{path}", f"{place}{path}") for path in AGENT]
    return {shown: scene.get(address, filled(path, ids)) for shown, path in asked if not path.endswith("/health")}


def filled(path: str, ids: dict[str, str]) -> str:
    """A path with ids in place of names in braces."""
    return re.sub(r"\{([^}]+)\}", lambda found: ids[found[1]], path)


def plain(value: Any, address: str, names: dict[str, str]) -> Any:
    """Without what differs each time: ids have names, and lists without an order of their own are sorted."""
    text = json.dumps(value)
    for known, name in names.items():
        text = text.replace(known, name)
    port = address.rpartition(":")[2]
    text = text.replace(address, "ADDRESS").replace(f'"port": {port}', '"port": "PORT"')
    # Sandboxes are below the directory of an agent.
    text = re.sub(r'"/[^" ]*?/(?=(?:work|slaves)/slaves/)', '"WORK/', text)
    text = re.sub(rf"{UUID}(-O\d+)?", "ID", text)
    return without_boot(json.loads(text))


def without_boot(value: Any) -> Any:
    """Without the framework that the real cluster is started with."""
    if isinstance(value, dict):
        return {key: without_boot(item) for key, item in value.items() if "/boot/" not in key}
    if isinstance(value, list):
        kept = [without_boot(item) for item in value if not (isinstance(item, dict) and item.get("name") == "boot")]
        return sorted(kept, key=order) if all(isinstance(item, dict) for item in kept) else kept
    return value


def order(item: dict[str, Any]) -> str:
    """What a list of objects is sorted by: the real one keeps many in hash maps."""
    known = [
        str(item[key])
        for key in ("id", "task_id", "executor_id", "slave_id", "name", "role")
        if isinstance(item.get(key), str)
    ]
    # Statuses keep their order.
    return json.dumps([known, item if known else {}], sort_keys=True) if "timestamp" not in item else ""


def differences(real: Any, ours: Any, place: str) -> list[str]:
    """What is different, each with its place: fields, their order and types, and values unless they vary."""
    if isinstance(real, dict) and isinstance(ours, dict):
        found = [f"{place}: no {key}" for key in real if key not in ours]
        found += [f"{place}: {key} is not the real one's" for key in ours if key not in real]
        both = [key for key in real if key in ours]
        if not place.endswith(UNORDERED) and "metrics" not in place and both != [key for key in ours if key in real]:
            found.append(f"{place}: the order is {both} on the real one, not {[key for key in ours if key in real]}")
        for key in both:
            found += differences(real[key], ours[key], f"{place}/{key}")
        return found
    if isinstance(real, list) and isinstance(ours, list):
        if len(real) != len(ours):
            return [f"{place}: {len(ours)} items, {len(real)} on the real one"]
        pairs = enumerate(zip(real, ours, strict=True))
        return [line for number, pair in pairs for line in differences(*pair, f"{place}[{number}]")]
    if type(real) is not type(ours):
        return [f"{place}: {ours!r} is {real!r} on the real one"]
    varies = place.rpartition("/")[2] in VARYING
    return [] if varies or real == ours else [f"{place}: {ours!r} is {real!r} on the real one"]


def unexplained(real: Any, ours: Any) -> list[str]:
    """The differences between what both answered, but for those that stay."""
    found = [line for path in real for line in differences(real[path], ours[path], path)]
    return [line for line in found if not any(exemption.covers(line) for exemption in EXEMPTIONS)]


def seen_at(address: str) -> Any:
    """What a fresh cluster answers in the state, made comparable."""
    with scene.played(address) as names:
        return plain(fetched(address, names), address, names)
