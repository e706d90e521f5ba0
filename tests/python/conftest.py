"""One suite against two masters: the embedded one, and the real Apache Mesos 1.11.0.

The real one is skipped, with the reason, if it cannot be installed; with ``REMESOS_REQUIRE_APACHE=1``, as in CI,
that is an error.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mesos import operator
from mesos.errors import MesosError, MesosWarning, RequestRefusedError
from mesos.local import LocalCluster

from tests.apache_mesos import ALLOCATION_INTERVAL, ApacheMesos, ZooKeeper, install
from tests.apache_mesos.install import InstallError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
# Modules most of whose tests wait for time-outs, start many processes, or move much data.
SLOW = {
    "test_absurd_numbers",
    "test_allocation",
    "test_balance",
    "test_access",
    "test_bounds",
    "test_browser",
    "test_browser_page",
    "test_browser_use",
    "test_call_connection",
    "test_cli_surroundings",
    "test_conflicts",
    "test_conformance",
    "test_dicts_compared",
    "test_disconnects",
    "test_door",
    "test_endpoints",
    "test_examples",
    "test_exits",
    "test_follower",
    "test_forgotten",
    "test_futures",
    "test_futures_faults",
    "test_helpers_example",
    "test_helpers_compared",
    "test_mesos_cli",
    "test_mesoshttp_names",
    "test_notebook_server",
    "test_notebooks",
    "test_packaging",
    "test_operator_client",
    "test_operator_client_events",
    "test_pauses",
    "test_plain_clients",
    "test_proxies",
    "test_pymesos_subprocess",
    "test_pymesos_subprocess_ends",
    "test_replies",
    "test_requests",
    "test_resilience",
    "test_slow_callbacks",
    "test_task_output",
    "test_testing_plugin",
    "test_testing_scripts",
    "test_trees",
    "test_types",
}
# More than the grace periods of executors that are shut down.
EXECUTORS_END_SECONDS = 10
# The real clusters that run for the whole session.
SHARED: list[ApacheMesos] = []
RESOURCES = "cpus:8;mem:8192;disk:20000;ports:[31000-32000]"


def pytest_configure() -> None:
    """Let children end on Ctrl-C, even if a shell started this run in the background, which ignores these signals."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by what it needs and by how long it takes, which is how ``make test-quick`` chooses."""
    for item in items:
        if {"apache_home", "zookeeper"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.apache)
        if item.path.stem in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Tear down, after each file, what its tests left on the shared clusters.

    A framework whose process ended keeps its tasks until its failover timeout is over, and an agent on which a task is
    left does not become drained. Agents take a moment to end executors.
    """
    yield
    if nextitem is None or nextitem.path != item.path:
        for cluster in SHARED:
            with operator.MasterClient(cluster.address) as client:
                for framework in client.get_frameworks().frameworks:
                    with suppress(RequestRefusedError):  # it has left meanwhile
                        client.teardown(framework.framework_info.id.value)
                until = time.monotonic() + EXECUTORS_END_SECONDS
                for agent in client.get_agents().agents:
                    with suppress(MesosError), client.agent(agent) as its:
                        while its.get_executors().executors and time.monotonic() < until:
                            time.sleep(0.05)


@contextmanager
def shared(cluster: ApacheMesos) -> Iterator[None]:
    """Note that a cluster is shared, for as long as it runs."""
    SHARED.append(cluster)
    try:
        yield
    finally:
        SHARED.remove(cluster)


def absent(reason: str) -> None:
    """Skip, or fail if the real things are required."""
    if os.environ.get("REMESOS_REQUIRE_APACHE") == "1":
        pytest.fail(f"required here, and missing: {reason}")
    pytest.skip(reason)


def apache_mesos_home() -> Path:
    """Where the real Mesos is to be laid out."""
    return Path(os.environ.get("REMESOS_APACHE_MESOS", ROOT / ".apache-mesos"))


@pytest.fixture(scope="session")
def apache_home() -> Path:
    """Where the real Mesos is laid out."""
    try:
        return install(apache_mesos_home())
    except InstallError as error:
        absent(str(error))
        raise


@pytest.fixture(scope="session")
def apache_mesos(apache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheMesos]:
    """One real cluster with two agents, for every test that leaves it as it was."""
    with ApacheMesos(apache_home, tmp_path_factory.mktemp("apache"), agents=2) as cluster, shared(cluster):
        yield cluster


@pytest.fixture
def zookeeper(tmp_path: Path) -> Iterator[ZooKeeper]:
    """A real ZooKeeper of the test's own."""
    missing = ZooKeeper.missing()
    if missing:
        absent(missing)
    with ZooKeeper(tmp_path / "zookeeper") as server:
        yield server


@pytest.fixture
def embedded() -> Iterator[LocalCluster]:
    """An embedded cluster of the test's own, as quick as the real one is set to be."""
    with LocalCluster(agents=2, resources=RESOURCES) as cluster:
        yield cluster


@pytest.fixture(params=["embedded", pytest.param("apache_mesos", marks=pytest.mark.apache)])
def master(request: pytest.FixtureRequest) -> str:
    """The address of a master with two agents: each test runs on the embedded one and on the real one."""
    address: str = request.getfixturevalue(request.param).address
    return address


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(("MESOS_", "LIBPROCESS_")) or name in ("REMESOS_MASTER", "REMESOS_AUTHENTICATION"):
            monkeypatch.delenv(name, raising=False)
    # For clusters that this test starts, in whichever process.
    monkeypatch.setenv("MESOS_ALLOCATION_INTERVAL", ALLOCATION_INTERVAL)
    # Where sandboxes of failed tasks are kept.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture
def callbacks_may_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests whose callbacks raise on purpose: pytest's hook, which fails a test that raises in a thread, is off."""
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)


@pytest.fixture
def misuse() -> Iterator[None]:
    """For tests that misuse a driver on purpose, for what it returns; ``test_misuse.py`` has the warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MesosWarning)
        yield


@pytest.fixture(autouse=True)
def _no_python_threads_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    new = [t for t in threading.enumerate() if t not in before and not t.daemon]
    for thread in new:  # one that is at its end is not left
        thread.join(10)
    left = [t for t in new if t.is_alive()]
    assert left == []


@pytest.fixture(scope="session")
def our_launcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the real Mesos takes as its launcher directory to run command tasks with our program ``mesos-executor``."""
    launcher = tmp_path_factory.mktemp("launcher")
    standins = Path(__file__).resolve().parent.parent / "apache_mesos" / "launcher"
    (launcher / "mesos-containerizer").symlink_to(standins / "mesos-containerizer")
    program = shutil.which("mesos-executor", path=str(Path(sys.executable).parent))
    assert program is not None
    (launcher / "mesos-executor").symlink_to(program)
    return launcher


@pytest.fixture(scope="session")
def apache_with_our_program(
    apache_home: Path, our_launcher: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApacheMesos]:
    """The real Mesos, whose agents run command tasks with our program ``mesos-executor``."""
    work = tmp_path_factory.mktemp("program")
    flags = {"MESOS_LAUNCHER_DIR": str(our_launcher)}
    with ApacheMesos(apache_home, work, agents=2, flags=flags) as mesos, shared(mesos):
        yield mesos


@pytest.fixture(params=["embedded", pytest.param("apache_with_our_program", marks=pytest.mark.apache)])
def commander(request: pytest.FixtureRequest) -> str:
    """The address of a master whose agents run command tasks as we do."""
    address: str = request.getfixturevalue(request.param).address
    return address
