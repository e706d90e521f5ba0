"""The backend of joblib. Importing this imports joblib."""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any

import joblib  # type: ignore[import-untyped, import-not-found, unused-ignore]
from joblib.parallel import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    AutoBatchingMixin,
    ParallelBackendBase,
)

from mesos.errors import ArgumentTypeError
from mesos.futures._executor import MesosPoolExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesos.futures._future import MesosFuture

_JOBS = 64
"""How many jobs ``n_jobs=-1`` means if nothing bounds the workers of the pool."""


class MesosBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc, unused-ignore]
    """Runs the calls of ``joblib.Parallel`` in a pool."""

    default_n_jobs = -1
    supports_retrieve_callback = True

    def __init__(self, pool: MesosPoolExecutor | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        if not isinstance(pool, MesosPoolExecutor):
            raise ArgumentTypeError(f"expected a MesosPoolExecutor as pool, got {pool!r}")
        self._pool = pool
        self._futures: weakref.WeakSet[MesosFuture[Any]] = weakref.WeakSet()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Returns how many calls are to run at once, as far as joblib is concerned."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is not None and n_jobs > 0:
            return n_jobs
        most = self._pool._pool.most_workers
        return _JOBS if most == float("inf") else int(most)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> MesosFuture[Any]:
        """Runs a batch of calls."""
        future = self._pool.submit(func)
        self._futures.add(future)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: MesosFuture[Any]) -> Any:
        """Returns the results of a batch."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Kills what is not done."""
        for future in list(self._futures):
            with contextlib.suppress(Exception):
                future.cancel()
        self._futures.clear()


def register() -> None:
    """Makes the backend known to joblib."""
    joblib.register_parallel_backend("mesos", MesosBackend)
