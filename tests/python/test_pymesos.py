"""pymesos' API: its scheduler driver on both masters, and what users override or rely on."""

from __future__ import annotations

import base64
import doctest
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import addict
import pytest
from mesos import pymesos
from mesos.errors import DriverTimeoutError, MesosWarning
from mesos.local import LocalCluster
from mesos.pymesos import MesosSchedulerDriver, Scheduler, decode_data, encode_data
from mesos.pymesos._addresses import address
from mesos.pymesos.process import RequestError
from mesos.pymesos.utils import parse_duration

from tests.python.support import WAIT_SECONDS, Recorder

INFO = {"user": "", "name": "pymesos"}


def resources(cpus: float = 0.1) -> list[dict[str, Any]]:
    amounts = {"cpus": cpus, "mem": 32}
    return [{"name": name, "type": "SCALAR", "scalar": {"value": amount}} for name, amount in amounts.items()]


def task(offer: Any, name: str, command: str = "true") -> dict[str, Any]:
    ids = {"task_id": {"value": name}, "agent_id": offer["agent_id"]}
    return {"name": name, **ids, "command": {"value": command}, "resources": resources()}


class Driven:
    """A driver that runs, and its recorder. Callbacks receive addict's dicts."""

    def __init__(self, master: str, **options: Any) -> None:
        self.recorder = Recorder(unwanted=("error",), **options.pop("on", {}))
        self.driver = MesosSchedulerDriver(self.recorder, dict(INFO), master, **{"use_addict": True, **options})

    def __enter__(self) -> Driven:
        self.driver.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.stop()
        self.driver.join()

    def launch(self, *commands: str) -> Any:
        offer = self.recorder.wait("resourceOffers")[0]
        self.driver.launchTasks(offer.id, [task(offer, f"t-{n}", each) for n, each in enumerate(commands)])
        return offer

    def state(self, name: str, state: str) -> Any:
        return self.recorder.wait("statusUpdate", lambda s: (s.task_id.value, s.state) == (name, state))


def test_a_task_from_its_offer_to_its_end(master: str) -> None:
    with Driven(master) as run:
        framework_id, info = run.recorder.events.get(timeout=WAIT_SECONDS).arguments
        assert framework_id.value == run.driver.framework_id
        assert (info.version, run.driver.version) == ("1.11.0", "1.11.0")
        assert run.driver.master == f"{info.hostname}:{info.port}" == master
        offer = run.launch("true")
        assert isinstance(offer, addict.Dict)
        assert {each.role for each in offer.resources} == {"*"}, "defaults are those of the master's JSON"
        run.state("t-0", "TASK_RUNNING")
        status = run.state("t-0", "TASK_FINISHED")
        assert (status.source, len(decode_data(status.uuid))) == ("SOURCE_EXECUTOR", 16)
    assert run.driver.aborted
    assert not run.driver.connected
    assert run.driver.framework_id is None, "the framework was removed"


def test_messages_are_plain_dicts_without_addict(master: str) -> None:
    offers: list[Any] = []

    class Frugal(Scheduler):
        def resourceOffers(self, driver: MesosSchedulerDriver, given: list[Any]) -> None:
            offers.extend(given)
            driver.declineOffer([each["id"] for each in given], {"refuse_seconds": 60})
            driver.stop()

    MesosSchedulerDriver(Frugal(), dict(INFO), master).run()
    assert {type(each) for each in offers} == {dict}


def test_addict_is_named_if_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "addict", None)
    with pytest.raises(ImportError, match="pip install addict"):
        MesosSchedulerDriver(Scheduler(), dict(INFO), "127.0.0.1:1", use_addict=True)


def test_an_update_is_sent_again_until_it_is_acknowledged(embedded: LocalCluster) -> None:
    with Driven(embedded.address, implicit_acknowledgements=False) as run:
        run.launch("true")
        first = run.state("t-0", "TASK_STARTING")
        assert run.state("t-0", "TASK_STARTING").uuid == first.uuid
        run.driver.acknowledgeStatusUpdate(first)
        run.driver.acknowledgeStatusUpdate(run.state("t-0", "TASK_RUNNING"))
        run.driver.acknowledgeStatusUpdate(run.state("t-0", "TASK_FINISHED"))


