"""The master's and the agents' endpoints: their fields are those of the real one, and so are their words and headers."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.local import LocalCluster

from tests.allocation.client import Framework
from tests.endpoints import compare, scene
from tests.endpoints.clusters import embedded as embedded_cluster
from tests.endpoints.clusters import real
from tests.python.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
CPU = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}


def ask(
    address: str, path: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """The status, the headers and the body of an answer."""
    with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def said(address: str, path: str, method: str = "GET", body: str | None = None, **headers: str) -> tuple[int, str]:
    """The status and the text of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, _, text = ask(address, path, method, None if body is None else body.encode(), named)
    return status, text.decode()


@pytest.fixture(scope="module")
def alone() -> Iterator[str]:
    """The address of an embedded cluster for tests that need no other."""
    with LocalCluster(token="0123456789abcdef") as cluster:
        yield cluster.address


@pytest.fixture(scope="module")
def answers(apache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """What the real one and the embedded one answer in one state."""
    with real(apache_home, tmp_path_factory.mktemp("real")) as address:
        expected = compare.seen_at(address)
    with embedded_cluster() as address:
        return expected, compare.seen_at(address)


def test_fields_are_those_of_the_real_one(answers: tuple[Any, Any]) -> None:
    expected, ours = answers
    assert compare.unexplained(expected, ours) == []


def test_no_exemption_is_left_that_nothing_needs(answers: tuple[Any, Any]) -> None:
    expected, ours = answers
    found = [line for path in expected for line in compare.differences(expected[path], ours[path], path)]
    assert [one.place for one in compare.EXEMPTIONS if not any(map(one.covers, found))] == []


def test_the_documentation_lists_the_exemptions() -> None:
    text = (ROOT / "docs" / "embedded-cluster.md").read_text()
    assert [one for one in compare.EXEMPTIONS if f"| {one.subject} | {one.reason} |" not in text] == []


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/logging/toggle", 200, "0\n"),
        ("/logging/toggle?level=1", 400, "Expecting 'duration=value' in query.\n"),
        ("/logging/toggle?duration=1secs", 400, "Expecting 'level=value' in query.\n"),
        ("/logging/toggle?level=x&duration=1secs", 400, "Failed to convert 'x' to number.\n"),
        ("/logging/toggle?level=-1&duration=1secs", 400, "Invalid level '-1'.\n"),
        ("/logging/toggle?level=1&duration=1", 400, "Invalid duration '1'.\n"),
        ("/metrics/snapshot?timeout=x", 400, "Invalid timeout 'x': Failed to convert '' to number.\n"),
        ("/files/browse", 400, "Expecting 'path=value' in query.\n"),
        ("/files/browse?path=/etc", 404, ""),
        ("/files/read?path=x&offset=a", 400, "Failed to parse offset: Failed to convert 'a' to number.\n"),
        ("/files/read?path=x&offset=-2", 400, "Negative offset provided: -2.\n"),
        ("/files/read?path=x&length=-5", 400, "Negative length provided: -5.\n"),
        ("/files/read?path=/etc/passwd", 404, ""),
        ("/files/download?path=", 400, "Expecting 'path=value' in query.\n"),
        ("/tasks?task_id=nobody", 200, '{"tasks":[]}'),
        ("/machine/down", 405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."),
        ("/master/reserve", 405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."),
        ("/master/version", 404, "404 Not Found."),
        ("/state.json", 404, "404 Not Found."),
    ],
)
def test_queries_are_answered_in_the_same_words(master: str, path: str, status: int, words: str) -> None:
    assert said(master, path) == (status, words)


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_what_is_only_read_answers_any_method(master: str, method: str) -> None:
    assert said(master, "/tasks?task_id=nobody", method) == (200, '{"tasks":[]}')


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/machine/down", "", "syntax error at line 1 near: "),
        ("/machine/down", "{}", "Unexpected JSON type parsed"),
        ("/machine/down", "[]", "List of machines is empty"),
        ("/machine/down", "[1]", "Expecting a JSON object"),
        ("/machine/up", "[{}]", "Both 'hostname' and 'ip' for a machine are empty"),
        ("/machine/up", '[{"hostname":5}]', "Not expecting a JSON number for field 'hostname'"),
        ("/machine/up", '[{"ip":"x"}]', "Failed to parse IPv4: x"),
        ("/machine/up", '[{"hostname":"a"}]', 'Machine \'{"hostname":"a"}\' is not part of a maintenance schedule'),
        ("/maintenance/schedule", "[]", "Unexpected JSON type parsed"),
    ],
)
def test_lists_of_machines_are_refused_in_the_same_words(master: str, path: str, body: str, words: str) -> None:
    assert said(master, path, "POST", body, **JSON) == (400, words)


