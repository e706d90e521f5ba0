"""Who gets into the embedded cluster: its own user and root as they are, anyone else with the token."""

from __future__ import annotations

import base64
import http.client
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.conftest import absent
from tests.python.support import Recorder, executor, framework, running, task, task_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "a-token.for_these~tests"
NOBODY = 65534
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(token=TOKEN) as cluster:
        yield cluster


@pytest.fixture
def stranger() -> None:
    """For tests that ask as another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can ask as another user")
    if shutil.which("curl") is None:
        absent("curl is not installed")


def curl(*arguments: str, user: int | None = None) -> tuple[int, str]:
    """Ask as this user, or as another; the status and the body of the answer."""
    command = ["curl", "-s", "--max-time", "20", "-w", "\n%{http_code}", *arguments]
    done = subprocess.run(command, user=user, extra_groups=None, capture_output=True, text=True, check=True, cwd="/")
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def ask(
    address: str, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/webui/main.js"),
        ("GET", "/health"),
        ("GET", "/state"),
        ("GET", "/master/state"),
        ("GET", "/slave(1)/state"),
        ("GET", "/files/read?path=/"),
        ("GET", "/files/browse?path=/"),
        ("GET", "/files/download?path=/"),
        ("POST", "/teardown"),
        ("POST", "/master/teardown"),
        ("POST", "/maintenance/schedule"),
        ("POST", "/api/v1"),
        ("POST", "/api/v1/scheduler"),
        ("POST", "/slave(1)/api/v1"),
        ("GET", "/slave(1)/containers"),
        ("POST", "/slave(1)/api/v1/executor"),
        ("POST", "/slave(9)/api/v1/executor"),
    ],
)
@pytest.mark.usefixtures("stranger")
def test_another_user_is_let_in_by_no_route_without_the_token(cluster: LocalCluster, method: str, path: str) -> None:
    arguments = ["-X", method, "-H", f"Content-Type: {JSON}", cluster.url + path]
    status, body = curl(*arguments, user=NOBODY)
    assert (status, "needs its token" in body) == (401, True)
    assert curl(*arguments)[0] != 401, "the cluster's own user"
    assert curl("-H", f"X-Remesos-Token: {TOKEN}", *arguments, user=NOBODY)[0] != 401


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-H", f"X-Remesos-Token: {TOKEN}"], 200),
        (["-H", f"Authorization: token {TOKEN}"], 200),
        (["-H", f"Authorization: Bearer {TOKEN}"], 200),
        (["-u", f"anyone:{TOKEN}"], 200),
        (["-H", f"X-Remesos-Token: {TOKEN}", "-u", "principal:secret"], 200),
        (["-H", f"X-Remesos-Token: {TOKEN}x"], 401),
        (["-H", "X-Remesos-Token;"], 401),
        (["-u", "principal:secret"], 401),
        (["-H", f"Cookie: remesos-token-1={TOKEN}"], 401),
        (["-X", "POST", "-H", f"Content-Type: {FORM}", "--url-query", f"token={TOKEN}"], 401),
    ],
)
@pytest.mark.usefixtures("stranger")
def test_another_user_shows_the_token_by_a_header(cluster: LocalCluster, arguments: list[str], expected: int) -> None:
    assert curl(f"{cluster.url}/state", *arguments, user=NOBODY)[0] == expected


@pytest.mark.usefixtures("stranger")
def test_another_user_follows_the_link(cluster: LocalCluster) -> None:
    assert cluster.link == f"{cluster.url}/?token={TOKEN}"
    # With an empty name curl keeps cookies for as long as it runs.
    status, page = curl("-L", "-b", "", cluster.link, user=NOBODY)
    assert (status, "<title>Mesos" in page) == (200, True)
    assert curl("-b", "", cluster.url, user=NOBODY)[0] == 401
    assert curl("-L", "-b", "", cluster.link.replace(TOKEN, "x" * 16), user=NOBODY)[0] == 401


def test_the_link_sets_a_cookie_that_no_script_reads_and_no_other_site_sends(cluster: LocalCluster) -> None:
    status, headers, _ = ask(cluster.address, "GET", f"/state?a=%20b&token={TOKEN}&c=d")
    port = cluster.address.rpartition(":")[2]
    assert (status, headers["Location"]) == (303, "./state?a=%20b&c=d")
    assert headers["Set-Cookie"] == f"remesos-token-{port}={TOKEN}; Path=/; HttpOnly; SameSite=Strict"


@pytest.mark.parametrize("host", ["rebound.example", "10.0.0.7:5050"])
def test_a_foreign_host_is_answered_to_for_a_token_and_not_for_its_cookie(cluster: LocalCluster, host: str) -> None:
    port = cluster.address.rpartition(":")[2]
    basic = base64.b64encode(f"any:{TOKEN}".encode()).decode()
    for headers, expected in [
        ({}, 421),
        ({"Cookie": f"remesos-token-{port}={TOKEN}"}, 421),
        ({"X-Remesos-Token": "wrong" * 5}, 421),
        ({"X-Remesos-Token": TOKEN}, 200),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"Basic {basic}"}, 200),
    ]:
        assert ask(cluster.address, "GET", "/state", {"Host": host, **headers})[0] == expected, headers
    assert ask(cluster.address, "GET", f"/?token={TOKEN}", {"Host": host})[0] == 303


def test_a_page_of_another_origin_needs_the_token_in_a_header(cluster: LocalCluster) -> None:
    port = cluster.address.rpartition(":")[2]
    origin = {"Origin": "http://dashboard.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    basic = base64.b64encode(f"any:{TOKEN}".encode()).decode()
    for shown in ({}, {"Cookie": f"remesos-token-{port}={TOKEN}"}, {"Authorization": f"Basic {basic}"}):
        status, headers, _ = ask(cluster.address, "GET", "/state", {**origin, **shown})
        assert (status, headers["Access-Control-Allow-Origin"]) == (403, None), shown
    status, headers, _ = ask(cluster.address, "GET", "/state", {**origin, "X-Remesos-Token": TOKEN})
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "http://dashboard.example")
    assert headers["Access-Control-Allow-Credentials"] is None


def test_a_browser_is_told_that_a_page_may_send_a_token_and_nothing_else(cluster: LocalCluster) -> None:
    asks = {"Origin": "http://dashboard.example", "Access-Control-Request-Method": "POST"}
    for wanted, expected in [("content-type,x-remesos-token", 204), ("authorization", 204), ("content-type", 403)]:
        headers = {**asks, "Access-Control-Request-Headers": wanted}
        status, answer, _ = ask(cluster.address, "OPTIONS", "/api/v1", headers)
        allowed = answer["Access-Control-Allow-Origin"]
        assert (status, allowed) == (expected, "http://dashboard.example" if expected == 204 else None)


@pytest.mark.parametrize("path", ["/state?jsonp=steal", "/master/state?jsonp=steal", "/slaves?jsonp=steal"])
def test_there_is_no_script_to_include(cluster: LocalCluster, path: str) -> None:
    """A page of another origin may include one, and its browser need not say where it comes from."""
    status, headers, body = ask(cluster.address, "GET", path)
    assert (status, headers["Content-Type"], "steal" in body) == (403, "text/plain; charset=utf-8", False)


def test_a_client_that_left_is_nobody(cluster: LocalCluster) -> None:
    """A socket without an owner is shown with user id 0, which is not root's then."""
    host, _, port = cluster.address.partition(":")
    for _ in range(20):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert ask(cluster.address, "GET", "/state")[0] == 200


