"""What ``make chaos`` and ``make soak`` find: a little chaos on the embedded cluster, and faults that are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.books import Books
from tests.chaos.scenarios import SCENARIOS, TOWNS, Play
from tests.chaos.towns import Ledger
from tests.soak.measure import Rule, Sample

if TYPE_CHECKING:
    from pathlib import Path

REGISTERED = {"kind": "registered", "framework": "f", "master": "m"}
LAUNCH = {"kind": "launch", "tasks": ["t"], "long": ["t"], "agent": "a"}


def update(state: str, uuid: str | None = "u", **fields: Any) -> dict[str, Any]:
    return {"kind": "update", "task": "t", "state": state, "uuid": uuid, "reason": None, **fields}


@pytest.mark.parametrize(("trouble", "times"), [("master", 1), ("connections", 6)])
def test_the_books_balance(trouble: str, times: int, tmp_path: Path) -> None:
    said: list[str] = []
    play = Play(TOWNS["embedded"](tmp_path), "classic", times, 7, tmp_path, said.append)
    SCENARIOS[trouble][0](play)
    assert len(said) == times
    assert play.stage is not None
    assert play.stage.pauses > 0


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([REGISTERED, {"kind": "reregistered", "master": "m"}], "registered twice"),
        ([REGISTERED, {"kind": "disconnected"}, {"kind": "offered", "offers": ["o"]}], "offers while disconnected"),
        ([REGISTERED, {"kind": "offered", "offers": ["o", "o"]}], "an offer twice"),
        ([REGISTERED, update("TASK_RUNNING")], "never launched"),
        ([REGISTERED, LAUNCH, update("TASK_RUNNING"), update("TASK_RUNNING")], "an acknowledged update again"),
        ([REGISTERED, LAUNCH, update("TASK_FINISHED"), update("TASK_RUNNING", "v")], "it was TASK_FINISHED"),
        ([REGISTERED, {"kind": "error", "message": "gone"}], "an error"),
    ],
)
def test_what_a_driver_must_not_do_is_found(lines: list[dict[str, Any]], fault: str, tmp_path: Path) -> None:
    books = read(tmp_path, lines)
    assert len(books.faults) == 1
    assert fault in books.faults[0]


def read(directory: Path, lines: list[dict[str, Any]]) -> Books:
    """Books with these lines, a minute apart."""
    journal = directory / "journal"
    journal.write_text("".join(json.dumps({"time": 60.0 * n, **line}) + "\n" for n, line in enumerate(lines)))
    return Books(journal).read()


@pytest.mark.parametrize(
    ("lines", "ledger", "difference"),
    [
        ([update("TASK_RUNNING")], Ledger(agents={"a"}), "the master does not have it"),
        ([update("TASK_FINISHED")], Ledger(agents={"a"}), "the master does not have it"),
        (
            [update("TASK_RUNNING")],
            Ledger(agents={"a"}, completed={"t": "TASK_FAILED"}),
            "the framework as TASK_RUNNING",
        ),
        ([], Ledger(agents={"a"}, active={"t": "TASK_RUNNING"}), "the framework as TASK_STAGING"),
        ([], Ledger(agents={"a"}, active={"t": "TASK_STAGING", "x": "TASK_RUNNING"}), "the framework as nothing"),
        ([update("TASK_LOST", None)], Ledger(agents={"a"}, missing=1), "1 agents have not registered"),
    ],
)
def test_books_that_do_not_balance_are_found(
    lines: list[dict[str, Any]], ledger: Ledger, difference: str, tmp_path: Path
) -> None:
    differences = read(tmp_path, [REGISTERED, LAUNCH, *lines]).compare(ledger)
    assert len(differences) == 1
    assert difference in differences[0]


def test_books_that_balance(tmp_path: Path) -> None:
    books = read(tmp_path, [REGISTERED, LAUNCH, update("TASK_RUNNING"), {"kind": "disconnected"}, REGISTERED])
    assert books.compare(Ledger(agents={"a"}, active={"t": "TASK_RUNNING"})) == []
    assert books.faults == []


@pytest.mark.parametrize(
    ("grows", "found"),
    [
        ({}, []),
        ({"threads": 0.01}, ["threads grew"]),
        ({"descriptors": 0.01}, ["descriptors grew"]),
        ({"heap_kb": 0.1}, ["malloc's memory grew by 102.4 bytes each"]),
        ({"python_blocks": 0.1}, ["Python's memory grew by 0.100 blocks each"]),
        ({"resident_kb": 10}, ["resident memory grew"]),
    ],
)
def test_what_is_not_flat_is_found(grows: dict[str, float], found: list[str]) -> None:
    still = {
        "resident_kb": 50_000,
        "heap_kb": 8000,
        "python_blocks": 9000,
        "threads": 3,
        "descriptors": 9,
        "children": 0,
    }
    samples = [
        (float(units), Sample(**{name: value + units * grows.get(name, 0) for name, value in still.items()}))
        for units in range(0, 4000, 100)
    ]
    broken = Rule(heap_bytes=64, python_blocks=0.05).broken(samples)
    assert len(broken) == len(found)
    for text, line in zip(found, broken, strict=True):
        assert text in line
