"""Calls on a Mesos cluster, with the interface of :mod:`concurrent.futures`."""

from __future__ import annotations

from mesos.futures._errors import CallError, PoolBrokenError, RemoteTraceback, WorkerLostError
from mesos.futures._executor import MesosPoolExecutor
from mesos.futures._future import MesosFuture

__all__ = ["CallError", "MesosFuture", "MesosPoolExecutor", "PoolBrokenError", "RemoteTraceback", "WorkerLostError"]
