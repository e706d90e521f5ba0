"""Numbers from outside that nobody means: a driver, a master and its agents live on, and work after each of them."""

from __future__ import annotations

import http.client
import http.server
import json
import queue
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from mesos.errors import ArgumentValueError
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver
from mesos.v1.interface import scheduler_pb2 as v1

from tests.python.support import (
    Recorder,
    executor,
    filters,
    framework,
    running,
    task,
    task_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

INFINITY, NAN = float("inf"), float("nan")
MOST, LEAST = 2**63 - 1, -(2**63)
# An `Instant` has room for 9.2e18 seconds, and a `Duration` for 1.8e19.
SECONDS = [1e300, 1.9e19, 1.8e19, 1e19, 9.2e18, 2e18, INFINITY, NAN, -1.0, -1e300, -INFINITY]
NANOSECONDS = [MOST, LEAST, -1]
# `9e18secs` is an error in Mesos, which reads the unit from the first letter on.
TEXTS = ["9000000000000000000secs", "10000000000000000000secs", "99999999999weeks", f"1{'0' * 400}days"]
NO_TEXTS = ["9e18secs", "1e19secs", "-1secs", "nansecs", "infsecs"]


# The drivers.


class StubMaster(http.server.ThreadingHTTPServer):
    """Subscribes whoever asks, announces heartbeats this far apart, and keeps the other calls in ``calls``."""

    daemon_threads = True

    def __init__(self, heartbeat: float) -> None:
        super().__init__(("127.0.0.1", 0), StubHandler)
        self.heartbeat, self.calls, self.over = heartbeat, queue.Queue[v1.Call](), threading.Event()
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    def subscribed(self) -> bytes:
        event = v1.Event(type=v1.Event.SUBSCRIBED)
        event.subscribed.framework_id.value = "f"
        event.subscribed.heartbeat_interval_seconds = self.heartbeat
        event.subscribed.master_info.id, event.subscribed.master_info.ip, event.subscribed.master_info.port = "m", 1, 1
        data: bytes = event.SerializeToString()
        return b"%d\n%s" % (len(data), data)


class StubHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StubMaster

    def do_POST(self) -> None:
        call = v1.Call.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if call.type == v1.Call.SUBSCRIBE else 202)
        if call.type == v1.Call.SUBSCRIBE:
            self.send_header("Mesos-Stream-Id", "s")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            record = self.server.subscribed()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(record), record))
            self.wfile.flush()
            self.server.over.wait()
            self.close_connection = True
        else:
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.server.calls.put(call)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("seconds", [*SECONDS, 0.0, 5e-324])
def test_a_driver_lives_with_any_heartbeat_interval(seconds: float) -> None:
    master = StubMaster(seconds)
    scheduler = Recorder()
    with running(master.address, scheduler) as driver:
        scheduler.wait("registered")
        if seconds != 5e-324:  # the heartbeats of this one are missing at once
            driver.suppressOffers()
            assert master.calls.get(timeout=30).type == v1.Call.SUPPRESS
        else:
            scheduler.wait("disconnected")
            scheduler.wait("reregistered")
    master.close()


