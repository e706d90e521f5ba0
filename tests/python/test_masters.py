"""Masters behind a path, as a reverse proxy gives them one, and several masters of which any may lead."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.mesoshttp import MesosClient
from mesos.native import MesosSchedulerDriver

from tests.apache_mesos import ApacheMesos
from tests.proxies import Nginx
from tests.python.authenticating import Told, classic, operating, with_asyncio, with_dicts, with_pymesos
from tests.python.conftest import absent
from tests.python.support import WAIT_SECONDS, Recorder, executor, framework, heard, running, task, task_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PREFIX = "/mesos"
API = "/api/v1/scheduler"


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chain and a key for 127.0.0.1, of an authority that drivers trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    monkeypatch.setenv("LIBPROCESS_SSL_CA_FILE", str(tmp_path / "ca.pem"))
    return tmp_path / "server.pem"


@pytest.fixture
def nginx(tmp_path: Path) -> Callable[..., Nginx]:
    """Makes proxies in front of a master."""
    missing = Nginx.missing()
    if missing:
        absent(missing)
    return lambda master, *settings, **others: Nginx(tmp_path / "proxy", master, *settings, **others)


def with_mesoshttp(master: str) -> str:
    told = Told()
    client = MesosClient(mesos_urls=[master], frameworkName="test")
    client.on(MesosClient.SUBSCRIBED, lambda _: told.tell("registered"))
    thread = threading.Thread(target=client.register)
    thread.start()
    try:
        return told.wait()
    finally:
        client.stop = True
        client.tearDown()
        thread.join(WAIT_SECONDS)


FACES: list[Callable[[str], str]] = [classic, with_asyncio, with_dicts, with_pymesos, with_mesoshttp]


class Masters:
    """Stand-ins on 127.0.0.1 that answer every call in one way."""

    def __init__(self) -> None:
        self._servers: list[ThreadingHTTPServer] = []

    def answering(self, status: int, location: str | Callable[[], str] = "") -> str:
        """The address of one that answers with this status and ``Location``."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.send_header("Location", location if isinstance(location, str) else location())
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return f"127.0.0.1:{server.server_port}"

    def follower(self, leader: Callable[[], str]) -> str:
        """The address of one that redirects to the leader as proxies and old masters do; for a real one see test_follower."""
        return self.answering(307, lambda: f"//{leader()}{API}")

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def masters() -> Iterator[Masters]:
    made = Masters()
    yield made
    made.close()


