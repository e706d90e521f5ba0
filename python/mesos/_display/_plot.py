"""Plots of a cluster's history with matplotlib, without its global state."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mesos._display._html import COLORS
from mesos._display._overview import LEFT

try:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise ImportError("plots need matplotlib: pip install 'remesos[notebook]'") from error

from mesos.errors import ArgumentTypeError
from mesos.local._views import TERMINAL

if TYPE_CHECKING:
    from mesos.local import LocalCluster, LocalTask

    _Tasks = dict[tuple[str, str], LocalTask]

_MOST_POINTS = 4000
"""A line has so many points at most, which is more than a plot has pixels."""
_UNITS = ((7200.0, 3600.0, "hours"), (300.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
_Changes = dict[str, tuple[list[float], list[float]]]


class _Shown(Figure):
    """A figure that notebooks show although pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def plot(records: list[dict[str, Any]], cluster: LocalCluster, ax: Any, is_cut: bool) -> Figure:
    """Plots records of a cluster. See :meth:`History.plot`.

    :param is_cut: whether they are the last ones of all the cluster's records, of which there were more
    """
    if ax is None:
        figure: Figure = _Shown(figsize=(8, 5), layout="constrained")
        axes = list(figure.subplots(2, 1, sharex=True))
    else:
        axes = [ax] if isinstance(ax, Axes) else list(ax) if isinstance(ax, Sequence | np.ndarray) else []
        if len(axes) not in (1, 2) or not all(isinstance(each, Axes) for each in axes):
            raise ArgumentTypeError(f"expected one or two matplotlib Axes as ax, got {ax!r}")
        root = axes[0].get_figure(root=True) if hasattr(axes[0].get_figure(), "figure") else axes[0].get_figure()
        assert isinstance(root, Figure)
        figure = root
    start = records[0]["time"] if records else 0.0
    end = records[-1]["time"] if records else 0.0
    scale, unit = next((scale, unit) for least, scale, unit in _UNITS if end - start >= least)
    tasks = {(task.framework_id, task.id): task for task in cluster.tasks}
    states, used = _changes(_earlier(records, tasks, is_cut) + records, tasks)
    _draw_states(axes[0], states, start, end, scale)
    if len(axes) == 2:
        _draw_use(axes[1], used, _totals(cluster), start, end, scale)
    axes[-1].set_xlabel(f"{unit} since the {'oldest record' if is_cut else 'start'}")
    return figure


def _changes(records: list[dict[str, Any]], tasks: _Tasks) -> tuple[_Changes, _Changes]:
    """Returns when how many tasks entered or left each state, and when they took or gave back resources."""
    now: dict[tuple[str, str], str] = {}
    states: _Changes = {}
    used: _Changes = {}

    def change(of: _Changes, name: str, time: float, by: float) -> None:
        times, amounts = of.setdefault(name, ([], []))
        times.append(time)
        amounts.append(by)

    for record in records:
        if record["kind"] != "task_status":
            continue
        key, state, time = (record["framework_id"], record["task_id"]), record["state"], record["time"]
        before = now.get(key)
        if before == state:
            continue
        now[key] = state
        if before is not None:
            change(states, before, time, -1)
        change(states, state, time, 1)
        was, uses = before is not None and before not in TERMINAL, state not in TERMINAL
        if was != uses:
            for name, amount in (tasks[key].resources if key in tasks else {}).items():
                if isinstance(amount, int | float) and amount:
                    change(used, name, time, amount if uses else -amount)
    return states, used


def _earlier(records: list[dict[str, Any]], tasks: _Tasks, is_cut: bool) -> list[dict[str, Any]]:
    """Returns records of the states that tasks were in before the first record, of which the cluster has no more."""
    if not is_cut:
        return []
    first: dict[tuple[str, str], str] = {}
    for record in records:
        if record["kind"] == "task_status":
            first.setdefault((record["framework_id"], record["task_id"]), record["state"])
    found = []
    for key, task in tasks.items():
        at = task.states.index(first[key]) if first.get(key) in task.states else len(task.states)
        if at > 0:
            record = {"framework_id": key[0], "task_id": key[1], "state": task.states[at - 1]}
            found.append({"kind": "task_status", "time": records[0]["time"], **record})
    return found


def _totals(cluster: LocalCluster) -> dict[str, float]:
    totals: dict[str, float] = {}
    for agent in cluster.agents:
        if agent.state not in LEFT:
            for name, amount in agent.resources.items():
                if isinstance(amount, int | float):
                    totals[name] = totals.get(name, 0.0) + amount
    return totals


def _grid(changes: _Changes, start: float, end: float) -> Any:
    """Returns the times to draw: those of all changes, or, if these are many, so many in equal distances."""
    times = np.unique(np.concatenate([[start, end], *(times for times, _ in changes.values())]))
    return times if len(times) <= _MOST_POINTS else np.linspace(start, end, _MOST_POINTS)


def _values(change: tuple[list[float], list[float]], grid: Any) -> Any:
    """Returns the sum of all changes until each time."""
    times, amounts = np.asarray(change[0]), np.asarray(change[1])
    order = np.argsort(times, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(amounts[order])])
    return sums[np.searchsorted(times[order], grid, side="right")]


def _draw_states(axes: Axes, states: _Changes, start: float, end: float, scale: float) -> None:
    grid = _grid(states, start, end)
    x = (grid - start) / scale
    ordered = [state for state in COLORS if state in states]
    alive = [state for state in ordered if state not in TERMINAL]
    if alive:
        values = [_values(states[state], grid) for state in alive]
        colors = [COLORS[state] for state in alive]
        axes.stackplot(x, *values, labels=alive, colors=colors, alpha=0.6, step="post", linewidth=0)
    for state in ordered:
        if state in TERMINAL:
            axes.step(x, _values(states[state], grid), where="post", label=state, color=COLORS[state])
    axes.set_ylabel("tasks")
    axes.set_ylim(bottom=0)
    if ordered:
        axes.legend(loc="upper left", fontsize="small")


def _draw_use(axes: Axes, used: _Changes, totals: dict[str, float], start: float, end: float, scale: float) -> None:
    grid = _grid(used, start, end)
    for name in sorted(used):
        if totals.get(name, 0) > 0:
            label = f"{name} of {totals[name]:,.10g}{' MB' if name in ('mem', 'disk') else ''}"
            axes.step((grid - start) / scale, 100 * _values(used[name], grid) / totals[name], where="post", label=label)
    axes.set_ylabel("in use (%)")
    axes.set_ylim(0, 105)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", fontsize="small")
