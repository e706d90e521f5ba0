"""Amounts of one resource, whoever it belongs to, and their arithmetic. Follows ``src/v1/values.cpp``.

A scalar is an int in thousandths, ranges are sorted pairs of which no two overlap or touch, and a set is a tuple.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, TypeAlias, overload

from mesos.errors import ArgumentTypeError, ArgumentValueError

Pairs: TypeAlias = tuple[tuple[int, int], ...]
Amount: TypeAlias = int | Pairs | tuple[str, ...]
#: The value of a resource, as users see it.
Value: TypeAlias = "float | Ranges | frozenset[str]"

#: The numbers of ``Value.Type``.
SCALAR, RANGES, SET = 0, 1, 2
#: The most that the text form takes, as for an agent of an embedded cluster.
SCALAR_MAX = 10**12
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)
_RANGE = re.compile(r"\+?(\d+)-\+?(\d+)", re.ASCII)
_LARGEST = 2**64 - 1


class Ranges(Sequence[int]):
    """Numbers, such as those of ports, that are kept as ranges. It is a sequence of the numbers, from the lowest.

    >>> ports = Ranges([(31000, 31004), (31010, 31010)])
    >>> ports
    Ranges('[31000-31004, 31010-31010]')
    >>> ports[0], len(ports), 31005 in ports
    (31000, 6, False)
    >>> ports.pairs
    ((31000, 31004), (31010, 31010))

    :param numbers: numbers, pairs of the first and the last number, ``range`` objects, or Mesos' text form
    :raises ArgumentTypeError: something else is among them
    :raises ArgumentValueError: the last number of a range is less than the first, or one is below 0 or over 64 bits
    """

    __slots__ = ("_pairs",)

    def __init__(self, numbers: str | Iterable[int | tuple[int, int] | range] = ()) -> None:
        if isinstance(numbers, str):
            kind, amount = parse(numbers)
            if kind != RANGES:
                raise ArgumentValueError(f"expected ranges such as '[31000-32000]', got {numbers!r}")
            self._pairs: Pairs = amount  # type: ignore[assignment]
        else:
            self._pairs = coalesced([pair for each in numbers for pair in _pairs(each)])

    @property
    def pairs(self) -> Pairs:
        """The first and the last number of each range."""
        return self._pairs

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = index if index >= 0 else index + len(self)
        for first, last in self._pairs if position >= 0 else ():
            if position <= last - first:
                return first + position
            position -= last - first + 1
        raise IndexError("there are fewer numbers")

    def __len__(self) -> int:
        return count(RANGES, self._pairs)

    def __iter__(self) -> Iterator[int]:
        for first, last in self._pairs:
            yield from range(first, last + 1)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and any(first <= number <= last for first, last in self._pairs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Ranges):
            return self._pairs == other._pairs
        return list(self) == other if isinstance(other, list) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __str__(self) -> str:
        return shown(RANGES, self._pairs)

    def __repr__(self) -> str:
        return f"Ranges('{self}')"


def made(ranges: Pairs) -> Ranges:
    """Returns these pairs, which are coalesced, as users see them."""
    made = Ranges.__new__(Ranges)
    made._pairs = ranges
    return made


def thousandths(number: float) -> int:
    """Returns the nearest number of thousandths, and of two the one away from zero, as ``llround`` does."""
    scaled = abs(number) * 1000
    whole = int(scaled)
    whole += scaled - whole >= 0.5
    return whole if number >= 0 else -whole


def coalesced(pairs: Iterable[tuple[int, int]]) -> Pairs:
    """Returns ranges in order, those that overlap or touch as one."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def plus(kind: int, one: Any, other: Any) -> Any:
    """Returns the sum of two amounts of one kind."""
    if kind == SCALAR:
        return one + other
    if kind == RANGES:
        return coalesced(one + other)
    return one + tuple(item for item in other if item not in one)


def minus(kind: int, one: Any, other: Any) -> Any:
    """Returns what of an amount is left without another one; a scalar may become negative."""
    if kind == SCALAR:
        return one - other
    if kind == SET:
        return tuple(item for item in one if item not in other)
    left: list[tuple[int, int]] = []
    cuts, position = other, 0
    for index, (first, last) in enumerate(one):
        while position < len(cuts) and cuts[position][1] < first:
            position += 1
        if position == len(cuts):
            left += one[index:]
            break
        at = position
        while at < len(cuts) and cuts[at][0] <= last:
            if first < cuts[at][0]:
                left.append((first, cuts[at][0] - 1))
            first = cuts[at][1] + 1
            at += 1
        if first <= last:
            left.append((first, last))
    return tuple(left)


def common(kind: int, one: Any, other: Any) -> Any:
    """Returns what two amounts of one kind have in common."""
    return min(one, other) if kind == SCALAR else minus(kind, one, minus(kind, one, other))


def includes(kind: int, one: Any, other: Any) -> bool:
    """Returns whether all of another amount is in this one."""
    if kind == SCALAR:
        return bool(other <= one)
    if kind == SET:
        return set(other) <= set(one)
    return not minus(RANGES, other, one)


