"""Finds which resources satisfy a wish. Follows ``Resources::find`` in ``src/v1/resources.cpp``, except that a wish may
be found in any number of parts, and that no two wishes find the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mesos.helpers._algebra import _amounts, _kinds
from mesos.helpers._algebra._amounts import RANGES, SCALAR, SET
from mesos.helpers._algebra._kinds import Entry, Kind


class Wanted(NamedTuple):
    """How much of what is wanted, and so many copies of it if it is shared."""

    kind: Kind
    amount: Any
    copies: int = 1


def find(entries: Sequence[Entry], wanted: Iterable[Wanted], role: str | None, revocable: bool) -> list[Entry] | None:
    """Returns which resources satisfy a wish, or None if they do not."""
    pool = list(entries)
    found: list[Entry] = []
    for want in wanted:
        taken = _take(pool, want, role, revocable=True) if revocable else None
        if taken is None:
            taken = _take(pool, want, role, revocable=False)
        if taken is None:
            return None
        found += taken
    return found


def _take(pool: list[Entry], want: Wanted, role: str | None, *, revocable: bool) -> list[Entry] | None:
    """Takes what is wanted out of the pool, or leaves it as it is and returns None."""
    kind, need = want.kind, want.amount
    places = _places(pool, (kind,), revocable)
    by_count = not places and kind.type == SCALAR and need % 1000 == 0
    if by_count:
        places = _places(pool, (_kinds.named(kind.name, RANGES), _kinds.named(kind.name, SET)), revocable)
        need //= 1000
    if len(places) > 1:
        preferred = kind.role or role
        places.sort(key=lambda place: _rank(pool[place].kind, preferred))
    taken: list[tuple[int, Entry]] = []
    for place in places:
        have = pool[place]
        if kind.shared or have.kind.whole:
            if have.amount != need or have.copies < want.copies:
                continue
            part, need = need, None
        elif by_count:
            part = _amounts.first(have.kind.type, have.amount, need)
            need -= _amounts.count(have.kind.type, part)
        else:
            part = _amounts.common(kind.type, have.amount, need)
            need = _amounts.minus(kind.type, need, part)
        if part:
            taken.append((place, Entry(_used(have.kind, kind), part, want.copies)))
        if not need:
            break
    if need:
        return None
    for place, entry in taken:
        have = pool[place]
        if kind.shared:
            pool[place] = have._replace(copies=have.copies - entry.copies)
        else:
            pool[place] = Entry(have.kind, _amounts.minus(have.kind.type, have.amount, entry.amount))
    return [entry for _, entry in taken]


def _places(pool: list[Entry], kinds: tuple[Kind, ...], revocable: bool) -> list[int]:
    """Returns where resources of these kinds are, whoever they are reserved for."""
    loose = [(_kinds.changed(kind, _make_revocable) if revocable else kind).loose for kind in kinds]
    return [place for place, entry in enumerate(pool) if entry.kind.loose in loose]


def _make_revocable(resource: Any) -> None:
    resource.revocable.SetInParent()


def _rank(kind: Kind, role: str | None) -> int:
    """Returns how early a kind is taken: what is reserved for the role, what is not reserved, and anything else."""
    if kind.role is None:
        return 1
    # Without any role known, what a framework is offered is reserved for it or for a role above.
    preferred = role or kind.allocated or kind.role
    return 0 if kind.role == preferred else 2


def _used(kind: Kind, wanted: Kind) -> Kind:
    """Returns a kind as it is used: a volume has the path in the container that the wish says."""
    return _kinds.changed(kind, _kinds.mount, wanted.data) if wanted.persistent else kind
