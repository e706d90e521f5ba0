"""The cluster that the tests of one pytest process share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from mesos.local import LocalCluster

if TYPE_CHECKING:
    from collections.abc import Mapping


class Shared:
    """A cluster that is as new for each test.

    :param options: the arguments of :class:`mesos.local.LocalCluster`
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._cluster: LocalCluster | None = None

    def cluster(self) -> LocalCluster:
        """Returns the cluster, which is started if there is none."""
        if self._cluster is None or self._cluster.is_stopped:
            self._cluster = LocalCluster(**self._options)
        return self._cluster

    def reset(self) -> None:
        """Makes the cluster as it was at its start. One that a test has stopped is replaced when it is needed."""
        if self._cluster is not None and not self._cluster.is_stopped:
            self._cluster.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cluster is not None:
            self._cluster.stop()
