"""Calls on a Mesos cluster, with the interface of :mod:`concurrent.futures`."""

from __future__ import annotations

from mesos.futures._errors import CallError, PoolBrokenError, RemoteTraceback, WorkerLostError
from mesos.futures._executor import MesosPoolExecutor
from mesos.futures._future import MesosFuture

__all__ = [
    "CallError",
    "MesosFuture",
    "MesosPoolExecutor",
    "PoolBrokenError",
    "RemoteTraceback",
    "WorkerLostError",
    "register_joblib",
]


def register_joblib() -> None:
    """Makes ``joblib.parallel_config(backend="mesos", pool=pool)`` run the calls of joblib in a pool.

    :raises ImportError: joblib is not installed
    """
    try:
        from mesos.futures import _joblib
    except ImportError as error:
        if error.name != "joblib":
            raise
        raise ImportError("the backend of joblib needs the package joblib: pip install joblib", name="joblib") from None
    _joblib.register()
