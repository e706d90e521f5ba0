"""Prints the figures, and makes JSON of them and of all readings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benches.figures.machine import QUIET_LOAD
from benches.figures.participants import AGAINST, OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benches.figures.ratios import Figure, Spread
    from benches.figures.rounds import Reading

WIDTHS = (10, 30, 30)
UNSHOWN = ("extension", "debug_build")


def number(value: float) -> str:
    """With three significant digits, and no exponent."""
    places = next((places for limit, places in ((0.1, 4), (1, 3), (10, 2), (100, 1)) if abs(value) < limit), 0)
    return f"{value:.{places}f}"


def spread(values: Spread | None) -> str:
    if values is None:
        return "-"
    return f"{number(values.median)} ({number(values.low)} to {number(values.high)})"


def surroundings(about: dict[str, Any]) -> Iterator[str]:
    """Lines on the machine and the participants, and warnings."""
    machine, revision = about["machine"], about["revision"]
    yield f"{machine['cpu']}, {machine['cores']} cores, load average {machine['load_average']:.2f} at the start"
    if revision:
        yield f"revision {revision['commit'][:12]}{' with changes' if revision['changed'] else ''}"
    for name, made in about["participants"].items():
        yield f"{name}: {', '.join(f'{key} {value}' for key, value in made.items() if key not in UNSHOWN)}"
    if machine["load_average"] > QUIET_LOAD:
        yield f"WARNING: this machine is busy; its load average should be at most {QUIET_LOAD}"
    for name, made in about["participants"].items():
        if made.get("debug_build"):
            yield f"WARNING: {name} is a debug build, whose figures say nothing"
        elif made.get("debug_build", False) is None:
            yield f"WARNING: {name} does not tell whether it is a debug build, as builds before this one"


def table(figure: Figure) -> Iterator[str]:
    """Lines on a row."""
    row = figure.row
    yield f"{row.name}: {row.title}, in {row.unit}"
    yield line("", "median (min to max)", f"ratio to {figure.base}")
    for name in figure.participants:
        ratio = "1" if name == figure.base else spread(figure.ratio(name, figure.base))
        yield line(name, spread(figure.value(name)), ratio)
    if (builds := figure.ratio(OURS, AGAINST)) is not None:
        yield f"  {OURS} / {AGAINST}: {spread(builds)}"
    yield f"  goal: {goal(figure)}"
    for name, reason in figure.absent.items():
        yield f"  absent: {name}: {reason}"


def line(*cells: str) -> str:
    return "  " + "".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def goal(figure: Figure) -> str:
    row = figure.row
    text = f"{OURS} / {row.base} at most {row.goal:g}" if row.goal_is_ratio else f"at most {row.goal:g} {row.unit}"
    verdicts = {True: "reached", False: "NOT REACHED", None: f"not judged, as {OURS} or {row.base} is absent"}
    return f"{text}: {verdicts[figure.reached]}"


def document(about: dict[str, Any], figures: Iterable[Figure], readings: Iterable[Reading]) -> dict[str, Any]:
    """What is written as JSON."""
    return {**about, "rows": [row(figure) for figure in figures], "readings": [asdict(each) for each in readings]}


def row(figure: Figure) -> dict[str, Any]:
    described = figure.row
    return {
        "name": described.name,
        "title": described.title,
        "unit": described.unit,
        "measurement": described.measurement.name,
        "key": described.key,
        "values": {name: asdict(figure.value(name)) for name in figure.participants},
        "base": figure.base,
        "ratios": {name: fields(figure.ratio(name, figure.base)) for name in figure.participants},
        "ratio_to_against": fields(figure.ratio(OURS, AGAINST)),
        "goal": {"limit": described.goal, "is_ratio_to": described.base if described.goal_is_ratio else None},
        "reached": figure.reached,
        "absent": figure.absent,
    }


def fields(values: Spread | None) -> dict[str, float] | None:
    return None if values is None else asdict(values)
