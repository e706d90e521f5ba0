"""What happened in a cluster, as records and as a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mesos.local import LocalCluster


MOST = 100_000
"""A cluster keeps so many records."""


class History(list[dict[str, Any]]):
    """A list of records, each a dict of plain values, that can be plotted."""

    def __init__(self, records: Iterable[dict[str, Any]], cluster: LocalCluster, whole: bool = False) -> None:
        super().__init__(records)
        self._cluster = cluster
        self._is_cut = whole and len(self) >= MOST

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> Figure:
        """Plots how many tasks were in each state over time, and how much of the agents' resources they used.

        Needs matplotlib, which ``pip install remesos[notebook]`` installs; ``matplotlib.pyplot`` is not used. Times are
        those of the cluster, from the first record on; what was before it is taken from the tasks. States of tasks that
        are over are lines; the others are stacked. A task uses its resources from its first status to its last;
        resources are those of the tasks that the cluster still shows (see :attr:`LocalCluster.tasks`), as shares of
        those of the agents that it has now.

        >>> from mesos.local import LocalCluster
        >>> with LocalCluster() as cluster:
        ...     figure = cluster.history().plot()
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['tasks', 'in use (%)']

        :param ax: axes to draw into: one for the states alone, or two. If None, a new figure is made
        :returns: the figure, which notebooks show
        :raises ImportError: matplotlib is not installed
        """
        from mesos._display import _plot

        return _plot.plot(self, self._cluster, ax, self._is_cut)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)
