"""What the APIs of schedulers and executors take and refuse, held against the real Mesos: see ``tests/requests``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mesos.local import LocalCluster

from tests.apache_mesos import ApacheMesos
from tests.python.conftest import RESOURCES
from tests.requests import differences, recorded, tables
from tests.requests.play import play

if TYPE_CHECKING:
    from pathlib import Path

    from tests.requests import Answer

APIS = ("scheduler", "executor")
INTERVAL = "50ms"
# The smallest size of a table that is worth the name.
LEAST = {"scheduler": 300, "executor": 70}


def complaints(expected: dict[str, Answer], answers: dict[str, Answer]) -> list[str]:
    """What differs, request by request."""
    found = {name: differences(expected[name], answer) for name, answer in answers.items()}
    return ["\n    ".join([name, *lines]) for name, lines in found.items() if lines]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("api", APIS)
def test_the_embedded_cluster_answers_as_the_real_mesos_did(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOS_ALLOCATION_INTERVAL", INTERVAL)
    requests = tables()[api]
    assert len(requests) >= LEAST[api]
    with LocalCluster(agents=2, resources=RESOURCES) as cluster:
        answers = play(cluster, {api: requests})[api]
    expected = {request.name: request.expected(recorded()[api]) for request in requests}
    assert complaints(expected, answers) == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("api", APIS)
def test_the_real_mesos_still_answers_as_recorded(api: str, apache_home: Path, tmp_path: Path) -> None:
    flags = {"MESOS_ALLOCATION_INTERVAL": INTERVAL}
    with ApacheMesos(apache_home, tmp_path / "mesos", agents=2, flags=flags) as cluster:
        answers = play(cluster, {api: tables()[api]})[api]
    assert complaints(recorded()[api], answers) == []


def test_nothing_is_recorded_that_is_not_asked() -> None:
    names = {api: {request.name for request in requests} for api, requests in tables().items()}
    assert {api: set(answers) for api, answers in recorded().items()} == names


def test_each_difference_on_purpose_is_one() -> None:
    answers = recorded()
    for api, requests in tables().items():
        for request in requests:
            if request.deliberate:
                assert request.deliberate.why
                assert differences(answers[api][request.name], request.expected(answers[api])), request.name
