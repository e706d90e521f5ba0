"""The embedded cluster: a master, its agents and a web page in this process, for one machine."""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mesos import _core, _logging
from mesos.errors import ArgumentTypeError, ArgumentValueError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["LocalCluster", "LocalTask"]

_AGENTS_MAX = 1000
_PORT_MAX = 65535
atexit.register(_core.shutdown)


def _check(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int):
        raise ArgumentTypeError(f"expected an int as {name}, got {value!r}")
    if not least <= value <= most:
        raise ArgumentValueError(f"expected {least} to {most} as {name}, got {value!r}")


class LocalTask(NamedTuple):
    """A task of an embedded cluster."""

    framework: str
    """The framework's name."""
    id: str
    """The task's id."""
    state: str
    """The name of its state, as ``TASK_RUNNING``."""
    sandbox: Path
    """Its sandbox, where ``stdout`` and ``stderr`` are."""


class LocalCluster:
    """A Mesos cluster on a loopback port, until :meth:`stop`, the end of a ``with`` block, or that of the process.

    The master's ``/api/v1/scheduler``, ``/state`` and web page are at :attr:`url`. Tasks run as processes of the
    current user and are killed with the cluster, however its process ends.

    :param port: the port on 127.0.0.1; 0 takes any free one
    :param agents: how many agents, 1 to 1000
    :param resources: what each agent has, as ``cpus:8;mem:8192;ports:[31000-32000]`` (mem and disk in MB); where None,
        ``MESOS_RESOURCES``, or else what the machine has
    :param work_dir: where sandboxes are; where None, ``MESOS_WORK_DIR``, or else a temporary directory that is
        removed at the end
    :raises ArgumentTypeError: port or agents is no int
    :raises ArgumentValueError: one of these cannot be used
    :raises AddressInUseError: the port is taken
    :raises ClusterError: the cluster could not be started
    """

    def __init__(
        self,
        port: int = 0,
        agents: int = 1,
        resources: str | None = None,
        work_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        _check("port", port, 0, _PORT_MAX)
        _check("agents", agents, 1, _AGENTS_MAX)
        path = None if work_dir is None else os.fsdecode(work_dir)
        self._start(lambda: _core.LocalCluster(port, agents, resources, path))

    @classmethod
    def from_environment(cls) -> LocalCluster:
        """Start a cluster as libmesos' ``local`` does: from MESOS_NUM_SLAVES, MESOS_RESOURCES and MESOS_WORK_DIR."""
        cluster = cls.__new__(cls)
        cluster._start(_core.LocalCluster.from_environment)
        return cluster

    def _start(self, make: object) -> None:
        _logging.set_level()
        assert callable(make)
        self._core: _core.LocalCluster = make()

    @property
    def address(self) -> str:
        """The master, as ``127.0.0.1:port``: what a driver takes."""
        return self._core.address

    @property
    def url(self) -> str:
        """The web page's address."""
        return f"http://{self.address}"

    def tasks(self) -> list[LocalTask]:
        """Every task that runs, and of each agent the last 1000 that are over."""
        return [LocalTask(name, task, state, Path(sandbox)) for name, task, state, sandbox in self._core.tasks()]

    def stop(self) -> None:
        """Kill all tasks and close the port. Stopping twice does nothing.

        The drivers of this process that were given its address are aborted: their ``error()`` is called.
        """
        self._core.stop()

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<LocalCluster {self.url}>"