@pytest.mark.parametrize("path", ["/reserve", "/unreserve", "/create-volumes", "/destroy-volumes"])
def test_forms_are_refused_in_the_same_words(master: str, path: str) -> None:
    name = "volumes" if "volumes" in path else "resources"
    agent = scene.get(master, "/slaves")["slaves"][0]["id"]
    begin = f"Error {'' if path == '/reserve' else 'in '}parsing '{name}' query parameter in the request body: "

    def refused(**fields: str) -> str:
        status, words = said(master, path, "POST", urllib.parse.urlencode(fields), **FORM)
        assert status == 400
        return words

    assert refused() == "Missing 'slaveId' query parameter in the request body"
    assert refused(slaveId=agent) == f"Missing '{name}' query parameter in the request body"
    assert refused(slaveId="nobody", **{name: "[]"}) == "No agent found with specified ID"
    assert refused(slaveId=agent, **{name: "x"}) == f"{begin}syntax error at line 1 near: x"
    assert refused(slaveId=agent, **{name: "{}"}) == f"{begin}Unexpected JSON type parsed"
    assert refused(slaveId=agent, **{name: "[{}]"}) == f"{begin}Missing required fields: name, type"
    assert "cpus:1" in refused(slaveId=agent, **{name: json.dumps([CPU])})
    words = "Unable to decode query string: Malformed % escape in '%zz': '%zz'"
    assert said(master, path, "POST", "%zz=1", **FORM) == (400, words)


def test_a_machine_goes_down_and_up_again(master: str) -> None:
    machine = {"hostname": "Elsewhere-9"}
    lower = json.dumps([{"hostname": "elsewhere-9"}])
    window = {"machine_ids": [machine], "unavailability": {"start": {"nanoseconds": 1}}}
    assert said(master, "/maintenance/schedule", "POST", json.dumps({"windows": [window]}), **JSON) == (200, "")
    try:
        assert scene.get(master, "/maintenance/status") == {"draining_machines": [{"id": machine}]}
        shown = 'Machine \'{"hostname":"elsewhere-9"}\''
        words = f"{shown} is not in DOWN mode and cannot be brought up"
        assert said(master, "/machine/up", "POST", lower, **JSON) == (400, words)
        assert said(master, "/machine/down", "POST", lower, **JSON) == (200, "")
        words = f"{shown} is not in DRAINING mode and cannot be brought down"
        assert said(master, "/master/machine/down", "POST", lower, **JSON) == (400, words)
        assert "down_machines" in scene.get(master, "/master/maintenance/status")
        status, words = said(master, "/maintenance/schedule", "POST", "{}", **JSON)
        assert (status, words.endswith("is deactivated and cannot be removed from the schedule")) == (400, True)
    finally:
        assert said(master, "/machine/up", "POST", lower, **JSON) == (200, "")
    assert scene.get(master, "/maintenance/schedule") == {}
    assert scene.get(master, "/maintenance/status") == {}