def test_ipv6_and_mapped_addresses_are_looked_up_too() -> None:
    with LocalCluster(ip="::1") as cluster:
        assert re.fullmatch(r"\[::1\]:\d+", cluster.address)
        assert ask(cluster.address, "GET", "/state")[0] == 200
        assert_runs_a_task(cluster.address)
        if os.geteuid() == 0 and shutil.which("curl"):
            assert curl("-g", f"{cluster.url}/state", user=NOBODY)[0] == 401
    with LocalCluster() as cluster, socket.socket(socket.AF_INET6) as connection:
        host, _, port = cluster.address.partition(":")
        connection.connect((f"::ffff:{host}", int(port)))
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def assert_runs_a_task(master: str, credential: mesos_pb2.Credential | None = None) -> None:
    scheduler = Recorder()
    with running(master, scheduler, credential=credential) as driver:
        offer = scheduler.offer()
        made = task(offer)
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)


def test_tokens_are_random_or_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalCluster() as one, LocalCluster() as other:
        assert one.token != other.token
        assert len(one.token) * 4 >= 128, "hexadecimal digits"
        assert one.token not in repr(one)
    monkeypatch.setenv("REMESOS_LOCAL_TOKEN", TOKEN)
    with (
        LocalCluster() as one,
        LocalCluster(token="another-token-00") as other,
        LocalCluster.from_environment() as third,
    ):
        assert (one.token, other.token, third.token) == (TOKEN, "another-token-00", TOKEN)
    monkeypatch.setenv("REMESOS_LOCAL_TOKEN", "tell-nobody")
    with pytest.raises(ArgumentValueError, match="REMESOS_LOCAL_TOKEN: the token is not valid: expected 16") as raised:
        LocalCluster()
    assert "tell-nobody" not in str(raised.value)
    with pytest.raises(ArgumentTypeError, match="expected a str as token, got int"):
        LocalCluster(token=1234567890123456)  # type: ignore[arg-type]
    with pytest.raises(ArgumentValueError, match="'localhost' is not a valid IP address"):
        LocalCluster(ip="localhost")


