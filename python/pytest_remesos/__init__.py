"""The pytest plugin of remesos. It imports nothing of the package until a test uses one of its fixtures.

It is a package beside ``mesos`` because pytest imports it in every run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_MASTER = "REMESOS_TEST_MASTER"
_used = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--mesos-master``."""
    parser.getgroup("mesos", "frameworks of Apache Mesos").addoption(
        "--mesos-master",
        metavar="MASTER",
        help="run the tests with the fixtures mesos and mesos_cluster on this master, such as host:5050, instead of an "
        f"embedded cluster; tests that need faults or time are skipped (default: {_MASTER})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker, and tells test cases of unittest the master."""
    config.addinivalue_line(
        "markers",
        "mesos(**options): the fixtures mesos and mesos_cluster have a new cluster with these options of "
        "mesos.local.LocalCluster, instead of the shared one; leaks=False allows the test to leave something behind",
    )
    if config.getoption("--mesos-master"):
        os.environ[_MASTER] = config.getoption("--mesos-master")


@pytest.fixture(scope="session")
def mesos_options() -> dict[str, Any]:
    """The options of the shared cluster, arguments of ``mesos.local.LocalCluster``. Override it in ``conftest.py``."""
    return {}


@pytest.fixture(scope="session")
def _mesos_shared(mesos_options: dict[str, Any]) -> Iterator[Any]:
    from mesos.testing._shared import Shared

    with Shared(mesos_options) as shared:
        yield shared


@pytest.fixture
def mesos(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Starts frameworks: a ``mesos.testing.Mesos`` on the shared cluster, or on that of ``mesos_time``."""
    from mesos.testing import Mesos

    marker = request.node.get_closest_marker("mesos")
    options = dict(marker.kwargs) if marker else {}
    leaks = options.pop("leaks", True)
    if "mesos_time" in request.fixturenames:
        options["time"] = "skip"
    shared = None
    if not options and not os.environ.get(_MASTER):
        shared = request.getfixturevalue("_mesos_shared")
    used = Mesos(shared and shared.cluster(), leaks=leaks, **options)
    request.node.stash[_used] = used
    try:
        yield used
        used.close()
    finally:
        used.close()
        if shared:
            shared.reset()


@pytest.fixture
def mesos_cluster(mesos: Any) -> Any:
    """The cluster: one for all tests, which is as at its start in each of them."""
    return mesos.cluster


@pytest.fixture
def mesos_time(mesos: Any) -> Any:
    """A new cluster whose clock skips the time in which there is nothing to do."""
    return mesos.cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fails a test one of whose callbacks raised an exception that the test has not received."""
    try:
        result = yield
    except BaseException as error:
        if _used in item.stash:
            item.stash[_used].also(error)
        raise
    if _used in item.stash:
        item.stash[_used].check()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to the report of a failed test what happened."""
    report = yield
    if report.failed and _used in item.stash:
        report.sections.append(("What happened at the Mesos cluster", item.stash[_used].story()))
    return report