def test_reservations_and_volumes_are_made_and_unmade(master: str) -> None:
    agent = scene.get(master, "/slaves")["slaves"][0]["id"]
    disk = {
        "name": "disk",
        "type": "SCALAR",
        "scalar": {"value": 10},
        "role": "forms",
        "reservation": {"principal": "p"},
    }
    made = {"persistence": {"id": "forms", "principal": "p"}, "volume": {"container_path": "v", "mode": "RW"}}
    volume = {**disk, "disk": made}

    def sent(path: str, name: str, *resources: dict[str, Any]) -> tuple[int, str]:
        body = urllib.parse.urlencode({"slaveId": agent, name: json.dumps(resources)})
        return said(master, path, "POST", body, **FORM)

    def reserved() -> Any:
        shown = next(slave for slave in scene.get(master, f"/slaves?slave_id={agent}")["slaves"])
        return shown["reserved_resources_full"].get("forms")

    assert sent("/reserve", "resources", disk) == (202, "")
    assert sent("/create-volumes", "volumes", volume) == (202, "")
    wait_until(lambda: reserved()[0].get("disk"), "the volume is shown")
    assert reserved()[0]["disk"]["persistence"] == {"id": "forms", "principal": "p"}
    assert sent("/unreserve", "resources", disk)[0] == 409
    assert sent("/destroy-volumes", "volumes", volume) == (202, "")
    assert sent("/unreserve", "resources", disk) == (202, "")
    assert reserved() is None


def test_large_answers_are_compressed_if_the_client_takes_that(master: str) -> None:
    plain = ask(master, "/state")
    assert plain[1]["Content-Encoding"] is None
    status, headers, body = ask(master, "/state", headers={"Accept-Encoding": "gzip"})
    assert (status, headers["Content-Encoding"], int(headers["Content-Length"])) == (200, "gzip", len(body))
    assert json.loads(gzip.decompress(body)).keys() == json.loads(plain[2]).keys()
    for path, accepted in (("/state", "gzip;q=0"), ("/state", "identity"), ("/weights", "gzip")):
        assert ask(master, path, headers={"Accept-Encoding": accepted})[1]["Content-Encoding"] is None


SCRIPTS = ["/state", "/slaves", "/tasks", "/roles", "/quota", "/maintenance/status", "/flags", "/version"]
SCRIPTS += ["/metrics/snapshot", "/system/stats.json", "/files/debug"]
SCRIPTS += ["/slave(1)/state", "/slave(1)/flags", "/slave(1)/monitor/statistics"]
SAME_ORIGIN = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Referer": "http://{host}/page"},
    {"X-Remesos-Token": "0123456789abcdef"},
    {"X-Remesos-Token": "0123456789abcdef", "Sec-Fetch-Site": "cross-site"},
]
OTHER_ORIGIN = [
    {},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "script"},
    {"Referer": "http://evil.example/"},
    {"Referer": "http://{host}.evil.example/"},
    {"Cookie": "remesos-token-{port}=0123456789abcdef"},
]


@pytest.mark.parametrize(("headers", "status"), [*((h, 200) for h in SAME_ORIGIN), *((h, 403) for h in OTHER_ORIGIN)])
def test_scripts_are_for_pages_of_this_cluster(alone: str, headers: dict[str, str], status: int) -> None:
    port = alone.rpartition(":")[2]
    filled = {name: value.format(host=alone, port=port) for name, value in headers.items()}
    answer = ask(alone, "/weights?jsonp=angular.callbacks._0", headers=filled)
    assert answer[0] == status
    if status == 200:
        assert (answer[1]["Content-Type"], answer[2]) == ("text/javascript", b"angular.callbacks._0([])")


@pytest.mark.parametrize(
    "path",
    SCRIPTS,
)
def test_scripts_are_calls_with_what_is_answered_otherwise(alone: str, path: str) -> None:
    headers = {"Sec-Fetch-Site": "same-origin"}
    status, kind, body = ask(alone, f"{path}?jsonp=f", headers=headers)
    assert (status, kind["Content-Type"], body[:2], body[-1:]) == (200, "text/javascript", b"f(", b")")
    json.loads(body[2:-1])
    assert ask(alone, f"{path}?jsonp=alert(1)//", headers=headers)[0] == 400


