"""``mesos.mesoshttp``: the API of mesoshttp and avmesos, on the embedded master and on the real one."""

from __future__ import annotations

import base64
import doctest
import importlib
import inspect
import json
import socket
import threading
import urllib.request
from typing import Any

import pytest
from mesos.errors import MesosError
from mesos.local import LocalCluster
from mesos.mesoshttp import MesosClient, MesosException, Offer
from mesos.mesoshttp.update import Update

from tests.python.mesoshttp_support import EVENTS, Watch, new_client, registered, task
from tests.python.stub import Stub
from tests.python.support import executor, wait_until


def frameworks(master: str, kind: str = "frameworks") -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"http://{master}/master/frameworks") as response:
        found: list[dict[str, Any]] = json.load(response)[kind]
        return found


def framework_of(master: str, watch: Watch) -> dict[str, Any] | None:
    return next((f for f in frameworks(master) if f["id"] == watch.client.frameworkId), None)


def test_events_come_at_once(master: str) -> None:
    with registered(new_client(master)) as watch:
        assert watch.wait("HEARTBEAT") == "HEARTBEAT"
        watch.offer()
        # Of the originals, the first offer comes with the next heartbeat, after 15 seconds.
        assert watch.times["OFFERS"] - watch.times["SUBSCRIBED"] < 5


def test_what_the_client_knows_of_itself(master: str) -> None:
    client = new_client(master, frameworkName="known", frameworkWebUI="http://ui", frameworkHostname="host")
    client.setRole("role")
    client.set_failover_timeout(17)
    client.add_capability("PARTITION_AWARE")
    with registered(client) as watch:
        driver = watch.wait("SUBSCRIBED")
        assert driver is client.driver is client.get_driver()
        assert isinstance(driver, MesosClient.SchedulerDriver)
        assert (driver.frameworkId, driver.streamId) == (client.frameworkId, client.streamId)
        info = client.get_master_info()
        assert info is not None
        assert info["address"]["port"] == int(master.rpartition(":")[2])
        assert client.mesos_url == driver.mesos_url == f"http://{master}"
        shown = framework_of(master, watch)
        assert shown is not None
        names = ("name", "user", "hostname", "webui_url", "failover_timeout", "checkpoint", "capabilities")
        assert [shown[name] for name in names] == ["known", "root", "host", "http://ui", 17, True, ["PARTITION_AWARE"]]
        assert [shown.get("role"), *shown.get("roles", ["role"])] == ["role", "role"]


def test_what_is_not_given_is_filled_in(master: str) -> None:
    client = new_client(master)
    client.set_checkpoint(False)
    with registered(client) as watch:
        watch.wait("SUBSCRIBED")
        shown = framework_of(master, watch)
        assert shown is not None
        names = ("name", "user", "hostname", "checkpoint")
        assert [shown[name] for name in names] == ["Mesos HTTP framework", "root", socket.gethostname(), False]


