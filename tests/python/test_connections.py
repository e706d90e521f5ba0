"""Ways to a master: redirects, TLS, credentials."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import ssl
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver

from tests.apache_mesos import ApacheMesos, ZooKeeper, wants_credential
from tests.apache_mesos.election import Election, master_info
from tests.python.proxy import Proxy
from tests.python.support import Recorder, framework, heard, running, task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def stub() -> Iterator[Callable[[int, dict[str, str], str], str]]:
    """Makes masters that answer every call in one way; their addresses."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def make(status: int, headers: dict[str, str], body: str) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "location", ["//{leader}/master/api/v1/scheduler", "//{leader}", "http://{leader}/", "{leader}"]
)
def test_a_redirect_to_the_leading_master_is_followed(
    stub: Callable[..., str], embedded: LocalCluster, location: str
) -> None:
    follower = stub(307, {"Location": location.format(leader=embedded.address)}, "")
    scheduler = Recorder()
    with running(follower, scheduler):
        assert scheduler.wait("registered").port == int(embedded.address.rpartition(":")[2])
        scheduler.offer()


def test_a_master_that_is_not_ready_is_tried_again(stub: Callable[..., str]) -> None:
    master = stub(503, {}, "No leader elected")
    with heard("HTTP 503: No leader elected; trying again") as told, running(master, Recorder()):
        assert told.wait(30)


@pytest.mark.parametrize("status", [400, 403])
def test_a_refused_subscription_is_an_error(stub: Callable[..., str], status: int) -> None:
    scheduler = Recorder()
    driver = MesosSchedulerDriver(scheduler, framework(), stub(status, {}, "because"))
    assert driver.run() == mesos_pb2.DRIVER_ABORTED
    message = scheduler.wait("error")
    assert str(status) in message
    assert "because" in message


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that drivers trust."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("LIBPROCESS_SSL_CA_FILE", str(tmp_path / "ca.pem"))
    return made


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize("by_default", [False, True])
def test_https(
    embedded: LocalCluster, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, by_default: bool
) -> None:
    if by_default:
        monkeypatch.setenv("LIBPROCESS_SSL_ENABLED", "1")
    proxy = Proxy(embedded.address, tls(authority, "127.0.0.1"))
    scheduler = Recorder()
    with running(proxy.address if by_default else f"https://{proxy.address}", scheduler) as driver:
        offer = scheduler.offer()
        driver.declineOffer(offer.id, mesos_pb2.Filters(refuse_seconds=0))
        scheduler.offer(lambda o: o.slave_id == offer.slave_id)
    proxy.close()


def test_a_certificate_of_another_name_is_not_accepted(embedded: LocalCluster, authority: trustme.CA) -> None:
    proxy = Proxy(embedded.address, tls(authority, "somewhere.example"))
    with heard("TLS: invalid peer certificate") as told, running(f"https://{proxy.address}", Recorder()):
        assert told.wait(30)
    proxy.close()


def elect_by_name(election: Election, proxy: Proxy, master: str, name: str) -> None:
    """Have a master lead whose node names its host, as nodes do, and the address of a proxy."""
    port = int(proxy.address.rpartition(":")[2])
    address = {"hostname": name, "ip": "127.0.0.1", "port": port}
    election.write({**master_info(master), "port": port, "hostname": name, "address": address})


@pytest.mark.parametrize("certified", ["master.example", "127.0.0.1"])
def test_a_master_of_zookeeper_s_is_verified_by_its_host_name_or_its_address(
    embedded: LocalCluster,
    authority: trustme.CA,
    zookeeper: ZooKeeper,
    monkeypatch: pytest.MonkeyPatch,
    certified: str,
) -> None:
    """The name is verified and not looked up: the connection goes to the address."""
    monkeypatch.setenv("LIBPROCESS_SSL_ENABLED", "1")
    proxy = Proxy(embedded.address, tls(authority, certified))
    scheduler = Recorder()
    with Election(zookeeper) as election:
        elect_by_name(election, proxy, embedded.address, "master.example")
        with running(election.url, scheduler) as driver:
            scheduler.wait("registered")
            offer = scheduler.offer()
            driver.declineOffer(offer.id, mesos_pb2.Filters(refuse_seconds=0))
            scheduler.offer(lambda o: o.slave_id == offer.slave_id)
    proxy.close()


