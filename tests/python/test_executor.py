"""Executors of frameworks' own: the driver, the agent's side of it, and the program for command tasks."""

from __future__ import annotations

import http.client
import http.server
import io
import json
import os
import queue
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from google.protobuf import json_format
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2

from tests.apache_mesos import ApacheMesos
from tests.python.proxy import Proxy
from tests.python.support import (
    Recorder,
    alive,
    capable,
    executor,
    exit_status_of_executor,
    filters,
    framework,
    running,
    task,
    task_of,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesos.local import LocalCluster

CUTS = 100
VARIABLES = {
    "MESOS_FRAMEWORK_ID": "f",
    "MESOS_EXECUTOR_ID": "e",
    "MESOS_SLAVE_ID": "s",
    "MESOS_SLAVE_PID": "slave(1)@127.0.0.1:1",
    "MESOS_DIRECTORY": "/",
}


def through(proxy: Proxy, offer: Any, play: str = "") -> mesos_pb2.ExecutorInfo:
    """An executor that reaches its agent through a proxy."""
    made = executor(play=play)
    path = offer.url.path.strip("/")
    made.command.environment.variables.add(name="MESOS_SLAVE_PID", value=f"{path}@{proxy.address}")
    return made


def until(what: str, condition: Any) -> None:
    wait_until(condition, what, 20)


# The driver alone.


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_variable_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    driver = MesosExecutorDriver(Executor())
    with pytest.raises(ArgumentValueError, match=f"Expecting '{missing}' to be set in the environment"):
        driver.start()
    assert driver.stop() == mesos_pb2.DRIVER_NOT_STARTED


@pytest.mark.parametrize(
    ("name", "value"),
    [("MESOS_SLAVE_PID", "127.0.0.1:1"), ("MESOS_RECOVERY_TIMEOUT", "soon"), ("MESOS_SLAVE_PID", "slave(1)@x")],
)
def test_a_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    for variable, plain in {**VARIABLES, name: value}.items():
        monkeypatch.setenv(variable, plain)
    with pytest.raises(ArgumentValueError, match=name):
        MesosExecutorDriver(Executor()).start()


NO_TEXT = os.fsdecode(b"\xff")


def test_a_variable_that_is_not_read_may_be_any_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**VARIABLES, "MESOS_DIRECTORY": NO_TEXT, "OTHER": NO_TEXT}.items():
        monkeypatch.setenv(name, value)
    driver = MesosExecutorDriver(Executor())
    assert driver.start() == mesos_pb2.DRIVER_RUNNING
    driver.abort()


@pytest.mark.parametrize("name", ["MESOS_EXECUTOR_ID", "MESOS_SLAVE_PID", "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"])
def test_a_variable_that_is_read_and_not_utf8_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("mesos.executor._driver._taken", {})
    for variable, value in {**VARIABLES, name: NO_TEXT}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ArgumentValueError, match=f"'{name}' is not valid UTF-8"):
        MesosExecutorDriver(Executor()).start()


def test_the_path_of_the_agent_s_socket_may_be_any_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = str(tmp_path / NO_TEXT)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(20)
        agent.bind(os.fsencode(path))
        agent.listen()
        for name, value in {**VARIABLES, "MESOS_DOMAIN_SOCKET": path}.items():
            monkeypatch.setenv(name, value)
        driver = MesosExecutorDriver(Executor())
        driver.start()
        agent.accept()[0].close()
        driver.abort()


