"""The exceptions and the warning of remesos. Every exception is a :class:`MesosError`."""

from __future__ import annotations

from typing import Any

__all__ = [
    "AddressInUseError",
    "AnswerTimeoutError",
    "ArgumentTypeError",
    "ArgumentValueError",
    "ClockError",
    "ClusterError",
    "ConditionTimeoutError",
    "DriverAbortedError",
    "DriverError",
    "DriverTimeoutError",
    "FrameworkIdError",
    "FrameworkIdInUseError",
    "FrameworkRemovedError",
    "MesosError",
    "MesosWarning",
    "NotContainedError",
    "RequestRefusedError",
    "TaskStateError",
    "TaskTimeoutError",
    "UnreachableError",
]


class MesosError(Exception):
    """The base of every exception that remesos raises."""


class ArgumentTypeError(MesosError, TypeError):
    """An argument has the wrong type; the message names the argument, what was expected and what was passed."""


class ArgumentValueError(MesosError, ValueError):
    """An argument's value is not valid; the message names the argument, what was expected and what was passed."""


class NotContainedError(ArgumentValueError):
    """Resources that are to be taken away are not there.

    :ivar missing: the ``mesos.helpers.Resources`` that are not there, or of which there is less
    """

    def __init__(self, message: str, missing: Any) -> None:
        super().__init__(message)
        self.missing = missing


class DriverError(MesosError, RuntimeError):
    """The driver's state does not allow the call."""


class DriverAbortedError(DriverError):
    """The driver was aborted by the master or by a fatal error; the ``error`` callback received the same message."""


class FrameworkRemovedError(DriverAbortedError):
    """The master has removed the framework with the id that :mod:`mesos.helpers` kept: its ``failover_timeout`` passed,
    its driver was stopped, or an operator tore it down. The id is forgotten; the next registration is a new one.
    """


class FrameworkIdError(MesosError, RuntimeError):
    """The id of a framework that :mod:`mesos.helpers` keeps cannot be read or written."""


class FrameworkIdInUseError(FrameworkIdError):
    """Another scheduler uses the same file or node for the id of its framework."""


class DriverTimeoutError(DriverError, TimeoutError):
    """The driver is still running after the timeout of ``join(check=True, timeout=...)``."""


class ClusterError(MesosError, RuntimeError):
    """The embedded cluster could not be started or is no longer running."""


class ClockError(MesosError, RuntimeError):
    """The clock of the embedded cluster does not allow the call."""


class ConditionTimeoutError(MesosError, TimeoutError):
    """A condition did not become true within the timeout."""


class AddressInUseError(ClusterError, OSError):
    """The port for the embedded cluster is already in use."""


class TaskStateError(MesosError, RuntimeError):
    """A task of an embedded cluster ended, and was not in the state that somebody waited for."""


class TaskTimeoutError(MesosError, TimeoutError):
    """A task of an embedded cluster has not been in the state that somebody waits for."""


class UnreachableError(MesosError, ConnectionError):
    """There is no connection to a master or an agent, or it broke before the answer to a request was complete."""


class AnswerTimeoutError(MesosError, TimeoutError):
    """A master or an agent has not answered a request in time."""


class RequestRefusedError(MesosError, RuntimeError):
    """A master or an agent refused a call of the operator API.

    >>> from mesos.errors import RequestRefusedError
    >>> from mesos.local import LocalCluster
    >>> from mesos.operator import MasterClient
    >>> with LocalCluster() as cluster:
    ...     try:
    ...         MasterClient(cluster).mark_agent_gone("nobody")
    ...     except RequestRefusedError as error:
    ...         print(error.status, error.text)
    404 Agent 'nobody' not found
    """

    def __init__(self, call: str, status: int, text: str) -> None:
        super().__init__(call, status, text)
        self.call = call
        """The type of the call, such as ``DRAIN_AGENT``."""
        self.status = status
        """The HTTP status: 401 if the client is not authenticated, 403 if it is not authorized."""
        self.text = text
        """The reason that was given; may be empty."""

    def __str__(self) -> str:
        return f"{self.call} was refused with the status {self.status}" + (f": {self.text}" if self.text else "")


class MesosWarning(UserWarning):
    """A driver is used in a way that has no effect or not the intended one; the call behaves as with libmesos.

    Each kind of misuse gives one warning per driver. In callbacks it is a record of the logger ``mesos`` instead,
    because a warning that is turned into an error would abort the driver.
    """
