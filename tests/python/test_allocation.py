"""Who is offered what, and when: every scenario of `tests/allocation`, against what the real Mesos gave."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.allocation import Embedded, Lane, Real, Scenario, differences, read_record, scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL = scenarios()
NAMES = [scenario.name for scenario in ALL]
RECORD = read_record()
LANE_SECONDS = 600


class Plays:
    """The scenarios that tests of this run ask for, played in the background."""

    def __init__(self, lane: Lane, request: pytest.FixtureRequest, test: str) -> None:
        chosen = [
            item.callspec.params["scenario"]
            for item in request.session.items
            if isinstance(item, pytest.Function) and item.originalname == test
        ]
        self._done = {scenario.name: threading.Event() for scenario in chosen}
        self._traces: dict[str, list[str]] = {}
        self._thread = threading.Thread(target=lane.play, args=(chosen, self._take), daemon=True)
        self._thread.start()

    def _take(self, scenario: Scenario, trace: list[str]) -> None:
        self._traces[scenario.name] = trace
        self._done[scenario.name].set()

    def trace(self, scenario: Scenario) -> list[str]:
        assert self._done[scenario.name].wait(LANE_SECONDS)
        return self._traces[scenario.name]

    def join(self) -> None:
        self._thread.join(LANE_SECONDS)


@pytest.fixture(scope="module")
def on_the_embedded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Plays]:
    plays = Plays(Embedded(tmp_path_factory.mktemp("embedded")), request, "test_the_embedded_cluster_offers_as_mesos")
    yield plays
    plays.join()


@pytest.fixture(scope="module")
def on_the_real(
    apache_home: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Plays]:
    plays = Plays(Real(tmp_path_factory.mktemp("real"), apache_home), request, "test_the_record_is_right")
    yield plays
    plays.join()


@pytest.mark.timeout(LANE_SECONDS)
@pytest.mark.parametrize("scenario", ALL, ids=NAMES)
def test_the_embedded_cluster_offers_as_mesos(on_the_embedded: Plays, scenario: Scenario) -> None:
    assert differences(RECORD[scenario.name], on_the_embedded.trace(scenario)) == []


@pytest.mark.apache
@pytest.mark.timeout(LANE_SECONDS)
@pytest.mark.parametrize("scenario", ALL, ids=NAMES)
def test_the_record_is_right(on_the_real: Plays, scenario: Scenario) -> None:
    assert differences(RECORD[scenario.name], on_the_real.trace(scenario)) == []


def test_every_scenario_is_recorded() -> None:
    assert sorted(RECORD) == sorted(NAMES)