def test_the_token_is_taken_out_of_the_environment_and_shown_to_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: queue.Queue[tuple[str, str | None]] = queue.Queue()

    class Agent(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            shown.put((self.path, self.headers["Authorization"]))
            self.send_error(503)

        def log_message(self, *arguments: Any) -> None:
            pass

    token = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pid = f"slave(3)@127.0.0.1:{server.server_port}"
        for name, value in {**VARIABLES, "MESOS_SLAVE_PID": pid, token: "s3cret"}.items():
            monkeypatch.setenv(name, value)
        for _ in range(2):  # a second driver in the process shows it too
            driver = MesosExecutorDriver(Executor())
            driver.start()
            assert token not in os.environ
            assert shown.get(timeout=30) == ("/slave(3)/api/v1/executor", "Bearer s3cret")
            driver.abort()
        server.shutdown()


@pytest.mark.usefixtures("misuse")
def test_statuses_and_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    driver = MesosExecutorDriver(Executor())
    update = mesos_pb2.TaskStatus(task_id={"value": "t"}, state=mesos_pb2.TASK_RUNNING)
    assert repr(driver) == "<MesosExecutorDriver DRIVER_NOT_STARTED>"
    assert driver.sendStatusUpdate(update) == driver.join() == driver.abort() == mesos_pb2.DRIVER_NOT_STARTED
    assert driver.start() == driver.start() == mesos_pb2.DRIVER_RUNNING
    assert driver.sendFrameworkMessage("text") == mesos_pb2.DRIVER_RUNNING
    with pytest.raises(ArgumentTypeError, match="expected a mesos_pb2.TaskStatus as status, got str 'done'"):
        driver.sendStatusUpdate("done")
    with pytest.raises(ArgumentTypeError, match="expected bytes or str as data"):
        driver.sendFrameworkMessage(1)  # type: ignore[arg-type]
    assert driver.abort() == driver.join() == mesos_pb2.DRIVER_ABORTED
    assert driver.sendStatusUpdate(update) == driver.stop() == mesos_pb2.DRIVER_ABORTED
    assert driver.stop() == driver.join() == mesos_pb2.DRIVER_STOPPED


# With an agent.


def test_an_executor_started_by_hand_kills_only_itself(tmp_path: Path) -> None:
    """SHUTDOWN's last resort must not reach a test runner that shares the process group."""
    pid = tmp_path / "pid"
    code = f"""
import os, threading
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor
class Deaf(Executor):
    def shutdown(self, driver): open({str(pid)!r}, "w").close()
MesosExecutorDriver(Deaf()).run()
"""
    # Nobody listens at the agent's address: it is given up, which is a SHUTDOWN.
    variables = {
        **VARIABLES,
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "2secs",
        "MESOS_CHECKPOINT": "1",
        "MESOS_RECOVERY_TIMEOUT": "100ms",
        "MESOS_SUBSCRIPTION_BACKOFF_MAX": "10ms",
    }
    runner = f"""
import os, subprocess, sys
done = subprocess.run([sys.executable, "-c", {code!r}], env={{**os.environ, **{variables!r}}})
sys.exit(done.returncode == -9)
"""
    done = subprocess.run(
        [sys.executable, "-c", runner], capture_output=True, start_new_session=True, timeout=30, check=False
    )
    assert (done.returncode, pid.exists()) == (1, True)


def test_callbacks_that_raise(master: str) -> None:
    for raised, status in (("SystemExit(5)", 5 << 8), ("ValueError('no')", 7 << 8)):
        code = f"""
import sys
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2
class Raising(Executor):
    def launchTask(self, driver, task): raise {raised}
sys.exit(7 if MesosExecutorDriver(Raising()).run() == mesos_pb2.DRIVER_ABORTED else 8)
"""
        made = executor()
        made.command.value = f'exec {sys.executable} -c "$CODE"'
        made.command.environment.variables.add(name="CODE", value=code)
        scheduler = Recorder()
        with running(master, scheduler) as driver:
            offer = scheduler.offer()
            driver.launchTasks(offer.id, [task_of(offer, made)])
            assert scheduler.wait("executorLost") == status


def test_task_staging_is_not_an_executor_s_to_report(master: str) -> None:
    code = """
import sys
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2
class Wrong(Executor):
    def launchTask(self, driver, task):
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=task.task_id, state=mesos_pb2.TASK_STAGING))
    def error(self, driver, message):
        sys.exit(6 if "TASK_STAGING" in message else 1)
MesosExecutorDriver(Wrong()).run()
"""
    assert exit_status_of_executor(master, code) == 6


@pytest.mark.slow
def test_a_hundred_cuts_lose_no_update(master: str) -> None:
    """Every update that an executor sent arrives, in order, however often its connections break."""
    proxy = Proxy(master)
    chance = random.Random(11)
    told: dict[str, list[str]] = {}
    over: set[str] = set()
    changed = threading.Condition()

    def note(_: Any, status: mesos_pb2.TaskStatus) -> None:
        with changed:
            if status.message not in told.setdefault(status.task_id.value, []):
                told[status.task_id.value].append(status.message)
            if status.state in (mesos_pb2.TASK_FINISHED, mesos_pb2.TASK_LOST):
                over.add(status.task_id.value)
            changed.notify_all()

    scheduler = Recorder(statusUpdate=note)
    words = [str(number) for number in range(5)]
    launched: list[str] = []
    with running(master, scheduler, framework(checkpoint=True)) as driver:
        first = scheduler.offer()
        agent, made = first.slave_id.value, through(proxy, first)
        driver.declineOffer(first.id, filters(0))
        while len(launched) < CUTS:
            offer = scheduler.offer(lambda offer: offer.slave_id.value == agent)
            each = task_of(offer, made, " ".join(f"with:message={word} running" for word in words) + " finished")
            launched.append(each.task_id.value)
            driver.launchTasks(offer.id, [each], filters(0))
            # Somewhere in the life of the task: before it comes, amid its updates, after it.
            time.sleep(chance.uniform(0, 0.06))
            proxy.cut()
        with changed:
            assert changed.wait_for(lambda: over.issuperset(launched), 60), set(launched) - over
    proxy.close()
    lost = [name for name in launched if told[name] == ["Task launched during agent restart"]]
    assert [told[name] for name in launched if name not in lost and told[name] != [*words, ""]] == []
    # A task whose LAUNCH a cut swallowed is told of by the agent, as Mesos does.
    assert len(lost) < CUTS / 2


def test_an_executor_is_told_of_a_lost_connection(master: str) -> None:
    proxy = Proxy(master)
    code = """
from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2
class Told(Executor):
    def __init__(self): self.told = []
    def registered(self, driver, *_): self.told.append("registered")
    def reregistered(self, driver, slaveInfo): self.told.append("reregistered " + str(slaveInfo.IsInitialized()))
    def disconnected(self, driver): self.told.append("disconnected")
    def frameworkMessage(self, driver, message): driver.sendFrameworkMessage(", ".join(self.told))
    def shutdown(self, driver): driver.stop()
MesosExecutorDriver(Told()).run()
"""
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        made = through(proxy, offer)
        made.command.value = f'exec {sys.executable} -c "$CODE"'
        made.command.environment.variables.add(name="CODE", value=code)
        driver.launchTasks(offer.id, [task_of(offer, made)])
        answers = ["registered", "registered, disconnected, reregistered True"]
        for expected in answers:

            def asked(expected: str = expected) -> bool:
                driver.sendFrameworkMessage(made.executor_id, offer.slave_id, b"?")
                try:
                    return bool(scheduler.wait("frameworkMessage", seconds=0.5).decode() == expected)
                except AssertionError:
                    return False  # best effort: the executor was not there yet

            until(expected, asked)
            proxy.cut()
    proxy.close()


@pytest.mark.apache
def test_an_executor_outlives_its_agent_only_with_checkpointing(apache_home: Path, tmp_path: Path) -> None:
    mark = tmp_path / "told"
    with ApacheMesos(apache_home, tmp_path / "mesos") as mesos:
        for checkpoint in (True, False):
            scheduler = Recorder()
            info = framework(checkpoint=checkpoint, failover_timeout=600)
            with running(mesos.address, scheduler, info) as driver:
                offer = scheduler.offer()
                made = executor(play=f"mark:{mark}")
                launched = task_of(offer, made, "running")
                driver.launchTasks(offer.id, [launched])
                scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
                mesos.kill()
                mesos.start()
                scheduler.wait("reregistered")
                if checkpoint:
                    driver.killTask(launched.task_id)
                    scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED)
                    assert not mark.exists()
                else:
                    until("the executor is told to end", mark.exists)
                    until("the executor is gone", lambda: not alive(int(mark.read_text())))
            if checkpoint:
                until("the framework's end shuts it down", mark.exists)
                until("the executor is gone", lambda: not alive(int(mark.read_text())))
                mark.unlink()