@pytest.mark.parametrize("text", TEXTS)
def test_a_scheduler_lives_with_any_backoff_factor(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", text)
    master = StubMaster(15)
    scheduler = Recorder()
    with running(master.address, scheduler):
        scheduler.wait("registered")
        master.close()
        scheduler.wait("disconnected")


@pytest.mark.parametrize("text", NO_TEXTS)
def test_what_is_no_duration_is_refused_with_its_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", text)
    scheduler = Recorder()
    assert MesosSchedulerDriver(scheduler, framework(), "127.0.0.1:1").run() == mesos_pb2.DRIVER_ABORTED
    assert f"registration_backoff_factor': '{text}'" in scheduler.wait("error")
    for name in ("FRAMEWORK_ID", "EXECUTOR_ID", "SLAVE_ID", "DIRECTORY"):
        monkeypatch.setenv(f"MESOS_{name}", "x")
    monkeypatch.setenv("MESOS_SLAVE_PID", "slave(1)@127.0.0.1:1")
    refusals: list[tuple[str, Any]] = [(name, MesosExecutorDriver(Executor()).start) for name in EXECUTOR_VARIABLES]
    refusals += [(name, LocalCluster) for name in CLUSTER_VARIABLES]
    for name, make in refusals:
        with monkeypatch.context() as patch:
            patch.setenv(name, text)
            with pytest.raises(ArgumentValueError, match=f"{name}.*'{text}'"):
                make()


EXECUTOR_VARIABLES = [
    "MESOS_RECOVERY_TIMEOUT",
    "MESOS_SUBSCRIPTION_BACKOFF_MAX",
    "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("variable", EXECUTOR_VARIABLES)
def test_an_executor_lives_with_any_period(embedded: LocalCluster, variable: str, text: str) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler, framework(checkpoint=True)) as driver:
        offer = scheduler.offer()
        made = executor()
        made.command.environment.variables.add(name=variable, value=text)
        for _ in range(2):
            launched = task_of(offer, made, "finished")
            driver.launchTasks(offer.id, [launched], filters(0))
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
            offer = scheduler.offer(lambda o, agent=offer.slave_id: o.slave_id == agent)


# The embedded cluster.


CLUSTER_VARIABLES = [
    "MESOS_ALLOCATION_INTERVAL",
    "MESOS_EXECUTOR_REGISTRATION_TIMEOUT",
    "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("variable", CLUSTER_VARIABLES)
def test_a_cluster_lives_with_any_period(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with LocalCluster(resources="cpus:2;mem:1024") as cluster:
        scheduler = Recorder()
        with running(cluster.address, scheduler) as driver:
            offer = scheduler.offer()
            launched = task_of(offer, executor(), "finished")
            driver.launchTasks(offer.id, [launched], filters(1e300))
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
            driver.reviveOffers()
            scheduler.offer()
        assert works(cluster)


def works(cluster: LocalCluster) -> bool:
    """Whether another framework is served."""
    scheduler = Recorder()
    with running(cluster.address, scheduler) as driver:
        offer = scheduler.offer(lambda o: all(r.scalar.value >= 0.1 for r in o.resources if r.name == "cpus"))
        launched = task(offer)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
    return True


def set_field(message: Any, path: str, value: Any) -> None:
    *outer, name = path.split(".")
    for field in outer:
        message = getattr(message, field)
    setattr(message, name, value)


CHECKS = [f"check.{name}_seconds" for name in ("delay", "interval", "timeout")]
HEALTH_CHECKS = [f"health_check.{name}_seconds" for name in ("delay", "interval", "timeout", "grace_period")]
TASK_FIELDS = [
    *((field, value) for field in CHECKS + HEALTH_CHECKS for value in SECONDS),
    *(("kill_policy.grace_period.nanoseconds", value) for value in NANOSECONDS),
    *(("max_completion_time.nanoseconds", value) for value in NANOSECONDS),
]


def absurd(offer: mesos_pb2.Offer, field: str, value: float) -> mesos_pb2.TaskInfo:
    """A task that runs until it is killed, with one field that nobody means."""
    made = task(offer, "exec sleep 100", cpus=0.001, mem=1)
    made.name = f"{field}={value}"
    if field.startswith("check."):
        made.check.type = mesos_pb2.CheckInfo.COMMAND
        made.check.command.command.value = "exit 0"
        made.check.delay_seconds = 0
    if field.startswith("health_check."):
        made.health_check.type = mesos_pb2.HealthCheck.COMMAND
        made.health_check.command.value = "exit 1" if "grace" in field else "exit 0"
        made.health_check.delay_seconds = 0
    set_field(made, field, value)
    return made


def test_a_cluster_lives_with_any_number_in_a_task(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = [absurd(offer, field, value) for field, value in TASK_FIELDS]
        driver.launchTasks(offer.id, launched, filters(0))
        refused = {made.name for made, (_, value) in zip(launched, TASK_FIELDS, strict=True) if value < 0}
        waited, ended = {made.task_id.value: made for made in launched}, set[str]()
        while waited:
            status = scheduler.wait("statusUpdate")
            made = waited.get(status.task_id.value)
            if made is None:
                continue
            if status.state == mesos_pb2.TASK_RUNNING:
                driver.killTask(made.task_id)
            elif status.state == mesos_pb2.TASK_ERROR:
                assert "non-negative" in status.message
                ended.add(made.name)
                del waited[status.task_id.value]
            elif status.state == mesos_pb2.TASK_KILLED:
                del waited[status.task_id.value]
            else:
                assert status.state == mesos_pb2.TASK_STARTING, f"{made.name}: {status}"
        assert ended == refused
    assert works(embedded)


@pytest.mark.parametrize("field", CHECKS + HEALTH_CHECKS)
def test_checks_that_are_never_due_do_not_hinder_a_task(embedded: LocalCluster, field: str) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        made = absurd(offer, field, 1e19)
        made.command.value = "sleep 0.2"
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)


@pytest.mark.parametrize("seconds", SECONDS)
def test_a_cluster_lives_with_any_filter(embedded: LocalCluster, seconds: float) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        driver.declineOffer(offer.id, filters(seconds))
        driver.reviveOffers()
        offer = scheduler.offer(lambda o: o.slave_id == offer.slave_id)
        launched = task(offer)
        driver.launchTasks(offer.id, [launched], filters(seconds))
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)


@pytest.mark.parametrize("nanoseconds", [*NANOSECONDS, 0])
def test_a_cluster_lives_with_any_grace_period_of_an_executor(embedded: LocalCluster, nanoseconds: int) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        made = executor()
        made.shutdown_grace_period.nanoseconds = nanoseconds
        launched = task_of(offer, made, "finished")
        driver.launchTasks(offer.id, [launched])
        refused = nanoseconds < 0
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_ERROR if refused else mesos_pb2.TASK_FINISHED)
    assert works(embedded)


class PlainScheduler:
    """A scheduler on the v1 API in protobuf, for what the classic API does not send."""

    HEADERS: ClassVar = {"Content-Type": "application/x-protobuf", "Accept": "application/x-protobuf"}

    def __init__(self, master: str, **info: Any) -> None:
        self.master = master
        self.stream = http.client.HTTPConnection(master, timeout=30)
        call = v1.Call(type=v1.Call.SUBSCRIBE)
        call.subscribe.framework_info.user, call.subscribe.framework_info.name = "root", "plain"
        for name, value in info.items():
            setattr(call.subscribe.framework_info, name, value)
        self.stream.request("POST", "/api/v1/scheduler", call.SerializeToString(), self.HEADERS)
        self.answer = self.stream.getresponse()

    def close(self) -> None:
        self.answer.close()
        self.stream.close()

    def wait(self, kind: int) -> Any:
        while True:
            event = v1.Event.FromString(self.answer.read(int(self.answer.readline())))
            if event.type == kind:
                return event

    def call(self, call: v1.Call) -> None:
        connection = http.client.HTTPConnection(self.master, timeout=30)
        headers = {**self.HEADERS, "Mesos-Stream-Id": self.answer.headers["Mesos-Stream-Id"]}
        connection.request("POST", "/api/v1/scheduler", call.SerializeToString(), headers)
        answer = connection.getresponse()
        assert answer.status == 202, answer.read()
        connection.close()


@pytest.mark.parametrize("seconds", [*SECONDS, 9.2e9, -9.2e9, 0.0])
def test_a_cluster_lives_with_any_failover_timeout(embedded: LocalCluster, seconds: float) -> None:
    scheduler = PlainScheduler(embedded.address, failover_timeout=seconds)
    if abs(seconds) <= 9.2e9:
        scheduler.wait(v1.Event.SUBSCRIBED)
    else:
        said = scheduler.wait(v1.Event.ERROR).error.message
        assert said.startswith("The framework failover_timeout (")
    scheduler.close()
    assert works(embedded)


@pytest.mark.parametrize("nanoseconds", [*NANOSECONDS, 0])
def test_a_cluster_lives_with_any_kill_policy_of_a_kill(embedded: LocalCluster, nanoseconds: int) -> None:
    plain = PlainScheduler(embedded.address)
    subscribed = plain.wait(v1.Event.SUBSCRIBED).subscribed
    offer = plain.wait(v1.Event.OFFERS).offers.offers[0]
    accept = v1.Call(type=v1.Call.ACCEPT, framework_id=subscribed.framework_id)
    accept.accept.offer_ids.append(offer.id)
    operation = accept.accept.operations.add(type=1)
    info = operation.launch.task_infos.add(name="t", agent_id=offer.agent_id)
    info.task_id.value, info.command.value = "t", "exec sleep 100"
    info.resources.add(name="cpus", type=0).scalar.value = 0.1
    plain.call(accept)
    kill = v1.Call(type=v1.Call.KILL, framework_id=subscribed.framework_id)
    kill.kill.task_id.value = "t"
    kill.kill.kill_policy.grace_period.nanoseconds = nanoseconds
    state = ""
    while state != "TASK_KILLED":
        status = plain.wait(v1.Event.UPDATE).update.status
        state = type(status).DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[status.state].name
        acknowledge = v1.Call(type=v1.Call.ACKNOWLEDGE, framework_id=subscribed.framework_id)
        acknowledge.acknowledge.agent_id.MergeFrom(status.agent_id)
        acknowledge.acknowledge.task_id.MergeFrom(status.task_id)
        acknowledge.acknowledge.uuid = status.uuid
        plain.call(acknowledge)
        if state == "TASK_RUNNING":
            plain.call(kill)
    plain.close()
    assert works(embedded)


def resource(name: str, amount: float) -> mesos_pb2.Resource:
    made = mesos_pb2.Resource(name=name, type=mesos_pb2.Value.SCALAR)
    made.scalar.value = amount
    return made


def ports(*ranges: tuple[int, int]) -> mesos_pb2.Resource:
    made = mesos_pb2.Resource(name="ports", type=mesos_pb2.Value.RANGES)
    for begin, end in ranges:
        made.ranges.range.add(begin=begin, end=end)
    return made


TOO_MUCH = {
    "a sum past 64 bits": [resource("mem", 1e12)] * 9_300,
    "a sum past twice 64 bits": [resource("mem", 1e12)] * 18_500,
    "a number past 64 bits": [resource("mem", 1e300)],
    "infinity": [resource("mem", INFINITY)],
    "no number": [resource("mem", NAN)],
    "all ports": [ports((0, 2**64 - 1))],
    "the last port": [ports((2**64 - 1, 2**64 - 1))],
    "ports backwards": [ports((2**64 - 1, 0))],
}


def test_a_cluster_refuses_absurd_amounts(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        for name, wanted in TOO_MUCH.items():
            offer = scheduler.offer()
            launched = task(offer)
            launched.resources.extend(wanted)
            driver.launchTasks(offer.id, [launched], filters(0))
            status = scheduler.wait("statusUpdate", lambda s, i=launched.task_id: s.task_id == i)
            assert status.state == mesos_pb2.TASK_ERROR, name
            driver.reviveOffers()
    assert works(embedded)


def test_a_cluster_may_have_the_last_port() -> None:
    with LocalCluster(resources=f"cpus:2;mem:1024;ports:[0-{2**64 - 1}]") as cluster:
        scheduler = Recorder()
        with running(cluster.address, scheduler) as driver:
            offer = scheduler.offer()
            launched = task(offer)
            launched.resources.append(ports((0, 0), (2**64 - 1, 2**64 - 1)))
            driver.launchTasks(offer.id, [launched], filters(0))
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        assert works(cluster)


@pytest.mark.parametrize("resources", ["mem:1e300", "mem:1000000000000;mem:1000000000000", f"ports:[1-{2**64}]"])
def test_a_cluster_of_absurd_size_is_refused(resources: str) -> None:
    with pytest.raises(ArgumentValueError, match="is not a valid list of resources"):
        LocalCluster(resources=resources)


@pytest.fixture
def stdout(embedded: LocalCluster) -> Iterator[str]:
    """The path of a file of six bytes in a sandbox."""
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "echo hello")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        yield str(embedded.tasks[0].sandbox / "stdout")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"offset": 0, "length": MOST}, (0, "hello\n")),
        ({"offset": 0, "length": -1}, (0, "hello\n")),
        ({"offset": 1, "length": 2}, (1, "el")),
        ({"offset": MOST, "length": MOST}, (MOST, "")),
        ({"offset": MOST}, (MOST, "")),
        ({"offset": -1}, (6, "")),
        ({"offset": 6}, (6, "")),
        ({"offset": 2**63}, None),
        ({"offset": 0, "length": 2**64}, None),
    ],
)
def test_any_part_of_a_file_can_be_asked_for(
    embedded: LocalCluster, stdout: str, place: dict[str, int], expected: tuple[int, str] | None
) -> None:
    url = f"{embedded.url}/files/read?{urllib.parse.urlencode({'path': stdout, **place})}"
    if expected is None:
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(url, timeout=30)
    else:
        with urllib.request.urlopen(url, timeout=30) as response:
            read = json.load(response)
        assert (read["offset"], read["data"]) == expected
