"""The framework's id in a real ZooKeeper: its lock, lost sessions, and clients that are passed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING

import pytest
from kazoo.client import KazooClient
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import make_digest_acl
from mesos.errors import ArgumentTypeError, ArgumentValueError, FrameworkIdError, FrameworkIdInUseError
from mesos.helpers import FrameworkIdZooKeeper

from tests.apache_mesos import ZooKeeper
from tests.python.conftest import absent
from tests.python.support import WAIT_SECONDS
from tests.python.test_helpers_framework_id import lasting, making, stopping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesos.local import LocalCluster


@pytest.fixture(scope="module")
def zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeper]:
    """A real ZooKeeper for all tests of this module."""
    missing = ZooKeeper.missing()
    if missing:
        absent(missing)
    with ZooKeeper(tmp_path_factory.mktemp("zookeeper")) as server:
        yield server


@pytest.fixture
def address(zookeeper: ZooKeeper) -> str:
    return zookeeper.address


@pytest.fixture
def node() -> str:
    """The path of a node of the test's own."""
    return f"/frameworks/{uuid.uuid4()}"


class TestZooKeeper:
    def test_an_id_is_kept_and_forgotten(self, address: str, node: str) -> None:
        with FrameworkIdZooKeeper(f"zk://{address}{node}") as store:
            assert store.load() is None
            store.save("first")
            store.save("second")
            assert store.load() == "second"
        with FrameworkIdZooKeeper(address, node.strip("/")) as store:
            assert store.load() == "second"
            store.forget()
            assert store.load() is None

    def test_two_do_not_use_it_at_once_and_the_next_one_waits(self, address: str, node: str) -> None:
        with FrameworkIdZooKeeper(address, node) as first:
            first.save("an-id")
            impatient = FrameworkIdZooKeeper(address, node, lock_timeout=0.2)
            with pytest.raises(
                FrameworkIdInUseError, match=f"another scheduler uses {node}: its lock {node}/lock was not"
            ):
                impatient.load()
            impatient.close()
            found: list[str | None] = []
            patient = FrameworkIdZooKeeper(address, node)
            thread = threading.Thread(target=lambda: found.append(patient.load()))
            thread.start()
            first.close()
            thread.join(WAIT_SECONDS)
            assert found == ["an-id"]
            patient.close()

    def test_the_lock_of_a_process_that_was_killed_ends_with_its_session(self, address: str, node: str) -> None:
        code = (
            "import time\n"
            "from mesos.helpers import FrameworkIdZooKeeper\n"
            f"store = FrameworkIdZooKeeper({address!r}, {node!r}, session_timeout=1)\n"
            "store.save('an-id')\n"
            "print('saved', flush=True)\n"
            "time.sleep(100)\n"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "saved\n"
            process.kill()
        with FrameworkIdZooKeeper(address, node) as store:
            assert store.load() == "an-id"

    def test_a_client_that_is_passed_decides_on_namespace_and_access(self, address: str) -> None:
        acl = make_digest_acl("someone", "secret", all=True)
        admin = KazooClient(address)
        admin.start()
        admin.create("/mine")
        client = KazooClient(f"{address}/mine", auth_data=[("digest", "someone:secret")], default_acl=[acl], timeout=5)
        try:
            with FrameworkIdZooKeeper(client, "/id") as store:
                store.save("an-id")
            assert client.connected
            assert admin.exists("/mine/id")
            assert not admin.exists("/mine/id/lock")
            stranger = FrameworkIdZooKeeper(f"{address}/mine/id")
            with pytest.raises(FrameworkIdError, match="cannot read the framework's id in ZooKeeper .*NoAuthError"):
                stranger.load()
            stranger.close()
        finally:
            for each in (client, admin):
                each.stop()
                each.close()

    def test_a_session_that_is_lost_loses_the_lock(self, address: str, node: str) -> None:
        client = KazooClient(address)
        store = FrameworkIdZooKeeper(client, node, lock_timeout=0.2)
        store.save("first")
        expire(address, client)
        # Nobody has taken it meanwhile.
        store.save("second")
        expire(address, client)
        with FrameworkIdZooKeeper(address, node) as other:
            assert other.load() == "second"
            with pytest.raises(FrameworkIdInUseError):
                store.save("third")
        store.save("third")
        client.stop()
        client.close()

    def test_there_is_an_error_if_nobody_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mesos.helpers._zookeeper._ANSWER_SECONDS", 0.2)
        store = FrameworkIdZooKeeper("127.0.0.1:1", "/id")
        with pytest.raises(FrameworkIdError, match="cannot read the framework's id in ZooKeeper at /id: .*[Tt]ime"):
            store.load()
        store.close()

    def test_arguments_are_checked(self) -> None:
        with pytest.raises(ArgumentValueError, match="expected the path of a node"):
            FrameworkIdZooKeeper("zk://host:2181")
        with pytest.raises(ArgumentValueError, match="got both"):
            FrameworkIdZooKeeper("zk://host:2181/a", "/b")
        with pytest.raises(ArgumentValueError, match="pass a KazooClient with auth_data"):
            FrameworkIdZooKeeper("zk://user:secret@host:2181/a")
        with pytest.raises(ArgumentTypeError, match="expected an address or a KazooClient"):
            FrameworkIdZooKeeper(5)

    def test_an_error_tells_how_kazoo_is_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "kazoo.client", None)
        with pytest.raises(ImportError, match=r"needs the package kazoo: pip install 'remesos\[zookeeper\]'"):
            FrameworkIdZooKeeper("zk://host:2181/a")

    def test_the_framework_is_taken_over(self, address: str, node: str, embedded: LocalCluster) -> None:
        ids: list[str] = []
        for _ in range(2):
            with FrameworkIdZooKeeper(address, node) as store:
                store.run(lasting(), making(stopping(failover=True), store, embedded.address, ids))
        assert ids[0] == ""
        assert ids[1] != ""


def expire(address: str, client: KazooClient) -> None:
    """Ends the session of a client, as ZooKeeper does when it has not heard of it in time."""
    lost = threading.Event()

    def listen(state: str) -> None:
        if state == "LOST":
            lost.set()

    session = client.client_id
    client.add_listener(listen)
    until = time.monotonic() + WAIT_SECONDS
    while not lost.is_set():
        assert time.monotonic() < until, "the session has ended"
        # Another client takes the session to end it. The first may have it back before that.
        other = KazooClient(address, client_id=session)
        with contextlib.suppress(KazooTimeoutError):
            other.start()
            other.stop()
            other.close()
        lost.wait(1)
    client.remove_listener(listen)