class PlainScheduler:
    """A scheduler on the v1 API alone, for SHUTDOWN, which the classic API does not have."""

    HEADERS: ClassVar = {"Content-Type": "application/json", "Accept": "application/json"}

    def __init__(self, master: str) -> None:
        self.master = master
        self.stream = http.client.HTTPConnection(master, timeout=30)
        info = {"user": "root", "name": "plain"}
        subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
        self.stream.request("POST", "/api/v1/scheduler", json.dumps(subscribe), self.HEADERS)
        self.answer = self.stream.getresponse()
        self.framework = self.wait("SUBSCRIBED")["subscribed"]["framework_id"]

    def wait(self, kind: str) -> Any:
        while True:
            event = json.loads(self.answer.read(int(self.answer.readline())))
            if event["type"] == kind:
                return event

    def call(self, kind: str, **more: Any) -> None:
        connection = http.client.HTTPConnection(self.master, timeout=30)
        headers = {**self.HEADERS, "Mesos-Stream-Id": self.answer.headers["Mesos-Stream-Id"]}
        body = json.dumps({"type": kind, "framework_id": self.framework, **more})
        connection.request("POST", "/api/v1/scheduler", body, headers)
        answer = connection.getresponse()
        assert answer.status == 202, answer.read()
        connection.close()

    def acknowledge(self, status: Any) -> None:
        keys = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
        self.call("ACKNOWLEDGE", acknowledge=keys)

    def close(self) -> None:
        self.call("TEARDOWN")
        self.stream.close()