def count(kind: int, amount: Any) -> int:
    """Returns how many numbers ranges have, or items a set."""
    return sum(last - first + 1 for first, last in amount) if kind == RANGES else len(amount)


def first(kind: int, amount: Any, number: int) -> Any:
    """Returns the first numbers of ranges, or items of a set."""
    if kind == SET:
        return amount[:number]
    taken = []
    for begin, last in amount:
        if number <= 0:
            break
        taken.append((begin, min(last, begin + number - 1)))
        number -= last - begin + 1
    return tuple(taken)


def shown(kind: int, amount: Any) -> str:
    """Returns an amount as Mesos writes it: ``0.5``, ``[31000-32000]``, ``{a, b}``."""
    if kind == SCALAR:
        return f"{amount / 1000:.15g}"
    if kind == RANGES:
        return f"[{', '.join(f'{first}-{last}' for first, last in amount)}]"
    return f"{{{', '.join(amount)}}}"


def value(kind: int, amount: Any) -> Value:
    """Returns an amount as users see it."""
    return float(amount / 1000) if kind == SCALAR else made(amount) if kind == RANGES else frozenset(amount)


def parse(text: str) -> tuple[int, Amount]:
    """Reads ``8``, ``[31000-32000]`` or ``{a,b}`` as an agent of an embedded cluster does.

    :raises ArgumentValueError: the text has none of these forms
    """
    text = "".join(text.split())
    if text[:1] == "[" and text[-1:] == "]":
        found = [_RANGE.fullmatch(part) for part in text[1:-1].split(",") if part]
        pairs = [(int(each[1]), int(each[2])) for each in found if each]
        if len(pairs) < len(found) or any(not first <= last <= _LARGEST for first, last in pairs):
            raise ArgumentValueError("expected ranges [begin-end,...]")
        return RANGES, coalesced(pairs)
    if len(text) > 1 and text[0] == "{" and text[-1] == "}":
        return SET, unique(item for item in text[1:-1].split(",") if item)
    if not _NUMBER.fullmatch(text):
        raise ArgumentValueError("expected a number, [ranges] or {set}")
    if not 0 <= float(text) <= SCALAR_MAX:
        raise ArgumentValueError(f"expected a number from 0 to {SCALAR_MAX}")
    return SCALAR, thousandths(float(text))


def unique(items: Iterable[str]) -> tuple[str, ...]:
    """Returns the items of a set.

    :raises ArgumentValueError: one is there twice
    """
    listed = tuple(items)
    if len(set(listed)) < len(listed):
        raise ArgumentValueError("Invalid set resource: duplicated elements")
    return listed


def read(name: str, given: Any) -> tuple[int, Amount]:
    """Returns what a user gives as the amount of a resource.

    :raises ArgumentTypeError: the value has the wrong type
    :raises ArgumentValueError: the value is not an amount
    """
    expected = f"expected a number, ranges such as [(31000, 31009)] or a set such as {{'a', 'b'}} as {name}"
    if isinstance(given, str):
        try:
            return parse(given)
        except ArgumentValueError as error:
            raise ArgumentValueError(f"{name}: {error}, got {given!r}") from None
    if type(given) in (int, float) or (isinstance(given, Real) and not isinstance(given, bool)):
        number = float(given)
        if not 0 <= number < math.inf or (number and not thousandths(number)):
            raise ArgumentValueError(f"expected 0 or a finite number from 0.001 as {name}, got {given!r}")
        return SCALAR, thousandths(number)
    if isinstance(given, Ranges):
        return RANGES, given.pairs
    if isinstance(given, bool | bytes | Mapping) or not isinstance(given, Iterable):
        raise ArgumentTypeError(f"{expected}, got {given!r}")
    items = list(given)
    if items and all(isinstance(item, str) for item in items):
        # The order of a Python set differs from run to run.
        return SET, unique(sorted(items) if isinstance(given, set | frozenset) else items)
    if isinstance(given, range) and given.step == 1:
        items = [given]
    try:
        return RANGES, Ranges(items).pairs
    except ArgumentTypeError:
        raise ArgumentTypeError(f"{expected}, got {given!r}") from None


def _pairs(item: Any) -> Iterable[tuple[int, int]]:
    """Returns the ranges of a number, of a pair or of a ``range``."""
    if isinstance(item, range):
        found = [(item[0], item[-1])] if item and item.step == 1 else [(number, number) for number in item]
    elif isinstance(item, int) and not isinstance(item, bool):
        found = [(item, item)]
    elif isinstance(item, tuple | list) and len(item) == 2 and all(type(end) is int for end in item):
        found = [(item[0], item[1])]
    else:
        raise ArgumentTypeError(f"expected numbers or pairs of numbers as ranges, got {item!r}")
    for begin, last in found:
        if not 0 <= begin <= last <= _LARGEST:
            raise ArgumentValueError(f"expected ranges from a number to one that is not less, got {item!r}")
    return found
