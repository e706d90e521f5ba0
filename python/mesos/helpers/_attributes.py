"""What can be asked of an offer's agent: its attributes, its host, its region and its zone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from mesos.errors import ArgumentTypeError
from mesos.helpers._algebra import _amounts
from mesos.helpers._algebra._amounts import RANGES, SCALAR, SET, Ranges

#: The value of an attribute; that of a host, a region and a zone is text.
Value: TypeAlias = "str | float | Ranges | frozenset[str]"


class Condition:
    """Whether an offer is wanted: a function of the offer that can be combined with ``&``, ``|`` and ``~``.

    >>> from mesos.testing import fake_offer
    >>> wanted = (attribute("rack") == "a") & ~(hostname == "broken")
    >>> wanted(fake_offer(attributes={"rack": "a"}))
    True
    >>> wanted
    <Condition attribute('rack') == 'a' & ~(hostname == 'broken')>
    """

    __slots__ = ("_function", "_text")

    def __init__(self, function: Callable[[Any], object], text: str | None = None) -> None:
        self._function = function
        self._text = getattr(function, "__name__", "a function") if text is None else text

    def __call__(self, offer: Any) -> bool:
        return bool(self._function(offer))

    def __and__(self, other: Callable[[Any], object]) -> Condition:
        more = _condition(other)
        return Condition(lambda offer: self(offer) and more(offer), f"{self._text} & {more._text}")

    def __or__(self, other: Callable[[Any], object]) -> Condition:
        more = _condition(other)
        return Condition(lambda offer: self(offer) or more(offer), f"({self._text} | {more._text})")

    def __invert__(self) -> Condition:
        return Condition(lambda offer: not self(offer), f"~({self._text})")

    def __bool__(self) -> bool:
        raise ArgumentTypeError("a condition is true or false of an offer; combine conditions with &, | and ~")

    def __repr__(self) -> str:
        return f"<Condition {self._text}>"


class Field:
    """What an offer's agent has a value of: :func:`attribute`, :data:`hostname`, :data:`region`, :data:`zone`.

    A comparison makes a :class:`Condition`. An agent may have several attributes of one name, of which one has to
    satisfy it; one that has none satisfies only ``!=`` and :meth:`unlike`.

    >>> from mesos.testing import fake_offer
    >>> offer = fake_offer(attributes={"rack": "a-7", "level": 3, "ids": "[1-5]"})
    >>> rack, level, ids = attribute("rack"), attribute("level"), attribute("ids")
    >>> rack.like("a-.*")(offer), (level >= 2)(offer), ids.has(4)(offer), rack.of(offer)
    (True, True, True, 'a-7')
    """

    __slots__ = ("_text", "_values")

    def __init__(self, values: Callable[[Any], Iterable[Value]], text: str) -> None:
        self._values, self._text = values, text

    def of(self, offer: Any) -> Value | None:
        """Returns the value that an offer has: text, a float, :class:`Ranges` or a frozenset; None if it has none."""
        return next(iter(self._values(offer)), None)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        wanted = _value(other)
        return self._any(lambda value: value == wanted, f"== {other!r}")

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        wanted = _value(other)
        return Condition(lambda offer: wanted not in list(self._values(offer)), f"{self._text} != {other!r}")

    __hash__ = object.__hash__

    def __lt__(self, number: float) -> Condition:
        return self._any(lambda value: isinstance(value, float) and value < number, f"< {number!r}")

    def __le__(self, number: float) -> Condition:
        return self._any(lambda value: isinstance(value, float) and value <= number, f"<= {number!r}")

    def __gt__(self, number: float) -> Condition:
        return self._any(lambda value: isinstance(value, float) and value > number, f"> {number!r}")

    def __ge__(self, number: float) -> Condition:
        return self._any(lambda value: isinstance(value, float) and value >= number, f">= {number!r}")

    def is_in(self, values: Iterable[object]) -> Condition:
        """Whether the value is one of these."""
        wanted = [_value(each) for each in values]
        return self._any(lambda value: value in wanted, f"in {wanted!r}")

    def has(self, item: str | int) -> Condition:
        """Whether ranges have this number, or a set this item."""
        return self._any(lambda value: isinstance(value, Ranges | frozenset) and item in value, f"has {item!r}")

    def exists(self) -> Condition:
        """Whether there is a value."""
        return self._any(lambda _: True, "exists")

    def like(self, pattern: str) -> Condition:
        """Whether a regular expression matches all of the text; other values are written as Mesos does."""
        compiled = re.compile(pattern)
        return self._any(lambda value: compiled.fullmatch(_text(value)), f"like {pattern!r}")

    def unlike(self, pattern: str) -> Condition:
        """Whether no value is :meth:`like` this."""
        like = self.like(pattern)
        return Condition(lambda offer: not like(offer), f"{self._text} unlike {pattern!r}")

    def __repr__(self) -> str:
        return self._text

    def _any(self, true: Callable[[Value], object], text: str) -> Condition:
        return Condition(lambda offer: any(true(value) for value in self._values(offer)), f"{self._text} {text}")


def attribute(name: str) -> Field:
    """Returns an attribute of agents, as the flag ``--attributes`` sets it.

    >>> attribute("rack") == "a"
    <Condition attribute('rack') == 'a'>
    """
    if not isinstance(name, str):
        raise ArgumentTypeError(f"expected the name of an attribute, got {name!r}")
    return Field(
        lambda offer: [_attribute(each) for each in offer.attributes if each.name == name], f"attribute({name!r})"
    )


def _of_domain(name: str) -> Field:
    def values(offer: Any) -> list[str]:
        domain = offer.domain.fault_domain
        return [getattr(domain, name).name] if domain.HasField(name) else []

    return Field(values, name)


#: The host of an offer's agent.
hostname = Field(lambda offer: [offer.hostname], "hostname")
#: The region of an offer's agent, by its fault domain.
region = _of_domain("region")
#: The zone of an offer's agent, by its fault domain.
zone = _of_domain("zone")


def _condition(function: Callable[[Any], object]) -> Condition:
    if isinstance(function, Condition):
        return function
    if not callable(function):
        raise ArgumentTypeError(f"expected a condition or a function of an offer, got {function!r}")
    return Condition(function)


def _attribute(message: Any) -> Value:
    """Returns the value of an attribute."""
    if message.type == SCALAR:
        return float(_amounts.thousandths(message.scalar.value) / 1000)
    if message.type == RANGES:
        return Ranges((each.begin, each.end) for each in message.ranges.range)
    if message.type == SET:
        return frozenset(message.set.item)
    text: str = message.text.value
    return text


def _value(given: object) -> object:
    """Returns what a value is compared with: a number has three decimals, as in Mesos."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(_amounts.thousandths(given) / 1000)
    return frozenset(given) if isinstance(given, set) else given


def _text(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.15g}"
    return "{" + ", ".join(sorted(value)) + "}" if isinstance(value, frozenset) else str(value)
