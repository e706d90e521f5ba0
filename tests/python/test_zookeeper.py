"""Masters found through a real ZooKeeper, and masters that die, on the real Mesos."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.apache_mesos import ApacheMesos, ZooKeeper, free_port
from tests.python.conftest import ROOT, absent
from tests.python.support import Recorder, framework, heard, running, task

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = 0x0100007F  # 127.0.0.1, as MasterInfo.ip has it


def json_info(port: int) -> bytes:
    """What a master writes into its node."""
    address = {"hostname": "localhost", "ip": "127.0.0.1", "port": port}
    return json.dumps({"id": "m", "ip": LOOPBACK, "port": port, "hostname": "localhost", "address": address}).encode()


def binary_info(port: int) -> bytes:
    """What a master before 0.23 wrote."""
    return mesos_pb2.MasterInfo(id="m", ip=LOOPBACK, port=port, hostname="localhost").SerializeToString()


@pytest.fixture
def kazoo(zookeeper: ZooKeeper) -> Iterator[KazooClient]:
    client = KazooClient(zookeeper.address)
    client.start(timeout=30)
    yield client
    client.stop()
    client.close()


def elect(kazoo: KazooClient, data: bytes, label: str = "json.info_", path: str = "/mesos") -> str:
    """Write a master's node; its path."""
    node: str = kazoo.create(f"{path}/{label}", data, ephemeral=False, sequence=True, makepath=True)
    return node


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


@pytest.mark.apache
def test_the_hello_world_runs_unchanged_on_the_real_mesos(apache_mesos: ApacheMesos, tmp_path: Path) -> None:
    """Not a byte is changed: the master is zk://localhost:2181/mesos, so that port has to be free."""
    missing = ZooKeeper.missing()
    if missing:
        absent(missing)
    with ZooKeeper(tmp_path / "zookeeper", 2181) as zookeeper:
        client = KazooClient(zookeeper.address)
        client.start(timeout=30)
        elect(client, json_info(apache_mesos.port))
        client.stop()
        client.close()
        command = [sys.executable, "-u", str(ROOT / "examples" / "hello_world.py")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain()) as process:
            assert process.stdout is not None
            seen = []
            for line in process.stdout:
                seen.append(line)
                if "TASK_FINISHED" in line:
                    break
            process.send_signal(signal.SIGINT)
            seen += process.stdout.readlines()
            assert process.wait(15) == 0
    text = "".join(seen)
    assert "Registered with framework id " in text
    assert "Launching task " in text
    assert " is in state TASK_RUNNING" in text
    assert " is in state TASK_FINISHED" in text


def plain() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "REMESOS_MASTER"}


@pytest.mark.parametrize(
    ("label", "data"),
    [("json.info_", json_info), ("info_", binary_info), ("", lambda port: b"master@127.0.0.1:%d" % port)],
    ids=["json", "binary", "address"],
)
def test_every_kind_of_node_names_the_master(
    zookeeper: ZooKeeper, kazoo: KazooClient, embedded: LocalCluster, label: str, data: object
) -> None:
    assert callable(data)
    kazoo.ensure_path("/mesos/log_replicas")
    elect(kazoo, data(port_of(embedded.address)), label)
    scheduler = Recorder()
    with running(f"zk://{zookeeper.address}/mesos", scheduler):
        scheduler.wait("registered")


def test_the_lowest_sequence_leads_and_its_successor_follows(zookeeper: ZooKeeper, kazoo: KazooClient) -> None:
    with LocalCluster() as first, LocalCluster() as second:
        leader = elect(kazoo, json_info(port_of(first.address)))
        elect(kazoo, binary_info(port_of(second.address)), "info_")
        scheduler = Recorder()
        with running(f"zk://{zookeeper.address}/mesos", scheduler):
            assert scheduler.wait("registered").port == port_of(first.address)
            kazoo.delete(leader)
            scheduler.wait("disconnected")
            assert scheduler.wait("registered").port == port_of(second.address)
            scheduler.offer()