def test_kill_reconcile_revive_and_suppress(master: str) -> None:
    with Driven(master) as run:
        run.launch("sleep 100")
        status = run.state("t-0", "TASK_RUNNING")
        run.driver.reconcileTasks([status])
        assert "RECONCILIATION" in run.state("t-0", "TASK_RUNNING").reason
        run.driver.reconcileTasks([])
        assert "RECONCILIATION" in run.state("t-0", "TASK_RUNNING").reason
        run.driver.suppressOffers()
        run.driver.killTask(status.task_id)
        run.state("t-0", "TASK_KILLED")
        run.driver.reviveOffers()
        run.recorder.wait("resourceOffers")


def test_events_and_calls_go_through_what_replaces_their_methods_on_an_instance(embedded: LocalCluster) -> None:
    run = Driven(embedded.address)
    events: list[str] = []
    calls: list[str] = []
    on_event, send = run.driver.on_event, run.driver._send

    def noted_event(event: dict[str, Any]) -> None:
        events.append(event["type"])
        on_event(event)

    def noted_send(body: dict[str, Any]) -> dict[str, Any]:
        calls.append(body["type"])
        return send(body)

    run.driver.on_event, run.driver._send = noted_event, noted_send  # type: ignore[method-assign,assignment]
    with run:
        run.launch("true")
        run.state("t-0", "TASK_FINISHED")
    assert [each for each in events if each != "HEARTBEAT"][:2] == ["SUBSCRIBED", "OFFERS"]
    assert calls[0] == "ACCEPT"
    assert calls.count("ACKNOWLEDGE") in (2, 3)


def test_other_paths_and_methods_are_requests_to_the_master(master: str) -> None:
    with Driven(master) as run:
        run.recorder.wait("registered")
        send = run.driver._send
        assert run.driver.framework_id in {each["id"] for each in send("", "/state", "GET")["frameworks"]}
        assert send({"type": "GET_HEALTH"}, path="/api/v1")["get_health"] == {"healthy": True}
        assert send({"type": "GET_HEALTH"}, "/api/v1", headers={"Accept": "application/x-protobuf"}) == {}
        revive = {"type": "REVIVE", "framework_id": {"value": run.driver.framework_id}}
        assert send(revive, "/master/api/v1/scheduler") == {}, "the stream's id is sent"
        for body, path, method, code in (
            ("", "/no/such/path", "GET", 404),
            ("", "/api/v1/scheduler", "PUT", 405),
            ({"type": "NO_SUCH"}, "/api/v1", "POST", 400),
        ):
            with pytest.raises(RuntimeError, match=f"Failed to send request code={code}"):
                send(body, path, method)
    with pytest.raises(RuntimeError, match="Not connected yet"):
        send("", "/state", "GET")


def test_a_request_in_a_callback_is_answered(embedded: LocalCluster) -> None:
    names: list[str] = []

    class Asking(Scheduler):
        def registered(self, driver: Any, framework_id: Any, master: Any) -> None:
            names.extend(each["name"] for each in driver._send("", "/state", "GET")["frameworks"])
            driver.stop()

    MesosSchedulerDriver(Asking(), dict(INFO), embedded.address).run()
    assert names == [INFO["name"]]


def test_calls_are_ignored_before_the_driver_is_connected_and_send_raises() -> None:
    driver = MesosSchedulerDriver(Scheduler(), {**INFO, "id": {"value": "f"}}, "127.0.0.1:1")
    driver.reviveOffers()
    driver.killTask({"value": "t"})
    with pytest.raises(RuntimeError, match="Not connected yet"):
        driver._send({"type": "REVIVE"})


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (
            {"type": "KILL", "kill": {}},
            RequestError,
            "Failed to send request 400: Missing required fields: kill.task_id",
        ),
        ({"type": "KILL"}, RequestError, "the field of its type, got one of type 'KILL'"),
        ({"type": "SUBSCRIBE"}, RequestError, "got one of type 'SUBSCRIBE'"),
        ({"type": "KILL", "kill": {"task_id": 1}}, RequestError, "Not expecting a JSON number for field 'task_id'"),
        (
            {"type": "MESSAGE", "message": {"data": b"x"}},
            TypeError,
            "message.data, got an object of type bytes; encode_data()",
        ),
    ],
)
def test_a_call_that_mesos_would_refuse_raises(
    embedded: LocalCluster, body: dict[str, Any], error: type[Exception], words: str
) -> None:
    with Driven(embedded.address) as run:
        run.recorder.wait("registered")
        with pytest.raises(error) as raised:
            run.driver._send(body)
        assert words in str(raised.value)
        run.launch("true")
        run.state("t-0", "TASK_FINISHED")


