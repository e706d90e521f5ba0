"""The embedded cluster: a master, its agents and a web page in this process, for one machine."""

from __future__ import annotations

import atexit
import math
import operator
import os
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mesos import _core, _logging
from mesos.errors import ArgumentTypeError, ArgumentValueError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["LocalCluster", "LocalTask"]

_LARGEST = 2**63 - 1
atexit.register(_core.shutdown)


def _number(name: str, value: Any) -> int:
    """An int whose bounds the core knows, and which fits into 64 bits."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentTypeError(f"expected an int as {name}, got {value!r}")
    return max(-_LARGEST, min(operator.index(value), _LARGEST))


def _resources(value: Any) -> str | None:
    """Returns resources as text, also if they are a mapping of names to amounts."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        text = ";".join(f"{_name(name)}:{_amount(name, amount)}" for name, amount in value.items())
    elif isinstance(value, str):
        text = value
    else:
        raise ArgumentTypeError(
            "expected a str such as 'cpus:2;mem:1024' or a mapping such as {'cpus': 2, 'mem': 1024} as resources, "
            f"got {value!r}"
        )
    if not text.strip(" ;"):
        raise ArgumentValueError(f"expected at least one resource as resources, got {value!r}")
    return text


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ArgumentTypeError(f"expected a str as each name in resources, got {value!r}")
    if not value.strip() or any(c in ":;" for c in value):
        raise ArgumentValueError(f"expected a name without ':' and ';' as each name in resources, got {value!r}")
    return value


def _amount(name: str, value: Any) -> str:
    """Returns an amount as text. Text such as ``[31000-32000]`` is returned unchanged."""
    if isinstance(value, str):
        if ";" in value:
            raise ArgumentValueError(f"expected an amount of one resource as resources[{name!r}], got {value!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArgumentTypeError(
            f"expected a number, or a str such as '[31000-32000]', as resources[{name!r}], got {value!r}"
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not 0 <= number < math.inf:
        raise ArgumentValueError(f"expected a finite number from 0 as resources[{name!r}], got {value!r}")
    return repr(number)


def _path(value: Any) -> str | None:
    if value is None:
        return None
    try:
        path = os.fsdecode(value)
    except TypeError:
        raise ArgumentTypeError(f"expected a path as work_dir, got {value!r}") from None
    if not path or "\0" in path:
        raise ArgumentValueError(f"expected the path of a directory as work_dir, got {value!r}")
    return path


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ArgumentTypeError(f"expected a str as {name}, got {type(value).__name__}")
    return value


class LocalTask(NamedTuple):
    """A task of an embedded cluster."""

    framework: str
    """The framework's name."""
    id: str
    """The task's id."""
    state: str
    """The name of its state, such as ``TASK_RUNNING``."""
    sandbox: Path
    """Its sandbox, which contains ``stdout`` and ``stderr``."""


class LocalCluster:
    """A Mesos cluster on a port of this machine.

    It runs until :meth:`stop`, the end of a ``with`` block, or the end of the process.

    The master's ``/api/v1/scheduler``, ``/state`` and web page are at :attr:`url`. Tasks run as processes of the
    current user and are killed with the cluster, however its process ends.

    The cluster accepts requests from its own user and root. Everyone else needs its :attr:`token`, which :attr:`link`
    contains.

    >>> with LocalCluster(agents=2, resources={"cpus": 2, "mem": 1024}) as cluster:
    ...     cluster.address.startswith("127.0.0.1:")
    True

    :param port: the port, or 0 for any free port
    :param agents: the number of agents, 1 to 1000
    :param resources: the resources of each agent, as text such as ``cpus:8;mem:8192;ports:[31000-32000]`` or as a
        mapping such as ``{"cpus": 8, "mem": 8192, "ports": "[31000-32000]"}`` (mem and disk in MB). If None,
        ``MESOS_RESOURCES`` is used, or the machine's own resources if it is not set
    :param work_dir: the directory of the sandboxes. If None, ``MESOS_WORK_DIR`` is used, or a temporary directory,
        which is removed at the end, if it is not set
    :param ip: the address to listen on. With an address beyond loopback, such as ``0.0.0.0``, other machines that have
        the token can use the cluster; this is logged as a warning
    :param token: 16 to 256 letters, digits and characters of ``-._~``. If None, ``REMESOS_LOCAL_TOKEN`` is used, or a
        random token if it is not set
    :param containers: how tasks run whose container has an image, or volumes of this machine: with ``ignore-image``
        their commands run without the image, with ``docker`` in containers of Docker or Podman. If None,
        ``REMESOS_LOCAL_CONTAINERS`` is used. If it is not set, such tasks fail, as on an agent that has neither
    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: an argument's value is not valid
    :raises AddressInUseError: the port is already in use
    :raises ClusterError: the cluster could not be started
    """

    def __init__(
        self,
        port: int = 0,
        agents: int = 1,
        resources: str | Mapping[str, float | str] | None = None,
        work_dir: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None = None,
        *,
        ip: str = "127.0.0.1",
        token: str | None = None,
        containers: str | None = None,
    ) -> None:
        arguments = (
            _number("port", port),
            _number("agents", agents),
            _resources(resources),
            _path(work_dir),
            _text("ip", ip),
            None if token is None else _text("token", token),
            None if containers is None else _text("containers", containers),
        )
        self._start(lambda: _core.LocalCluster(*arguments))

    @classmethod
    def from_environment(cls) -> LocalCluster:
        """Starts a cluster from MESOS_NUM_SLAVES, MESOS_RESOURCES and MESOS_WORK_DIR, like libmesos' ``local``."""
        cluster = cls.__new__(cls)
        cluster._start(_core.LocalCluster.from_environment)
        return cluster

    def _start(self, make: object) -> None:
        _logging.set_level()
        assert callable(make)
        self._core: _core.LocalCluster = make()

    @property
    def address(self) -> str:
        """The address of the master for drivers on this machine, as ``127.0.0.1:port``."""
        return self._core.address

    @property
    def url(self) -> str:
        """The address of the web page."""
        return f"http://{self.address}"

    @property
    def link(self) -> str:
        """The address of the web page with the token, for other users and machines."""
        return self._core.link

    @property
    def token(self) -> str:
        """The token for other users and machines. Everyone who has it can run commands as this user.

        It is sent in the header ``X-Remesos-Token``, as ``Authorization: Bearer``, or as the secret of a framework's
        ``Credential``.
        """
        return self._core.token

    def tasks(self) -> list[LocalTask]:
        """Returns every running task, and the last 1000 completed tasks of each agent."""
        return [LocalTask(name, task, state, Path(sandbox)) for name, task, state, sandbox in self._core.tasks()]

    def stop(self) -> None:
        """Kills all tasks and closes the port. Has no effect on a stopped cluster.

        The drivers of this process that use the cluster are disconnected. If no other cluster of this process listens
        on the port within three seconds, they are aborted and their ``error()`` is called.
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
