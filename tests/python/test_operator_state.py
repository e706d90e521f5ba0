"""The master's operator API: the embedded master answers as the real one does, in the same moments of the same story."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from mesos import _core
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver

from tests.apache_mesos import ApacheMesos
from tests.python.support import WAIT_SECONDS, Recorder, filters, framework, running, task, wait_until
from tests.requests.operator.calls import READS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JSON, PROTOBUF = "application/json", "application/x-protobuf"
# Which flags there are differs; `tests/requests` compares them.
ASKED = [call for call in READS if call != "GET_FLAGS"]
MOMENTS = ["empty", "running", "done", "set"]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What is another number in each run.
VARIES = {
    "executor_pid",
    "elected_time",
    "nanoseconds",
    "port",
    "start_time",
    "timestamp",
    "uuid",
    "status_update_uuid",
}
# How the real Mesos was built, and a field that v0's SlaveInfo alone has: the real master writes it in v1's JSON too.
REAL_ONLY = {"build_date", "build_time", "build_user", "git_sha", "git_tag", "checkpoint"}


def post(master: str, call: object, accept: str = JSON) -> tuple[int, bytes]:
    """Makes a call; its status and the body of the answer."""
    headers = {"Content-Type": JSON, "Accept": accept}
    request = urllib.request.Request(f"http://{master}/api/v1", json.dumps(call).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def ask(master: str, call: str, **body: object) -> Any:
    """Makes a call in JSON that is not refused; the answer."""
    status, answer = post(master, {"type": call, **body})
    assert status == 200, answer
    return json.loads(answer)


class Stream:
    """A subscription to the events, by plain HTTP."""

    def __init__(self, master: str, accept: str = JSON) -> None:
        self.events: list[Any] = []
        self.ended = False
        self._changed = threading.Condition()
        self._connection = http.client.HTTPConnection(master, timeout=WAIT_SECONDS)
        headers = {"Content-Type": JSON, "Accept": accept}
        self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request("POST", "/api/v1", '{"type":"SUBSCRIBE"}', headers)
        self.response = self._connection.getresponse()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while line := self.response.readline():
            event = self.response.read(int(line))
            with self._changed:
                self.events.append(json.loads(event) if self.response.getheader("Content-Type") == JSON else event)
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait(self, found: Callable[[Stream], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: found(self), WAIT_SECONDS), self.events

    def wait_for(self, kind: str, **fields: object) -> None:
        """Waits for an event with these fields."""

        def is_it(event: Any) -> bool:
            return event["type"] == kind and fields.items() <= event.get(kind.lower(), {}).items()

        self.wait(lambda stream: any(map(is_it, stream.events)))

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the master has closed it
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT_SECONDS)
        self.response.close()
        self._socket.close()


def play(master: str) -> dict[str, Any]:
    """Plays the story; what was asked in each of its moments, and the events."""
    answers: dict[str, Any] = {}

    def look(moment: str) -> None:
        answers[moment] = {call: ask(master, call) for call in ASKED}

    look("empty")
    stream = Stream(master)
    scheduler = Recorder()
    info = framework(name="watched", role="r/s", failover_timeout=10, hostname="h", webui_url="http://x/")
    info.labels.labels.add(key="k", value="v")
    with running(master, scheduler, info) as run:
        offer = scheduler.wait("resourceOffers")[0]
        tasks = [task(offer, command) for command in ("true", "sleep 1000", "sleep 1000")]
        for launched, name in zip(tasks, ("ends", "runs", "never registers"), strict=True):
            launched.task_id.value = launched.name = name
            launched.labels.labels.add(key="a", value=name)
            launched.discovery.visibility, launched.discovery.name = mesos_pb2.DiscoveryInfo.CLUSTER, "found"
        tasks[2].ClearField("command")
        tasks[2].executor.executor_id.value, tasks[2].executor.command.value = "own", "sleep 1000"
        tasks[2].executor.name, tasks[2].executor.source = "Own", "somewhere"
        tasks[2].executor.resources.add(name="cpus", type=mesos_pb2.Value.SCALAR).scalar.value = 0.1
        run.launchTasks(offer.id, tasks, filters(600))
        wait_for_states(scheduler, ("ends", mesos_pb2.TASK_FINISHED), ("runs", mesos_pb2.TASK_RUNNING))
        # The acknowledgements have come when the task that ended is completed, and all is offered again.
        wait_until(lambda: ask(master, "GET_TASKS")["get_tasks"]["completed_tasks"], "the task is completed")
        wait_until(lambda: len(offers(master)) == 2, "what is left is offered")
        look("running")
        run.killTask(mesos_pb2.TaskID(value="runs"))
        wait_for_states(scheduler, ("runs", mesos_pb2.TASK_KILLED))
    stream.wait_for("FRAMEWORK_REMOVED")
    look("done")
    ask_for_changes(master, offer.slave_id.value)
    look("set")
    answers["events"] = list(stream.events)
    stream.close()
    return answers


def wait_for_states(scheduler: Recorder, *wanted: tuple[str, int]) -> None:
    left = set(wanted)
    while left:
        status = scheduler.wait("statusUpdate")
        left.discard((status.task_id.value, status.state))


def offers(master: str) -> list[Any]:
    frameworks = ask(master, "GET_FRAMEWORKS")["get_frameworks"]["frameworks"]
    return frameworks[0].get("offers", [])


def ask_for_changes(master: str, agent_id: str) -> None:
    reserved = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}
    reserved["reservations"] = [{"type": "DYNAMIC", "role": "q/a"}]
    reserve = {"agent_id": {"value": agent_id}, "resources": [reserved]}
    assert post(master, {"type": "RESERVE_RESOURCES", "reserve_resources": reserve}) == (202, b"")
    # The agent is sent the operation before this is answered, and tells later that it is done.
    wait_until(lambda: not ask(master, "GET_OPERATIONS")["get_operations"].get("operations"), "the agent has reserved")
    weights = {"weight_infos": [{"role": "w", "weight": 2.5}]}
    assert post(master, {"type": "UPDATE_WEIGHTS", "update_weights": weights}) == (200, b"")


@pytest.fixture(scope="module")
def of_the_embedded() -> Iterator[dict[str, Any]]:
    with LocalCluster(agents=2, resources="cpus:8;mem:8192;disk:20000;ports:[31000-32000]") as cluster:
        yield play(cluster.address)


@pytest.fixture(scope="module")
def of_the_real(apache_home: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    flags = {"MESOS_RESOURCES": "cpus:8;mem:8192;disk:20000;ports:[31000-32000]"}
    with ApacheMesos(apache_home, tmp_path_factory.mktemp("apache"), agents=2, flags=flags) as cluster:
        yield play(cluster.address)


def normal(value: Any) -> Any:
    """A value without what differs from run to run; lists that come from hash maps in an order of their own."""
    if isinstance(value, dict):
        if value.get("framework_info", {}).get("name") == "boot":  # of the program that starts the real Mesos
            return None
        kept = {name: inner for name, inner in value.items() if name not in REAL_ONLY}
        return {name: "*" if name in VARIES else normal(inner) for name, inner in kept.items()}
    if isinstance(value, list):
        inner = [item for item in map(normal, value) if item is not None]
        return sorted(inner, key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, str):
        value = re.sub(r"ID-000\d", "ID-F", UUID.sub("ID", value))
        value = re.sub(r"ID-([SO])\d+", r"ID-\1", value)
        return re.sub(r"slave\(\d\)", "slave", re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", value))
    return value


@pytest.mark.apache
@pytest.mark.parametrize("call", ASKED)
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_embedded_master_answers_as_the_real_one(
    of_the_real: dict[str, Any], of_the_embedded: dict[str, Any], moment: str, call: str
) -> None:
    assert normal(of_the_embedded[moment][call]) == normal(of_the_real[moment][call])


@pytest.mark.apache
def test_the_events_are_those_of_the_real_one(of_the_real: dict[str, Any], of_the_embedded: dict[str, Any]) -> None:
    def of_each_task(events: list[Any]) -> list[Any]:
        """Updates of different tasks come in any order, and some tell of a later state of their task already."""
        told = [normal(event) for event in events if event["type"] != "HEARTBEAT"]
        for event in told:
            event.get("task_updated", {}).pop("state", None)
        return sorted(
            told, key=lambda event: json.dumps(event.get("task_updated", {}).get("status", {}).get("task_id"))
        )

    assert of_each_task(of_the_embedded["events"]) == of_each_task(of_the_real["events"])


def test_an_update_tells_the_state_of_its_task(of_the_embedded: dict[str, Any]) -> None:
    updates = [event["task_updated"] for event in of_the_embedded["events"] if event["type"] == "TASK_UPDATED"]
    states = [update["state"] for update in updates if update["status"]["task_id"]["value"] == "runs"]
    assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]


def test_the_same_is_told_in_protobuf(master: str) -> None:
    for call in ASKED:
        status, body = post(master, {"type": call}, PROTOBUF)
        assert status == 200
        told = _core.to_dict("mesos.v1.master.Response", body)
        assert told["type"] == call
    stream = Stream(master, PROTOBUF)
    stream.wait(lambda stream: len(stream.events) >= 2)
    stream.close()
    subscribed, heartbeat = (_core.to_dict("mesos.v1.master.Event", event) for event in stream.events[:2])
    assert subscribed["subscribed"]["heartbeat_interval_seconds"] == 15.0
    assert len(subscribed["subscribed"]["get_state"]["get_agents"]["agents"]) == 2
    assert heartbeat == {"type": "HEARTBEAT"}


def test_a_framework_that_comes_back_is_updated(master: str) -> None:
    stream = Stream(master)
    first = Recorder()
    info = framework(name="comes back", failover_timeout=60)
    driver = MesosSchedulerDriver(first, info, master)
    driver.start()
    first.wait("registered")
    info.id.value = first.seen[-1].arguments[0].value
    driver.stop(True)
    driver.join()
    with running(master, Recorder(), info):
        stream.wait_for("FRAMEWORK_UPDATED")
    stream.wait_for("FRAMEWORK_REMOVED")
    stream.close()
    kinds = [event["type"] for event in stream.events if event["type"].startswith("FRAMEWORK")]
    assert kinds == ["FRAMEWORK_ADDED", "FRAMEWORK_UPDATED", "FRAMEWORK_REMOVED"]


def test_verbose_logging_ends_by_itself(master: str) -> None:
    def level() -> int:
        found: int = ask(master, "GET_LOGGING_LEVEL")["get_logging_level"]["level"]
        return found

    def set_level(value: int, nanoseconds: int) -> None:
        body = {"level": value, "duration": {"nanoseconds": nanoseconds}}
        assert post(master, {"type": "SET_LOGGING_LEVEL", "set_logging_level": body}) == (200, b"")

    set_level(2, 60 * 10**9)
    assert level() == 2
    set_level(1, 10**8)
    assert level() <= 1
    wait_until(lambda: level() == 0, "the level is what it was")


def test_verbose_logging_tells_what_happens(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    body = {"level": 1, "duration": {"nanoseconds": 60 * 10**9}}
    caplog.set_level("INFO", logger="mesos")
    post(embedded.address, {"type": "SET_LOGGING_LEVEL", "set_logging_level": body})
    with running(embedded.address, Recorder(), framework(name="logged")):
        wait_until(lambda: "call call=SUBSCRIBE" in caplog.text, "the call is logged")


def test_machines_go_down_and_come_up(master_of_one: str) -> None:
    machine = {"hostname": "localhost", "ip": "127.0.0.1"}
    window = {"machine_ids": [machine], "unavailability": {"start": {"nanoseconds": 0}}}

    def refusal(call: str, machines: list[Any]) -> str:
        status, body = post(master_of_one, {"type": call, call.lower(): {"machines": machines}})
        assert status == 400
        return body.decode()

    shown = '{"hostname":"localhost","ip":"127.0.0.1"}'
    assert refusal("START_MAINTENANCE", []) == "List of machines is empty"
    assert refusal("START_MAINTENANCE", [{}]) == "Both 'hostname' and 'ip' for a machine are empty"
    twice = f"Machine '{shown}' appears more than once in the schedule"
    assert refusal("START_MAINTENANCE", [machine, machine]) == twice
    other = [{"hostname": "elsewhere"}]
    not_scheduled = """Machine '{"hostname":"elsewhere"}' is not part of a maintenance schedule"""
    assert refusal("START_MAINTENANCE", other) == refusal("STOP_MAINTENANCE", other) == not_scheduled
    not_draining = f"Machine '{shown}' is not in DRAINING mode and cannot be brought down"
    assert refusal("START_MAINTENANCE", [machine]) == not_draining
    schedule = {"schedule": {"windows": [window]}}
    update = {"type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": schedule}
    assert post(master_of_one, update) == (200, b"")
    not_down = f"Machine '{shown}' is not in DOWN mode and cannot be brought up"
    assert refusal("STOP_MAINTENANCE", [machine]) == not_down
    assert post(master_of_one, {"type": "START_MAINTENANCE", "start_maintenance": {"machines": [machine]}}) == (
        200,
        b"",
    )
    status = ask(master_of_one, "GET_MAINTENANCE_STATUS")["get_maintenance_status"]["status"]
    assert status == {"down_machines": [machine]}
    wait_until(lambda: not ask(master_of_one, "GET_AGENTS")["get_agents"]["agents"], "its agent is removed")
    assert refusal("START_MAINTENANCE", [machine]) == not_draining
    nothing = {"type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": {"schedule": {}}}
    kept = f"Machine '{shown}' is deactivated and cannot be removed from the schedule"
    assert post(master_of_one, nothing) == (400, kept.encode())
    assert post(master_of_one, {"type": "STOP_MAINTENANCE", "stop_maintenance": {"machines": [machine]}}) == (200, b"")
    assert ask(master_of_one, "GET_MAINTENANCE_SCHEDULE")["get_maintenance_schedule"] == {"schedule": {}}
    assert ask(master_of_one, "GET_MAINTENANCE_STATUS")["get_maintenance_status"] == {"status": {}}


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.apache)])
def master_of_one(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[str]:
    """The address of a master of the test's own, which loses its agents."""
    if request.param == "embedded":
        with LocalCluster() as cluster:
            yield cluster.address
        return
    with ApacheMesos(request.getfixturevalue("apache_home"), tmp_path, agents=1) as real:
        yield real.address


