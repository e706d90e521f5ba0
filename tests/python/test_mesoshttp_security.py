"""Credentials, certificates and service accounts of ``mesos.mesoshttp``."""

from __future__ import annotations

import logging
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from mesos.local import LocalCluster
from mesos.mesoshttp import ACSException, DCOSServiceAuth, MesosClient

from tests.apache_mesos import ApacheMesos, wants_credential
from tests.python.mesoshttp_support import new_client, registered
from tests.python.proxy import Proxy
from tests.python.stub import Stub
from tests.python.support import heard
from tests.python.test_auth_faces import Login, account, rsa, token
from tests.python.test_connections import tls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def authority() -> trustme.CA:
    """A certificate authority that nothing trusts by itself."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def secured(embedded: LocalCluster, authority: trustme.CA) -> Iterator[str]:
    """The address of a master that speaks TLS."""
    proxy = Proxy(embedded.address, tls(authority, "127.0.0.1"))
    yield proxy.address
    proxy.close()


def test_a_certificate_is_verified_by_default(secured: str) -> None:
    with heard("TLS: invalid peer certificate") as told, registered(MesosClient([f"https://{secured}"])):
        assert told.wait(30)


@pytest.mark.parametrize("how", ["file", "off", "environment"])
def test_a_certificate_is_taken(secured: str, ca_file: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MesosClient([f"https://{secured}"])
    if how == "environment":
        monkeypatch.setenv("LIBPROCESS_SSL_CA_FILE", ca_file)
    else:
        client.verify = ca_file if how == "file" else False
    with registered(client) as watch:
        watch.offer().decline({"filters": {"refuse_seconds": 0}})  # calls have a connection of their own
        watch.offer()
        assert client.mesos_url == f"https://{secured}"


def test_an_address_without_a_scheme_has_that_of_the_one_before(secured: str, ca_file: str) -> None:
    client = MesosClient(["https://127.0.0.1:1", secured], max_reconnect=10)
    client.verify = ca_file
    with registered(client) as watch:
        watch.offer()


@pytest.mark.parametrize("verify", ["file", False])
def test_a_service_account_logs_in(
    key: rsa.RSAPrivateKey,
    secured: str,
    authority: trustme.CA,
    ca_file: str,
    verify: Any,
) -> None:
    sessions = [token(time.time() + 3600)]
    with Login(key.public_key(), iter(sessions), tls(authority, "127.0.0.1")) as login:
        client = MesosClient([f"https://{secured}"])
        client.set_service_account(account(key, login.url), ca_file if verify == "file" else False)
        assert client.principal == "svc"
        with registered(client) as watch:
            assert watch.offer().requests_auth is client.requests_auth
        assert len(login.claims) == 1


def test_the_login_s_certificate_is_verified_by_default(
    key: rsa.RSAPrivateKey,
    authority: trustme.CA,
) -> None:
    with Login(key.public_key(), iter([]), tls(authority, "127.0.0.1")) as login:
        client = new_client("127.0.0.1:1")
        client.set_service_account(account(key, login.url))
        with heard("invalid peer certificate") as told, registered(client):
            assert told.wait(30)
        assert login.claims == []


def test_the_token_goes_with_every_request(key: rsa.RSAPrivateKey) -> None:
    session = token(time.time() + 3600)
    with (
        Login(key.public_key(), iter([session])) as login,
        Stub(authorizes=lambda shown, _: shown == f"token={session}") as stub,
    ):
        client = new_client(stub.address)
        client.set_service_account(account(key, login.url))
        with registered(client) as watch:
            watch.wait("SUBSCRIBED").revive()
            stub.wait(lambda stub: stub.accepted, "the call")
        assert stub.authorizations[0][1].subscribe.framework_info.principal == "svc"


def test_a_service_account_is_an_auth_of_requests(key: rsa.RSAPrivateKey) -> None:
    sessions = [token(time.time() + 10, "1"), token(time.time() + 3600, "2")]
    with Login(key.public_key(), iter(sessions)) as login:
        auth = DCOSServiceAuth(account(key, login.url))
        request = SimpleNamespace(headers={})
        assert auth(request) is request
        assert request.headers == {"Authorization": f"token={sessions[0]}"}
        # The first expires soon; the second does not.
        assert [auth.token, auth.token] == [sessions[1]] * 2
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with Login(key.public_key(), iter([])) as login, pytest.raises(ACSException, match="HTTP 401"):
        _ = DCOSServiceAuth(account(other, login.url)).token


def test_a_wrong_account_is_refused_by_name(
    key: rsa.RSAPrivateKey,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(1)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with Login(key.public_key(), iter([])) as login:
        client = new_client("127.0.0.1:1")
        secret = account(other, login.url)
        client.set_service_account(secret)
        with registered(client) as watch:
            assert "service account 'svc' gave no header" in watch.wait("ERROR")
            assert watch.join() is False
    assert secret["private_key"][40:80] not in caplog.text


@pytest.mark.parametrize("kind", ["pair", "callable"])
def test_what_requests_take_as_auth_is_taken(kind: str) -> None:
    def auth(request: Any) -> Any:
        request.headers["Authorization"] = "Basic YWxpY2U6czNjcmV0"
        return request

    with Stub(authorizes=lambda shown, _: shown == "Basic YWxpY2U6czNjcmV0") as stub:
        client = new_client(stub.address)
        client.requests_auth = ("alice", "s3cret") if kind == "pair" else auth
        with registered(client) as watch:
            watch.wait("SUBSCRIBED")


def test_what_verify_cannot_be_is_named(caplog: pytest.LogCaptureFixture) -> None:
    client = new_client("127.0.0.1:1")
    client.verify = 3.5  # type: ignore[assignment]
    assert client.register() is False
    assert "expected a bool or a path as verify, got float" in caplog.text


@pytest.fixture(scope="module", params=["embedded", pytest.param("apache", marks=pytest.mark.apache)])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A master that takes frameworks only with a credential."""
    work = tmp_path_factory.mktemp("guarded")
    if request.param == "embedded":
        with LocalCluster(authenticate_http_frameworks=True, credentials={"alice": "s3cret@"}) as cluster:
            yield cluster.address
        return
    flags = wants_credential(work / "credentials", "alice", "s3cret@")
    with ApacheMesos(request.getfixturevalue("apache_home"), work / "work", flags=flags) as mesos:
        yield mesos.address


@pytest.mark.parametrize("how", ["set_credentials", "attributes", "url"])
def test_a_framework_authenticates(guarded: str, how: str) -> None:
    client = new_client(guarded)
    if how == "set_credentials":
        client.set_credentials("alice", "s3cret@")
    elif how == "attributes":
        client.principal, client.secret = "alice", "s3cret@"
    else:
        client.mesos_urls = [f"http://alice:s3cret%40@{guarded}"]
    with registered(client) as watch:
        watch.offer().decline()
        assert client.mesos_url == f"http://{guarded}"


def test_a_wrong_secret_is_refused_by_name_and_not_shown(guarded: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = new_client(guarded)
    client.set_credentials("alice", "guessed")
    with registered(client) as watch:
        assert watch.wait("ERROR") == "Master refused authentication: principal 'alice'"
        assert watch.join() is False
    assert "guessed" not in caplog.text
    with registered(new_client(guarded)) as watch, heard("refused authentication"):
        assert "no principal was given" in watch.wait("ERROR")
