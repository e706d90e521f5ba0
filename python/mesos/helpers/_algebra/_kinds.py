"""What resources are besides their amounts: names, owners, disks. Follows ``src/v1/resources.cpp``.

Messages of both APIs have the same bytes, so everything here works on bytes, and those that were read before are not
read again.
"""

from __future__ import annotations

import itertools
import math
import sys
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from mesos.errors import ArgumentValueError
from mesos.helpers._algebra import _amounts
from mesos.helpers._algebra._amounts import RANGES, SCALAR, SET
from mesos.interface import mesos_pb2

_FIELDS = {SCALAR: "scalar", RANGES: "ranges", SET: "set"}
_WORDS = {SCALAR: "scalar", RANGES: "ranges", SET: "set"}
_Source = mesos_pb2.Resource.DiskInfo.Source
_DYNAMIC = mesos_pb2.Resource.ReservationInfo.DYNAMIC
_MANY = 4096


class Kind:
    """What sets resources of one name apart.

    :ivar data: the message without its amount
    :ivar key: the same for kinds whose amounts can be added up or compared
    :ivar loose: the same for kinds that differ only in reservations and in the role that they are allocated to
    :ivar role: the role of the innermost reservation, or None
    :ivar whole: whether it can only be used as a whole
    """

    __slots__ = (
        "allocated",
        "data",
        "key",
        "loose",
        "name",
        "persistent",
        "reservations",
        "revocable",
        "role",
        "shared",
        "type",
        "whole",
        "written",
    )

    def __init__(self, data: bytes) -> None:
        resource = mesos_pb2.Resource.FromString(data)
        self.data, self.name, self.type = data, resource.name, resource.type
        self.shared, self.revocable = resource.HasField("shared"), resource.HasField("revocable")
        self.allocated = resource.allocation_info.role if resource.HasField("allocation_info") else None
        disk = resource.disk if resource.HasField("disk") else None
        self.persistent = disk is not None and disk.HasField("persistence")
        self.whole = not self.shared and disk is not None and (self.persistent or _is_exclusive(disk.source))
        self.reservations = _reservations(resource)
        self.role = self.reservations[-1][1] if self.reservations else None
        provider = resource.provider_id.value if resource.HasField("provider_id") else None
        source = _source(disk) if disk is not None else None
        loose = (self.name, self.type, source, self.shared, self.revocable, provider)
        # Interned, so that those that are equal are compared in no time.
        self.loose = sys.intern(repr(loose))
        self.key = sys.intern(repr((loose, self.allocated, self.reservations)))
        self.written = _written(resource, self.allocated, self.reservations)

    def __reduce__(self) -> tuple[Any, ...]:
        return kind, (self.data,)


class Entry(NamedTuple):
    """An amount of a kind. A shared volume is there several times if so many tasks use it."""

    kind: Kind
    amount: Any
    copies: int = 1

    def __str__(self) -> str:
        copies = f"<{self.copies}>" if self.copies > 1 else ""
        return f"{self.kind.written}:{_amounts.shown(self.kind.type, self.amount)}{copies}"


@lru_cache(_MANY)
def kind(data: bytes) -> Kind:
    """Returns what a message without an amount is."""
    return Kind(data)


@lru_cache(_MANY)
def entry(data: bytes) -> Entry:
    """Reads a resource.

    :raises ArgumentValueError: it is not valid, in the words of ``Resources::validate``
    """
    try:
        resource = mesos_pb2.Resource.FromString(data)
    except DecodeError as error:
        raise ArgumentValueError(f"expected a complete Resource: {error}") from None
    try:
        amount = _amount(resource)
        _validate(resource)
    except ArgumentValueError as error:
        raise ArgumentValueError(f"Resource '{_shown(resource)}' is invalid: {error}") from None
    resource.ClearField(_FIELDS[resource.type])
    return Entry(kind(resource.SerializePartialToString()), amount)


@lru_cache(_MANY)
def named(name: str, type_: Any, role: str | None = None) -> Kind:
    """Returns what resources are of which only the name is known, and perhaps a static reservation."""
    resource = mesos_pb2.Resource(name=name)
    resource.type = type_
    if role is not None and role != "*":
        resource.reservations.add(type="STATIC", role=role)
    return kind(resource.SerializeToString())


