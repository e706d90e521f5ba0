"""The classic driver held against Apache's own: every scenario of `tests/conformance`, on three lanes,
and many through dicts.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.apache_mesos.install import InstallError, install
from tests.conformance import DELIBERATE, RECORDED, Lane, Scenario, differences, lanes, scenarios
from tests.conformance.through_dicts import EXCLUDED, ON_THE_REAL_MESOS
from tests.python.conftest import ROOT, absent, apache_mesos_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL = scenarios()
LANES = "abcde"
LANE_SECONDS = 1200
# Through dicts, one in two is enough here; `make conformance` plays all.
THROUGH_DICTS = {
    "d": [scenario for scenario in ALL if scenario.on("d")][::2],
    "e": [scenario for scenario in ALL if scenario.name in ON_THE_REAL_MESOS],
}


class Plays:
    """Every scenario, played in the background, one lane beside the other."""

    def __init__(self, chosen: list[Scenario]) -> None:
        self._chosen = chosen
        self._done = {(s.name, lane): threading.Event() for s in chosen for lane in LANES}
        self._traces: dict[tuple[str, str], str] = {}
        self._stopped = threading.Event()

    def run(self, lane: Lane) -> None:
        for scenario in self._chosen:
            if self._stopped.is_set():
                return
            if scenario not in THROUGH_DICTS.get(lane.name, self._chosen):
                continue
            key = scenario.name, lane.name
            try:
                self._traces[key] = lane.play(scenario)
            except Exception as error:  # the test that waits for it fails with it
                self._traces[key] = f"could not be played: {error!r}"
            self._done[key].set()

    def trace(self, scenario: Scenario, lane: str) -> str:
        assert self._done[scenario.name, lane].wait(LANE_SECONDS)
        return self._traces[scenario.name, lane]

    def stop(self) -> None:
        self._stopped.set()


@pytest.fixture(scope="module")
def home() -> Path | None:
    """Where the real Mesos is laid out, if it is."""
    try:
        return install(apache_mesos_home())
    except InstallError:
        return None


@pytest.fixture(scope="module")
def plays(home: Path | None, request: pytest.FixtureRequest) -> Iterator[Plays]:
    wanted = {
        item.callspec.params["scenario"].name
        for item in request.session.items
        if hasattr(item, "callspec") and "scenario" in item.callspec.params
    }
    plays = Plays([scenario for scenario in ALL if scenario.name in wanted])
    with lanes(home) as made:
        threads = [
            threading.Thread(target=plays.run, args=(lane,), daemon=True)
            for lane in made.values()
            if lane.name in LANES
        ]
        for thread in threads:
            thread.start()
        yield plays
        plays.stop()
        for thread in threads:
            thread.join()


@pytest.mark.timeout(LANE_SECONDS)
@pytest.mark.parametrize("lane", ["a", "b", "c"], ids=["apache", "ours", "embedded"])
@pytest.mark.parametrize("scenario", ALL, ids=[scenario.name for scenario in ALL])
def test_a_scenario_gives_what_apache_s_driver_gives(
    plays: Plays, home: Path | None, scenario: Scenario, lane: str
) -> None:
    if home is None and lane != "c":
        absent("the real Mesos is not installed")
    if not scenario.on(lane):
        pytest.skip(scenario.needs["because"])
    assert differences(scenario.expected(lane), plays.trace(scenario, lane)) == []


@pytest.mark.timeout(LANE_SECONDS)
@pytest.mark.parametrize("scenario", THROUGH_DICTS["d"], ids=[scenario.name for scenario in THROUGH_DICTS["d"]])
def test_a_scenario_gives_the_same_through_dicts(plays: Plays, scenario: Scenario) -> None:
    assert differences(scenario.expected("d"), plays.trace(scenario, "d")) == []


@pytest.mark.apache
@pytest.mark.timeout(LANE_SECONDS)
@pytest.mark.parametrize("scenario", THROUGH_DICTS["e"], ids=[scenario.name for scenario in THROUGH_DICTS["e"]])
def test_a_scenario_gives_the_same_through_dicts_on_the_real_mesos(
    plays: Plays, home: Path | None, scenario: Scenario
) -> None:
    if home is None:
        absent("the real Mesos is not installed")
    assert scenario.on("e")
    assert differences(scenario.expected("e"), plays.trace(scenario, "e")) == []


def test_what_cannot_be_the_same_through_dicts_is_a_scenario() -> None:
    assert set(EXCLUDED) <= {scenario.name for scenario in ALL}
    assert set(ON_THE_REAL_MESOS) == {scenario.name for scenario in THROUGH_DICTS["e"]}
    assert len(THROUGH_DICTS["d"]) >= 30


def test_every_deliberate_difference_is_documented() -> None:
    documented = (ROOT / "docs" / "compatibility.md").read_text()
    names = {path.name.partition(".")[0] for path in DELIBERATE.iterdir()}
    assert [name for name in sorted(names) if f"`{name}`" not in documented] == []


def test_every_record_is_of_a_scenario() -> None:
    names = {scenario.name for scenario in ALL}
    assert {path.stem for path in RECORDED.iterdir()} == names
    assert {path.name.partition(".")[0] for path in DELIBERATE.iterdir()} <= names