@pytest.fixture
def dead() -> Iterator[str]:
    """An address at which nothing listens, and nothing will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def finish(scheduler: Recorder, driver: Any, *others: mesos_pb2.ExecutorInfo) -> None:
    """Run one task of the command executor to its end, and one of each other executor."""
    for on in (None, *others):
        offer = scheduler.offer()
        made = task(offer) if on is None else task_of(offer, on)
        driver.launchTasks(offer.id, [made], mesos_pb2.Filters(refuse_seconds=0))
        scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)


class TestBehindAPath:
    """nginx gives a master a path that the master does not know of."""

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_framework_runs_its_tasks(
        self, master: str, nginx: Callable[..., Nginx], certificate: Path, scheme: str
    ) -> None:
        scheduler = Recorder()
        with nginx(master, prefix=PREFIX, certificate=certificate if scheme == "https" else None) as front:
            assert front.url == f"{scheme}://{front.address}{PREFIX}"
            with running(f"{front.url}/", scheduler) as driver:
                assert scheduler.wait("registered").port == int(master.rpartition(":")[2])
                finish(scheduler, driver, executor("echo.py", ""))
                shown = driver._core.connection()
                assert shown is not None
                assert shown[0] == front.url
            front.stop()
            assert set(front.requests()) == {f"{PREFIX}{API}"}

    @pytest.mark.parametrize("face", FACES)
    def test_every_face_finds_it(self, master: str, nginx: Callable[..., Nginx], face: Callable[[str], str]) -> None:
        with nginx(master, prefix=PREFIX) as front:
            assert face(front.url) == "registered"

    def test_the_variable_names_it(
        self, embedded: LocalCluster, nginx: Callable[..., Nginx], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scheduler = Recorder()
        with nginx(embedded.address, prefix=PREFIX) as front:
            monkeypatch.setenv("REMESOS_MASTER", f"{front.url},{front.url}/")
            with running(None, scheduler):
                scheduler.wait("registered")

    def test_a_connection_that_is_cut_comes_back_through_the_proxy(
        self, master: str, nginx: Callable[..., Nginx]
    ) -> None:
        scheduler = Recorder()
        front = nginx(master, prefix=PREFIX)
        with front, running(front.url, scheduler, framework(failover_timeout=60)) as driver:
            scheduler.wait("registered")
            front.kill()
            scheduler.wait("disconnected")
            front.start()
            scheduler.wait("reregistered", seconds=90)
            finish(scheduler, driver)

    @pytest.mark.parametrize("version", ["1.0", "1.1"])
    def test_a_proxy_that_buffers_passes_events_on_at_once(
        self, master: str, nginx: Callable[..., Nginx], version: str
    ) -> None:
        """As nginx is, unless it is told otherwise, whichever HTTP it speaks with the master."""
        scheduler = Recorder()
        with nginx(master, prefix=PREFIX, buffering=True, version=version) as front:
            with running(front.url, scheduler) as driver:
                scheduler.wait("registered", seconds=10)
                finish(scheduler, driver)
            assert operating(front.url) == "registered"

    def test_a_path_that_leads_nowhere_is_named_and_tried_again(self, master: str, nginx: Callable[..., Nginx]) -> None:
        with nginx(master, prefix=PREFIX) as front:
            wrong = f"http://{front.address}/elsewhere"
            with heard(f"Not connected to the master at {wrong}: HTTP 404") as told, running(wrong, Recorder()):
                assert told.wait(WAIT_SECONDS)


class TestRedirectsOfAProxy:
    """What an admin router sends instead of a master's ``//host:port``."""

    @pytest.mark.parametrize("status", [307, 308])
    @pytest.mark.parametrize("absolute", ["on", "off"])
    def test_a_redirect_to_a_path_is_followed(
        self, embedded: LocalCluster, nginx: Callable[..., Nginx], status: int, absolute: str
    ) -> None:
        settings = f"absolute_redirect {absolute}; location /old/ {{ return {status} {PREFIX}{API}; }}"
        scheduler = Recorder()
        with nginx(embedded.address, settings, prefix=PREFIX) as front:
            with running(f"http://{front.address}/old", scheduler) as driver:
                scheduler.wait("registered")
                finish(scheduler, driver)
            front.stop()
            assert set(front.requests()) == {f"/old{API}", f"{PREFIX}{API}"}

    @pytest.mark.parametrize("status", [301, 302, 303])
    def test_a_redirect_that_may_lose_the_call_is_an_error_that_says_where_to(
        self, masters: Masters, status: int
    ) -> None:
        scheduler = Recorder()
        master = masters.answering(status, f"https://leader.example{PREFIX}{API}?token=hidden")
        with running(master, scheduler):
            message = scheduler.wait("error")
        assert f"'{status}' (a redirect to 'https://leader.example{PREFIX}{API}'" in message
        assert "hidden" not in message

    def test_a_password_of_a_redirect_is_not_shown(self, masters: Masters, caplog: pytest.LogCaptureFixture) -> None:
        master = masters.answering(307, "http://user:hidden@leader.example/")
        with heard("redirected to 'http://user:***@leader.example/'") as told, running(master, Recorder()):
            assert told.wait(WAIT_SECONDS)
        assert "hidden" not in caplog.text