def message(entry: Entry, message_class: Any) -> Any:
    """Returns a message."""
    resource = message_class.FromString(entry.kind.data)
    if entry.kind.type == SCALAR:
        # As Mesos does, whose quotient and remainder are each exact.
        whole, rest = divmod(entry.amount, 1000)
        resource.scalar.value = whole + rest / 1000
    elif entry.kind.type == SET:
        resource.set.item.extend(entry.amount)
    else:
        add = resource.ranges.range.add
        for begin, end in entry.amount:
            add(begin=begin, end=end)
    return resource


@lru_cache(_MANY)
def changed(before: Kind, change: Any, *arguments: Any) -> Kind:
    """Returns a kind whose message a function has changed."""
    resource = mesos_pb2.Resource.FromString(before.data)
    change(resource, *arguments)
    return kind(resource.SerializePartialToString())


def allocate(resource: Any, role: str | None) -> None:
    """Sets the role that a resource is allocated to, or clears it."""
    resource.ClearField("allocation_info")
    if role is not None:
        resource.allocation_info.role = role


def refine(resource: Any) -> None:
    """Writes the reservation of a resource as RESERVATION_REFINEMENT has it."""
    if not resource.reservations:
        if resource.HasField("reservation"):
            info = resource.reservations.add()
            info.CopyFrom(resource.reservation)
            info.type, info.role = _DYNAMIC, resource.role
        elif resource.role not in ("", "*"):
            resource.reservations.add(type="STATIC", role=resource.role)
    resource.ClearField("role")
    resource.ClearField("reservation")


def push(resource: Any, role: str, principal: str | None, labels: tuple[tuple[str, str], ...]) -> None:
    """Adds a dynamic reservation."""
    refine(resource)
    info = resource.reservations.add(type="DYNAMIC", role=role)
    if principal is not None:
        info.principal = principal
    for key, text in labels:
        info.labels.labels.add(key=key, value=text)


def pop(resource: Any) -> None:
    """Removes the innermost reservation."""
    refine(resource)
    del resource.reservations[-1:]


def unreserve(resource: Any) -> None:
    """Removes all reservations."""
    refine(resource)
    resource.ClearField("reservations")


def strip(resource: Any) -> None:
    """Makes plain disk of a persistent volume."""
    if resource.disk.HasField("source"):
        resource.disk.ClearField("persistence")
        resource.disk.ClearField("volume")
    else:
        resource.ClearField("disk")
    resource.ClearField("shared")


def mount(resource: Any, wanted: bytes) -> None:
    """Uses a volume as another message of it says, which may have another path in the container."""
    resource.disk.CopyFrom(mesos_pb2.Resource.FromString(wanted).disk)


def _amount(resource: Any) -> Any:
    """Returns the amount of a message."""
    if not resource.name:
        raise ArgumentValueError("Empty resource name")
    type_ = resource.type
    if type_ not in _FIELDS:
        raise ArgumentValueError("Unsupported resource type")
    if any(resource.HasField(field) != (field == _FIELDS[type_]) for field in _FIELDS.values()):
        raise ArgumentValueError(f"Invalid {_WORDS[type_]} resource")
    if type_ == SET:
        return _amounts.unique(resource.set.item)
    if type_ == SCALAR:
        number = resource.scalar.value
        if not math.isfinite(number):
            raise ArgumentValueError("expected a finite number")
        if number < 0 or (number and not _amounts.thousandths(number)):
            raise ArgumentValueError("Invalid scalar resource: value <= 0")
        return _amounts.thousandths(number)
    pairs = sorted((each.begin, each.end) for each in resource.ranges.range)
    if any(begin > end for begin, end in pairs):
        raise ArgumentValueError("Invalid ranges resource: begin > end")
    if any(one[1] >= other[0] for one, other in itertools.pairwise(pairs)):
        raise ArgumentValueError("Invalid ranges resource: overlapping ranges")
    return _amounts.coalesced(pairs)


