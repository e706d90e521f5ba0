"""Makes HTML, and escapes what it is made of."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_T = TypeVar("_T", bound="Row")

_LINE = "rgba(128,128,128,.35)"
_CELL = "text-align:left"
_LONGEST = 120
"""Longer texts are cut."""
MOST_ROWS = 100
"""A table shows so many rows at most."""

COLORS = {
    "TASK_STAGING": "#9a8ad6",
    "TASK_STARTING": "#5b9bd5",
    "TASK_RUNNING": "#2f9e63",
    "TASK_KILLING": "#d08a1d",
    "TASK_UNREACHABLE": "#b58a5a",
    "TASK_UNKNOWN": "#8a8a8a",
    "TASK_FINISHED": "#4178be",
    "TASK_KILLED": "#8a8f98",
    "TASK_FAILED": "#d64545",
    "TASK_ERROR": "#b5367a",
    "TASK_LOST": "#e07b39",
    "TASK_DROPPED": "#c75d2c",
    "TASK_GONE": "#a0522d",
    "TASK_GONE_BY_OPERATOR": "#7a4a2b",
}
"""The color of each state, which is legible on light and on dark grounds."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: object, **attributes: object) -> Html:
    """Returns an element. Children that are not :class:`Html`, and all attributes, are escaped."""
    written = "".join(f' {key}="{html.escape(str(value))}"' for key, value in attributes.items())
    return Html(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: object) -> Html:
    """Returns elements and texts after one another."""
    return Html("".join(child if isinstance(child, Html) else html.escape(_cut(str(child))) for child in children))


def _cut(text: str) -> str:
    # Surrogates cannot be sent to a browser.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Html:
    """Returns a table of the first rows, which says how many there are more."""
    head = tag("tr", *(tag("th", column, style=f"{_CELL};opacity:.7") for column in columns))
    shown = [tag("tr", *(tag("td", cell, style=_CELL) for cell in row)) for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        more = f"and {len(rows) - MOST_ROWS} more"
        shown.append(tag("tr", tag("td", more, style=f"{_CELL};opacity:.7", colspan=len(columns))))
    style = "border-collapse:collapse;margin:.4em 0"
    return tag("table", tag("thead", head), tag("tbody", *shown), style=style)


def bar(used: float, total: float, unit: str = "") -> Html:
    """Returns how much of something is used, as a bar and in numbers."""
    share = min(1.0, max(0.0, used / total)) if total > 0 else 0.0
    inner = tag("span", style=f"display:block;height:100%;width:{share:.1%};background:#4178be")
    style = (
        "display:inline-block;width:7em;height:.7em;margin-right:.5em;"
        f"overflow:hidden;border:1px solid {_LINE};border-radius:2px"
    )
    return joined(tag("span", inner, style=style), f"{number(used)} of {number(total)}{unit}")


def number(value: float) -> str:
    """Returns a quantity of a resource, to the thousandth, as Mesos has it."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def states(counts: Mapping[str, int]) -> Html:
    """Returns how many tasks are in each state."""
    shown = [joined(_dot(state), f" {count} {state}") for state, count in counts.items()]
    return joined(*(part for each in shown for part in (each, Html("&ensp;")))) if shown else joined("none")


def state(name: str) -> Html:
    """Returns a task's state."""
    return joined(_dot(name), f" {name}")


def _dot(state: str) -> Html:
    return tag("span", "●", style=f"color:{COLORS.get(state, '#8a8a8a')}")


def pairs(values: Iterable[tuple[str, object]]) -> Html:
    """Returns names and their values, one pair a line."""
    rows = [
        tag("tr", tag("th", name, style=f"{_CELL};opacity:.7"), tag("td", value, style=_CELL)) for name, value in values
    ]
    return tag("table", tag("tbody", *rows), style="border-collapse:collapse;margin:.2em 0")


def titled(title: object, *children: object) -> Html:
    """Returns something with a title."""
    return tag("div", tag("div", title, style="font-weight:600;margin:.2em 0"), *children)


class Displayed:
    """What notebooks show as HTML. Showing it never raises."""

    def _html(self) -> Html:
        raise NotImplementedError

    def _repr_html_(self) -> str | None:
        try:
            return str(self._html())
        except Exception:
            return None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        shown = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        return {
            kind: text
            for kind, text in shown.items()
            if text is not None and (not include or kind in include) and not (exclude and kind in exclude)
        }


class Row(Protocol):
    """What a table shows in a row."""

    @staticmethod
    def _columns() -> tuple[str, ...]: ...

    def _row(self) -> tuple[object, ...]: ...


class DisplayedList(list[_T]):
    """A list that notebooks show as a table."""

    def _repr_html_(self) -> str | None:
        try:
            return str(table(self[0]._columns(), [each._row() for each in self])) if self else None
        except Exception:
            return None

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)
