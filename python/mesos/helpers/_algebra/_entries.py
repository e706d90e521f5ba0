"""Sums, differences and comparisons of lists of resources, in the order that Mesos gives them.

What is added takes the place of its like, or the last one; what is used up leaves its place to the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from mesos.errors import ArgumentTypeError
from mesos.helpers._algebra import _amounts, _kinds, _text
from mesos.helpers._algebra._kinds import Entry

Entries: TypeAlias = tuple[Entry, ...]


def merged(before: Iterable[Entry], more: Iterable[Entry]) -> Entries:
    """Adds resources to those of their kind."""
    entries = list(before)
    places = {_sum(entry): place for place, entry in enumerate(entries) if not entry.kind.whole}
    for entry in more:
        kind, amount, copies = entry
        if not amount:
            continue
        place = None if kind.whole else places.setdefault(_sum(entry), len(entries))
        if place is None or place == len(entries):
            entries.append(entry)
        elif kind.shared:
            entries[place] = entries[place]._replace(copies=entries[place].copies + copies)
        else:
            have = entries[place]
            entries[place] = Entry(have.kind, _amounts.plus(kind.type, have.amount, amount))
    return tuple(entries)


def subtracted(entries: Entries, less: Iterable[Entry]) -> tuple[Entries, Entries]:
    """Returns what is left, and what was to be taken away and is not there."""
    left, missing = list(entries), []
    for entry in less:
        place = next((place for place, have in enumerate(left) if _is_like(have, entry)), None)
        if place is None:
            missing.append(entry)
            continue
        if not _includes(left[place], entry):
            missing.append(entry)
        rest = _rest(left[place], entry)
        if rest is not None:
            left[place] = rest
            continue
        last = left.pop()
        if place < len(left):
            left[place] = last
    return tuple(left), tuple(missing)


def contains(entries: Entries, wanted: Entries) -> bool:
    """Returns whether all that is wanted is there; of a volume that is wanted twice there have to be two."""
    left = list(entries)
    for entry in wanted:
        place = next((at for at, have in enumerate(left) if _is_like(have, entry) and _includes(have, entry)), None)
        if place is None:
            return False
        if entry.kind.persistent and not entry.kind.shared:
            del left[place]
    return True


def read(source: Any) -> tuple[list[Entry], Any]:
    """Returns the resources of messages, and the class that these have.

    :raises ArgumentTypeError: these are no messages that have resources
    :raises ArgumentValueError: a resource is not valid
    """
    serialize = getattr(source, "SerializePartialToString", None)
    if serialize is not None and source.DESCRIPTOR.name == "Resource":
        return [_kinds.entry(serialize())], type(source)
    # Protobuf's repeated fields have no __iter__.
    listed = _iterated(source if serialize is None else list(_listed(source)))
    if listed is None:
        raise ArgumentTypeError(
            "expected an offer, a task, Resource messages, text such as 'cpus:2;mem:1024' or amounts by name as "
            f"resources, got {type(source).__name__}"
        )
    entries, message_class, entry = [], None, _kinds.entry
    for resource in listed:
        try:
            entries.append(entry(resource.SerializePartialToString()))
        except AttributeError:
            if not isinstance(resource, Mapping):
                raise ArgumentTypeError(f"expected Resource messages, got {type(resource).__name__}") from None
            entries.append(_text.from_dict(dict(resource)))
        else:
            message_class = type(resource)
    return entries, message_class


def _iterated(values: Any) -> Iterator[Any] | None:
    """Returns an iterator, or None if there is none or one of numbers."""
    try:
        return None if isinstance(values, bytes) else iter(values)
    except TypeError:
        return None


def _listed(message: Any) -> Iterator[Any]:
    """Returns the resources of an offer, a task with its executor, or another message that has some."""
    fields = message.DESCRIPTOR.fields_by_name
    if "resources" not in fields and "tasks" not in fields:
        raise ArgumentTypeError(f"expected a message that has resources, got {type(message).__name__}")
    if "resources" in fields:
        yield from message.resources
    if "executor" in fields:
        yield from message.executor.resources
    if "tasks" in fields:
        for task in message.tasks:
            yield from _listed(task)


def _sum(entry: Entry) -> str:
    """Returns what entries have in common that are added up: copies of a shared volume are of one size."""
    return f"{entry.kind.key}{entry.amount}" if entry.kind.shared else entry.kind.key


def _is_like(one: Entry, other: Entry) -> bool:
    """Returns whether one can be taken away from the other: of what is used as a whole, the amounts are equal."""
    kind = one.kind
    return kind.key == other.kind.key and (not (kind.whole or kind.shared) or one.amount == other.amount)


def _includes(have: Entry, wanted: Entry) -> bool:
    """Returns whether all of an entry's like is in it."""
    if have.kind.shared:
        return have.copies >= wanted.copies
    return _amounts.includes(have.kind.type, have.amount, wanted.amount)


def _rest(have: Entry, less: Entry) -> Entry | None:
    """Returns what is left of an entry, or None if it is used up."""
    kind = have.kind
    if kind.shared:
        copies = have.copies - less.copies
        return have._replace(copies=copies) if copies > 0 else None
    amount = _amounts.minus(kind.type, have.amount, less.amount)
    return Entry(kind, amount) if amount and (kind.type or amount > 0) else None