@pytest.mark.parametrize("play", ["", "deaf"])
def test_a_scheduler_shuts_an_executor_down(master: str, tmp_path: Path, play: str) -> None:
    mark = tmp_path / "told"
    made = executor(play=f"{play} mark:{mark}")
    made.shutdown_grace_period.nanoseconds = (1 if play else 15) * 10**9
    scheduler = PlainScheduler(master)
    offer = scheduler.wait("OFFERS")["offers"]["offers"][0]
    classic = mesos_pb2.Offer()
    classic.slave_id.value = offer["agent_id"]["value"]
    launched = task_of(classic, made, "running")
    as_json = json_format.MessageToDict(launched, preserving_proto_field_name=True)
    as_json["agent_id"] = as_json.pop("slave_id")
    launch = {"type": "LAUNCH", "launch": {"task_infos": [as_json]}}
    scheduler.call("ACCEPT", accept={"offer_ids": [offer["id"]], "operations": [launch]})
    status = scheduler.wait("UPDATE")["update"]["status"]
    scheduler.acknowledge(status)
    keys = {"executor_id": as_json["executor"]["executor_id"], "agent_id": offer["agent_id"]}
    scheduler.call("SHUTDOWN", shutdown=keys)
    until("the executor is told", mark.exists)
    until("the executor is gone", lambda: not alive(int(mark.read_text())))
    seen = {"UPDATE": None, "FAILURE": None}
    while None in seen.values():
        event = json.loads(scheduler.answer.read(int(scheduler.answer.readline())))
        seen[event["type"]] = event
    update = seen["UPDATE"]["update"]["status"]  # type: ignore[index]
    assert (update["state"], update["message"]) == ("TASK_FAILED", "Executor terminated")
    assert seen["FAILURE"]["failure"]["status"] == (9 if play else 0)  # type: ignore[index]
    scheduler.close()


