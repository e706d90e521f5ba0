"""Writes the tables of `remesos check` in `docs/porting.md` from the rules themselves.

python tools/check_table.py
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mesos._check._findings import WILL
from mesos._check._paths import FILE_CODES, SUBJECTS
from mesos._check._requirements import REQUIREMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesos._check._rules import Rules

PAGE = Path(__file__).resolve().parent.parent / "docs/porting.md"
BEGIN, END = "<!-- begin of the rules: written by tools/check_table.py -->\n", "<!-- end of the rules -->\n"
Row = tuple[str, str, str, str]


def groups() -> dict[str, list[Row]]:
    """Returns the code, severity, message and remedy of each kind of finding, by subject."""
    return {
        "whole files": [(code, *row) for code, row in FILE_CODES.items()],
        **{subject: _rows(rules) for subject, rules in SUBJECTS.items()},
        "requirements": [(code, severity, text, end) for code, (severity, _, text, end) in REQUIREMENTS.items()],
    }


def _rows(rules: Rules) -> list[Row]:
    return [(rule.code, rule.severity, rule.message, rule.remedy) for rule in rules.all]


def tables() -> str:
    """Returns the tables as Markdown."""
    return "\n".join(_table(subject, rows) for subject, rows in groups().items())


def _table(subject: str, rows: Iterable[Row]) -> str:
    lines = [f"| {subject} | what it is | remedy |", "|---|---|---|"]
    for code, severity, message, remedy in rows:
        mark = "" if severity == WILL else " (may)"
        lines.append(f"| `{code}`{mark} | {_cell(message)} | {_cell(remedy)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("{name}", "NAME").replace("|", "\\|").replace("*_", "\\*_").replace("__", "\\_\\_")


def page(text: str) -> str:
    """Returns the page with today's tables."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