def test_a_stream_ends_when_the_cluster_begins_again(embedded: LocalCluster) -> None:
    stream = Stream(embedded.address)
    stream.wait_for("HEARTBEAT")
    embedded.reset()
    stream.wait(lambda stream: stream.ended)
    stream.close()


def test_files_are_listed_and_read(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler, framework(name="writes")) as run:
        offer = scheduler.wait("resourceOffers")[0]
        launched = task(offer, "echo written")
        run.launchTasks(offer.id, [launched])
        wait_for_states(scheduler, (launched.task_id.value, mesos_pb2.TASK_FINISHED))
    directory = str(embedded.task(launched.task_id.value).sandbox)
    listed = ask(embedded.address, "LIST_FILES", list_files={"path": directory})["list_files"]["file_infos"]
    stdout = next(info for info in listed if info["path"].endswith("/stdout"))
    assert stdout.keys() == {"path", "nlink", "size", "mtime", "mode", "uid", "gid"}
    body = {"path": stdout["path"], "offset": 0}
    read = ask(embedded.address, "READ_FILE", read_file=body)["read_file"]
    assert read["size"] == stdout["size"]
    assert post(embedded.address, {"type": "LIST_FILES", "list_files": {"path": "/etc"}}) == (404, b"")
    assert post(embedded.address, {"type": "READ_FILE", "read_file": {"path": "/etc/passwd", "offset": 0}})[0] == 404