def test_a_domain_socket_goes_before_the_port(embedded: LocalCluster, tmp_path: Path) -> None:
    socket = tmp_path / "agent.sock"
    relay = f"""
import os, socket, threading
def copy(one, other):
    while data := one.recv(65536): other.sendall(data)
    other.shutdown(socket.SHUT_WR)
server = socket.socket(socket.AF_UNIX)
server.bind({str(socket)!r})
server.listen()
while True:
    one, other = server.accept()[0], socket.create_connection(("127.0.0.1", {int(embedded.address.split(":")[1])}))
    threading.Thread(target=copy, args=(one, other), daemon=True).start()
    threading.Thread(target=copy, args=(other, one), daemon=True).start()
"""
    with subprocess.Popen([sys.executable, "-c", relay]) as server:
        until("the relay listens", socket.exists)
        scheduler = Recorder()
        with running(embedded.address, scheduler) as driver:
            offer = scheduler.offer()
            made = executor()
            path = offer.url.path.strip("/")
            made.command.environment.variables.add(name="MESOS_SLAVE_PID", value=f"{path}@127.0.0.1:1")
            made.command.environment.variables.add(name="MESOS_DOMAIN_SOCKET", value=str(socket))
            launched = task_of(offer, made, "running finished")
            driver.launchTasks(offer.id, [launched])
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        server.kill()