def test_metrics_are_there_for_prometheus(alone: str) -> None:
    status, headers, body = ask(alone, "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    names: dict[str, str] = {}
    for line in body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in names
            names[name] = kind
        else:
            sample = re.fullmatch(r'([a-z0-9_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? (\S+)', line)
            assert sample is not None, line
            assert sample[1] == list(names)[-1]
            float(sample[3])
    assert names["mesos_master_slaves_active"] == "gauge"
    assert names["mesos_master_messages_register_slave"] == "counter"
    snapshot = scene.get(alone, "/metrics/snapshot")
    assert len([line for line in body.splitlines() if not line.startswith(b"#")]) == len(snapshot)


def test_the_logging_level_holds_for_a_while(alone: str) -> None:
    assert said(alone, "/logging/toggle?level=1&duration=10mins") == (200, "")
    assert said(alone, "/logging/toggle") == (200, "1\n")
    assert said(alone, "/logging/toggle?level=0&duration=1ns") == (200, "")
    assert said(alone, "/logging/toggle") == (200, "0\n")


def test_files_of_a_sandbox_are_read_by_every_path_that_it_has(master: str) -> None:
    framework = Framework(master, "files")
    framework.connect()
    try:
        framework.wait_for_offers()
        offer = framework.held()[0]
        made = "echo hello > 'a b.txt'; echo '<p>' > page.html; mkdir below; exec sleep 1000"
        framework.launch(offer, task="files", command=made)
        [task] = scene.get(master, "/tasks?task_id=files")["tasks"]
        virtual = f"/frameworks/{task['framework_id']}/executors/files/runs/latest"
        place = scene.get(master, "/files/debug")[virtual]
        wait_until(lambda: (Path(place) / "below").exists(), "the task has made its files")
        latest = str(Path(place).parent / "latest")
        for path in (virtual, place, latest):
            assert_files_are_served(master, path)
    finally:
        framework.call("TEARDOWN")


def assert_files_are_served(master: str, path: str) -> None:
    listed = {Path(entry["path"]).name: entry for entry in scene.get(master, f"/files/browse?path={path}")}
    assert {"a b.txt", "below", "page.html", "stderr", "stdout"} <= listed.keys()
    text = listed["a b.txt"]
    assert list(text) == ["gid", "mode", "mtime", "nlink", "path", "size", "uid"]
    assert (text["path"], text["size"], text["mode"][:4]) == (f"{path}/a b.txt", 6, "-rw-")
    assert (listed["below"]["mode"][0], type(text["mtime"]), text["uid"]) == ("d", float, "root")
    quoted = urllib.parse.quote(f"{path}/a b.txt")
    for query, expected in (
        ("", {"data": "", "offset": 6}),
        ("&offset=1&length=2", {"data": "el", "offset": 1}),
        ("&offset=4&length=-1", {"data": "o\n", "offset": 4}),
        ("&offset=4&length=0", {"data": "", "offset": 4}),
        ("&offset=40", {"data": "", "offset": 40}),
    ):
        assert scene.get(master, f"/files/read?path={quoted}{query}") == expected
    assert said(master, f"/files/read?path={path}&offset=0") == (400, "Cannot read a directory.\n")
    assert said(master, f"/files/download?path={path}") == (400, "Cannot download a directory.\n")
    assert said(master, f"/files/read?path={path}/nothing")[0] == 404
    assert scene.get(master, f"/files/browse?path={quoted}") == []
    status, headers, body = ask(master, f"/files/download?path={quoted}", headers={"Accept-Encoding": "gzip"})
    assert (status, headers["Content-Type"], headers["Content-Encoding"], body) == (200, "text/plain", None, b"hello\n")
    assert headers["Content-Disposition"].startswith("attachment; filename=")
    # As for any other page: a browser that runs it would run it as the cluster's own.
    status, headers, _ = ask(master, f"/files/download?path={path}/page.html")
    assert (status, headers["Content-Disposition"]) == (200, "attachment; filename=page.html")
