"""The figures: what is measured, in which unit, beside whom, and what is to be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.figures.measurements import COMMANDS, FIRST_OFFER, IMPORTS, OFFERS, TASKS, UPDATES, WHEEL
from benches.figures.participants import APACHE, DASK, FLOOR

if TYPE_CHECKING:
    from benches.figures.measurements import Measurement


@dataclass(frozen=True)
class Row:
    """A figure.

    :param key: the value of a reading that counts
    :param base: the participant that ratios are taken to
    :param goal: what ours must not exceed: a ratio to the base, or a value in the unit
    :param goal_is_ratio: which of the two
    """

    name: str
    title: str
    unit: str
    measurement: Measurement
    key: str
    base: str
    goal: float
    goal_is_ratio: bool = False


ROWS = (
    Row("task", "CPU per no-op task on the real Mesos", "us", TASKS, "cpu_us", APACHE, 0.20, True),
    Row("memory", "peak memory of a scheduler after the no-op tasks", "MB", TASKS, "peak_mb", APACHE, 24),
    Row("update", "CPU per flooded update with its acknowledgement", "us", UPDATES, "cpu_us", FLOOR, 4, True),
    Row("offer", "CPU per flooded offer", "us", OFFERS, "cpu_us", FLOOR, 1.2, True),
    Row("wheel", "size of the wheel", "MB", WHEEL, "size_mb", APACHE, 6),
    # What "stays" is what rounds to the figure that was reached.
    Row("first-offer", 'from the master "local" to the first offer', "s", FIRST_OFFER, "wall_s", APACHE, 0.025),
    Row("import", "CPU of importing the driver and the messages", "s", IMPORTS, "cpu_s", APACHE, 0.055),
    Row("commands", "200 no-op command tasks on 8 slots, embedded", "s", COMMANDS, "wall_s", DASK, 0.5),
)