class TestCandidates:
    """Several masters, of which any may lead or know who does."""

    @pytest.mark.parametrize("first", ["dead", "not ready", "follower", "nowhere"])
    def test_one_after_the_other_is_asked_until_one_leads(
        self, master: str, masters: Masters, dead: str, caplog: pytest.LogCaptureFixture, first: str
    ) -> None:
        ahead = {
            "dead": lambda: dead,
            "not ready": lambda: masters.answering(503),
            "follower": lambda: masters.follower(lambda: master),
            "nowhere": lambda: masters.follower(lambda: dead),
        }[first]()
        scheduler = Recorder()
        # The first pause between rounds may be short by chance: none is made.
        with running(f"{ahead},http://{master}/", scheduler) as driver:
            assert scheduler.wait("registered").port == int(master.rpartition(":")[2])
            finish(scheduler, driver)
        pauses = [record.getMessage() for record in caplog.records if " s" in record.getMessage()[-2:]]
        assert pauses == []

    @pytest.mark.parametrize("face", FACES)
    def test_every_face_takes_them(self, master: str, dead: str, face: Callable[[str], str]) -> None:
        assert face(f"{dead},http://{dead}/mesos,{master}") == "registered"

    def test_a_file_holds_them(self, embedded: LocalCluster, dead: str, tmp_path: Path) -> None:
        (tmp_path / "masters").write_text(f"{dead},http://{embedded.address}\n")
        scheduler = Recorder()
        with running(f"file://{tmp_path / 'masters'}", scheduler):
            scheduler.wait("registered")

    def test_a_proxy_among_them(
        self, embedded: LocalCluster, nginx: Callable[..., Nginx], certificate: Path, dead: str
    ) -> None:
        scheduler = Recorder()
        with (
            nginx(embedded.address, prefix=PREFIX, certificate=certificate) as front,
            running(f"{dead},{front.url}", scheduler),
        ):
            scheduler.wait("registered")

    def test_a_round_of_failures_waits_longer_and_longer(self, masters: Masters, dead: str) -> None:
        """No tight loop: within two seconds there are a few attempts, not thousands."""
        asked: list[float] = []
        third = threading.Event()

        def told() -> str:
            asked.append(time.monotonic())
            if len(asked) >= 3:
                third.set()
            return ""

        follower = masters.answering(503, told)
        with running(f"{dead},{follower}", Recorder()):
            assert third.wait(WAIT_SECONDS)
            before = len(asked)
            time.sleep(1)  # what is counted is what happens within a time
            assert len(asked) - before <= 3

    def test_a_leader_that_dies_is_left_for_the_next_one(self, masters: Masters) -> None:
        with LocalCluster() as first, LocalCluster() as second:
            check_move(masters, first.address, second.address, lambda: first.stop(drivers=False))

    @pytest.mark.apache
    def test_a_real_leader_that_is_killed_is_left_for_the_next_one(
        self, apache_home: Path, tmp_path: Path, masters: Masters
    ) -> None:
        with (
            ApacheMesos(apache_home, tmp_path / "first") as first,
            ApacheMesos(apache_home, tmp_path / "second") as second,
        ):
            check_move(masters, first.address, second.address, first.kill)

    def test_a_leader_that_comes_back_is_registered_with_again(self, dead: str) -> None:
        with LocalCluster() as cluster:
            port = int(cluster.address.rpartition(":")[2])
            scheduler = Recorder()
            with running(f"{dead},{cluster.address}", scheduler) as driver:
                scheduler.wait("registered")
                cluster.stop(drivers=False)
                scheduler.wait("disconnected")
                with LocalCluster(port):
                    # Another master, which was elected meanwhile, as far as a driver can know.
                    scheduler.wait("registered", seconds=90)
                    finish(scheduler, driver)


