"""A real master that does not lead: every client is passed on to the leader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mesos.pymesos import MesosOperatorMasterDriver

from tests.apache_mesos import ApacheMesos
from tests.apache_mesos.election import master_info
from tests.proxies import Nginx
from tests.python.authenticating import classic, operating
from tests.python.conftest import absent
from tests.python.support import Recorder, framework, running
from tests.python.test_masters import FACES, finish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.apache
NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def leader(apache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheMesos]:
    with ApacheMesos(apache_home, tmp_path_factory.mktemp("leader")) as mesos:
        yield mesos


@pytest.fixture(scope="module")
def follower(apache_home: Path, leader: ApacheMesos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheMesos]:
    follows = master_info(leader.address)
    with ApacheMesos(apache_home, tmp_path_factory.mktemp("follower"), follows=follows) as mesos:
        yield mesos


@pytest.mark.parametrize("face", FACES)
def test_every_face_finds_the_leader(leader: ApacheMesos, follower: ApacheMesos, face: Callable[[str], str]) -> None:
    for masters in (follower.address, f"{follower.address},{leader.address}", f"{NOBODY},http://{follower.address}/"):
        assert face(masters) == "registered"


def test_tasks_run(leader: ApacheMesos, follower: ApacheMesos) -> None:
    scheduler = Recorder()
    with running(f"{follower.address},{leader.address}", scheduler) as driver:
        assert scheduler.wait("registered").port == leader.port
        finish(scheduler, driver)


def test_operators_are_answered_by_the_leader(leader: ApacheMesos, follower: ApacheMesos) -> None:
    for masters in (follower.address, f"http://{follower.address}", f"{follower.address},{leader.address}"):
        assert operating(masters) == "registered"
        driver = MesosOperatorMasterDriver(masters)
        assert driver.getMaster()["get_master"]["master_info"]["port"] == leader.port
        assert len(driver.getAgents()["get_agents"]["agents"]) == 1


def test_a_proxy_in_front_of_it(leader: ApacheMesos, follower: ApacheMesos, tmp_path: Path) -> None:
    """A driver goes on with the leader's own address."""
    missing = Nginx.missing()
    if missing:
        absent(missing)
    with Nginx(tmp_path, follower.address, prefix="/mesos") as front:
        assert classic(front.url) == "registered"
        assert operating(front.url) == "registered"


def test_it_may_be_elected(apache_home: Path, tmp_path: Path) -> None:
    with (
        ApacheMesos(apache_home, tmp_path / "leader") as leader,
        ApacheMesos(apache_home, tmp_path / "follower", follows=master_info(leader.address)) as follower,
    ):
        scheduler = Recorder()
        with running(f"{follower.address},{leader.address}", scheduler, framework(failover_timeout=600)) as driver:
            assert scheduler.wait("registered").port == leader.port
            finish(scheduler, driver)
            leader.kill()
            scheduler.wait("disconnected")
            follower.lead()
            assert scheduler.wait("registered", seconds=90).port == follower.port
        first, second = (event.arguments[0] for event in scheduler.seen if event.name == "registered")
        assert first == second
