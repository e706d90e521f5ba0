"""What happened in a test, in order: the framework's calls and callbacks beside the master's events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mesos.local import LocalCluster

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
        self._core = cluster._core if isinstance(cluster, LocalCluster) else None
        # With how many events of the cluster's history came before.
        self._told: list[tuple[int, float, str, str]] = []

    def add(self, source: str, text: str) -> None:
        """Adds what a framework did or saw."""
        before = self._core.happened() if self._core else 0
        self._told.append((before, self.clock.now(), source, text))

    def entries(self) -> list[tuple[float, str, str]]:
        """Returns time, source and text of each entry, in order. The master's have no source."""
        events = self._cluster.history()
        # Of a long history, the first ones are gone.
        first = self._core.happened() - len(events) if self._core else 0
        entries: list[tuple[float, str, str]] = []
        told = list(self._told)
        for number, event in enumerate(events, first):
            while told and told[0][0] <= number:
                entries.append(told.pop(0)[1:])
            entries.append((event["time"], "", _shown(event)))
        return entries + [entry[1:] for entry in told]

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