def _validate(resource: Any) -> None:
    """Checks what a resource is besides its amount."""
    if resource.HasField("disk") and resource.name != "disk":
        raise ArgumentValueError(f"DiskInfo should not be set for {resource.name} resource")
    if resource.HasField("shared"):
        if resource.name != "disk":
            raise ArgumentValueError(f"Resource {resource.name} cannot be shared")
        if not resource.disk.HasField("persistence"):
            raise ArgumentValueError("Only persistent volumes can be shared")
    if resource.HasField("reservation") and not resource.reservations and resource.role in ("", "*"):
        raise ArgumentValueError('Invalid reservation: role "*" cannot be dynamically reserved')
    for one in resource.reservations:
        if not one.HasField("type") or not one.HasField("role"):
            field = "role" if one.HasField("type") else "type"
            raise ArgumentValueError(f"Invalid reservation: 'Resource.ReservationInfo.{field}' field must be set.")
        if one.role == "*":
            raise ArgumentValueError('Invalid reservation: role "*" cannot be reserved')


def _reservations(resource: Any) -> tuple[tuple[bool, str, str | None, Any], ...]:
    """Returns the reservations from the widest role to the narrowest, whichever fields say them."""
    if resource.HasField("role") and not resource.reservations:
        refine(resource)
    return tuple(
        (
            one.type == _DYNAMIC,
            one.role,
            one.principal if one.HasField("principal") else None,
            _labels(one.labels) if one.HasField("labels") else None,
        )
        for one in resource.reservations
    )


def _labels(labels: Any) -> tuple[tuple[str, str | None], ...]:
    """Returns labels in an order that does not matter."""
    pairs = ((each.key, each.value if each.HasField("value") else None) for each in labels.labels)
    return tuple(sorted(pairs, key=lambda pair: (pair[0], pair[1] is not None, pair[1] or "")))


def _source(disk: Any) -> tuple[Any, ...]:
    """Returns what disks are told apart by: where in a container a volume is does not matter."""
    source = disk.source
    roots = tuple(
        (getattr(source, place).root if getattr(source, place).HasField("root") else None)
        if source.HasField(place)
        else False
        for place in ("path", "mount")
    )
    texts = tuple(getattr(source, name) if source.HasField(name) else None for name in ("vendor", "id", "profile"))
    metadata = _labels(source.metadata) if source.HasField("metadata") else None
    known = (source.type, roots, texts, metadata) if disk.HasField("source") else None
    return known, disk.persistence.id if disk.HasField("persistence") else None


def _is_exclusive(source: Any) -> bool:
    """Returns whether disk of this source is used as a whole."""
    if source.type in (_Source.MOUNT, _Source.BLOCK):
        return True
    return bool(source.type == _Source.RAW and source.HasField("id"))


def _written(resource: Any, allocated: str | None, reservations: tuple[Any, ...]) -> str:
    """Returns a kind as Mesos writes it."""
    text: str = resource.name
    if allocated is not None:
        text += f"(allocated: {allocated})"
    if reservations:
        text += f"(reservations: [{', '.join(map(_written_reservation, reservations))}])"
    if resource.HasField("disk"):
        text += f"[{_written_disk(resource.disk)}]"
    text += "{REV}" if resource.HasField("revocable") else ""
    return text + ("<SHARED>" if resource.HasField("shared") else "")


def _written_reservation(reservation: tuple[Any, ...]) -> str:
    dynamic, role, principal, labels = reservation
    parts = ["DYNAMIC" if dynamic else "STATIC", role, *([principal] if principal is not None else [])]
    if labels is not None:
        parts.append("{" + ", ".join(key if text is None else f"{key}: {text}" for key, text in labels) + "}")
    return f"({','.join(parts)})"


def _written_disk(disk: Any) -> str:
    parts = []
    if disk.HasField("source"):
        source = disk.source
        text: str = _Source.Type.Name(source.type)
        if source.HasField("id") or source.HasField("profile"):
            text += f"({source.vendor},{source.id},{source.profile})"
        elif source.path.root or source.mount.root:
            text += f":{source.path.root or source.mount.root}"
        parts.append(text)
    if disk.HasField("persistence"):
        parts.append(disk.persistence.id)
    return ",".join(parts) + (f":{disk.volume.container_path}" if disk.HasField("volume") else "")


def _shown(resource: Any) -> str:
    """Returns a resource that is not valid, as an error names it."""
    shared = "<SHARED>" if resource.HasField("shared") else ""
    if resource.type == SCALAR:
        text = f"{resource.scalar.value:.15g}"
    elif resource.type == RANGES:
        text = _amounts.shown(RANGES, [(each.begin, each.end) for each in resource.ranges.range])
    else:
        text = _amounts.shown(SET, resource.set.item)
    return f"{resource.name}{shared}:{text}"