def test_the_token_is_in_no_log_of_requests_and_no_task_s_environment(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMESOS_LOCAL_TOKEN", TOKEN)
    caplog.set_level("DEBUG", "mesos")
    with LocalCluster() as cluster:
        ask(cluster.address, "GET", f"/?token={TOKEN}")
        ask(cluster.address, "POST", f"/?token={TOKEN}", {"Host": "rebound.example", "Cookie": TOKEN})
        wait_until(lambda: "rebound.example" in caplog.text, "the refusal is logged")
        scheduler = Recorder()
        with running(cluster.address, scheduler) as driver:
            offer = scheduler.offer()
            made = task(offer, "env; cat /proc/self/environ")
            driver.launchTasks(offer.id, [made])
            scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)
            (ran,) = cluster.tasks
            told = (ran.sandbox / "stdout").read_text()
            assert "MESOS_SANDBOX" in told
            assert TOKEN not in told
    assert TOKEN not in caplog.text


def beyond() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            absent("this machine has no address beyond loopback")
        address: str = probe.getsockname()[0]
        return address


@pytest.mark.usefixtures("stranger")
def test_beyond_loopback_everyone_else_needs_the_token(caplog: pytest.LogCaptureFixture) -> None:
    here = beyond()
    caplog.set_level("WARNING", "mesos")
    with LocalCluster(ip="0.0.0.0") as cluster:
        port = cluster.address.rpartition(":")[2]
        assert cluster.address == f"127.0.0.1:{port}"
        assert cluster.link == f"http://{socket.gethostname()}:{port}/?token={cluster.token}"
        wait_until(lambda: cluster.link in caplog.text, "a warning with the link")
        assert "listens beyond this machine" in caplog.text
        url = f"http://{here}:{port}/state"
        assert curl(url)[0] == 200, "this user, on this machine"
        assert curl(url, user=NOBODY)[0] == 401
        assert curl("-H", f"X-Remesos-Token: {cluster.token}", url, user=NOBODY)[0] == 200
        assert curl("--interface", "127.0.0.1", f"{cluster.url}/state", user=NOBODY)[0] == 401
        assert curl("--resolve", f"{socket.gethostname()}:{port}:{here}", f"http://{socket.gethostname()}:{port}/state")
        assert_runs_a_task(f"{here}:{port}")
    with LocalCluster(ip=here) as cluster:
        assert cluster.address.startswith(f"{here}:")
        assert_runs_a_task(cluster.address)


def test_a_framework_shows_the_token_as_its_secret() -> None:
    """The driver sends a Credential as HTTP Basic, so that it works from elsewhere too."""
    here = beyond()
    with LocalCluster(ip="0.0.0.0") as cluster:
        port = cluster.address.rpartition(":")[2]
        credential = mesos_pb2.Credential(principal="anyone", secret=cluster.token)
        assert_runs_a_task(f"{here}:{port}", credential)


EXECUTOR = f"""
import http.client, json, os
host, port = os.environ["MESOS_AGENT_ENDPOINT"].split(":")
path = "/" + os.environ["MESOS_SLAVE_PID"].split("@")[0] + "/api/v1/executor"
ids = {{"framework_id": {{"value": os.environ["MESOS_FRAMEWORK_ID"]}}}}
mine = {{**ids, "executor_id": {{"value": os.environ["MESOS_EXECUTOR_ID"]}}}}
other = {{**ids, "executor_id": {{"value": "other"}}}}
def post(path, call):
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("POST", path, json.dumps(call), {{"Content-Type": "{JSON}", "Accept": "{JSON}"}})
    return connection.getresponse()
subscribe = {{"type": "SUBSCRIBE", "subscribe": {{"unacknowledged_tasks": [], "unacknowledged_updates": []}}}}
statuses = [post(path, {{**subscribe, **other}}).status, post("/api/v1/scheduler", {{"type": "SUBSCRIBE"}}).status]
stream = post(path, {{**subscribe, **mine}})
print(os.geteuid(), *statuses, stream.status, flush=True)
while stream.read1(65536):
    pass
"""


@pytest.mark.usefixtures("stranger")
def test_the_user_of_an_executor_is_answered_to_by_that_executor_s_api_alone(tmp_path: Path) -> None:
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    if python is None:
        absent("no python3 outside of the home directory")
    with LocalCluster() as cluster:
        scheduler = Recorder()
        with running(cluster.address, scheduler, framework(user="root")) as driver:
            offer = scheduler.offer()
            made = executor()
            made.command.value, made.command.user = f'exec {python} -c "$CODE"', "nobody"
            made.command.environment.variables.add(name="CODE", value=EXECUTOR)
            driver.launchTasks(offer.id, [task_of(offer, made)])
            wait_until(lambda: len(cluster.tasks) == 1, "the task is there")
            output = cluster.tasks[0].sandbox / "stdout"
            wait_until(lambda: output.exists() and output.read_text().endswith("\n"), "the executor has subscribed")
            assert output.read_text() == f"{NOBODY} 401 401 200\n"


