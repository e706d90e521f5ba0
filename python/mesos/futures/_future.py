"""The future of a call."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mesos.futures._pool import Pool

_T = TypeVar("_T")
_RUNNING, _PENDING, _CANCELLED = "RUNNING", "PENDING", "CANCELLED"  # as in concurrent.futures._base


class MesosFuture(Future[_T]):
    """The future of a call on a cluster: a :class:`concurrent.futures.Future` whose call can be killed.

    >>> import time
    >>> from mesos.futures import MesosPoolExecutor
    >>> from mesos.local import LocalCluster
    >>> with LocalCluster() as cluster, MesosPoolExecutor(cluster, max_workers=1) as pool:
    ...     future = pool.submit(time.sleep, 3600)
    ...     print(future.cancel(), future.cancelled())
    True True
    """

    _pool: Pool | None = None
    _number: int = 0

    def cancel(self) -> bool:
        """Cancels the call. If it runs, its process is killed, with all processes that it has started.

        Futures of other executors cannot be cancelled while they run.

        :returns: whether the call is cancelled; False if it was done before
        """
        with self._condition:
            if self._state not in (_PENDING, _RUNNING):
                return self.cancelled()
            self._state = _CANCELLED
            self._condition.notify_all()
            # Those who wait for several futures are told by this only.
            self.set_running_or_notify_cancel()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.cancelled(self._number)
        self._invoke_callbacks()  # type: ignore[attr-defined]
        return True

    def _begin(self) -> bool:
        """Notes that the call was passed to a worker. Returns False if it was cancelled."""
        with self._condition:
            if self._state == _PENDING:
                self._state = _RUNNING
            return self._state == _RUNNING

    def _settle(self, result: _T | None, exception: BaseException | None) -> None:
        self._pool = None
        try:
            if exception is not None:
                self.set_exception(exception)
            else:
                self.set_result(result)  # type: ignore[arg-type]
        except InvalidStateError:  # cancelled
            pass