def test_a_master_of_zookeeper_s_whose_certificate_is_another_s_is_refused(
    embedded: LocalCluster, authority: trustme.CA, zookeeper: ZooKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBPROCESS_SSL_ENABLED", "1")
    proxy = Proxy(embedded.address, tls(authority, "other.example"))
    with Election(zookeeper) as election:
        elect_by_name(election, proxy, embedded.address, "master.example")
        with heard("TLS: invalid peer certificate") as told, running(election.url, Recorder()):
            assert told.wait(30)
    assert not proxy.sent
    proxy.close()


@pytest.fixture
def identity(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """A certificate of our own, as a cluster's variables name it."""
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(tmp_path / "cert.pem", append=True)
    return {
        "LIBPROCESS_SSL_CERT_FILE": str(tmp_path / "cert.pem"),
        "LIBPROCESS_SSL_KEY_FILE": str(tmp_path / "key.pem"),
    }


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.apache
def test_a_real_master_that_wants_client_certificates(
    apache_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: dict[str, str]
) -> None:
    flags = {
        **identity,
        "LIBPROCESS_SSL_ENABLED": "1",
        "LIBPROCESS_SSL_CA_FILE": os.environ["LIBPROCESS_SSL_CA_FILE"],
        "LIBPROCESS_SSL_ENABLE_TLS_V1_2": "1",
        "LIBPROCESS_SSL_REQUIRE_CLIENT_CERT": "1",
        "LIBPROCESS_SSL_VERIFY_IPADD": "1",
        # Mesos' own default holds only suites without forward secrecy, which today's TLS libraries have given up.
        "LIBPROCESS_SSL_CIPHERS": "ECDHE+AESGCM",
        # Plain connections too: the helper programs of the tests speak nothing else.
        "LIBPROCESS_SSL_SUPPORT_DOWNGRADE": "1",
    }
    with ApacheMesos(apache_home, tmp_path / "work", flags=flags) as mesos:
        url = f"https://{mesos.address}"
        with heard("Not connected to the master") as refused, running(url, Recorder()):
            assert refused.wait(30)
        set_all(monkeypatch, identity)
        scheduler = Recorder()
        with running(url, scheduler) as driver:
            offer = scheduler.offer()
            made = task(offer)
            driver.launchTasks(offer.id, [made])
            scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)


@pytest.mark.apache
def test_a_real_master_with_old_cipher_suites_only(
    apache_home: Path, tmp_path: Path, authority: trustme.CA, identity: dict[str, str]
) -> None:
    flags = {**identity, "LIBPROCESS_SSL_ENABLED": "1", "LIBPROCESS_SSL_ENABLE_TLS_V1_2": "1"}
    flags["LIBPROCESS_SSL_SUPPORT_DOWNGRADE"] = "1"
    with (
        ApacheMesos(apache_home, tmp_path / "work", flags=flags) as mesos,
        heard("its LIBPROCESS_SSL_CIPHERS may hold only suites without ECDHE") as told,
        running(f"https://{mesos.address}", Recorder()),
    ):
        assert told.wait(30)


def test_a_credential_is_not_sent_from_https_to_http(stub: Callable[..., str], authority: trustme.CA) -> None:
    with socket.create_server(("127.0.0.1", 0)) as clear:
        location = f"http://127.0.0.1:{clear.getsockname()[1]}/api/v1/scheduler"
        proxy = Proxy(stub(307, {"Location": location}, ""), tls(authority, "127.0.0.1"))
        credential = mesos_pb2.Credential(principal="alice", secret="s3cret")
        with (
            heard("redirected from https to http://127.0.0.1") as told,
            running(f"https://{proxy.address}", Recorder(), credential=credential),
        ):
            assert told.wait(30)
        clear.setblocking(False)
        with pytest.raises(BlockingIOError):
            clear.accept()
        proxy.close()


def test_a_redirect_that_takes_the_credential_along_is_logged(
    stub: Callable[..., str], embedded: LocalCluster, caplog: pytest.LogCaptureFixture
) -> None:
    follower = stub(307, {"Location": f"//{embedded.address}"}, "")
    scheduler = Recorder()
    credential = mesos_pb2.Credential(principal="alice", secret="s3cret")
    caplog.set_level("INFO", "mesos")
    with heard("which gets the credential too: principal 'alice'") as told:
        with running(follower, scheduler, credential=credential):
            scheduler.wait("registered")
        assert told.wait(30)
    assert "s3cret" not in caplog.text


def test_client_certificates(
    embedded: LocalCluster, authority: trustme.CA, identity: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = tls(authority, "127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    proxy = Proxy(embedded.address, context)
    with heard("Not connected to the master") as refused, running(f"https://{proxy.address}", Recorder()):
        assert refused.wait(30)
    set_all(monkeypatch, identity)
    scheduler = Recorder()
    with running(f"https://{proxy.address}", scheduler):
        scheduler.wait("registered")
    proxy.close()


@pytest.mark.parametrize("missing", ["LIBPROCESS_SSL_CERT_FILE", "LIBPROCESS_SSL_KEY_FILE"])
def test_a_certificate_without_its_key_is_named(
    embedded: LocalCluster, identity: dict[str, str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    set_all(monkeypatch, {name: value for name, value in identity.items() if name != missing})
    with heard(f"{missing} is not: both are needed") as told, running(f"https://{embedded.address}", Recorder()):
        assert told.wait(30)


@pytest.mark.parametrize("variable", ["LIBPROCESS_SSL_VERIFY_SERVER_CERT", "LIBPROCESS_SSL_VERIFY_CERT"])
def test_verification_can_be_turned_off(
    embedded: LocalCluster, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("LIBPROCESS_SSL_CA_FILE")
    monkeypatch.setenv(variable, "false")
    proxy = Proxy(embedded.address, tls(authority, "somewhere.example"))
    scheduler = Recorder()
    with running(f"https://{proxy.address}", scheduler):
        scheduler.wait("registered")
    proxy.close()


@pytest.mark.apache
def test_a_credential_opens_a_real_master_that_wants_one(apache_home: Path, tmp_path: Path) -> None:
    flags = wants_credential(tmp_path / "credentials", "alice", "s3cret")
    with ApacheMesos(apache_home, tmp_path / "work", flags=flags) as mesos:
        scheduler = Recorder()
        good = mesos_pb2.Credential(principal="alice", secret="s3cret")
        with running(mesos.address, scheduler, framework(principal="alice"), credential=good) as driver:
            offer = scheduler.offer()
            driver.declineOffer(offer.id, mesos_pb2.Filters(refuse_seconds=0))
            scheduler.offer()
        bad = mesos_pb2.Credential(principal="alice", secret="guessed")
        refused = Recorder()
        driver = MesosSchedulerDriver(refused, framework(principal="alice"), mesos.address, credential=bad)
        assert driver.run() == mesos_pb2.DRIVER_ABORTED
        message = refused.wait("error")
        assert message == "Master refused authentication: principal 'alice'"
        assert "guessed" not in repr(driver)


def options_of_connections(port: int) -> list[tuple[int, ...]]:
    """Of every connection that this process made to a port: keep-alive, its times, the time for data, and no delay."""
    wanted = (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    )
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # it was closed meanwhile, or is not connected
            if stat.S_ISSOCK(os.stat(int(name)).st_mode):
                with socket.socket(fileno=os.dup(int(name))) as each:
                    if each.family == socket.AF_INET and each.getpeername()[1] == port:
                        found.append(tuple(each.getsockopt(*option) for option in wanted))
    return found


def test_a_dead_peer_is_noticed_and_a_path_is_kept_alive(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        scheduler.wait("registered")
        driver.killTask(mesos_pb2.TaskID(value="unknown"))
        scheduler.wait("statusUpdate")
        stream, calls = options_of_connections(int(embedded.address.rpartition(":")[2]))
        assert stream == calls == (1, 15, 15, 5, 75_000, 1)