def test_a_call_of_the_frameworks_own_is_taken_with_what_the_client_tells(master: str) -> None:
    with registered(new_client(master)) as watch:
        driver = watch.wait("SUBSCRIBED")
        body = {"framework_id": {"value": driver.frameworkId}, "type": "SUPPRESS"}
        headers = {"Content-Type": "application/json", "Mesos-Stream-Id": driver.streamId}
        request = urllib.request.Request(
            f"{driver.mesos_url}/api/v1/scheduler", json.dumps(body).encode(), headers=headers
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 202


def test_a_task_runs_and_is_killed(master: str) -> None:
    with registered(new_client(master)) as watch:
        driver = watch.wait("SUBSCRIBED")
        name, status = watch.run()
        assert driver.reconcile([]) is True
        assert driver.reconcile([{"task_id": name}]) is True
        watch.wait("UPDATE", lambda u: u["status"].get("reason") == "REASON_RECONCILIATION")
        assert driver.kill(status["agent_id"]["value"], name) is True
        watch.state(name, "TASK_KILLED")


def test_text_for_numbers_and_booleans_and_unknown_fields_are_taken(master: str) -> None:
    made = task()
    made["command"] = {"shell": "true", "value": "exit 0", "uris": [], "outputfile": "x"}
    made["resources"][0]["scalar"]["value"] = "0.2"
    with registered(new_client(master)) as watch:
        assert watch.offer().accept([made], {"Filters": {"RefuseSeconds": "0.5"}}) is True
        watch.state(made["task_id"]["value"], "TASK_FINISHED")
    assert "agent_id" not in made


def test_tasks_on_combined_offers() -> None:
    with (
        LocalCluster(resources="cpus:1;mem:256;disk:100;ports:[]", allocation_interval=0.1) as cluster,
        registered(MesosClient(cluster)) as watch,
    ):
        first, both = task("exec sleep 1000", cpus=0.4), task(cpus=0.9)
        watch.offer().accept([first], {"filters": {"refuse_seconds": 0}})
        rest = watch.offer()
        watch.client.get_driver().kill(None, first["task_id"]["value"])
        offers = [rest, watch.offer()]
        assert watch.client.combine_offers(offers, [both], {"filters": {"refuse_seconds": 1000}}) is True
        watch.state(both["task_id"]["value"], "TASK_FINISHED")
        assert watch.client.combine_offers([], [both]) is True
        assert watch.client.combine_offers(offers, []) is True


def test_a_role_of_a_framework_that_may_have_several(master: str) -> None:
    client = new_client(master)
    client.set_role("some")
    client.add_capability("MULTI_ROLE")
    with registered(client) as watch:
        allocated = watch.offer().get_offer()["allocation_info"]
        assert allocated == {"role": "some"}


@pytest.mark.parametrize("spelling", [{"Filters": {"RefuseSeconds": 1000.0}}, {"filters": {"refuse_seconds": 1000}}])
def test_filters_are_honoured(master: str, spelling: dict[str, Any]) -> None:
    with registered(new_client(master)) as watch:
        driver = watch.wait("SUBSCRIBED")
        agents = set()
        while len(agents) < 2:
            offer = watch.offer()
            agents.add(offer.get_offer()["agent_id"]["value"])
            assert offer.decline(options=spelling) is True
        # Nothing is offered until it is asked for: other frameworks get the offers of many allocations meanwhile.
        with registered(new_client(master)) as other:
            for _ in range(4):
                other.offer().decline({"filters": {"refuse_seconds": 0}})
        assert watch._events.empty() or all(name != "OFFERS" for name, _ in list(watch._events.queue))
        driver.revive()
        watch.offer()


def test_an_option_that_is_not_known_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with LocalCluster() as cluster, registered(MesosClient(cluster)) as watch:
        watch.offer().decline({"refuse_seconds": 5})
    assert "Ignoring the option 'refuse_seconds': expected 'filters'" in caplog.text


def test_suppress_and_revive(master: str) -> None:
    with registered(new_client(master)) as watch:
        driver = watch.wait("SUBSCRIBED")
        offers = [watch.offer(), watch.offer()]
        driver.suppress()
        for offer in offers:
            offer.decline({"filters": {"refuse_seconds": 0}})
        driver.revive()
        watch.offer()


def test_an_update_is_acknowledged_when_the_callbacks_have_returned() -> None:
    inside, go_on = threading.Event(), threading.Event()
    stub = Stub()
    with stub:
        client = new_client(stub.address)

        def slow(_: Any) -> None:
            inside.set()
            assert go_on.wait(30)

        client.on("UPDATE", slow)
        with registered(client) as watch:
            watch.wait("SUBSCRIBED")
            stub.send(update_event("t1"))
            assert inside.wait(30)
            watch.client.get_driver().kill("agent", "other")
            stub.wait(lambda s: s.accepted, "the kill")
            assert [call.Type.Name(call.type) for call in stub.accepted] == ["KILL"]
            go_on.set()
            stub.wait(lambda s: len(s.accepted) == 2, "the acknowledgement")
            assert stub.accepted[1].acknowledge.task_id.value == "t1"
            assert stub.accepted[1].acknowledge.uuid == b"u" * 16


def test_an_update_whose_callback_raises_is_acknowledged_and_the_next_callback_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Stub() as stub:
        client = new_client(stub.address)

        def broken(update: dict[str, Any]) -> None:
            update["status"].clear()
            raise KeyError("broken")

        client.on("UPDATE", broken)
        with registered(client) as watch:
            watch.wait("SUBSCRIBED")
            stub.send(update_event("t1"))
            stub.wait(lambda s: s.accepted, "the acknowledgement")
            assert stub.accepted[0].acknowledge.task_id.value == "t1"
            assert watch.wait("UPDATE") == {"status": {}}
    assert "Error in UPDATE callback: 'broken'" in caplog.text


def test_an_update_that_is_not_handled_any_more_is_not_acknowledged() -> None:
    with Stub() as stub:
        client = new_client(stub.address)
        client.on("UPDATE", lambda _: client.disconnect_framework())
        with registered(client) as watch:
            watch.wait("SUBSCRIBED")
            stub.send(update_event("t1"))
            stub.send(update_event("t2"))
            assert watch.join() is True
        acknowledged = [c.acknowledge.task_id.value for c in stub.accepted if c.HasField("acknowledge")]
        assert acknowledged == ["t1"]
        assert not any(c.type == c.TEARDOWN for c in stub.accepted)


def update_event(name: str) -> Any:
    from mesos.v1.interface import mesos_pb2, scheduler_pb2

    made = scheduler_pb2.Event(type=scheduler_pb2.Event.UPDATE)
    status = made.update.status
    status.task_id.value, status.agent_id.value = name, "agent"
    status.state, status.uuid = mesos_pb2.TASK_RUNNING, b"u" * 16
    return made


def test_callbacks_run_in_the_thread_that_registers(master: str) -> None:
    names: list[str] = []
    client = new_client(master)
    client.on("SUBSCRIBED", lambda _: names.append(threading.current_thread().name))
    with registered(client) as watch:
        watch.wait("SUBSCRIBED")
    assert names == ["registering"]


def test_each_of_several_callbacks_is_called_in_order() -> None:
    order: list[str] = []

    class Partial:
        def __call__(self, _: Any) -> None:
            order.append("an object without a name")

    with LocalCluster() as cluster:
        client = MesosClient(cluster)
        assert client.on(MesosClient.SUBSCRIBED, lambda _: order.append("first")) is True
        assert client.on(MesosClient.SUBSCRIBED, Partial()) is True
        with registered(client) as watch:
            watch.wait("SUBSCRIBED")
    assert order == ["first", "an object without a name"]


def test_an_event_that_does_not_exist_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    client = MesosClient([])
    assert client.on("NO_EVENT", print) is False
    assert "No event NO_EVENT" in caplog.text


def test_messages_go_to_an_executor_and_back_and_its_end_is_told(master: str) -> None:
    made = task()
    del made["command"]
    made["executor"] = {
        "type": "CUSTOM",
        "executor_id": {"value": "executor"},
        "command": {"value": executor().command.value},
        "resources": made["resources"],
    }
    made["data"] = base64.b64encode(b"running").decode()
    with registered(new_client(master)) as watch:
        driver = watch.wait("SUBSCRIBED")
        name = made["task_id"]["value"]
        watch.offer().accept([made])
        agent = watch.state(name, "TASK_RUNNING")["agent_id"]["value"]
        assert driver.message(agent, "executor", base64.b64encode(b"hello").decode()) is True
        message = watch.wait("MESSAGE", lambda m: base64.b64decode(m["data"]) == b"heard hello")
        assert (message["agent_id"], message["executor_id"]) == ({"value": agent}, {"value": "executor"})
        assert driver.shutdown(agent, "executor") is True
        failure = watch.wait("FAILURE")
        assert failure["executor_id"] == {"value": "executor"}
        assert failure["agent_id"] == {"value": agent}


def test_a_rescinded_offer_is_told() -> None:
    with LocalCluster(offer_timeout=0.2) as cluster, registered(MesosClient(cluster)) as watch:
        offer = watch.offer().get_offer()
        assert watch.wait("RESCIND") == {"offer_id": offer["id"]}


def test_stopping_removes_the_framework(master: str) -> None:
    with registered(new_client(master)) as watch:
        watch.run()
        watch.client.stop = True
        assert watch.join() is True
        assert framework_of(master, watch) is None
        assert watch.client.frameworkId in [f["id"] for f in frameworks(master, "completed_frameworks")]


def test_the_drivers_tear_down_ends_register_even_after_stop(master: str) -> None:
    with registered(new_client(master)) as watch:
        watch.wait("SUBSCRIBED").tearDown()
        assert watch.join() is True
        wait_until(lambda: framework_of(master, watch) is None, "the framework is removed")
    assert watch.client.driver is not None
    watch.client.driver.tearDown()  # logs an error


def test_tear_down_of_the_client_in_a_callback(master: str) -> None:
    client = new_client(master)
    client.on("SUBSCRIBED", lambda _: client.tearDown())
    with registered(client) as watch:
        assert watch.join() is True
    assert framework_of(master, watch) is None


def test_a_disconnected_framework_keeps_its_tasks_and_takes_them_over_with_its_id(master: str) -> None:
    first = new_client(master, frameworkName="kept")
    first.set_failover_timeout(1000)
    with registered(first) as watch:
        name, status = watch.run()
        first.disconnect_framework()
        assert watch.join() is True
        wait_until(lambda: (framework_of(master, watch) or {}).get("active") is False, "the framework is inactive")
    second = new_client(master, frameworkId=first.frameworkId, frameworkName="kept")
    second.set_failover_timeout(1000)
    with registered(second) as watch:
        driver = watch.wait("SUBSCRIBED")
        assert driver.frameworkId == second.frameworkId == first.frameworkId
        driver.reconcile([{"task_id": {"value": name}, "agent_id": status["agent_id"]}])
        watch.state(name, "TASK_RUNNING")


def test_a_framework_that_was_removed_is_refused(master: str) -> None:
    with registered(new_client(master)) as watch:
        watch.wait("SUBSCRIBED")
    with registered(new_client(master, frameworkId=watch.client.frameworkId)) as again:
        assert "Framework has been removed" in again.wait("ERROR")
        assert again.join() is False


def test_a_stopped_client_does_not_register() -> None:
    client = MesosClient(["http://127.0.0.1:1"])
    client.stop = True
    assert client.register() is False


def test_it_gives_up_after_so_many_attempts(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(MesosClient, "WAIT_TIME", 0.1)
    client = MesosClient(["http://127.0.0.1:1", "http://127.0.0.1:2"][:1], max_reconnect=3)
    assert client.register() is False
    assert caplog.text.count("Failed to register, retrying...") == 2
    assert "All connection tries failed" in caplog.text


def test_an_address_that_is_none_is_named(caplog: pytest.LogCaptureFixture) -> None:
    assert MesosClient(["ftp://user:secret@master"]).register() is False
    assert "ftp://" in caplog.text
    assert "secret" not in caplog.text
    assert MesosClient([]).register() is False


def test_a_client_registers_once_at_a_time(master: str) -> None:
    with registered(new_client(master)) as watch:
        watch.wait("SUBSCRIBED")
        with pytest.raises(MesosException, match="running already"):
            watch.client.register()


def test_calls_that_mesos_would_refuse_raise(master: str) -> None:
    with registered(new_client(master)) as watch:
        driver = watch.wait("SUBSCRIBED")
        offer = watch.offer()
        with pytest.raises(MesosException, match="Missing required fields"):
            offer.accept([{"name": "t"}])
        with pytest.raises(MesosException, match="expected a dict, list, str"):
            driver.message("agent", "executor", b"bytes")
        with pytest.raises(MesosException, match="refuse_seconds"):
            offer.decline({"filters": {"refuse_seconds": "soon"}})
        driver.request([{"agent_id": "a", "resources": []}])
        offer.decline()
    for call in (driver.revive, offer.decline, lambda: offer.accept([task()]), lambda: driver.kill("a", "t")):
        with pytest.raises(MesosException, match="no client of this process is registered as framework"):
            call()
    driver.suppress()  # logs an error
    assert issubclass(MesosException, MesosError)


def test_offers_and_updates_of_ones_own_go_through_the_registered_client() -> None:
    with Stub() as stub, registered(new_client(stub.address)) as watch:
        driver = watch.wait("SUBSCRIBED")
        known = (driver.mesos_url, driver.frameworkId, driver.streamId)
        Offer(*known, {"id": {"value": "o1"}, "agent_id": {"value": "a"}}).decline()
        status = {"task_id": {"value": "t"}, "agent_id": {"value": "a"}, "state": "TASK_LOST", "uuid": "dXU="}
        Update(*known, {"status": status}).ack()
        stub.wait(lambda s: len(s.accepted) == 2, "both calls")
        assert [call.Type.Name(call.type) for call in stub.accepted] == ["DECLINE", "ACKNOWLEDGE"]


def test_the_constructors_of_both_libraries() -> None:
    ours = MesosClient("urls", "id", "name", "user", "host", "ui", 7, 8)
    theirs = MesosClient("urls", False, "id", "name", "user", "host", "ui", 7, 8)
    names = ["frameworkId", "frameworkName", "frameworkUser", "frameworkHostname", "frameworkWebUI"]
    for client in (ours, theirs):
        assert [getattr(client, name) for name in names] == ["id", "name", "user", "host", "ui"]
        assert (client.mesos_urls, client.max_reconnect, client.connection_timeout) == ("urls", 7, 8)
    assert (ours.thread, theirs.thread) == (True, False)
    plain = MesosClient(mesos_urls=[])
    assert [getattr(plain, name) for name in names] == [None, "Mesos HTTP framework", "root", "", ""]
    assert (plain.max_reconnect, plain.connection_timeout, plain.stop, plain.disconnect) == (3, None, False, False)
    assert (plain.checkpoint, plain.verify, plain.principal, plain.secret, plain.driver) == (
        True,
        True,
        None,
        None,
        None,
    )
    assert plain.callbacks == {event: [] for event in EVENTS}
    assert MesosClient.WAIT_TIME == 10
    for arguments, named in ((("a", "b"), {"frameworkId": "c"}), (("a",), {"name": "b"}), (range(20), {})):
        with pytest.raises(TypeError, match="MesosClient"):
            MesosClient(*arguments, **named)
    with pytest.raises(TypeError):
        MesosClient()  # type: ignore[call-overload]


def test_a_subclass_that_does_not_call_the_constructor_may_be_stopped() -> None:
    class Holder(MesosClient):
        def __init__(self) -> None:
            self.suppress = False
            self.client = MesosClient([])

    holder = Holder()
    holder.tearDown()
    assert holder.stop is True
    holder.disconnect_framework()
    holder.set_role("r")
    assert inspect.signature(MesosClient.register)


def test_time_that_is_skipped_waits_for_callbacks_which_may_ask_the_cluster() -> None:
    seen: list[int] = []
    with LocalCluster(time="skip") as cluster:
        client = MesosClient(cluster)

        def offered(offers: list[Offer]) -> None:
            seen.append(len(cluster.offers))
            offers[0].decline({"filters": {"refuse_seconds": 1000}})

        client.on("OFFERS", offered)
        with registered(client):
            began = cluster.time()
            cluster.run_until(lambda: len(seen) == 2)
            assert cluster.time() - began >= 1000
            client.stop = True
            assert len(cluster.agents) == 1  # what is asked outside of a callback is answered too
    assert seen == [1, 1]


@pytest.mark.parametrize("name", ["acs", "client", "core", "exception", "offers", "update", "_driver", "_registration"])
def test_the_examples_of_the_docstrings(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"mesos.mesoshttp.{name}"))
    assert (done.failed, done.attempted > 0) == (0, True)
