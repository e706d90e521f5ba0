"""The benchmarks of ``benches/figures``: what they compute, what they say, and that each of them still runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benches import aio, dicts, executors, first_offer
from benches.figures import __main__ as program
from benches.figures import participants
from benches.figures.measurements import Measurement, Setting, Sizes
from benches.figures.participants import FINDERS, Absent, Failed, Participant
from benches.figures.ratios import Figure, Spread
from benches.figures.report import document, surroundings, table
from benches.figures.rounds import Reading, Rounds
from benches.figures.rows import ROWS, Row

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

UPDATES = next(row for row in ROWS if row.name == "update")


def readings(row: Row, **values: list[float]) -> Iterator[Reading]:
    """One value for each round, from the first one on."""
    for name, taken in values.items():
        for number, value in enumerate(taken, 1):
            yield Reading(row.measurement.name, name, number, {row.key: value})


def measurement(read: Callable[[Setting, Participant], dict[str, float]], **more: Any) -> Measurement:
    return Measurement("made up", ("remesos", "floor", "Apache"), read, **more)


def somebody(*names: str) -> list[Participant]:
    return [Participant(name, "python", {}) for name in names]


# --- ratios ---


def test_a_spread_is_the_median_with_the_smallest_and_the_largest() -> None:
    assert Spread.of([3.0, 9.0, 4.0]) == Spread(4.0, 3.0, 9.0)


def test_ratios_are_those_of_the_same_round() -> None:
    # In the second round the machine was ten times slower for both.
    figure = Figure(UPDATES, readings(UPDATES, remesos=[4, 50, 6], floor=[1, 10, 2]), {})
    assert figure.ratio("remesos", "floor") == Spread(4.0, 3.0, 5.0)


def test_a_round_that_one_of_both_lacks_has_no_ratio() -> None:
    figure = Figure(UPDATES, readings(UPDATES, remesos=[4, 6, 90], floor=[1, 1]), {})
    assert figure.ratio("remesos", "floor") == Spread(5.0, 4.0, 6.0)
    assert figure.ratio("remesos", "pymesos") is None


def test_the_warm_up_does_not_count() -> None:
    warm_up = Reading(UPDATES.measurement.name, "remesos", 0, {UPDATES.key: 1000.0})
    figure = Figure(UPDATES, [warm_up, *readings(UPDATES, remesos=[4, 5, 6])], {})
    assert figure.value("remesos") == Spread(5.0, 4.0, 6.0)


@pytest.mark.parametrize(("ours", "reached"), [([3.9, 4.0, 9.0], True), ([3.9, 4.1, 4.1], False)])
def test_the_median_of_the_ratios_is_judged(ours: list[float], reached: bool) -> None:
    assert Figure(UPDATES, readings(UPDATES, remesos=ours, floor=[1, 1, 1]), {}).reached is reached


def test_a_goal_in_the_unit_needs_no_base() -> None:
    memory = next(row for row in ROWS if row.name == "memory")
    assert Figure(memory, readings(memory, remesos=[23.0]), {}).reached is True
    assert Figure(memory, readings(memory, remesos=[25.0]), {}).reached is False


def test_without_the_base_ratios_are_to_ours_and_nothing_is_judged() -> None:
    figure = Figure(UPDATES, readings(UPDATES, remesos=[4.0], pymesos=[100.0]), {"floor": "is not there"})
    assert figure.reached is None
    assert figure.ratio("pymesos", figure.base) == Spread(25.0, 25.0, 25.0)
    text = "\n".join(table(figure))
    assert "ratio to remesos" in text
    assert "not judged, as remesos or floor is absent" in text
    assert "absent: floor: is not there" in text


# --- rounds ---


def test_participants_take_turns() -> None:
    rounds = Rounds(somebody("remesos", "floor"), rounds=2)
    rounds.play(measurement(lambda _, who: {"cpu_us": 1.0}), Setting(Sizes()))
    turns = [(each.round, each.participant) for each in rounds.readings]
    assert turns == [(number, name) for number in range(3) for name in ("remesos", "floor")]


def test_what_cannot_change_is_read_once() -> None:
    rounds = Rounds(somebody("remesos"), rounds=5)
    rounds.play(measurement(lambda _, who: {"size_mb": 4.1}, once=True), Setting(Sizes()))
    assert [each.round for each in rounds.readings] == [1]


@pytest.mark.parametrize("error", [Absent, Failed])
def test_one_that_cannot_take_part_is_named_and_the_others_go_on(error: type[Absent]) -> None:
    def read(_: Setting, who: Participant) -> dict[str, float]:
        if who.name == "Apache":
            raise error("there is no Python 2.7")
        return {"cpu_us": 1.0}

    rounds = Rounds(somebody("Apache", "remesos"), rounds=2)
    rounds.play(measurement(read), Setting(Sizes()))
    assert rounds.absent == {"made up": {"Apache": "there is no Python 2.7"}}
    assert {each.participant for each in rounds.readings} == {"remesos"}
    assert rounds.failed is (error is Failed)


# --- participants ---


def options(*arguments: str) -> argparse.Namespace:
    return program.parsed(arguments)


def test_absent_participants_are_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_mesos(home: Path) -> Path:
        raise participants.InstallError("Python 2.7 was not found")

    monkeypatch.setattr(participants, "install", no_mesos)
    monkeypatch.setattr(participants, "find_python", lambda version: None)
    chosen = options("--against", str(tmp_path), "--participants", "remesos", "Apache", "pymesos", "against")
    present, absent = participants.find(chosen, list(FINDERS))
    assert list(present) == ["remesos"]
    assert absent == {
        "against": f"{tmp_path} has no package mesos",
        "Apache": "no real Mesos: Python 2.7 was not found",
        "pymesos": "pymesos needs Python 3.10, and none was found; --pymesos names one that has it",
        "floor": "left out with --participants",
        "dask": "left out with --participants",
    }


def test_another_build_comes_first_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mesos").mkdir()
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert (
        participants.against(options("--against", str(tmp_path))).environment["PYTHONPATH"] == f"{tmp_path}:elsewhere"
    )


def test_a_program_that_fails_says_why() -> None:
    ours = participants.ours(options())
    with pytest.raises(Failed, match=r"imports.py failed: (?s:.*)No module named 'nothing_of_this_name'"):
        ours.run("imports.py", "nothing_of_this_name")


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benches.figures.measurements.ROOT", tmp_path)
    with Setting(Sizes()) as setting, pytest.raises(Absent, match="no wheel in dist/"):
        _ = setting.wheel


def test_a_debug_build_is_refused() -> None:
    made = {"remesos": {"debug_build": True}, "against": {"debug_build": False}, "floor": {"debug_build": None}}
    with pytest.raises(SystemExit, match="^remesos: a debug build"):
        program.refuse_debug_builds(made, options())
    program.refuse_debug_builds(made, options("--debug-build"))


# --- reports ---


def about(**more: Any) -> dict[str, Any]:
    machine = {"cpu": "a CPU", "cores": 2, "load_average": 0.1, "kernel": "6"}
    return {"machine": machine, "revision": {}, "participants": {}, **more}


def test_a_busy_machine_is_warned_of() -> None:
    assert not any("busy" in line for line in surroundings(about()))
    busy = about(machine={**about()["machine"], "load_average": 0.6})
    assert any("this machine is busy" in line for line in surroundings(busy))


def test_the_document_has_each_reading() -> None:
    taken = list(readings(UPDATES, remesos=[3.0, 5.0], floor=[1.0, 1.0], against=[6.0, 5.0]))
    written = json.loads(json.dumps(document(about(), [Figure(UPDATES, taken, {})], taken)))
    assert written["readings"] == [
        {"measurement": "updates", "participant": name, "round": number, "values": {"cpu_us": value}}
        for name, values in (("remesos", (3.0, 5.0)), ("floor", (1.0, 1.0)), ("against", (6.0, 5.0)))
        for number, value in enumerate(values, 1)
    ]
    (row,) = written["rows"]
    assert row["values"]["remesos"] == {"median": 4.0, "low": 3.0, "high": 5.0}
    assert row["ratios"]["against"] == {"median": 5.5, "low": 5.0, "high": 6.0}
    assert row["ratio_to_against"] == {"median": 0.75, "low": 0.5, "high": 1.0}
    assert row["goal"] == {"limit": 4, "is_ratio_to": "floor"}
    assert row["reached"] is True


def test_every_row_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smallest = Sizes(tasks=4, flood=100, slow_flood=10, floor=10, commands=2)
    monkeypatch.setattr(program, "QUICK", smallest)
    wheel, written = tmp_path / "remesos.whl", tmp_path / "figures.json"
    wheel.write_bytes(bytes(1000))
    chosen = ["--quick", "--rounds", "1", "--embedded", "--debug-build", "--participants", "remesos", "floor"]
    assert program.main([*chosen, "--wheel", str(wheel), "--json", str(written)]) == 0
    content, shown = json.loads(written.read_text()), capsys.readouterr().out
    assert [row["name"] for row in content["rows"]] == [row.name for row in ROWS]
    for row in content["rows"]:
        assert row["values"]["remesos"]["median"] > 0
        assert row["title"] in shown
    assert {each["participant"] for each in content["readings"]} == {"remesos", "floor"}


@pytest.mark.parametrize("kind", ["update", "offer"])
def test_the_flood_of_pymesos_runs(kind: str) -> None:
    assert dicts.measure(participants.ours(options()), kind, 100) > 0


@pytest.mark.parametrize(("face", "kind"), [("asyncio", "offer"), ("uvloop", "single")])
def test_the_flood_of_asyncio_runs(face: str, kind: str) -> None:
    assert aio.measure(face, kind, 100) > 0


def test_the_benchmark_of_executors_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["executors", "--tasks", "5", "--rounds", "2"])
    executors.main()
    assert "classic / plain HTTP, wall:" in capsys.readouterr().out


def test_the_benchmark_of_first_offers_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["first_offer", "--rounds", "1"])
    first_offer.main()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(first_offer.PLAYS)
