"""``mesos.mesoshttp`` when masters, agents and connections fail, on the embedded cluster and on the real Mesos."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos.local import LocalCluster
from mesos.mesoshttp import MesosClient, MesosException

from tests.apache_mesos.election import Election
from tests.python.mesoshttp_support import Watch, new_client, registered, task
from tests.python.stub import Stub
from tests.python.test_faults_compared import Town, town  # noqa: F401

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apache_mesos import ZooKeeper


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")


def lasting(master: str, **arguments: Any) -> MesosClient:
    client = new_client(master, max_reconnect=100, **arguments)
    client.set_failover_timeout(1000)
    client.add_capability("PARTITION_AWARE")
    return client


def told(watch: Watch) -> list[str]:
    """The events of the connection, in order."""
    names = ("SUBSCRIBED", "DISCONNECTED", "RECONNECTED")
    return [name for name, _ in watch.seen if name in names]


def test_a_lost_connection_is_made_again(town: Town) -> None:  # noqa: F811
    with registered(lasting(town.address)) as watch:
        driver = watch.wait("SUBSCRIBED")
        known = watch.client.frameworkId
        name, status = watch.run()
        town.cut()
        assert watch.wait("DISCONNECTED") == "mesos master disconnected"
        assert watch.wait("RECONNECTED") == "mesos master reconnected"
        assert watch.wait("SUBSCRIBED") is driver
        assert watch.client.frameworkId == known
        # The driver that a framework has kept is as good as the one that it is told.
        driver.kill(status["agent_id"]["value"], name)
        watch.state(name, "TASK_KILLED")
    assert told(watch) == ["SUBSCRIBED", "DISCONNECTED", "RECONNECTED", "SUBSCRIBED"]


def test_a_restarted_cluster_has_the_framework_again(town: Town) -> None:  # noqa: F811
    with registered(lasting(town.address)) as watch:
        driver = watch.wait("SUBSCRIBED")
        name, status = watch.run()
        town.restart()
        watch.wait("RECONNECTED")
        watch.wait("SUBSCRIBED")
        watch.held.clear()
        agents: set[str] = set()
        while len(agents) < 2:  # both are registered again
            agents.add(watch.offer().get_offer()["agent_id"]["value"])
        # It was checkpointed, which is the default.
        driver.kill(status["agent_id"]["value"], name)
        watch.state(name, "TASK_KILLED")


def test_the_loss_of_an_agent_is_told(town: Town) -> None:  # noqa: F811
    with registered(lasting(town.address)) as watch:
        name, status = watch.run()
        town.operate("mark_agent_gone", agent_id=status["agent_id"])
        watch.state(name, "TASK_GONE_BY_OPERATOR")
        assert watch.wait("FAILURE") == {"agent_id": status["agent_id"]}


def test_calls_without_a_connection_raise_and_the_client_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MesosClient, "WAIT_TIME", 0.5)
    refused: list[str] = []
    with LocalCluster() as cluster:
        client = lasting(cluster.address)
        client.max_reconnect = 4

        def ask(_: Any) -> None:
            driver = client.get_driver()
            driver.suppress()
            driver.revive()
            try:
                driver.kill(None, "t")
            except MesosException as error:
                refused.append(str(error))

        client.on("DISCONNECTED", ask)
        with registered(client) as watch:
            watch.wait("SUBSCRIBED")
            began = time.monotonic()
            cluster.stop(drivers=False)
            assert watch.join() is False
            assert time.monotonic() - began > 4 * 0.5
    assert refused == ["the client is not connected to a master"]
    assert told(watch) == ["SUBSCRIBED"]


def test_attempts_count_from_the_last_success() -> None:
    with Stub() as stub:
        client = new_client(stub.address, max_reconnect=1)
        with registered(client) as watch:
            for _ in range(4):
                watch.wait("SUBSCRIBED")
                stub.end_streams()
                watch.wait("RECONNECTED")
            watch.wait("SUBSCRIBED")


@pytest.mark.parametrize("timeout", [0.5, (3, 0.5)])
def test_a_silent_master_is_left_after_the_connection_timeout(timeout: Any) -> None:
    with Stub(silent=True) as stub, registered(new_client(stub.address, connection_timeout=timeout)) as watch:
        watch.wait("DISCONNECTED")
        watch.wait("RECONNECTED")
        watch.wait("SUBSCRIBED")
        assert stub.subscriptions >= 2
        assert not any(call.type == call.TEARDOWN for call in stub.accepted)


def test_each_address_of_several_kinds_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(MesosClient, "WAIT_TIME", 0.3)
    file = tmp_path / "master"
    with LocalCluster() as cluster:
        file.write_text(cluster.address)
        client = MesosClient(["http://127.0.0.1:1", f"file://{file}"])
        with registered(client) as watch:
            watch.wait("SUBSCRIBED")
            assert client.mesos_url == f"http://{cluster.address}"


@pytest.mark.apache
def test_the_leader_that_zookeeper_names_is_followed(zookeeper: ZooKeeper) -> None:
    with LocalCluster() as first, LocalCluster() as second, Election(zookeeper) as election:
        election.lead(first.address)
        with registered(MesosClient([election.url], max_reconnect=100)) as watch:
            watch.wait("SUBSCRIBED")
            assert watch.client.mesos_url == f"http://{first.address}"
            election.lead(second.address)
            watch.wait("RECONNECTED")
            watch.wait("SUBSCRIBED")
            assert watch.client.mesos_url == f"http://{second.address}"


def test_the_next_master_of_a_list_is_tried(town: Town) -> None:  # noqa: F811
    for urls in (["http://127.0.0.1:1", f"http://{town.address}"], [f"http://127.0.0.1:1,http://{town.address}/"]):
        with registered(MesosClient(urls)) as watch:
            watch.offer().decline()
            assert watch.client.mesos_url == f"http://{town.address}"


def test_a_scheduler_that_takes_over_ends_the_other_with_an_error(town: Town) -> None:  # noqa: F811
    first = lasting(town.address)
    with registered(first) as one:
        one.wait("SUBSCRIBED")
        with registered(lasting(town.address, frameworkId=first.frameworkId)) as two:
            two.wait("SUBSCRIBED")
            assert "Framework failed over" in one.wait("ERROR")
            assert one.join() is False
            assert first.driver is not None
            two.offer().decline()
            first.driver.revive()  # of the framework, which the second client is


def test_a_cluster_that_ends_ends_register() -> None:
    with LocalCluster() as cluster:
        client = lasting(cluster.address)
        with registered(client) as watch:
            watch.wait("SUBSCRIBED")
            cluster.stop()
            assert watch.join() is True


PROGRAM = """
import signal, sys, threading
from mesos.local import LocalCluster
from mesos.mesoshttp import MesosClient