@pytest.mark.parametrize("temporary", [True, False])
def test_nobody_else_reads_what_tasks_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: bool) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    work_dir = None if temporary else tmp_path / "made" / "here"
    with LocalCluster(work_dir=work_dir) as cluster:
        assert_runs_a_task(cluster.address)
        top = work_dir or next(tmp_path.glob("remesos-*"))
        sandbox = cluster.tasks[0].sandbox
        others = stat.S_IRWXG | stat.S_IRWXO
        assert sandbox.stat().st_mode & others == 0
        passed = [top, *(directory for directory in sandbox.parents if top in directory.parents)]
        for directory in passed:
            allowed = stat.S_IXGRP | stat.S_IXOTH if os.geteuid() == 0 else 0
            assert directory.stat().st_mode & others == allowed, directory


@pytest.mark.usefixtures("stranger")
def test_a_task_of_another_user_reaches_its_sandbox_and_no_other() -> None:
    with LocalCluster() as cluster:
        scheduler = Recorder()
        with running(cluster.address, scheduler, framework(user="root")) as driver:
            offer = scheduler.offer()
            root = task(offer, "echo secret > mine; sleep 60")
            driver.launchTasks(offer.id, [root])
            scheduler.state(root.task_id.value, mesos_pb2.TASK_RUNNING)
            secret = cluster.tasks[0].sandbox / "mine"
            wait_until(secret.exists, "it is written")
            script = f"""
                id -u; cd /; echo here > "$MESOS_SANDBOX/file" && cat "$MESOS_SANDBOX/file"
                cat {secret} || echo refused
                ls {secret.parents[3]} || echo refused
            """
            offer = scheduler.offer()
            other = task(offer, script)
            other.command.user = "nobody"
            driver.launchTasks(offer.id, [other])
            scheduler.state(other.task_id.value, mesos_pb2.TASK_FINISHED)
            sandbox = next(ran.sandbox for ran in cluster.tasks if ran.id == other.task_id.value)
            assert (sandbox / "stdout").read_text().split() == [str(NOBODY), "here", "refused", "refused"]


@pytest.mark.parametrize("name", ["owned-by-another", "writable-by-all", "agents-of-another", "agents-a-link"])
@pytest.mark.usefixtures("stranger")
def test_a_directory_that_others_control_is_refused(tmp_path: Path, name: str) -> None:
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    if name == "owned-by-another":
        os.chown(work_dir, NOBODY, NOBODY)
    elif name == "writable-by-all":
        work_dir.chmod(0o777)
    elif name == "agents-of-another":
        (work_dir / "agents").mkdir()
        os.chown(work_dir / "agents", NOBODY, NOBODY)
    else:
        (tmp_path / "elsewhere").mkdir()
        (work_dir / "agents").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="working directory .*expected"):
        LocalCluster(work_dir=work_dir)
    assert not (tmp_path / "elsewhere" / "0").exists()


def test_a_directory_that_is_there_is_taken_and_what_is_in_it_is_kept_private(tmp_path: Path) -> None:
    work_dir = tmp_path / "work"
    (work_dir / "agents").mkdir(parents=True)
    (work_dir / "agents").chmod(0o755)
    (tmp_path / "link").symlink_to(work_dir)
    with LocalCluster(work_dir=tmp_path / "link") as cluster:
        assert_runs_a_task(cluster.address)
        assert cluster.tasks[0].sandbox.is_relative_to(work_dir)
        assert (work_dir / "agents").stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)


def served(*arguments: str) -> subprocess.Popen[str]:
    """A cluster of the command line."""
    command = [sys.executable, "-m", "mesos", "local", "--port", "0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_command_line_shows_the_link_and_warns_beyond_loopback() -> None:
    with served("--ip", "0.0.0.0", "--token", TOKEN) as local:
        assert local.stdout is not None
        assert local.stderr is not None
        first, second = local.stdout.readline(), local.stdout.readline()
        warning = local.stderr.readline()
        local.terminate()
    port = re.findall(r"master at 127\.0\.0\.1:(\d+)", first)[0]
    link = f"http://{socket.gethostname()}:{port}/?token={TOKEN}"
    assert second == f"remesos: Other users and machines need the token: {link}\n"
    assert warning.startswith("WARNING The embedded cluster listens beyond this machine")
    assert link in warning
