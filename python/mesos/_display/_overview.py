"""A cluster as a whole: its agents, its frameworks and how many tasks they have in each state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from mesos._display import _html
from mesos._display._html import Html

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESOURCES = (("cpus", ""), ("mem", " MB"), ("disk", " MB"), ("gpus", ""))
_MOST_AGENTS = 20
_MOST_FRAMEWORKS = 20
LEFT = frozenset({"gone", "removed", "killed"})
"""The states of agents that are not in the cluster any more."""


def framework_state(connected: bool, completed: bool) -> str:
    """Returns the state of a framework in a word."""
    return "completed" if completed else "connected" if connected else "disconnected"


def of_tasks(counts: Mapping[str, int]) -> str:
    """Returns how many tasks are in each state, in words."""
    total = sum(counts.values())
    listed = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"{_plural(total, 'task')}{f' ({listed})' if listed else ''}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


class Agent(NamedTuple):
    """An agent."""

    id: str
    hostname: str
    state: str
    total: dict[str, Any]
    used: dict[str, Any]


class Framework(NamedTuple):
    """A framework."""

    id: str
    name: str
    state: str
    counts: dict[str, int]


class Overview(NamedTuple):
    """What is shown of a cluster. It does not refer to the cluster."""

    url: str
    page: str
    agents: list[Agent]
    frameworks: list[Framework]
    counts: dict[str, int]
    stopped: bool

    @classmethod
    def of(cls, seen: tuple[Any, ...], url: str, page: str) -> Self:
        """Returns it from what the core says."""
        agents, frameworks, counted, stopped = seen
        by_framework: dict[str, dict[str, int]] = {}
        counts: dict[str, int] = {}
        for id_, state, count in counted:
            by_framework.setdefault(id_, {})[state] = count
            counts[state] = counts.get(state, 0) + count
        return cls(
            url,
            page,
            [
                Agent(id_, hostname, state, json.loads(total), json.loads(used))
                for id_, hostname, _, total, used, _, state in agents
            ],
            [
                Framework(
                    id_,
                    name,
                    framework_state(connected, completed),
                    by_framework.get(id_, {}),
                )
                for id_, name, _, _, connected, completed in frameworks
            ],
            counts,
            stopped,
        )

    def as_stopped(self) -> Self:
        """Returns it as of a cluster that has stopped."""
        return self._replace(stopped=True)

    def _here(self) -> list[Agent]:
        return [agent for agent in self.agents if agent.state not in LEFT]

    def _resources(self) -> list[tuple[str, str, float, float]]:
        """Returns name, unit, what is used and what there is of each resource that there is."""
        here = self._here()
        sums = [(name, unit, _sum(here, "used", name), _sum(here, "total", name)) for name, unit in _RESOURCES]
        return [each for each in sums if each[3] > 0]

    def _active(self) -> list[Framework]:
        return [framework for framework in self.frameworks if framework.state != "completed"]

    def line(self) -> str:
        """Returns it in a line."""
        used = [f"{name} {_html.number(used)}/{_html.number(total)}" for name, _, used, total in self._resources()]
        parts = [
            self.url,
            *(["stopped"] if self.stopped else []),
            _plural(len(self._here()), "agent"),
            *[each for each in used if not each.startswith("disk")],
            _plural(len(self._active()), "framework"),
            of_tasks(self.counts),
        ]
        return ", ".join(parts)

    def text(self) -> str:
        """Returns it as text of several lines."""
        here = self._here()
        lines = [f"LocalCluster {self.page}{', stopped' if self.stopped else ''}"]
        lines += [
            f"  {name:<5} {_html.number(used)} of {_html.number(total)}{unit} used"
            for name, unit, used, total in self._resources()
        ]
        lines.append(f"  {_plural(len(here), 'agent')}")
        lines += [f"    {agent.id} on {agent.hostname}, {agent.state}" for agent in here[:_MOST_AGENTS]]
        if len(here) > _MOST_AGENTS:
            lines.append(f"    and {len(here) - _MOST_AGENTS} more")
        lines.append(f"  {_plural(len(self.frameworks), 'framework')}")
        lines += [
            f"    {each.name!r} {each.id}, {each.state}, {of_tasks(each.counts)}"
            for each in self.frameworks[:_MOST_FRAMEWORKS]
        ]
        if len(self.frameworks) > _MOST_FRAMEWORKS:
            lines.append(f"    and {len(self.frameworks) - _MOST_FRAMEWORKS} more")
        return "\n".join([*lines, f"  {of_tasks(self.counts)}"])

    def html(self) -> Html:
        """Returns it as HTML."""
        link: object = self.url
        if not self.stopped:
            link = _html.tag("a", self.page, href=self.page, target="_blank", rel="noopener")
        title = _html.joined("LocalCluster ", link, " (stopped)" if self.stopped else "")
        bars = [(name, _html.bar(used, total, unit)) for name, unit, used, total in self._resources()]
        parts: list[Html] = [_html.pairs([*bars, ("tasks", _html.states(self.counts))])]
        if self.agents:
            parts.append(self._agents())
        if self.frameworks:
            rows = [(each.name, each.id, each.state, _html.states(each.counts)) for each in self.frameworks]
            parts.append(_html.table(("framework", "id", "", "tasks"), rows[:_MOST_FRAMEWORKS]))
            parts.append(_more(len(rows), _MOST_FRAMEWORKS, "framework"))
        return _html.titled(title, *parts)

    def _agents(self) -> Html:
        names = [name for name, *_ in self._resources()]
        rows = [
            (
                agent.id,
                agent.hostname,
                agent.state,
                *(_html.bar(_amount(agent.used, name), _amount(agent.total, name)) for name in names),
            )
            for agent in self.agents[:_MOST_AGENTS]
        ]
        columns = ("agent", "host", "", *(f"{name}{' (MB)' if name in ('mem', 'disk') else ''}" for name in names))
        return _html.joined(_html.table(columns, rows), _more(len(self.agents), _MOST_AGENTS, "agent"))


def _more(count: int, most: int, what: str) -> Html:
    if count <= most:
        return Html("")
    return _html.tag("div", f"and {_plural(count - most, f'more {what}')}", style="opacity:.7")


def _amount(resources: dict[str, Any], name: str) -> float:
    amount = resources.get(name)
    return float(amount) if isinstance(amount, int | float) else 0.0


def _sum(agents: list[Agent], what: str, name: str) -> float:
    return sum(_amount(getattr(agent, what), name) for agent in agents)
