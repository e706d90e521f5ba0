"""What remesos raises, and warns with. Every exception of its own is a :class:`MesosError`."""

from __future__ import annotations

__all__ = [
    "AddressInUseError",
    "ArgumentTypeError",
    "ArgumentValueError",
    "ClusterError",
    "DriverAbortedError",
    "DriverError",
    "DriverTimeoutError",
    "MesosError",
    "MesosWarning",
]


class MesosError(Exception):
    """The base of every exception that remesos raises."""


class ArgumentTypeError(MesosError, TypeError):
    """An argument is of a type that the call cannot take; the message names it, what came and what was expected."""


class ArgumentValueError(MesosError, ValueError):
    """An argument's value cannot be used; the message names it, what came and what was expected."""


class DriverError(MesosError, RuntimeError):
    """The driver is in a state in which it cannot do what was asked."""


class DriverAbortedError(DriverError):
    """The driver was aborted, by the master or because it cannot go on; the message is what ``error`` was told."""


class DriverTimeoutError(DriverError, TimeoutError):
    """The driver still runs at the end of the time that ``join(check=True, timeout=...)`` was given."""


class ClusterError(MesosError, RuntimeError):
    """The embedded cluster could not be started or is gone."""


class AddressInUseError(ClusterError, OSError):
    """The port for the embedded cluster is taken."""


class MesosWarning(UserWarning):
    """A driver is used in a way that does nothing, or not what it looks like; the call does what libmesos does.

    Each kind is told once per driver: with :mod:`warnings`, and in callbacks, where a warning that is made an error
    would abort the driver, with :mod:`logging`.
    """
