"""The embedded cluster: what it takes, what it serves, and that nothing of it is left."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from mesos.errors import AddressInUseError, ArgumentTypeError, ArgumentValueError, ClusterError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver

from tests.python.conftest import RESOURCES
from tests.python.support import Recorder, alive, framework, running, task, wait_until

JSON = {"Content-Type": "application/json", "Accept": "application/json"}


def get(cluster: LocalCluster, path: str) -> Any:
    with urllib.request.urlopen(cluster.url + path, timeout=30) as response:
        return json.load(response)


def test_local_as_master_starts_a_cluster_in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MESOS_NUM_SLAVES", "3")
    monkeypatch.setenv("MESOS_RESOURCES", "cpus:2;mem:10240")
    monkeypatch.setenv("MESOS_WORK_DIR", str(tmp_path))
    scheduler = Recorder()
    started = time.monotonic()
    with running("local", scheduler) as driver:
        offer = scheduler.offer()
        assert time.monotonic() - started < 10
        offers = scheduler.seen[-1].arguments[0]
        assert len({o.slave_id.value for o in offers}) == 3
        assert {r.name: r.scalar.value for r in offer.resources if r.name in ("cpus", "mem")} == {
            "cpus": 2,
            "mem": 10240,
        }
        launched = task(offer, "echo hello; echo oops >&2")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
    run = next(tmp_path.glob(f"agents/*/work/slaves/*/frameworks/*/executors/{launched.task_id.value}/runs/latest"))
    assert (run / "stdout").read_text() == "hello\n"
    assert (run / "stderr").read_text() == "oops\n"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MESOS_NUM_SLAVES", "none"),
        ("MESOS_NUM_SLAVES", "0"),
        ("MESOS_RESOURCES", "cpus"),
        ("MESOS_ALLOCATION_INTERVAL", "1"),
    ],
)
def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ArgumentValueError, match=f"{variable}: '{value}'.*expected"):
        MesosSchedulerDriver(Recorder(), framework(), "local")


def test_a_variable_that_is_not_utf8_is_named_and_a_path_may_be_any_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MESOS_WORK_DIR", str(tmp_path / os.fsdecode(b"\xff")))
    with LocalCluster.from_environment():
        assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [b"\xff"]
    monkeypatch.setenv("MESOS_RESOURCES", os.fsdecode(b"\xff"))
    with pytest.raises(ArgumentValueError, match="'MESOS_RESOURCES' is not valid UTF-8"):
        LocalCluster.from_environment()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": 70000}, "expected 0 to 65535 as port, got 70000"),
        ({"agents": 0}, "expected 1 to 1000 as agents, got 0"),
        ({"port": -1}, "expected 0 to 65535 as port, got -1"),
        ({"agents": -1}, "expected 1 to 1000 as agents, got -1"),
        ({"resources": "cpus:many"}, "'cpus:many' is not a valid list of resources"),
        ({"resources": ""}, "expected at least one resource as resources, got ''"),
        ({"resources": {}}, "expected at least one resource as resources, got {}"),
        ({"resources": {"cpus": -2}}, "expected a finite number from 0 as resources['cpus'], got -2"),
        ({"resources": {"cpus": float("nan")}}, "expected a finite number from 0 as resources['cpus'], got nan"),
        ({"resources": {"cpus": 10**400}}, "expected a finite number from 0 as resources['cpus'], got 1000"),
        ({"resources": {"cpus": "2;mem:5"}}, "as resources['cpus'], got '2;mem:5'"),
        ({"resources": {"cpus:2;mem": 5}}, "as each name in resources, got 'cpus:2;mem'"),
        ({"resources": {"cpus": "many"}}, "'cpus:many' is not a valid list of resources"),
        ({"work_dir": ""}, "expected the path of a directory as work_dir, got ''"),
        ({"work_dir": "a\0b"}, "expected the path of a directory as work_dir, got 'a\\x00b'"),
    ],
)
def test_an_argument_whose_value_cannot_be_used_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentValueError, match=re.escape(message)):
        LocalCluster(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": "x"}, "expected an int as port, got 'x'"),
        ({"port": None}, "expected an int as port, got None"),
        ({"port": 5050.0}, "expected an int as port, got 5050.0"),
        ({"agents": "3"}, "expected an int as agents, got '3'"),
        ({"agents": True}, "expected an int as agents, got True"),
        ({"resources": ["cpus:2"]}, "as resources, got ['cpus:2']"),
        ({"resources": b"cpus:2"}, "as resources, got b'cpus:2'"),
        ({"resources": {"cpus": None}}, "as resources['cpus'], got None"),
        ({"resources": {"cpus": True}}, "as resources['cpus'], got True"),
        ({"resources": {1: 2}}, "expected a str as each name in resources, got 1"),
        ({"work_dir": 5}, "expected a path as work_dir, got 5"),
    ],
)
def test_an_argument_of_a_type_that_cannot_be_used_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentTypeError, match=re.escape(message)):
        LocalCluster(**arguments)


def test_resources_can_be_a_mapping() -> None:
    resources = {"cpus": 2, "mem": 1e3, "gpus": Fraction(1), "ports": "[31000-31009]", "disks": "{a,b}"}
    with LocalCluster(agents=2, resources=resources) as cluster:
        [shown, _] = [slave["resources"] for slave in get(cluster, "/slaves")["slaves"]]
    assert (shown["cpus"], shown["mem"], shown["gpus"], shown["ports"]) == (2, 1000, 1, "[31000-31009]")


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUseError, match=f"127.0.0.1:{port}.*expected a free port"):
            LocalCluster(port)


def test_a_working_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClusterError, match="cannot make the working directory"):
        LocalCluster(work_dir=tmp_path / "file" / "dir")


def test_stopping_kills_tasks_closes_the_port_and_removes_what_was_temporary() -> None:
    scheduler = Recorder()
    cluster = LocalCluster()
    with running(cluster.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "sleep 600 & echo $! > child; wait")
        driver.launchTasks(offer.id, [launched])
        pid = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING).container_status.executor_pid
        [shown] = cluster.tasks
        assert (shown.framework, shown.id, shown.state) == ("test", launched.task_id.value, "TASK_RUNNING")
        wait_until(
            lambda: (shown.sandbox / "child").exists() and (shown.sandbox / "child").read_text().strip(), "a child"
        )
        child = int((shown.sandbox / "child").read_text())
        cluster.stop()
        cluster.stop()
        wait_until(lambda: not alive(pid) and not alive(child), "the task and its child are gone")
        assert not Path(f"/proc/{pid}").exists(), "not even a zombie"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(cluster.address.partition(":")[2])), timeout=30)
        assert not shown.sandbox.exists()
        assert cluster.tasks == [shown]


@pytest.mark.parametrize("ending", ["SIGKILL", "SIGTERM", "os._exit(3)", "sys.exit()", "raise RuntimeError"])
def test_tasks_and_port_go_however_the_process_ends(ending: str) -> None:
    code = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from tests.python.support import Recorder, running, task
cluster = LocalCluster()
scheduler = Recorder()
with running(cluster.address, scheduler) as driver:
    offer = scheduler.offer()
    launched = task(offer, "trap '' TERM; while :; do sleep 1; done")
    driver.launchTasks(offer.id, [launched])
    status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
    print(status.container_status.executor_pid, cluster.address.partition(":")[2], flush=True)
    {"sys.stdin.read()" if ending.startswith("SIG") else ending}
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        pid, port = map(int, process.stdout.readline().split())
        if ending.startswith("SIG"):
            assert alive(pid)
            process.send_signal(getattr(signal, ending))
        process.wait(30)
    wait_until(lambda: not alive(pid), "the task is gone")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=30)


def test_tasks_are_killed_with_their_sessions_and_zombies_are_not_left(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "sleep 600 & echo $! > child; exit 0")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        child = int((embedded.tasks[0].sandbox / "child").read_text())
        wait_until(lambda: not alive(child), "what the task left behind is gone")


def test_a_program_that_is_not_there_is_a_failed_launch(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer)
        launched.command.shell = False
        launched.command.value = "/no/such/program"
        driver.launchTasks(offer.id, [launched])
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
        assert status.reason == mesos_pb2.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED
        assert status.message.startswith("Failed to launch container: ")


def test_the_environment_of_a_task_is_that_of_an_agent_and_not_ours(
    embedded: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "not the task's business")
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "/usr/bin/env")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        sandbox = embedded.tasks[0].sandbox
    variables = dict(line.split("=", 1) for line in (sandbox / "stdout").read_text().splitlines())
    assert "OURS" not in variables
    assert variables["MESOS_SANDBOX"] == str(sandbox)
    assert variables["MESOS_FRAMEWORK_ID"] == offer.framework_id.value
    assert variables["MESOS_EXECUTOR_ID"] == launched.task_id.value
    assert variables["MESOS_SLAVE_ID"] == offer.slave_id.value
    assert variables["MESOS_SLAVE_PID"].startswith("slave(")
    assert variables["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_what_tools_and_the_web_page_read(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "echo hello")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        state = get(embedded, "/state")
        assert state.keys() == get(embedded, "/master/state").keys()
        assert state["leader_info"]["port"] == state["slaves"][0]["port"]
        [shown] = state["frameworks"]
        assert (shown["name"], shown["active"], shown["role"]) == ("test", True, "*")
        [mine] = [t for t in shown["tasks"] + shown["completed_tasks"] if t["id"] == launched.task_id.value]
        assert mine["state"] == "TASK_FINISHED"
        assert mine["resources"]["cpus"] == 0.1
        slave = next(s for s in state["slaves"] if s["id"] == mine["slave_id"])
        agent = get(embedded, f"/{slave['pid'].partition('@')[0]}/state")
        frameworks = agent["frameworks"] + agent["completed_frameworks"]
        [executors] = [f["executors"] + f["completed_executors"] for f in frameworks]
        path = urllib.parse.quote(executors[0]["directory"] + "/stdout")
        assert get(embedded, f"/files/read?path={path}&offset=0") == {"offset": 0, "data": "hello\n"}
        assert get(embedded, f"/files/read?path={path}&offset=-1") == {"offset": 6, "data": ""}
        names = [Path(f["path"]).name for f in get(embedded, f"/files/browse?path={path.removesuffix('/stdout')}")]
        assert names == ["stderr", "stdout"]
    assert get(embedded, "/frameworks")["completed_frameworks"][0]["id"] == shown["id"]
    assert [t["id"] for t in get(embedded, "/tasks")["tasks"]] == [launched.task_id.value]
    assert get(embedded, "/version")["version"] == "1.11.0"
    for path, kind in (("/", "text/html"), ("/webui/main.js", "text/javascript"), ("/webui/style.css", "text/css")):
        with urllib.request.urlopen(embedded.url + path, timeout=30) as response:
            assert response.headers["Content-Type"].startswith(kind)
            assert len(response.read()) > 500


@pytest.mark.parametrize("path", ["/etc/passwd", "{work}/../../etc/passwd", "nonsense", ""])
def test_only_sandboxes_are_served(embedded: LocalCluster, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="40[04]"):
        get(embedded, f"/files/read?offset=0&path={urllib.parse.quote(path)}")


@pytest.mark.parametrize("endpoint", ["read", "download"])
@pytest.mark.parametrize("made", ["mkfifo other", "mkdir other", "ln -s /dev/zero other"])
def test_only_regular_files_are_served(embedded: LocalCluster, endpoint: str, made: str) -> None:
    sandbox = sandbox_of(embedded, made)
    started = time.monotonic()
    with pytest.raises(urllib.error.HTTPError, match="40[04]"):
        get(embedded, f"/files/{endpoint}?offset=0&path={sandbox}/other")
    embedded.stop()
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_a_download_is_not_held_in_memory(embedded: LocalCluster) -> None:
    size = 512 * 1024 * 1024
    sandbox = sandbox_of(embedded, f"truncate -s {size} large")
    before = peak_kb()
    with urllib.request.urlopen(f"{embedded.url}/files/download?path={sandbox}/large", timeout=30) as response:
        assert response.headers["Content-Length"] == str(size)
        assert sum(len(part) for part in iter(lambda: response.read(1024 * 1024), b"")) == size
    assert peak_kb() - before < 100 * 1024


def sandbox_of(cluster: LocalCluster, command: str) -> Path:
    """The sandbox of a task that ran this."""
    scheduler = Recorder()
    with running(cluster.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, command)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        return cluster.tasks[0].sandbox


def peak_kb() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def test_sandboxes_whose_removal_takes_long_do_not_delay_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    temporary, programs = tmp_path / "temporary", tmp_path / "programs"
    temporary.mkdir()
    programs.mkdir()
    (programs / "rm").write_text('#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.1; done\nexec /bin/rm "$@"\n')
    (programs / "rm").chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    with LocalCluster(resources=RESOURCES) as cluster:
        sandbox_of(cluster, "fallocate -l 200M large || head -c 200000000 /dev/zero > large")
    assert list(temporary.iterdir())
    (tmp_path / "go").touch()
    wait_until(lambda: not list(temporary.iterdir()), "the sandboxes are removed")


def test_teardown_by_an_operator(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler):
        scheduler.wait("registered")
        framework_id = scheduler.seen[-1].arguments[0].value
        body = urllib.parse.urlencode({"frameworkId": framework_id}).encode()
        urllib.request.urlopen(embedded.url + "/teardown", body, timeout=30).close()
        scheduler.wait("disconnected")
        assert scheduler.wait("error") == "Framework has been removed"
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(embedded.url + "/teardown", body, timeout=30)


SUBSCRIBE = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "u", "name": "raw"}}}
REFUSALS = [
    ("GET", JSON, None, 405, ""),
    ("POST", {}, b"", 400, "Expecting 'Content-Type' to be present"),
    ("POST", {"Content-Type": "text/plain"}, b"", 415, ""),
    ("POST", {"Content-Type": "application/json; charset=utf-8"}, b"{}", 415, ""),
    ("POST", {**JSON, "Accept": "text/plain"}, json.dumps(SUBSCRIBE).encode(), 406, ""),
    ("POST", JSON, b"{", 400, "Failed to parse body into JSON"),
    ("POST", JSON, b"{}", 400, "Failed to validate scheduler::Call: Expecting 'type' to be present"),
    (
        "POST",
        JSON,
        b'{"type":"SUBSCRIBE"}',
        400,
        "Failed to validate scheduler::Call: Expecting 'subscribe' to be present",
    ),
    (
        "POST",
        JSON,
        b'{"type":"TEARDOWN"}',
        400,
        "Failed to validate scheduler::Call: Expecting 'framework_id' to be present",
    ),
    ("POST", JSON, b'{"type":"REVIVE","framework_id":{"value":"x"}}', 400, "Framework cannot be found"),
    (
        "POST",
        {**JSON, "Mesos-Stream-Id": "x"},
        json.dumps(SUBSCRIBE).encode(),
        400,
        "Subscribe calls should not include the 'Mesos-Stream-Id' header",
    ),
    ("POST", {"Content-Type": "application/x-protobuf"}, b"\xff\xff", 400, "Failed to parse body into"),
]


@pytest.mark.parametrize(("method", "headers", "body", "status", "message"), REFUSALS)
def test_the_scheduler_endpoint_refuses_as_the_real_one_does(
    master: str, method: str, headers: dict[str, str], body: bytes | None, status: int, message: str
) -> None:
    connection = http.client.HTTPConnection(master, timeout=30)
    connection.request(method, "/api/v1/scheduler", body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    assert (response.status, text[: len(message)]) == (status, message)


def test_a_scheduler_in_json(master: str) -> None:
    connection = http.client.HTTPConnection(master, timeout=30)
    connection.request("POST", "/api/v1/scheduler", json.dumps(SUBSCRIBE), JSON)
    response = connection.getresponse()
    assert response.status == 200
    stream_id = response.headers["Mesos-Stream-Id"]

    def event() -> Any:
        return json.loads(response.read(int(response.readline())))

    subscribed = event()
    assert subscribed["type"] == "SUBSCRIBED"
    assert subscribed["subscribed"]["heartbeat_interval_seconds"] == 15
    seen: dict[str, Any] = {}
    while not {"HEARTBEAT", "OFFERS"} <= seen.keys():
        came = event()
        seen[came["type"]] = came
    offers = seen["OFFERS"]
    assert offers["offers"]["offers"][0]["url"]["path"].startswith("/slave(")
    framework_id = subscribed["subscribed"]["framework_id"]
    calls = http.client.HTTPConnection(master, timeout=30)
    for given, status in ((None, 400), ("wrong", 400), (stream_id, 202)):
        headers = {**JSON, "Mesos-Stream-Id": given} if given else JSON
        calls.request(
            "POST", "/api/v1/scheduler", json.dumps({"type": "TEARDOWN", "framework_id": framework_id}), headers
        )
        answer = calls.getresponse()
        answer.read()
        assert answer.status == status
    assert response.read() is not None, "the stream ends"
    calls.close()
    connection.close()


def test_repr_begins_with_the_address() -> None:
    with LocalCluster() as cluster:
        assert repr(cluster).startswith(f"<LocalCluster {cluster.url}, 1 agent, ")


def test_a_client_that_leaves_before_it_is_answered_is_gone(embedded: LocalCluster) -> None:
    """Else it would hold every offer, for ever."""
    subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "", "name": "ghost"}}}
    body = json.dumps(subscribe).encode()
    head = (
        f"POST /api/v1/scheduler HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    for _ in range(200):
        with socket.create_connection(embedded.address.split(":")) as client:
            client.sendall(head.encode() + b"\r\n\r\n" + body)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
    wait_until(lambda: get(embedded, "/state")["frameworks"] == [], "all frameworks are removed")