def check_move(masters: Masters, first: str, second: str, kill: Callable[[], None]) -> None:
    """A framework moves to the other master when its master is gone, whichever follower it asks."""
    leader = [first]
    follower = masters.follower(lambda: leader[0])
    scheduler = Recorder()
    with running(f"{follower},{first},{second}", scheduler, framework(failover_timeout=600)) as driver:
        assert scheduler.wait("registered").port == int(first.rpartition(":")[2])
        framework_id = scheduler.seen[-1].arguments[0]
        finish(scheduler, driver)
        leader[0] = second
        kill()
        scheduler.wait("disconnected")
        assert scheduler.wait("registered", seconds=90).port == int(second.rpartition(":")[2])
        assert scheduler.seen[-1].arguments[0] == framework_id
        finish(scheduler, driver)
    names = [event.name for event in scheduler.seen]
    assert [name for name in names if name.endswith(("registered", "disconnected"))] == [
        "registered",
        "disconnected",
        "registered",
    ]


class TestForms:
    """What is no master is named, with what was expected; passwords are not shown."""

    @pytest.mark.usefixtures("misuse")
    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            ("host1:5050,", "address 2 of 2: it names no host"),
            ("host1:5050,host2", "address 2 of 2: it has no port"),
            ("host1", "it has no port"),
            ("host1:5050/mesos", "a path needs http:// or https:// in front"),
            ("http://host1/a b", "its path is not valid"),
            ("http://host1,zk://host2:2181/mesos", "address 2 of 2: it can only be given alone"),
            ("https://user:hidden@host1/mesos", "it holds a user or a password, which belong in a credential"),
            (
                "host1:5050,https://user:hidden@host2",
                "address 2 of 2: it holds a user or a password, which belong in a credential",
            ),
            (
                "https://user:hidden@host1,host2",
                "address 1 of 2: it holds a user or a password, which belong in a credential",
            ),
        ],
    )
    def test_what_is_wrong_is_said(self, bad: str, why: str, caplog: pytest.LogCaptureFixture) -> None:
        scheduler = Recorder()
        driver = MesosSchedulerDriver(scheduler, framework(), bad)
        assert driver.run() == mesos_pb2.DRIVER_ABORTED
        message = scheduler.wait("error")
        assert message.startswith("Failed to create a master detector for '")
        assert f"{why}: expected host:port, http(s)://host[:port][/path], several of these" in message
        for text in (message, repr(driver), caplog.text):
            assert "hidden" not in text

    @pytest.mark.parametrize("form", ["{}", "http://{}", "http://{}/"])
    def test_time_moves_for_every_form_of_a_cluster_s_address(self, form: str) -> None:
        with LocalCluster(time="skip", simulate=Run(seconds=3600)) as cluster:
            states: list[int] = []
            scheduler = Recorder(
                resourceOffers=lambda driver, offers: states or driver.launchTasks(offers[0].id, [task(offers[0])]),
                statusUpdate=lambda _, status: states.append(status.state),
            )
            with running(form.format(cluster.address), scheduler):
                began = cluster.time()
                cluster.run_until(lambda: mesos_pb2.TASK_FINISHED in states)
                assert cluster.time() - began >= 3600

    def test_a_driver_with_a_url_is_of_its_cluster(self) -> None:
        """A cluster that stops ends the drivers that name it, however they do."""
        scheduler = Recorder()
        with LocalCluster() as cluster:
            driver = MesosSchedulerDriver(scheduler, framework(), f"http://{cluster.address}/")
            driver.start()
            scheduler.wait("registered")
        assert driver.join() == mesos_pb2.DRIVER_STOPPED


def test_the_ports_of_urls_are_those_of_their_schemes() -> None:
    """In a process of its own, whose log shows where it connects to."""
    code = """
        import logging, sys
        from mesos.interface import Scheduler, mesos_pb2
        from mesos.native import MesosSchedulerDriver

        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
        info = mesos_pb2.FrameworkInfo(user="", name="test")
        driver = MesosSchedulerDriver(Scheduler(), info, "http://127.0.0.1,https://127.0.0.1/mesos")
        driver.start()
        driver.stop()
        driver.join()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = {**os.environ, "REMESOS_MASTER": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    assert "Looking for the leading master at http://127.0.0.1:80, https://127.0.0.1:443/mesos" in done.stdout