def test_a_driver_that_is_stopped_from_elsewhere_during_a_callback_sends_no_more(embedded: LocalCluster) -> None:
    class Late(Scheduler):
        def resourceOffers(self, driver: MesosSchedulerDriver, offers: list[Any]) -> None:
            driver.launchTasks(offers[0]["id"], [task(offers[0], "t")])

        def statusUpdate(self, driver: MesosSchedulerDriver, status: Any) -> None:
            assert driver._driver is not None
            driver._driver.stop()  # as its cluster does
            driver.reviveOffers()

    MesosSchedulerDriver(Late(), dict(INFO), embedded).run()


RAISING = """
import sys, threading, time
from mesos.pymesos import MesosSchedulerDriver, Scheduler

class Raising(Scheduler):
    def resourceOffers(self, driver, offers):
        raise RuntimeError("Task failed")

driver = MesosSchedulerDriver(Raising(), {"user": "", "name": "raising"}, "localquiet")
def wait():
    while True:
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    "program",
    ["driver.run()", "threading.Thread(target=driver.run).start(); wait()", "driver.start(); wait()"],
    ids=["run", "run in a thread", "start"],
)
def test_what_a_callback_raises_ends_the_program(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", RAISING + program], stderr=subprocess.PIPE, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.endswith("RuntimeError: Task failed\n"), ended.stderr


def test_what_a_callback_raises_before_run_waits_is_raised_once() -> None:
    late = """
class Slow(MesosSchedulerDriver):
    def start(self):
        super().start()
        while not self.aborted:
            time.sleep(0.01)
        time.sleep(0.5)
        print("started")
try:
    Slow(Raising(), {"user": "", "name": "raising"}, "localquiet").run()
except RuntimeError as error:
    print(error)