with LocalCluster() as cluster:
    client = MesosClient(cluster)
    how = sys.argv[1]

    def subscribed(driver):
        print("subscribed", flush=True)
        if how == "exit":
            sys.exit(7)

    client.on("SUBSCRIBED", subscribed)
    if how == "daemon":
        stuck = threading.Event()
        client.on("HEARTBEAT", lambda _: (print("stuck", flush=True), stuck.set(), threading.Event().wait()))
        threading.Thread(target=client.register, daemon=True).start()
        assert stuck.wait(30)
    else:
        try:
            client.register()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""


def play(how: str) -> subprocess.Popen[str]:
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, how], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "subscribed\n"
    return program


def test_ctrl_c_ends_register_in_the_main_thread() -> None:
    program = play("wait")
    os.kill(program.pid, signal.SIGINT)
    output, _ = program.communicate(timeout=30)
    assert output == "interrupted\n"
    assert program.returncode == 0


def test_exit_in_a_callback_ends_the_program() -> None:
    program = play("exit")
    program.communicate(timeout=30)
    assert program.returncode == 7


def test_a_callback_that_never_returns_does_not_keep_a_program_whose_thread_is_a_daemon() -> None:
    began = time.monotonic()
    with play("daemon") as program:
        assert program.stdout is not None
        # Not with communicate(), which loses what came with the line that was read before.
        assert (program.stdout.read(), program.wait(30)) == ("stuck\n", 0)
    assert time.monotonic() - began < 10


def test_it_stops_from_another_thread_while_it_looks_for_a_master() -> None:
    client = new_client("127.0.0.1:1", max_reconnect=float("inf"))
    thread = threading.Thread(target=client.register)
    thread.start()
    client.stop = True
    thread.join(10)
    assert not thread.is_alive()


def test_tasks_are_not_launched_while_there_is_no_master() -> None:
    with LocalCluster() as cluster, registered(lasting(cluster.address)) as watch:
        offer = watch.offer()
        cluster.stop(drivers=False)
        watch.wait("DISCONNECTED")
        with pytest.raises(MesosException, match="not connected to a master"):
            offer.accept([task()])
