"""The algebra of resources. Follows ``src/v1/resources.cpp``, also in the order of the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from mesos import _core
from mesos.errors import ArgumentTypeError, ArgumentValueError, NotContainedError
from mesos.helpers._algebra import _amounts, _entries, _find, _kinds, _operations, _text
from mesos.helpers._algebra._amounts import SCALAR, Ranges, Value
from mesos.helpers._algebra._kinds import Entry, Kind
from mesos.interface import mesos_pb2

#: What :class:`Resources` can be made of.
Source: TypeAlias = "Resources | str | Mapping[str, Any] | Iterable[Any] | Any"

#: What is passed if nothing is.
_NOTHING: tuple[Any, ...] = ()


class Resources:
    """How much of what there is, and to whom it belongs. Immutable and hashable.

    They are made of an offer, a task with its executor, a Resource or an iterable of them, of the classic or the v1
    API; of Mesos' text form or its JSON; or of amounts by name:

    >>> total = Resources("cpus:4;mem:512;ports:[31000-31009]")
    >>> part = Resources(cpus=0.1, mem=64, ports=[31000, 31001])
    >>> part <= total
    True
    >>> total - part
    Resources('cpus:3.9; mem:448; ports:[31002-31009]')
    >>> total - part + part == total
    True
    >>> total.cpus, total.ports[:2], total["mem"], total.gpus
    (4.0, [31000, 31001], 512.0, 0.0)

    Iteration gives Resource messages, so that ``task.resources.extend(part)`` works. They belong to the API of the
    messages that the resources come from; to the classic one if there were none.

    Resources of one name are added up only if nothing else tells them apart: reservations, disks, providers, whether
    they may be revoked or are shared, and the role that they are allocated to. Scalars have three decimals, as in
    Mesos. Persistent volumes and exclusive disks are only taken as a whole. A comparison compares all of this as well;
    leave the role that resources are allocated to out of it with :meth:`unallocated`.

    :param source: what the resources are made of. A task's are those of the task and of its executor; for the task
        alone write ``Resources(task.resources)``
    :param amounts: amounts by name: numbers, ranges as numbers or as pairs of them, or sets of text
    :raises ArgumentTypeError: there is no way to make resources of this
    :raises ArgumentValueError: the text or a resource is not valid
    """

    __slots__ = ("_class", "_entries")
    _entries: tuple[Entry, ...]
    _class: Any

    def __init__(self, source: Source = _NOTHING, /, **amounts: Any) -> None:
        self._class = None
        if amounts and source is not _NOTHING:
            raise ArgumentTypeError("expected messages, text or amounts by name as resources, not several of them")
        if isinstance(source, Mapping):
            amounts, source = dict(source), ()
        if amounts:
            self._entries = _entries.merged([], _from_amounts(amounts))
        elif isinstance(source, Resources):
            self._entries, self._class = source._entries, source._class
        elif isinstance(source, str):
            self._entries = _entries.merged([], _text.parse(source))
        else:
            entries, self._class = _entries.read(source)
            self._entries = _entries.merged([], entries)

    # What there is.

    @property
    def cpus(self) -> float:
        """The number of CPUs, of whatever kind."""
        return self._scalar("cpus")

    @property
    def mem(self) -> float:
        """The memory in MB, of whatever kind."""
        return self._scalar("mem")

    @property
    def disk(self) -> float:
        """The disk in MB, of whatever kind."""
        return self._scalar("disk")

    @property
    def gpus(self) -> float:
        """The number of GPUs, of whatever kind."""
        return self._scalar("gpus")

    @property
    def ports(self) -> Ranges:
        """The ports, of whatever kind."""
        found = self.get("ports")
        return found if isinstance(found, Ranges) else Ranges()

    @property
    def names(self) -> tuple[str, ...]:
        """The names, each once."""
        return tuple(dict.fromkeys(entry.kind.name for entry in self._entries))

    def get(self, name: str, default: Any = None) -> Any:
        """Returns how much there is of a name, of whatever kind: a float, :class:`Ranges` or a frozenset.

        :param default: what is returned if there is nothing of this name
        """
        found = [entry for entry in self._entries if entry.kind.name == name]
        if not found:
            return default
        type_, total = found[0].kind.type, found[0].amount
        for entry in found[1:]:
            if entry.kind.type == type_:
                total = _amounts.plus(type_, total, entry.amount)
        return _amounts.value(type_, total)

    def __getitem__(self, name: str) -> Value:
        """Returns how much there is of a name, as :meth:`get` does, or raises KeyError."""
        found: Value | None = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.messages())

    def messages(self, message_class: Any = None) -> list[Any]:
        """Returns Resource messages.

        :param message_class: the class of the messages, such as ``mesos.v1.interface.mesos_pb2.Resource``; if None,
            that of the messages that the resources come from
        """
        made = message_class or self._class or mesos_pb2.Resource
        return [_kinds.message(entry, made) for entry in self._entries]

    def dicts(self) -> list[dict[str, Any]]:
        """Returns them as JSON has them, for frameworks of pymesos, whose messages are dicts."""
        return [_core.to_dict("mesos.v1.Resource", message.SerializeToString()) for message in self.messages()]

    # Arithmetic.

    def __add__(self, other: Source) -> Resources:
        more = _resources(other)
        return self._with(_entries.merged(self._entries, more._entries), more)

    def __radd__(self, other: Any) -> Resources:
        # sum() begins with 0.
        return self if isinstance(other, int) and other == 0 else _resources(other) + self

    def __sub__(self, other: Source) -> Resources:
        less = _resources(other)
        left, missing = _entries.subtracted(self._entries, less._entries)
        if missing:
            raise NotContainedError(*self._complaint(less._with(missing)))
        return self._with(left, less)

    def __rsub__(self, other: Source) -> Resources:
        return _resources(other) - self

    def without(self, other: Source) -> Resources:
        """Returns what is left if as much of ``other`` as is there is taken away. This is what ``-`` is in Mesos.

        >>> Resources("cpus:1;ports:[1-5]").without("cpus:2;ports:[4-9]")
        Resources('ports:[1-3]')
        """
        less = _resources(other)
        return self._with(_entries.subtracted(self._entries, less._entries)[0], less)

    def contains(self, other: Source) -> bool:
        """Returns whether all of ``other`` is in here; ``other <= self`` is the same."""
        return _entries.contains(self._entries, _resources(other)._entries)

    def __contains__(self, other: Any) -> bool:
        return self.contains(other)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Resources):
            return NotImplemented
        if self._entries == other._entries:
            return True
        return other.contains(self) and self.contains(other)

    def __hash__(self) -> int:
        return hash(frozenset((kind.key, frozenset(a) if kind.type else a) for kind, a, _ in self._entries))

    def __le__(self, other: Source) -> bool:
        return _resources(other).contains(self)

    def __lt__(self, other: Source) -> bool:
        more = _resources(other)
        return more.contains(self) and not self.contains(more)

    def __ge__(self, other: Source) -> bool:
        return self.contains(other)

    def __gt__(self, other: Source) -> bool:
        return _resources(other) < self

    def find(
        self, wish: Source = _NOTHING, /, *, role: str | None = None, revocable: bool = False, **amounts: Any
    ) -> Resources | None:
        """Returns which of these resources satisfy a wish, or None if they do not.

        What is reserved is taken first, then what is not. Reservations, disks, providers and the role that resources
        are allocated to are those of these resources, so the result can go into a task:

        >>> offered = Resources("cpus(web):1;cpus:4;mem:512;ports:[31000-31009]")
        >>> offered.find(cpus=2, mem=32, ports=2)
        Resources('cpus(reservations: [(STATIC,web)]):1; cpus:1; mem:32; ports:[31000-31001]')

        A number means so many ports or items if these resources have ranges or a set of this name.

        :param wish: what :class:`Resources` can be made of. Its disks, providers and revocable or shared resources are
            found only among their like, so a plain wish takes plain disk only
        :param role: whose reservations are taken first; if None, those for the role that the resources are allocated to
        :param revocable: whether what may be revoked is taken if there is enough of it
        :param amounts: amounts by name, instead of ``wish``
        :raises ArgumentTypeError: there is no wish
        """
        return self._found(wanted_of(wish, amounts), role, revocable)

    def after(self, *changes: Any, executors: Iterable[str] = ()) -> Resources:
        """Returns what is left of an offer's resources after tasks and operations, as the master computes it.

        An executor is counted once. As the master does, this takes resources that do not say which role they are
        allocated to as allocated to that of the offer, and leaves shared volumes to others.

        >>> from mesos.interface import mesos_pb2
        >>> operation = mesos_pb2.Offer.Operation(type="RESERVE")
        >>> operation.reserve.resources.extend(Resources(cpus=1).reserve("web"))
        >>> Resources(cpus=4).after(operation)
        Resources('cpus:3; cpus(reservations: [(DYNAMIC,web)]):1')

        :param changes: TaskInfo, TaskGroupInfo and Offer.Operation messages
        :param executors: ids of executors that run on the agent already, such as an offer's ``executor_ids``
        :raises NotContainedError: a task or an operation takes more than there is
        :raises ArgumentTypeError: a change is something else
        :raises ArgumentValueError: what an operation makes is only known afterwards, as with CREATE_DISK
        """
        left = self
        running = {getattr(each, "value", each) for each in executors}
        role = next((entry.kind.allocated for entry in self._entries), None)
        for change in changes:
            for taken, made in _operations.conversions(change, role, running):
                left = left - self._with(_entries.merged([], taken)) + self._with(_entries.merged([], made))
        return left

    # Some of them.

    def filter(self, keep: Callable[[Any], object]) -> Resources:
        """Returns those whose messages a function returns true for."""
        messages = zip(self._entries, self.messages(), strict=True)
        return self._with(tuple(entry for entry, message in messages if keep(message)))

    def named(self, *names: str) -> Resources:
        """Returns those of these names."""
        return self._only(lambda kind: kind.name in names)

    def reserved(self, role: str | None = None) -> Resources:
        """Returns those that are reserved, for this role or for any."""
        return self._only(lambda kind: kind.role is not None and role in (None, kind.role))

    def unreserved(self) -> Resources:
        """Returns those that are not reserved."""
        return self._only(lambda kind: kind.role is None)

    def allocatable_to(self, role: str) -> Resources:
        """Returns those that a framework in this role may use: not reserved, or for this role or one above it."""
        return self._only(lambda kind: kind.role is None or role == kind.role or role.startswith(f"{kind.role}/"))

    def revocable(self) -> Resources:
        """Returns those that may be revoked."""
        return self._only(lambda kind: kind.revocable)

    def non_revocable(self) -> Resources:
        """Returns those that may not be revoked."""
        return self._only(lambda kind: not kind.revocable)

    def shared(self) -> Resources:
        """Returns the shared volumes."""
        return self._only(lambda kind: kind.shared)

    def non_shared(self) -> Resources:
        """Returns those that only one task at a time can use."""
        return self._only(lambda kind: not kind.shared)

    def persistent_volumes(self) -> Resources:
        """Returns the persistent volumes."""
        return self._only(lambda kind: kind.persistent)

    # The same, as somebody else's.

    def allocated(self, role: str) -> Resources:
        """Returns these as allocated to a role."""
        return self._changed(_kinds.allocate, role)

    def unallocated(self) -> Resources:
        """Returns these as allocated to no role."""
        return self._changed(_kinds.allocate, None)

    def reserve(self, role: str, principal: str | None = None, labels: Mapping[str, str] | None = None) -> Resources:
        """Returns these with one more dynamic reservation, as the operation RESERVE wants them.

        :param role: for whom; the same as, or below, the role of the last reservation
        :param principal: the framework's principal, if it has one
        :param labels: labels of the reservation
        :raises ArgumentValueError: the role is not valid
        """
        _text.check_role(role)
        if role == "*":
            raise ArgumentValueError('Invalid reservation: role "*" cannot be reserved')
        return self._changed(_kinds.push, role, principal, tuple((labels or {}).items()))

    def unreserve(self) -> Resources:
        """Returns these without their innermost reservation, as the operation UNRESERVE leaves them."""
        return self._changed(_kinds.pop)

    def without_reservations(self) -> Resources:
        """Returns these as if nobody had reserved them."""
        return self._changed(_kinds.unreserve)

    def __str__(self) -> str:
        """Returns them as Mesos writes them."""
        return "; ".join(map(str, self._entries))

    def __repr__(self) -> str:
        return f"Resources({str(self)!r})"

    def _scalar(self, name: str) -> float:
        found = (amount for kind, amount, _ in self._entries if kind.name == name and kind.type == SCALAR)
        return float(sum(found) / 1000)

    def _found(self, wanted: Iterable[_find.Wanted], role: str | None, revocable: bool) -> Resources | None:
        found = _find.find(self._entries, wanted, role, revocable)
        return None if found is None else self._with(_entries.merged([], found))

    def _only(self, wanted: Callable[[Kind], object]) -> Resources:
        return self._with(tuple(entry for entry in self._entries if wanted(entry.kind)))

    def _changed(self, change: Callable[..., None], *arguments: Any) -> Resources:
        entries = [entry._replace(kind=_kinds.changed(entry.kind, change, *arguments)) for entry in self._entries]
        return self._with(_entries.merged([], entries))

    def _with(self, entries: tuple[Entry, ...], other: Resources | None = None) -> Resources:
        made = Resources.__new__(Resources)
        made._entries = entries
        made._class = self._class or (other and other._class)
        return made

    def _complaint(self, missing: Resources) -> tuple[str, Resources]:
        """Returns the message of an error, and what is missing."""
        text = f"expected resources that are contained in {self or 'nothing'}; these are not: {missing}"
        if self.unallocated().contains(missing.unallocated()):
            text += ". They differ in the role that they are allocated to, which allocated() and unallocated() change"
        return text, missing


def wanted_of(wish: Source, amounts: Mapping[str, Any]) -> tuple[_find.Wanted, ...]:
    """Returns what a wish wants; in one by names, a number may be a number of ports.

    :raises ArgumentTypeError: there is no wish
    :raises ArgumentValueError: an amount is not valid
    """
    if amounts and wish is not _NOTHING:
        raise ArgumentTypeError("expected messages, text or amounts by name as a wish, not several of them")
    by_name = amounts or (wish if isinstance(wish, Mapping) else None)
    if by_name is not None:
        read = {name: _amounts.read(name, given) for name, given in by_name.items() if given is not None}
        return tuple(
            _find.Wanted(_kinds.named(name, type_), amount) for name, (type_, amount) in read.items() if amount
        )
    return tuple(_find.Wanted(*entry) for entry in _resources(wish)._entries)


def _resources(value: Any) -> Resources:
    return value if isinstance(value, Resources) else Resources(value)


def _from_amounts(amounts: Mapping[str, Any]) -> Iterator[Entry]:
    for name, given in amounts.items():
        if not isinstance(name, str) or not name:
            raise ArgumentValueError(f"expected names of resources, got {name!r}")
        type_, amount = _amounts.read(name, given)
        if name == "ports" and type_ == SCALAR:
            raise ArgumentValueError(
                f"expected ranges such as [(31000, 31009)] as ports, got {given!r}; find(ports={given!r}) finds so many"
            )
        yield Entry(_kinds.named(name, type_), amount)
