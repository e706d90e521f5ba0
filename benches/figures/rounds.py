"""Lets participants take turns: ours, theirs, the floor, ours, theirs, the floor ..."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.figures.participants import Absent, Failed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benches.figures.measurements import Measurement, Setting, Values
    from benches.figures.participants import Participant


@dataclass(frozen=True)
class Reading:
    """What one participant reported in one round. Round 0 is the warm-up."""

    measurement: str
    participant: str
    round: int
    values: Values


class Rounds:
    """The readings of measurements.

    :param participants: who is there
    :param rounds: how many rounds count
    :param warm_up: whether a round comes before them
    """

    def __init__(self, participants: Iterable[Participant], rounds: int, warm_up: bool = True) -> None:
        self._participants, self._rounds, self._warm_up = list(participants), rounds, warm_up
        self.readings: list[Reading] = []
        self.absent: dict[str, dict[str, str]] = {}
        """Of each measurement, who could not take part, and why."""
        self.failed = False
        """Whether a program of a participant failed."""

    def play(self, measurement: Measurement, setting: Setting) -> None:
        """Reads what each participant takes, round after round. One that cannot take part is left out from then on."""
        absent = self.absent.setdefault(measurement.name, {})
        numbers = [1] if measurement.once else range(0 if self._warm_up else 1, self._rounds + 1)
        for number in numbers:
            for who in self._participants:
                if who.name not in measurement.participants or who.name in absent:
                    continue
                try:
                    values = measurement.read(setting, who)
                except Absent as reason:
                    absent[who.name] = str(reason)
                    self.failed = self.failed or isinstance(reason, Failed)
                else:
                    self.readings.append(Reading(measurement.name, who.name, number, values))
