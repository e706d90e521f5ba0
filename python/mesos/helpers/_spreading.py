"""Where tasks of one kind run in relation to one another, under the names that Marathon's constraints have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.helpers._attributes import Field


class Spread:
    """How tasks are spread over the values of a field: made by :func:`unique`, :func:`max_per` and :func:`group_by`.

    Wishes that share a spread are counted together, beside the tasks that run already. Nothing is remembered from one
    call of ``match`` to the next.

    >>> from mesos.helpers import hostname
    >>> max_per(hostname, 2, running={"host-1": 1}).running
    Counter({'host-1': 1})

    :ivar field: the field
    :ivar running: how many tasks run already, by value
    """

    __slots__ = ("_groups", "_most", "field", "running")

    def __init__(
        self, field: Field, most: int | None, groups: int | None, running: Iterable[Any] | Mapping[Any, int]
    ) -> None:
        if not isinstance(field, Field):
            raise ArgumentTypeError(f"expected a field such as hostname or attribute('rack'), got {field!r}")
        for name, number in (("the most tasks of a value", most), ("groups", groups)):
            if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
                raise ArgumentValueError(f"expected an int from 1 as {name}, got {number!r}")
        self.field, self._most, self._groups = field, most, groups
        # A mapping has how many, anything else the values of the tasks.
        self.running = Counter(running)

    def allows(self, offer: Any, placed: Counter[Any], known: Iterable[Any]) -> bool:
        """Returns whether one more task may run on an offer's agent.

        :param placed: how many tasks run and are placed by now, by value
        :param known: the values of the offers that satisfy the wish otherwise
        """
        value = self.field.of(offer)
        if value is None:
            return False
        if self._most is not None:
            return placed[value] < self._most
        values = {value, *placed, *known} - {None}
        fewest = 0 if len(values) < (self._groups or 0) else min(placed[each] for each in values)
        return placed[value] <= fewest

    def __repr__(self) -> str:
        kind = f"at most {self._most} per" if self._most is not None else "evenly over"
        return f"<Spread {kind} {self.field!r}>"


def unique(field: Field, running: Iterable[Any] | Mapping[Any, int] = ()) -> Spread:
    """Allows one task for each value, such as one on each host.

    >>> from mesos.helpers import hostname
    >>> unique(hostname, running=["host-1"])
    <Spread at most 1 per hostname>

    :param field: what has the values; an agent without a value gets no task
    :param running: the values that the tasks that run already have, each as often as tasks have it
    :raises ArgumentTypeError: the field is not a :class:`Field`
    """
    return Spread(field, 1, None, running)


def max_per(field: Field, number: int, running: Iterable[Any] | Mapping[Any, int] = ()) -> Spread:
    """Allows so many tasks for each value.

    :param field: as for :func:`unique`
    :param number: how many, from 1
    :param running: as for :func:`unique`
    :raises ArgumentTypeError: the field is not a :class:`Field`
    :raises ArgumentValueError: the number is not valid
    """
    return Spread(field, number, None, running)


def group_by(field: Field, groups: int | None = None, running: Iterable[Any] | Mapping[Any, int] = ()) -> Spread:
    """Spreads tasks evenly: the next one gets a value that the fewest tasks have.

    :param field: as for :func:`unique`
    :param groups: how many values there are in the cluster; while fewer of them have been seen, no value gets a second
        task. If None, the values of the offers and of tasks that run
    :param running: as for :func:`unique`
    :raises ArgumentTypeError: the field is not a :class:`Field`
    :raises ArgumentValueError: the number is not valid
    """
    return Spread(field, None, groups, running)