def test_a_master_that_is_elected_later_is_found(
    zookeeper: ZooKeeper, kazoo: KazooClient, embedded: LocalCluster, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler = Recorder()
    caplog.set_level("INFO", "mesos")
    with heard("No master has made its node") as waiting, running(f"zk://{zookeeper.address}/deep/mesos", scheduler):
        assert waiting.wait(30)
        elect(kazoo, json_info(port_of(embedded.address)), path="/deep/mesos")
        scheduler.wait("registered")


def test_no_leader_is_a_disconnection(zookeeper: ZooKeeper, kazoo: KazooClient, embedded: LocalCluster) -> None:
    leader = elect(kazoo, json_info(port_of(embedded.address)))
    scheduler = Recorder()
    with running(f"zk://{zookeeper.address}/mesos", scheduler, framework(failover_timeout=60)):
        scheduler.wait("registered")
        kazoo.delete(leader)
        scheduler.wait("disconnected")
        elect(kazoo, json_info(port_of(embedded.address)))
        scheduler.wait("reregistered")


def test_a_lost_zookeeper_session_is_survived(zookeeper: ZooKeeper, kazoo: KazooClient, embedded: LocalCluster) -> None:
    elect(kazoo, json_info(port_of(embedded.address)))
    scheduler = Recorder()
    with running(f"zk://{zookeeper.address}/mesos", scheduler, framework(failover_timeout=60)):
        scheduler.wait("registered")
        with heard("The ZooKeeper session at ") as lost:
            zookeeper.kill()
            assert lost.wait(60)
        scheduler.wait("disconnected")
        zookeeper.start()
        scheduler.wait("reregistered")


def test_credentials_of_the_url_open_a_protected_path(
    zookeeper: ZooKeeper, kazoo: KazooClient, embedded: LocalCluster
) -> None:
    acl = make_digest_acl("user", "p@ss", all=True)
    kazoo.add_auth("digest", "user:p@ss")
    kazoo.create("/mesos", acl=[acl])
    kazoo.create("/mesos/json.info_", json_info(port_of(embedded.address)), acl=[acl], sequence=True)
    scheduler = Recorder()
    with running(f"zk://user:p@ss@{zookeeper.address}/mesos", scheduler):
        scheduler.wait("registered")


def test_a_file_holds_the_master(embedded: LocalCluster, tmp_path: Path) -> None:
    file = tmp_path / "master"
    file.write_text(f"http://{embedded.address}\n")
    scheduler = Recorder()
    with running(f"file://{file}", scheduler):
        scheduler.wait("registered")


def test_an_unreachable_zookeeper_is_tried_again_and_logged() -> None:
    uri = "zk://user:secret@127.0.0.1:1/mesos"
    with heard("Cannot reach ZooKeeper at zk://127.0.0.1:1/mesos") as told, running(uri, Recorder()):
        assert told.wait(60)


@pytest.mark.apache
def test_a_real_master_that_is_killed_and_started_again(apache_home: Path, tmp_path: Path) -> None:
    cluster = ApacheMesos(apache_home, tmp_path / "work")
    scheduler = Recorder()
    with cluster, running(cluster.address, scheduler, framework(failover_timeout=600)) as driver:
        scheduler.wait("registered")
        first = scheduler.seen[-1].arguments[0]
        scheduler.offer()
        cluster.kill()
        scheduler.wait("disconnected")
        lost = task(mesos_pb2.Offer(slave_id={"value": "s"}))
        driver.launchTasks(mesos_pb2.OfferID(value="o"), [lost])
        assert scheduler.state(lost.task_id.value, mesos_pb2.TASK_LOST).message == "Master disconnected"
        cluster.start()
        scheduler.wait("reregistered", seconds=90)
        offer = scheduler.offer()
        assert offer.framework_id == first
        launched = task(offer)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)


def test_an_embedded_master_that_goes_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    scheduler = Recorder()
    first = LocalCluster(port)
    with running(f"127.0.0.1:{port}", scheduler):
        scheduler.offer()
        first.stop(drivers=False)
        scheduler.wait("disconnected")
        with LocalCluster(port):
            scheduler.wait("reregistered", seconds=90)
            scheduler.offer()
