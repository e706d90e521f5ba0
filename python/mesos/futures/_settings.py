"""What a pool asks of a cluster, and the checks of its arguments."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.internal.containers import RepeatedCompositeFieldContainer


def number(value: Any, name: str, least: float, *, whole: bool = False) -> Any:
    """Returns an argument that is a number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ArgumentTypeError(f"expected {'an int' if whole else 'a number'} as {name}, got {value!r}")
    if not value >= least:
        raise ArgumentValueError(f"expected at least {least} as {name}, got {value!r}")
    return value


def mapping(value: Any, name: str) -> dict[str, Any]:
    """Returns an argument that is a mapping from text, or None."""
    if value is None:
        return {}
    try:
        found = dict(value)
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"expected a mapping as {name}, got {value!r}") from None
    for key in found:
        if not isinstance(key, str):
            raise ArgumentTypeError(f"expected str as the keys of {name}, got {key!r}")
    return found


@dataclass
class Settings:
    """The arguments of a pool, checked."""

    resources: dict[str, float]
    max_workers: float
    retries: int
    idle_timeout: float
    attributes: dict[str, list[str]]
    """The allowed values, as text."""
    python: str
    environment: dict[str, str]
    uris: list[str]
    setup: bytes = b""
    avoided: dict[str, float] = field(default_factory=dict)
    """When each agent on which a worker did not start may be tried again."""

    def command(self, here: bool) -> mesos_pb2.CommandInfo:
        """Returns the command that starts a worker.

        :param here: whether agents are on this machine, and so have the modules of this process
        """
        environment = dict(self.environment)
        if here:
            path = os.pathsep.join(os.path.abspath(each) for each in sys.path)
            environment.setdefault("PYTHONPATH", path)
        command = mesos_pb2.CommandInfo(value=f"exec {shlex.quote(self.python)} -m mesos.futures._worker")
        for name, value in environment.items():
            command.environment.variables.add(name=name, value=value)
        for uri in self.uris:
            command.uris.add(value=uri)
        return command

    def suits(self, offer: mesos_pb2.Offer) -> bool:
        """Returns whether the agent of an offer has the attributes that were asked for."""
        texts = {each.name: _attribute(each) for each in offer.attributes}
        return all(texts.get(name) in allowed for name, allowed in self.attributes.items())

    def take(self, free: list[mesos_pb2.Resource]) -> list[mesos_pb2.Resource] | None:
        """Takes the resources of a worker out of ``free``. Returns them, or None if there is too little."""
        taken: list[mesos_pb2.Resource] = []
        left = [mesos_pb2.Resource.FromString(each.SerializeToString()) for each in free]
        for name, amount in self.resources.items():
            rest = round(amount, 3)
            for each in left:
                part = min(rest, each.scalar.value) if each.name == name else 0
                if part > 0:
                    piece = mesos_pb2.Resource.FromString(each.SerializeToString())
                    piece.scalar.value = part
                    taken.append(piece)
                    each.scalar.value = round(each.scalar.value - part, 3)
                    rest = round(rest - part, 3)
            if rest > 0:
                return None
        free[:] = left
        return taken


def usable(resources: RepeatedCompositeFieldContainer[mesos_pb2.Resource]) -> list[mesos_pb2.Resource]:
    """Returns those of an offer's resources that a worker can hold: no volumes, nothing revocable or shared."""
    return [
        each
        for each in resources
        if each.type == mesos_pb2.Value.SCALAR
        and not each.HasField("revocable")
        and not each.HasField("shared")
        and not (each.HasField("disk") and (each.disk.HasField("persistence") or each.disk.HasField("source")))
    ]


def _attribute(attribute: mesos_pb2.Attribute) -> str:
    if attribute.type == mesos_pb2.Value.SCALAR:
        return _text(attribute.scalar.value)
    return str(attribute.text.value)


def _allowed(name: str, value: Any) -> list[str]:
    values = [value] if isinstance(value, str | int | float) else value
    try:
        return [_text(each) for each in values]
    except TypeError:
        raise ArgumentTypeError(
            f"expected text, a number or several of them as {name} of attributes, got {value!r}"
        ) from None


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def settings(
    *,
    cpus: float,
    mem: float,
    disk: float,
    gpus: float,
    max_workers: int | None,
    retries: int,
    idle_timeout: float | None,
    attributes: Mapping[str, Any] | None,
    python: str | None,
    environment: Mapping[str, str] | None,
    uris: Iterable[str],
) -> Settings:
    """Checks the arguments of a pool."""
    amounts = {
        "cpus": number(cpus, "cpus", 0.01),
        "mem": number(mem, "mem", 32),
        "disk": number(disk, "disk", 0),
        "gpus": number(gpus, "gpus", 0, whole=True),
    }
    if python is not None and not isinstance(python, str):
        raise ArgumentTypeError(f"expected str as python, got {python!r}")
    variables = mapping(environment, "environment")
    for name, value in variables.items():
        if not isinstance(value, str):
            raise ArgumentTypeError(f"expected str as the variable {name} of environment, got {value!r}")
    if isinstance(uris, str):
        raise ArgumentTypeError(f"expected several str as uris, got {uris!r}")
    return Settings(
        resources={name: amount for name, amount in amounts.items() if amount},
        max_workers=float("inf") if max_workers is None else number(max_workers, "max_workers", 1, whole=True),
        retries=number(retries, "retries", 0, whole=True),
        idle_timeout=float("inf") if idle_timeout is None else number(idle_timeout, "idle_timeout", 0),
        attributes={name: _allowed(name, value) for name, value in mapping(attributes, "attributes").items()},
        python=python or sys.executable,
        environment=variables,
        uris=list(uris),
    )
