"""What the APIs and endpoints take, refuse and answer, held against the real Mesos: see ``tests/requests``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mesos.local import LocalCluster

from tests.apache_mesos import ApacheMesos
from tests.python.conftest import RESOURCES
from tests.requests import differences, recorded, tables
from tests.requests.listed import PAGE, in_page, written
from tests.requests.play import play

if TYPE_CHECKING:
    from pathlib import Path

    from tests.requests import Answer

APIS = ("scheduler", "executor", "operator", "agent", "endpoints")
# The real Mesos is asked for all of these. Of those of operators, each change starts it anew, so it is asked for some.
SAMPLED = {"operator": 20, "agent": 10, "endpoints": 10}
INTERVAL = "50ms"
# The smallest size of a table that is worth the name.
LEAST = {"scheduler": 300, "executor": 70, "operator": 600, "agent": 300, "endpoints": 300}
# Of 100 requests, at most so many may differ, even on purpose.
MOST_IN_100 = 3


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
    differing = {request.name: request.differences(recorded()[api], answers[request.name]) for request in requests}
    assert {name: lines for name, lines in differing.items() if lines} == {}
    for request in requests:
        if request.deliberate:
            assert differences(recorded()[api][request.name], answers[request.name]), f"{request.name} is the same"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("api", APIS)
def test_the_real_mesos_still_answers_as_recorded(api: str, apache_home: Path, tmp_path: Path) -> None:
    flags = {"MESOS_ALLOCATION_INTERVAL": INTERVAL}
    requests = tables()[api][:: SAMPLED.get(api, 1)]
    # The real one ends at times without an answer, of requests that it answers otherwise: these are sent once more.
    for attempt in ("first", "second"):
        with ApacheMesos(apache_home, tmp_path / attempt, agents=2, flags=flags) as cluster:
            answers = play(cluster, {api: requests})[api]
        found = complaints(recorded()[api], answers)
        requests = [
            request for request in requests if differences(recorded()[api][request.name], answers[request.name])
        ]
        if not requests:
            break
    assert found == []


def test_nothing_is_recorded_that_is_not_asked() -> None:
    names = {api: {request.name for request in requests} for api, requests in tables().items()}
    assert {api: set(answers) for api, answers in recorded().items()} == names


def test_each_difference_on_purpose_is_one() -> None:
    answers = recorded()
    for api, requests in tables().items():
        for request in requests:
            if request.deliberate:
                assert request.deliberate.why
                changed = differences(answers[api][request.name], request.expected(answers[api]))
                assert changed or request.deliberate.paths, request.name


def test_few_requests_are_answered_otherwise() -> None:
    requests = [request for found in tables().values() for request in found]
    assert len(requests) >= 700
    assert sum(bool(request.deliberate) for request in requests) * 100 <= MOST_IN_100 * len(requests)


def test_the_page_lists_every_difference_with_its_reason() -> None:
    assert in_page(PAGE.read_text()) == written(), "python -m tests.requests.listed writes it anew"
