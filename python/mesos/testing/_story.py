"""What happened in a test, in order: the framework's calls and callbacks beside the master's events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesos.testing._clock import RealClock, SkippingClock

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}-([A-Z]?\d+)")
_LEFT = 60
_SHOWN = 500
"""So many entries of the end are shown."""


class Story:
    """The story of a test. Its text has times in seconds since its first entry, and ids without the master's."""

    def __init__(self, cluster: Any, clock: RealClock | SkippingClock) -> None:
        self.clock = clock
        self._cluster = cluster
        self._told: list[tuple[float, str, str]] = []

    def add(self, source: str, text: str) -> None:
        """Adds what a framework did or saw."""
        self._told.append((self.clock.now(), source, text))

    def entries(self) -> list[tuple[float, str, str]]:
        """Returns time, source and text of each entry, in order. The master's have no source."""
        events = [(event["time"], "", _shown(event)) for event in self._cluster.history()]
        # Python sorts stably: what the master did comes before what the framework made of it.
        return sorted([*events, *self._told], key=lambda entry: entry[0])

    def __str__(self) -> str:
        entries = self.entries()
        if not entries:
            return "nothing happened"
        start = entries[0][0]
        lines = [f"{'seconds':>10}  {'the master':{_LEFT}}  the framework"]
        if len(entries) > _SHOWN:
            lines.append(f"{'':10}  ({len(entries) - _SHOWN} entries before these)")
        for at, source, text in entries[-_SHOWN:]:
            text = _ID.sub(r"\1", text)
            line = f"{at - start:10.3f}  {text}" if not source else f"{at - start:10.3f}  {'':{_LEFT}}  {source} {text}"
            lines.append(line)
        return "\n".join(lines)


def _shown(event: dict[str, Any]) -> str:
    """Returns an event of the cluster's history in words."""
    words = [event.get("call") or event["kind"].replace("_", " ")]
    words += [event[key] for key in ("task_id", "state", "reason") if event.get(key)]
    if event.get("agent_id"):
        words.append(f"on {event['agent_id']}")
    if event.get("framework_id"):
        words.append(f"of {event['framework_id']}")
    if event.get("message"):
        words.append(f"({event['message']})")
    return " ".join(map(str, words))