def test_an_executor_of_the_embedded_agent_leads_a_session(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        driver.launchTasks(offer.id, [task_of(offer, executor(), "running")])
        status = scheduler.wait("statusUpdate")
        process = status.container_status.executor_pid
        assert os.getsid(process) == os.getpgid(process) == process
        driver.stop()
    until("it ends with its framework", lambda: not alive(process))


# Command tasks: on the embedded agent, and on the real one with our program as its `mesos-executor`.


def told(scheduler: Recorder, name: str, last: int) -> list[mesos_pb2.TaskStatus]:
    """A task's updates, up to that in this state."""
    updates: list[mesos_pb2.TaskStatus] = []
    while not updates or updates[-1].state != last:
        updates.append(scheduler.wait("statusUpdate", lambda s: s.task_id.value == name))
    return updates


def states(updates: list[mesos_pb2.TaskStatus]) -> list[str]:
    return [mesos_pb2.TaskState.Name(update.state) for update in updates]


def test_command_tasks_end_as_with_the_command_executor(commander: str) -> None:
    ends = {
        "exit 0": ("TASK_FINISHED", "Command exited with status 0"),
        "exit 3": ("TASK_FAILED", "Command exited with status 3"),
        "kill -9 $$": ("TASK_FAILED", "Command terminated with signal Killed"),
    }
    scheduler = Recorder()
    with running(commander, scheduler) as driver:
        for command, (state, message) in ends.items():
            offer = scheduler.offer()
            launched = task(offer, command)
            driver.launchTasks(offer.id, [launched], filters(0))
            updates = told(scheduler, launched.task_id.value, mesos_pb2.TaskState.Value(state))
            assert states(updates) == ["TASK_STARTING", "TASK_RUNNING", state]
            assert updates[-1].message == message
            assert {update.source for update in updates} == {mesos_pb2.TaskStatus.SOURCE_EXECUTOR}


def test_a_command_task_that_ignores_sigterm_is_killed_after_its_grace_period(commander: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    scheduler = Recorder()
    with running(commander, scheduler, framework(capabilities=capable("TASK_KILLING_STATE"))) as driver:
        offer = scheduler.offer()
        launched = task(offer, f"trap '' TERM; touch {ready}; while true; do sleep 0.1; done")
        launched.kill_policy.grace_period.nanoseconds = 300_000_000
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        wait_until(ready.exists, "the task ignores SIGTERM")
        driver.killTask(launched.task_id)
        updates = told(scheduler, launched.task_id.value, mesos_pb2.TASK_KILLED)
        assert states(updates) == ["TASK_KILLING", "TASK_KILLED"]
        assert updates[-1].message == "Command terminated with signal Killed"
        assert 0.29 <= updates[-1].timestamp - updates[0].timestamp < 3


def test_a_command_task_past_its_time_fails(commander: str) -> None:
    scheduler = Recorder()
    with running(commander, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "sleep 100")
        launched.max_completion_time.nanoseconds = 500_000_000
        driver.launchTasks(offer.id, [launched])
        failed = scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
        assert failed.reason == mesos_pb2.TaskStatus.REASON_MAX_COMPLETION_TIME_REACHED


def health(kind: str, **more: float) -> mesos_pb2.HealthCheck:
    often = {"delay_seconds": 0, "interval_seconds": 0.1, "grace_period_seconds": 0, "timeout_seconds": 5, **more}
    return mesos_pb2.HealthCheck(type=mesos_pb2.HealthCheck.Type.Value(kind), **often)


def test_a_health_check_tells_and_kills(commander: str, tmp_path: Path) -> None:
    well = tmp_path / "well"
    well.touch()
    scheduler = Recorder()
    with running(commander, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "sleep 100")
        launched.health_check.MergeFrom(health("COMMAND", consecutive_failures=2))
        launched.health_check.command.value = "test -e $WELL"
        launched.health_check.command.environment.variables.add(name="WELL", value=str(well))
        driver.launchTasks(offer.id, [launched])
        name = launched.task_id.value
        healthy = scheduler.wait("statusUpdate", lambda s: s.task_id.value == name and s.healthy)
        assert healthy.reason == mesos_pb2.TaskStatus.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED
        well.unlink()
        updates = told(scheduler, name, mesos_pb2.TASK_KILLED)
        assert states(updates) == ["TASK_RUNNING", "TASK_RUNNING", "TASK_KILLED"]
        assert [update.healthy for update in updates] == [False, False, False]


@pytest.mark.parametrize("kind", ["HTTP", "TCP"])
def test_a_health_check_of_a_port(commander: str, kind: str) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        scheduler = Recorder()
        with running(commander, scheduler) as driver:
            offer = scheduler.offer()
            launched = task(offer, "sleep 100")
            launched.health_check.MergeFrom(health(kind))
            getattr(launched.health_check, kind.lower()).port = server.server_port
            driver.launchTasks(offer.id, [launched])
            name = launched.task_id.value
            scheduler.wait("statusUpdate", lambda s: s.task_id.value == name and s.healthy)
            server.shutdown()
            server.server_close()
            scheduler.wait("statusUpdate", lambda s: s.HasField("healthy") and not s.healthy)


def test_a_check_tells_what_it_sees(commander: str, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.write_text("3")
    scheduler = Recorder()
    with running(commander, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "sleep 100")
        launched.check.type = mesos_pb2.CheckInfo.COMMAND
        launched.check.delay_seconds, launched.check.interval_seconds = 0, 0.1
        launched.check.command.command.value = f"exit $(cat {code})"
        driver.launchTasks(offer.id, [launched])
        first = scheduler.wait("statusUpdate")
        assert first.check_status.HasField("command")
        assert not first.check_status.command.HasField("exit_code")
        for seen in (3, 0):
            update = scheduler.wait("statusUpdate", lambda s: s.check_status.command.HasField("exit_code"))
            assert update.check_status.command.exit_code == seen
            assert update.reason == mesos_pb2.TaskStatus.REASON_TASK_CHECK_STATUS_UPDATED
            code.write_text("0")


@pytest.mark.parametrize("seconds", [1e300, 1e19, 2e18])
def test_a_command_task_lives_with_checks_that_are_never_due(commander: str, seconds: float) -> None:
    scheduler = Recorder()
    with running(commander, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "exec sleep 100")
        launched.health_check.MergeFrom(health("COMMAND", grace_period_seconds=seconds, timeout_seconds=seconds))
        launched.health_check.command.value = "exit 1"
        launched.check.type = mesos_pb2.CheckInfo.COMMAND
        launched.check.delay_seconds = launched.check.interval_seconds = seconds
        launched.check.command.command.value = "exit 0"
        launched.max_completion_time.nanoseconds = 2**63 - 1
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        driver.killTask(launched.task_id)
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED)


@pytest.mark.parametrize("other", [b"text", b"\xff"])
def test_the_program_says_what_it_is_for(other: bytes) -> None:
    program = shutil.which("mesos-executor", path=str(Path(sys.executable).parent))
    assert program is not None
    environment = {**os.environb, b"OTHER": other}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert (
        "Expecting 'MESOS_SLAVE_PID' to be set in the environment; only an agent can start this program" in done.stderr
    )


# URIs: Mesos' own fetcher is a program that is not in Apache's package, so these are the embedded agent's alone.


class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = {"/data.txt": b"over http", "/moved": None}.get(self.path.partition("?")[0], b"")
        if found is None:
            self.send_response(302)
            self.send_header("Location", "/data.txt")
        else:
            self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def files() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def archive(path: Path, name: str, content: bytes) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as packed_tar:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed_tar.addfile(entry, io.BytesIO(content))
    return path


def test_uris_are_fetched_into_the_sandbox(embedded: LocalCluster, tmp_path: Path, files: str) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("a copy")
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho ran\n")
    tar, zipped = archive(tmp_path / "a.tar.gz", "from-tar", b"t"), archive(tmp_path / "b.zip", "in/zip", b"z")
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer)
        uris = launched.command.uris
        uris.add(value=str(plain))
        uris.add(value=f"file://{plain}", output_file="below/renamed.txt")
        uris.add(value=str(script), executable=True)
        uris.add(value=str(tar))
        uris.add(value=str(zipped))
        uris.add(value=str(tar), extract=False, output_file="kept.tar.gz")
        uris.add(value=f"{files}/data.txt?a=b")
        uris.add(value=f"{files}/moved", output_file="moved.txt")
        launched.command.value = (
            "./script && cat plain.txt below/renamed.txt from-tar in/zip data.txt moved.txt && test -e kept.tar.gz"
        )
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        (shown,) = embedded.tasks
        assert (shown.sandbox / "stdout").read_text() == "ran\na copya copytzover httpover http"
        assert "Fetched" in (shown.sandbox / "stderr").read_text()


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ({"value": "/no/such/file"}, "cannot copy '/no/such/file': No such file"),
        ({"value": "relative"}, "'relative' is not an absolute path"),
        ({"value": "hdfs://a/b"}, "'hdfs' cannot be fetched"),
        ({"value": "http://127.0.0.1:1/x"}, "cannot download it"),
        ({"value": "HTTP/gone.txt"}, "the server answered 404"),
        ({"value": "/etc/hostname", "output_file": "../../out"}, "'output_file' has to stay in the sandbox"),
        ({"value": "TMP/bad.tar.gz"}, "cannot extract 'bad.tar.gz'"),
        ({"value": "TMP/bad.zip"}, "cannot extract 'bad.zip'"),
    ],
)
@pytest.mark.parametrize("custom", [False, True], ids=["command", "executor"])
def test_a_uri_that_cannot_be_had_is_told(
    embedded: LocalCluster, tmp_path: Path, files: str, uri: dict[str, str], why: str, custom: bool
) -> None:
    for name in ("bad.tar.gz", "bad.zip"):
        (tmp_path / name).write_bytes(b"no archive")
    uri = {**uri, "value": uri["value"].replace("TMP", str(tmp_path)).replace("HTTP", files)}
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task_of(offer, executor()) if custom else task(offer)
        command = launched.executor.command if custom else launched.command
        command.uris.add(**uri)
        driver.launchTasks(offer.id, [launched])
        if custom:
            assert scheduler.wait("executorLost") == -1
        failed = scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
        assert failed.reason == mesos_pb2.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED
        assert f"failed to fetch '{uri['value']}': " in failed.message
        assert why in failed.message


