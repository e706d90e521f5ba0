"""Clocks of clusters, and waiting on them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from mesos.errors import ConditionTimeoutError
from mesos.local import LocalCluster

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_SECONDS = 0.05
"""How often a condition is looked at if nothing tells of a change, as of the end of a driver."""


class Changes:
    """Tells waiting tests that something has happened.

    Conditions are looked at without a lock, because they are the test's own code, and callbacks may hold its locks.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._number = 0

    @property
    def number(self) -> int:
        """How many changes there were."""
        return self._number

    def tell(self) -> None:
        """Something has happened."""
        with self._condition:
            self._number += 1
            self._condition.notify_all()

    def wait(self, number: int, seconds: float) -> None:
        """Waits until there were more changes than this number, at most so many seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._number > number, seconds)


class RealClock:
    """The clock of the world."""

    limit = 30.0
    """How many seconds a wait takes at most, unless the test says otherwise."""

    def now(self) -> float:
        """Returns seconds since the epoch."""
        return time.time()

    def wait(self, changes: Changes, over: Callable[[], bool], seconds: float) -> bool:
        """Waits until something is over, which is looked at after each change and now and then.

        :returns: whether it is over
        """
        until = time.monotonic() + seconds
        while True:
            number = changes.number
            if over():
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            changes.wait(number, min(left, _LOOK_SECONDS))


class SkippingClock:
    """The clock of a cluster that skips the time in which there is nothing to do."""

    limit = 3600.0
    """How many seconds of the cluster a wait takes at most, unless the test says otherwise."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster

    def now(self) -> float:
        """Returns seconds since the epoch."""
        return self._cluster.time()

    def wait(self, changes: Changes, over: Callable[[], bool], seconds: float) -> bool:
        """Lets the cluster's time pass until something is over. Returns whether it is."""
        try:
            self._cluster.run_until(over, seconds)
        except ConditionTimeoutError:
            return False
        return True


def clock_of(cluster: Any) -> RealClock | SkippingClock:
    """Returns the clock of a cluster."""
    if isinstance(cluster, LocalCluster) and cluster._core.time().skips():
        return SkippingClock(cluster)
    return RealClock()
