"""Compares readings: medians with their spread, and ratios of readings of the same round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.figures.participants import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benches.figures.rounds import Reading
    from benches.figures.rows import Row


@dataclass(frozen=True)
class Spread:
    """The median of some values, the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        known = list(values)
        return cls(statistics.median(known), min(known), max(known))


class Figure:
    """The readings of a row.

    :param readings: of all measurements; those of the warm-up, round 0, do not count
    :param absent: why participants of the row have none
    """

    def __init__(self, row: Row, readings: Iterable[Reading], absent: dict[str, str]) -> None:
        self.row, self.absent = row, absent
        self._values: dict[str, dict[int, float]] = {}
        for reading in readings:
            if reading.measurement == row.measurement.name and reading.round > 0 and row.key in reading.values:
                self._values.setdefault(reading.participant, {})[reading.round] = reading.values[row.key]

    @property
    def participants(self) -> list[str]:
        """Those that were measured."""
        return list(self._values)

    @property
    def base(self) -> str:
        """Whom ratios are taken to: the row's base, or ours if that is absent."""
        return self.row.base if self.row.base in self._values else OURS

    def value(self, name: str) -> Spread:
        return Spread.of(self._values[name].values())

    def ratio(self, name: str, to: str) -> Spread | None:
        """The ratio in each round in which both were measured; None if there is none."""
        mine, theirs = self._values.get(name, {}), self._values.get(to, {})
        common = mine.keys() & theirs.keys()
        return Spread.of(mine[number] / theirs[number] for number in common) if common else None

    @property
    def reached(self) -> bool | None:
        """Whether the median of ours reaches the goal; None if ours or the base was not measured."""
        if OURS not in self._values:
            return None
        judged = self.ratio(OURS, self.row.base) if self.row.goal_is_ratio else self.value(OURS)
        return None if judged is None else judged.median <= self.row.goal