def test_a_task_is_killed_while_its_uris_are_fetched(embedded: LocalCluster) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as silent:
        scheduler = Recorder()
        with running(embedded.address, scheduler) as driver:
            offer = scheduler.offer()
            launched = task(offer)
            # Nobody serves: the connection is taken and never answered.
            launched.command.uris.add(value=f"http://127.0.0.1:{silent.server_port}/x")
            driver.launchTasks(offer.id, [launched])
            driver.killTask(launched.task_id)
            killed = scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED)
            assert killed.reason == mesos_pb2.TaskStatus.REASON_TASK_KILLED_DURING_LAUNCH


@pytest.mark.skipif(os.getuid() != 0, reason="only root may run tasks as someone else")
def test_a_command_runs_as_its_user(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        launched, unknown = task(offer, "id -un && touch here"), task(offer)
        launched.command.user, unknown.command.user = "nobody", "no such user"
        driver.launchTasks(offer.id, [launched, unknown])
        failed = scheduler.state(unknown.task_id.value, mesos_pb2.TASK_FAILED)
        assert "Failed to get user information for 'no such user'" in failed.message
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        shown = next(shown for shown in embedded.tasks if shown.id == launched.task_id.value)
        assert (shown.sandbox / "stdout").read_text() == "nobody\n"


# Task groups: Mesos' default executor is a program that is not in Apache's package either.


def group(offer: Any, scheduler: Recorder, *commands: str) -> tuple[Any, list[str]]:
    operation = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.LAUNCH_GROUP)
    info = operation.launch_group.executor
    info.type = mesos_pb2.ExecutorInfo.DEFAULT
    info.executor_id.value = "default"
    info.framework_id.value = offer.framework_id.value
    for name, amount in (("cpus", 0.1), ("mem", 32), ("disk", 32)):
        info.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    tasks = [task(offer, command) for command in commands]
    operation.launch_group.task_group.tasks.extend(tasks)
    return operation, [each.task_id.value for each in tasks]


