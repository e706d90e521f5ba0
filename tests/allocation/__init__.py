"""Allocation scenarios, played on the real Mesos and on the embedded cluster.

A scenario (``scenarios/``) says what frameworks and operators do, step by step; its trace says who was offered what
after each step, and whether at once or with the next batch allocation. ``python -m tests.allocation`` plays all on both
and prints one table; the embedded one plays in virtual time, with simulated tasks. What the real one gives is kept in
``recorded.json``: one trace for each scenario, or several if three plays were not the same.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

from tests.allocation.clusters import Embedded, Lane, Real
from tests.allocation.scenarios import scenarios
from tests.allocation.stage import Scenario

__all__ = ["Embedded", "Lane", "Real", "Scenario", "differences", "read_record", "scenarios", "write_record"]

RECORD = Path(__file__).resolve().parent / "recorded.json"


def read_record() -> dict[str, list[list[str]]]:
    """The traces that the real Mesos gave, by scenario."""
    record: dict[str, list[list[str]]] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return record


def write_record(record: dict[str, list[list[str]]]) -> None:
    """Writes the traces down, of scenarios that exist."""
    kept = {scenario.name: record[scenario.name] for scenario in scenarios() if scenario.name in record}
    RECORD.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def differences(expected: list[list[str]], trace: list[str]) -> list[str]:
    """The lines in which a trace differs from the expected one that is nearest to it; none if it is one of them."""
    if trace in expected:
        return []
    compared = [list(difflib.unified_diff(one, trace, "real", "embedded", lineterm="", n=1))[2:] for one in expected]
    return min(compared, key=len, default=["nothing is recorded"])
