"""What remesos raises. Every exception of its own is a :class:`MesosError`."""

from __future__ import annotations

__all__ = [
    "AddressInUseError",
    "ArgumentTypeError",
    "ArgumentValueError",
    "ClusterError",
    "DriverError",
    "MesosError",
]


class MesosError(Exception):
    """The base of every exception that remesos raises."""


class ArgumentTypeError(MesosError, TypeError):
    """An argument is of a type that the call cannot take; the message names it, what came and what was expected."""


class ArgumentValueError(MesosError, ValueError):
    """An argument's value cannot be used; the message names it, what came and what was expected."""


class DriverError(MesosError, RuntimeError):
    """The driver is in a state in which it cannot do what was asked."""


class ClusterError(MesosError, RuntimeError):
    """The embedded cluster could not be started or is gone."""


class AddressInUseError(ClusterError, OSError):
    """The port for the embedded cluster is taken."""