def test_a_group_finishes_task_by_task_and_its_executor_with_it(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        operation, names = group(offer, scheduler, "echo one", "sleep 0.3; echo two")
        driver.acceptOffers([offer.id], [operation])
        finished: dict[str, str] = {}
        while set(finished) != set(names):
            status = scheduler.wait("statusUpdate", lambda s: s.state == mesos_pb2.TASK_FINISHED)
            finished[status.task_id.value] = status.container_status.container_id.parent.value
        assert len(set(finished.values())) == 1, "one container holds those of the tasks"
        assert all(finished.values())
        until("the executor is over", lambda: lost(scheduler) == [0])
        texts = {(shown.sandbox / "stdout").read_text() for shown in embedded.tasks}
        assert texts == {"one\n", "two\n"}


@pytest.mark.parametrize("how", ["a task is killed", "a task fails", "the framework ends"])
def test_a_group_ends_as_one(embedded: LocalCluster, tmp_path: Path, how: str) -> None:
    scheduler = Recorder()
    go = tmp_path / "go"
    waits = f"while ! test -e {go}; do sleep 0.02; done; exit 4"
    commands = [f"echo $$ > {tmp_path}/{name}.pid; {then}" for name, then in (("a", "exec sleep 100"), ("b", waits))]
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        operation, names = group(offer, scheduler, *commands)
        driver.acceptOffers([offer.id], [operation])
        pids = [tmp_path / "a.pid", tmp_path / "b.pid"]
        until("both tasks run", lambda: all(pid.exists() and pid.read_text() for pid in pids))
        processes = [int(pid.read_text()) for pid in pids]
        assert all(map(alive, processes))
        ends = dict.fromkeys(names, mesos_pb2.TASK_KILLED)
        if "killed" in how:
            driver.killTask(mesos_pb2.TaskID(value=names[1]))
        elif "fails" in how:
            go.touch()
            ends[names[1]] = mesos_pb2.TASK_FAILED
        while "ends" not in how and ends:
            status = scheduler.wait("statusUpdate", lambda s: s.state in (mesos_pb2.TASK_KILLED, mesos_pb2.TASK_FAILED))
            assert ends.pop(status.task_id.value) == status.state
        if "ends" not in how:
            until("the executor is over", lambda: lost(scheduler) == [0])
    until("all is gone", lambda: not any(map(alive, processes)))


def lost(scheduler: Recorder) -> list[int]:
    """The statuses of executors that were lost, which may be told before the last updates of their tasks."""
    heard = [*scheduler.seen, *scheduler.events.queue]
    return [event.arguments[-1] for event in heard if event.name == "executorLost"]


def test_a_group_is_launched_whole_or_not_at_all(embedded: LocalCluster) -> None:
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        operation, names = group(offer, scheduler, "exit 0", "exit 0")
        operation.launch_group.task_group.tasks[1].resources[0].scalar.value = 1000
        driver.acceptOffers([offer.id], [operation])
        for name in names:
            refused = scheduler.state(name, mesos_pb2.TASK_ERROR)
            assert refused.reason == mesos_pb2.TaskStatus.REASON_TASK_GROUP_INVALID
        assert embedded.tasks == []