time.sleep(0.5)
"""
    ended = subprocess.run(
        [sys.executable, "-c", RAISING + late], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "started\nTask failed\n"), ended.stderr


@pytest.mark.usefixtures("callbacks_may_raise")
@pytest.mark.parametrize("failover", [False, True])
def test_the_framework_of_a_callback_that_raises_is_removed_unless_failover_is_set(
    embedded: LocalCluster, failover: bool
) -> None:
    class Raising(Scheduler):
        def resourceOffers(self, driver: MesosSchedulerDriver, offers: list[Any]) -> None:
            raise ValueError("on purpose")

    driver = MesosSchedulerDriver(Raising(), dict(INFO), embedded.address, failover=failover)
    with pytest.raises(ValueError, match="on purpose"):
        driver.run()
    assert driver.aborted
    [framework] = embedded.frameworks
    assert framework.completed == (not failover)


def test_a_driver_that_is_not_connected_in_time_is_aborted() -> None:
    driver = MesosSchedulerDriver(Scheduler(), dict(INFO), "127.0.0.1:1", timeout=0.2)
    with pytest.raises(DriverTimeoutError, match=r"not connected for 0\.2 seconds"):
        driver.run()
    assert driver.aborted


def test_a_driver_may_be_started_again(embedded: LocalCluster) -> None:
    run = Driven(embedded.address)
    ids = []
    for _ in range(2):
        with run:
            run.recorder.wait("registered")
            ids.append(run.driver.framework_id)
    assert len(set(ids)) == 2


def test_a_framework_fails_over_to_another_driver(master: str) -> None:
    with Driven(master) as run:
        run.launch("sleep 100")
        run.state("t-0", "TASK_RUNNING")
        framework_id = run.driver.framework_id
        run.driver.stop(failover=True)
        run.driver.join()
        assert run.driver.framework_id == framework_id
    other = Driven(master)
    other.driver._framework["id"] = {"value": framework_id}
    with other:
        other.recorder.wait("reregistered")
        other.driver.reconcileTasks([])
        other.state("t-0", "TASK_RUNNING")


def test_a_driver_moves_to_another_master() -> None:
    with LocalCluster() as first, LocalCluster() as second, Driven(first.address) as run:
        run.recorder.wait("registered")
        run.driver.change_master(second.address)
        run.recorder.wait("disconnected")
        run.recorder.wait("reregistered")
        assert run.driver.master == second.address


@pytest.mark.parametrize(
    ("uri", "tried"),
    [
        ("h", "h:5050"),
        ("h,i:1,http://j/a", "h:5050,i:1,http://j/a"),
        ("h/a,i:1/b/", "http://h:5050/a,http://i:1/b/"),
        ("zoo://h:1,i/mesos", "zk://h:1,i/mesos"),
        ("zk://h,i/mesos", "zk://h,i/mesos"),
        ("file:///a,b", "file:///a,b"),
        ("https://h/a", "https://h/a"),
        ("local", "local"),
        ("", ""),
    ],
)
def test_masters_as_pymesos_takes_them(uri: str, tried: str) -> None:
    assert address(uri, 5050) == tried


def test_methods_that_write_requests_are_not_used() -> None:
    class Signed(MesosSchedulerDriver):
        def gen_request(self) -> bytes:
            return b""

    driver = Signed(Scheduler(), dict(INFO), "127.0.0.1:1")
    with pytest.warns(MesosWarning, match=r"Signed\.gen_request is not used"):
        driver.start()
    driver.stop()
    driver.join()


def test_a_driver_is_started_once_at_a_time(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    with Driven(embedded.address) as run:
        run.driver.start()
    assert "The driver was already started" in caplog.text


def test_a_program_ends_though_its_driver_runs(embedded: LocalCluster) -> None:
    program = (
        "from mesos.pymesos import MesosSchedulerDriver, Scheduler\n"
        f"MesosSchedulerDriver(Scheduler(), {INFO!r}, {embedded.address!r}).start()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=WAIT_SECONDS)


def test_ctrl_c_interrupts_join(embedded: LocalCluster) -> None:
    with Driven(embedded.address) as run:
        run.recorder.wait("registered")
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the signal may come before the wait
            threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
            run.driver.join()


def test_gpus_and_a_failover_timeout_are_asked_for() -> None:
    driver = MesosSchedulerDriver(Scheduler(), dict(INFO), "127.0.0.1:1")
    assert driver.framework == {**INFO, "capabilities": [{"type": "GPU_RESOURCES"}], "failover_timeout": 100}
    named = {**INFO, "capabilities": [{"type": "GPU_RESOURCES"}, {"type": "MULTI_ROLE"}], "failover_timeout": 0}
    driver = MesosSchedulerDriver(Scheduler(), named, "127.0.0.1:1")
    assert driver.framework["capabilities"] == [{"type": "MULTI_ROLE"}, {"type": "GPU_RESOURCES"}]
    assert driver.framework["failover_timeout"] == 0


def test_data_and_durations() -> None:
    assert encode_data("ä") == encode_data("ä".encode()) == base64.b64encode("ä".encode()).decode()
    assert decode_data(encode_data(b"\0\xff")) == b"\0\xff"
    assert [parse_duration(text) for text in ("5secs", " 1.5mins", "10ms", "2weeks")] == [5, 90, 0.01, 1209600]
    with pytest.raises(ValueError, match=r"got '5parsecs'"):
        parse_duration("5parsecs")


def test_the_public_names_are_pymesos() -> None:
    assert set(pymesos.__all__) == {
        "Executor",
        "MesosExecutorDriver",
        "MesosOperatorAgentDriver",
        "MesosOperatorMasterDriver",
        "MesosSchedulerDriver",
        "OperatorMaster",
        "Scheduler",
        "decode_data",
        "encode_data",
    }
    assert pymesos.__VERSION__ == "0.3.15"


def test_time_may_be_skipped() -> None:
    with LocalCluster(time="skip") as cluster, Driven(cluster.address) as run:
        began = time.monotonic()
        run.launch("true")
        run.state("t-0", "TASK_FINISHED")
        assert time.monotonic() - began < WAIT_SECONDS


@pytest.mark.parametrize(
    "name",
    [
        "_dicts",
        "_operator",
        *(f"pymesos.{each}" for each in ("_requests", "executor", "interface", "operator_v1", "scheduler", "utils")),
    ],
)
def test_the_examples_do_what_they_show(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"mesos.{name}"), optionflags=doctest.ELLIPSIS)
    assert done.attempted > 0
    assert done.failed == 0
