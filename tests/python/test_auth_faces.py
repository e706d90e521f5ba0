"""Authentication through every face, on the real Mesos; files that tell how; service accounts of DC/OS."""

from __future__ import annotations

import base64
import json
import logging
import os
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from mesos import auth
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver

from tests.apache_mesos import ApacheMesos, credentials, wants_credential
from tests.python.authenticating import FACES, operating, with_dicts, with_futures, with_pymesos
from tests.python.stub import Stub
from tests.python.support import WAIT_SECONDS, Recorder, framework, heard, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOOD, WRONG = "s3cret-of-alice", "gu3ssed"


@pytest.fixture(scope="module")
def guarded(apache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheMesos]:
    """A real master that takes frameworks only with the credential of alice."""
    work = tmp_path_factory.mktemp("guarded")
    flags = wants_credential(work / "credentials", "alice", GOOD)
    with ApacheMesos(apache_home, work / "mesos", agents=1, flags=flags) as mesos:
        yield mesos


def basic(secret: str) -> str:
    return f"Basic {base64.b64encode(f'alice:{secret}'.encode()).decode()}"


@pytest.mark.parametrize("face", FACES)
class TestTheRealMesos:
    """Every face authenticates, in every way, and says whom the master refused."""

    @pytest.mark.parametrize("kind", ["basic", "header", "callable", "object", "file"])
    def test_a_secret_that_is_right_or_wrong(
        self,
        guarded: ApacheMesos,
        face: Callable[..., str],
        kind: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        class Given(auth.Authentication):
            principal = "alice"

            def __init__(self, secret: str) -> None:
                self.secret = secret

            def header(self, refused: bool) -> str:
                return basic(self.secret)

        def made(secret: str) -> dict[str, Any]:
            file = tmp_path / "secret"
            file.write_text(json.dumps({"principal": "alice", "secret": secret}))
            file.chmod(0o600)
            if kind == "file":
                monkeypatch.setenv("REMESOS_AUTHENTICATION", str(file))
                return {}
            values: dict[str, Any] = {
                "basic": auth.Basic("alice", secret),
                "header": basic(secret),
                "callable": lambda: basic(secret),
                "object": Given(secret),
            }
            return {"authentication": values[kind]}

        caplog.set_level(1)
        assert face(guarded.address, **made(GOOD)) == "registered"
        refused = face(guarded.address, **made(WRONG))
        others = {"header": "an Authorization header that was given", "callable": "the callable '"}
        who = others.get(kind, "principal 'alice'")
        assert f"Master refused authentication: {who}" in refused
        for secret in (GOOD, WRONG, basic(GOOD), basic(WRONG)):
            assert secret not in refused
            assert secret not in caplog.text

    def test_nothing(self, guarded: ApacheMesos, face: Callable[..., str]) -> None:
        assert "Master refused authentication: no principal was given" in face(guarded.address)

    def test_a_keyword_comes_before_the_variable(
        self, guarded: ApacheMesos, face: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "wrong").write_text(f"alice {WRONG}\n")
        monkeypatch.setenv("REMESOS_AUTHENTICATION", str(tmp_path / "wrong"))
        assert face(guarded.address, authentication=auth.Basic("alice", GOOD)) == "registered"
        pair: Any = mesos_pb2.Credential(principal="alice", secret=GOOD)
        if face in (with_pymesos, with_futures):
            assert face(guarded.address, principal="alice", secret=GOOD) == "registered"
        else:
            pair = ("alice", GOOD) if face is with_dicts else pair
            assert face(guarded.address, credential=pair) == "registered"


def test_another_principal_in_the_framework_is_named(guarded: ApacheMesos) -> None:
    scheduler = Recorder()
    info = framework(principal="bob")
    driver = MesosSchedulerDriver(scheduler, info, guarded.address, authentication=auth.Basic("alice", GOOD))
    assert driver.run() == mesos_pb2.DRIVER_ABORTED
    message = scheduler.wait("error")
    assert "Authenticated principal 'alice' does not match principal 'bob'" in message
    driver.stop()


def test_calls_work_with_a_principal_that_was_filled_in(guarded: ApacheMesos) -> None:
    """The master refuses each call of a framework whose principal is another one."""
    scheduler = Recorder(unwanted=("error",))
    with running(guarded.address, scheduler, authentication=auth.Basic("alice", GOOD)) as driver:
        named = scheduler.wait("registered")
        assert named is not None
        info = framework(name="changed", failover_timeout=1)
        info.id.CopyFrom(scheduler.seen[0].arguments[0])
        driver.updateFramework(info, [])
        driver.reconcileTasks([mesos_pb2.TaskStatus(task_id={"value": "unknown"}, state=mesos_pb2.TASK_RUNNING)])
        scheduler.state("unknown", mesos_pb2.TASK_LOST)


@pytest.fixture(scope="module")
def guarded_operators(apache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheMesos]:
    """A real master that takes operators' calls only with the credential of alice."""
    work = tmp_path_factory.mktemp("operators")
    flags = {"MESOS_AUTHENTICATE_HTTP_READWRITE": "true", **credentials(work / "credentials", "alice", GOOD)}
    with ApacheMesos(apache_home, work / "mesos", agents=0, flags=flags) as mesos:
        yield mesos


def test_operators_authenticate_too(guarded_operators: ApacheMesos, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    address = guarded_operators.address
    for made in (lambda secret: auth.Basic("alice", secret), basic, lambda secret: lambda: basic(secret)):
        assert operating(address, authentication=made(GOOD)) == "registered"
        refused = operating(address, authentication=made(WRONG))
        assert refused.startswith("Failed to send request code=401")
        assert "Master refused authentication: " in refused
        for secret in (GOOD, WRONG, basic(GOOD), basic(WRONG)):
            assert secret not in refused
            assert secret not in caplog.text
    assert operating(address, principal="alice", secret=GOOD) == "registered"
    assert "no principal was given" in operating(address)


class TestFiles:
    """What ``REMESOS_AUTHENTICATION`` may name."""

    def test_forms_of_mesos(self, tmp_path: Path) -> None:
        file = tmp_path / "credential"
        for text in ("alice s3cret", "  alice\ts3cret\n", '{"principal": "alice", "secret": "s3cret"}'):
            file.write_text(text)
            assert repr(auth.from_file(file)) == "Basic('alice')"

    def test_the_file_of_a_token(self, tmp_path: Path) -> None:
        file = tmp_path / "authentication"
        for named in ("/run/token", "token"):
            file.write_text(json.dumps({"token_file": named}))
            assert repr(auth.from_file(file)) == f"BearerToken(file={str(tmp_path / named)!r})"

    @pytest.mark.parametrize(
        "text",
        ["", "hidden", "hidden hidden hidden", "{hidden", '{"principal": "hidden"}', '["hidden"]', '{"uid": "hidden"}'],
    )
    def test_others_are_refused_and_not_shown(self, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "authentication"
        file.write_text(text)
        monkeypatch.setenv("REMESOS_AUTHENTICATION", str(file))
        with pytest.raises(ArgumentValueError, match="REMESOS_AUTHENTICATION: expected a JSON object") as raised:
            MesosSchedulerDriver(Scheduler(), framework(), "127.0.0.1:1")
        assert "hidden" not in str(raised.value)
        assert str(file) in str(raised.value)

    def test_one_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REMESOS_AUTHENTICATION", str(tmp_path / "absent"))
        with pytest.raises(ArgumentValueError, match="absent.*No such file or directory"):
            MesosSchedulerDriver(Scheduler(), framework(), "127.0.0.1:1")

    @pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True)])
    def test_one_that_others_can_read(
        self, tmp_path: Path, mode: int, warned: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = tmp_path / "credential"
        file.write_text("alice s3cret")
        file.chmod(mode)
        auth.from_file(file)
        warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert [f"{str(file)!r} is accessible by other users" in text for text in warnings] == [True] * warned


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def token(expires: float, name: str = "session") -> str:
    """A JSON Web Token, whose signature nobody verifies here."""
    parts = [{"alg": "none"}, {"exp": expires, "name": name}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


class Login:
    """A login of DC/OS, which knows one account by its public key."""

    def __init__(self, public: rsa.RSAPublicKey, tokens: Iterator[str], context: ssl.SSLContext | None = None) -> None:
        self.claims: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, answer = outer.answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._public, self._tokens = public, tokens
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}/acs/api/v1/auth/login"

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        posted = json.loads(body)
        signed, _, signature = posted["token"].rpartition(".")
        header, claims = (json.loads(decoded(part)) for part in signed.split("."))
        try:
            self._public.verify(decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except Exception:
            return 401, {"title": "Unauthorized", "description": f"Invalid login token: {posted['token']}"}
        assert (path, header) == ("/acs/api/v1/auth/login", {"alg": "RS256", "typ": "JWT"})
        assert set(posted) == {"uid", "token"}
        assert claims["uid"] == posted["uid"]
        with self.changed:
            self.claims.append(claims)
            self.changed.notify_all()
        return 200, {"token": next(self._tokens)}

    def wait(self, number: int) -> None:
        """Waits for so many logins."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.claims) >= number, WAIT_SECONDS), len(self.claims)

    def __enter__(self) -> Login:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any, form: str = "PKCS8") -> str:
    private = getattr(serialization.PrivateFormat, form)
    return key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()).decode()


def account(key: Any, url: str, **others: Any) -> dict[str, Any]:
    return {"uid": "svc", "private_key": pem(key), "scheme": "RS256", "login_endpoint": url, **others}


class TestServiceAccounts:
    """DC/OS: a token that is signed with the account's key is exchanged for another."""

    @pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
    def test_it_logs_in(self, key: rsa.RSAPrivateKey, form: str) -> None:
        session = token(time.time() + 3600)
        secret = account(key, "", private_key=pem(key, form))
        scheduler = Recorder(unwanted=("error",))
        with (
            Login(key.public_key(), iter([session])) as login,
            Stub(authorizes=lambda shown, _: shown == f"token={session}") as stub,
        ):
            authentication = auth.ServiceAccount({**secret, "login_endpoint": login.url})
            with running(stub.address, scheduler, authentication=authentication):
                scheduler.wait("registered")
            (claims,) = login.claims
            assert claims["uid"] == "svc"
            assert 0 < claims["exp"] - time.time() <= 300
            assert stub.authorizations[0][1].subscribe.framework_info.principal == "svc"

    def test_it_logs_in_again_before_the_token_expires_and_when_it_is_refused(self, key: rsa.RSAPrivateKey) -> None:
        sessions = [token(time.time() + 3, "1"), token(time.time() + 3600, "2"), token(time.time() + 3600, "3")]
        good = [f"token={session}" for session in sessions[:2]]
        scheduler = Recorder(unwanted=("error", "disconnected"))
        with (
            Login(key.public_key(), iter(sessions)) as login,
            Stub(authorizes=lambda shown, _: shown in good) as stub,
            running(stub.address, scheduler, authentication=auth.ServiceAccount(account(key, login.url))) as driver,
        ):
            scheduler.wait("registered")
            login.wait(2)
            good[:] = [f"token={sessions[2]}"]
            driver.killTask("task")
            login.wait(3)
            stub.wait(lambda stub: stub.accepted, "the call is accepted")
            assert stub.authorizations[-1][0] == f"token={sessions[2]}"

    def test_a_wrong_key_is_refused_by_name(self, key: rsa.RSAPrivateKey, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(1)
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        scheduler = Recorder()
        with Login(key.public_key(), iter([])) as login, Stub() as stub:
            secret = account(other, login.url)
            driver = MesosSchedulerDriver(
                scheduler, framework(), stub.address, authentication=auth.ServiceAccount(secret)
            )
            assert driver.run() == mesos_pb2.DRIVER_ABORTED
            assert stub.authorizations == []
        message = scheduler.wait("error")
        assert message == (
            f"service account 'svc' gave no header: the login at {login.url} was refused: HTTP 401 Unauthorized: "
            "Invalid login token: ..."
        )
        driver.stop()
        assert secret["private_key"][40:80] not in caplog.text

    def test_a_login_that_cannot_be_reached_is_tried_again(
        self, key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
        url = "http://user:s3cret@127.0.0.1:1/acs/api/v1/auth/login"
        expected = "service account 'svc' gave no header: the login at http://user:"
        with Stub() as stub, heard(expected) as told:
            authentication = auth.ServiceAccount(account(key, url))
            with running(stub.address, Recorder(unwanted=("error",)), authentication=authentication):
                assert told.wait(WAIT_SECONDS)
        assert "s3cret" not in caplog.text

    @pytest.mark.parametrize("trust", ["nothing", "ca", "variable", "not verified"])
    def test_the_certificate_is_verified(
        self,
        key: rsa.RSAPrivateKey,
        trust: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
        made = trustme.CA()
        file = tmp_path / "ca.pem"
        made.cert_pem.write_to_path(file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.issue_cert("127.0.0.1").configure_cert(context)
        if trust == "variable":
            monkeypatch.setenv("LIBPROCESS_SSL_CA_FILE", str(file))
        arguments: dict[str, Any] = {"ca": {"ca": file}, "not verified": {"verify": False}}.get(trust, {})
        scheduler = Recorder(unwanted=("error",))
        with (
            Login(key.public_key(), iter([token(time.time() + 3600)]), context) as login,
            Stub() as stub,
            heard("UnknownIssuer") as refused,
        ):
            authentication = auth.ServiceAccount(account(key, login.url), **arguments)
            with running(stub.address, scheduler, authentication=authentication):
                if trust == "nothing":
                    assert refused.wait(WAIT_SECONDS)
                else:
                    scheduler.wait("registered")
            assert len(login.claims) == (trust != "nothing")

    def test_a_file(self, key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        session = token(time.time() + 3600)
        file = tmp_path / "account.json"
        scheduler = Recorder(unwanted=("error",))
        with Login(key.public_key(), iter([session])) as login, Stub() as stub:
            file.write_text(json.dumps(account(key, login.url)))
            file.chmod(0o600)
            assert repr(auth.ServiceAccount(file)) == "ServiceAccount('svc')"
            monkeypatch.setenv("REMESOS_AUTHENTICATION", os.fspath(file))
            with running(stub.address, scheduler):
                scheduler.wait("registered")
            assert stub.authorizations[0][0] == f"token={session}"

    def test_secrets_that_cannot_be_used_are_not_shown(self, key: rsa.RSAPrivateKey) -> None:
        curve = pem(ec.generate_private_key(ec.SECP256R1()))
        short = pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))
        bad: list[dict[str, Any]] = [
            {"private_key": "hidden"},
            {"private_key": curve},
            {"private_key": short},
            {"private_key": None},
            {"uid": 5},
            {"scheme": "HS256"},
            {"login_endpoint": "ftp://hidden/"},
            {"login_endpoint": "hidden"},
        ]
        for fields in bad:
            with pytest.raises(ArgumentValueError) as raised:
                auth.ServiceAccount(account(key, "http://localhost/login", **fields))
            text = str(raised.value)
            assert "hidden" not in text
            assert not any(line in text for line in (curve + short + pem(key)).splitlines())
        with pytest.raises(ArgumentTypeError):
            auth.ServiceAccount(account(key, "http://localhost/"), verify="no")  # type: ignore[arg-type]


FORKED = """
import os, sys, threading, time, warnings
from mesos import auth
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
from mesos._operator import Operator

warnings.simplefilter("ignore", DeprecationWarning)
asked, go_on = threading.Event(), threading.Event()
parent = os.getpid()


class Given(auth.Authentication):
    def header(self, refused):
        if os.getpid() == parent:
            asked.set()
            assert go_on.wait(30)
        return "Basic YWxpY2U6czNjcmV0"


class Registered(Scheduler):
    def registered(self, driver, *_):
        driver.stop()
    def error(self, driver, message):
        print(message)


def start(authentication):
    info = mesos_pb2.FrameworkInfo(user="", name="test")
    driver = MesosSchedulerDriver(Registered(), info, sys.argv[1], authentication=authentication)
    driver.start()
    return driver


given = Given()
driver = start(given)
assert asked.wait(30)
"""


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)"])
def test_a_fork_while_whoever_gives_the_header_hangs(end: str) -> None:
    """The child uses the same object, by itself; the parent goes on."""
    code = f"""
for _ in range(3):
    child = os.fork()
    if child == 0:
        assert driver.stop() == driver.join()
        assert start(given).join() == mesos_pb2.DRIVER_STOPPED
        assert Operator(sys.argv[1], authentication=given).request({{"type": "GET_HEALTH"}}).status == 200
        print("child", flush=True)
        {end}
    assert os.waitpid(child, 0)[1] == 0
go_on.set()
assert driver.join() == mesos_pb2.DRIVER_STOPPED
print("parent")
"""
    with LocalCluster(authenticate_http_frameworks=True, credentials={"alice": "s3cret"}) as cluster:
        command = [sys.executable, "-c", FORKED + code, cluster.address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "child\nchild\nchild\nparent\n"
