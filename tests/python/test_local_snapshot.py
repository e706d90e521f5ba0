"""The state of an embedded cluster as data."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from mesos import _cli as cli
from mesos.errors import ArgumentTypeError, ArgumentValueError, ClusterError
from mesos.local import LocalCluster

from tests.python.support import Recorder, capable, framework, running

if TYPE_CHECKING:
    from pathlib import Path

AGENTS = [
    {
        "resources": "cpus:4;mem:2048;disk:1024;cpus(static):1",
        "attributes": {"rack": "a", "level": 2, "ports": "[1-2,4-5]"},
        "hostname": "large",
        "domain": {"fault_domain": {"region": {"name": "r"}, "zone": {"name": "z"}}},
    },
    {"resources": "cpus:1;mem:512;disk:0;ports:[31000-31009]"},
]


def ask(cluster: LocalCluster, kind: str, **arguments: Any) -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    body = {"type": kind, **({kind.lower(): arguments} if arguments else {})}
    request = urllib.request.Request(f"{cluster.url}/api/v1", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        text = response.read()
    return json.loads(text) if text else None


def slaves(cluster: LocalCluster) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{cluster.url}/slaves", timeout=10) as response:
        shown: list[dict[str, Any]] = json.load(response)["slaves"]
    names = ("hostname", "attributes", "domain", "resources", "reserved_resources_full", "unreserved_resources_full")
    return [{name: slave.get(name) for name in names} for slave in shown]


def resource(name: str, amount: float, role: str, **more: Any) -> dict[str, Any]:
    reservation = {"type": "DYNAMIC", "role": role, "principal": "operator"}
    return {"name": name, "type": "SCALAR", "scalar": {"value": amount}, "reservations": [reservation], **more}


def change(cluster: LocalCluster) -> None:
    """Does what operators do."""
    agent_id = {"value": cluster.agents[0].id}
    disk = resource(
        "disk", 100, "a", disk={"persistence": {"id": "mine"}, "volume": {"container_path": "x", "mode": "RW"}}
    )
    ask(
        cluster,
        "RESERVE_RESOURCES",
        agent_id=agent_id,
        resources=[resource("cpus", 1, "a"), resource("disk", 200, "a")],
    )
    ask(cluster, "CREATE_VOLUMES", agent_id=agent_id, volumes=[disk])
    ask(cluster, "UPDATE_WEIGHTS", weight_infos=[{"role": "a", "weight": 3.5}])
    ask(cluster, "UPDATE_QUOTA", quota_configs=[{"role": "a", "limits": {"cpus": {"value": 3}}}])
    window = {
        "machine_ids": [{"hostname": "large", "ip": "127.0.0.1"}],
        "unavailability": {"start": {"nanoseconds": 4 * 10**18}},
    }
    ask(cluster, "UPDATE_MAINTENANCE_SCHEDULE", schedule={"windows": [window]})


def test_a_cluster_starts_from_a_snapshot_of_another() -> None:
    asked = ("GET_WEIGHTS", "GET_QUOTA", "GET_MAINTENANCE_SCHEDULE")
    with LocalCluster(agents=AGENTS) as cluster:
        plain = cluster.snapshot()
        change(cluster)
        snapshot = cluster.snapshot()
        expected, answers = slaves(cluster), [ask(cluster, kind) for kind in asked]
    assert json.loads(json.dumps(snapshot)) == snapshot
    assert snapshot["weights"] == {"a": 3.5}
    assert ["total" in agent for agent in plain["agents"]] == [False, False]
    assert ["total" in agent for agent in snapshot["agents"]] == [True, False]
    with LocalCluster(initial=snapshot) as cluster:
        assert slaves(cluster) == expected
        assert [ask(cluster, kind) for kind in asked] == answers
        assert cluster.snapshot() == snapshot
        scheduler = Recorder()
        capabilities = capable("RESERVATION_REFINEMENT", "REGION_AWARE")
        with running(cluster, scheduler, framework(role="a", capabilities=capabilities)):
            offer = scheduler.offer(lambda offer: offer.hostname == "large")
            assert [r.disk.persistence.id for r in offer.resources if r.HasField("disk")] == ["mine"]
        ask(cluster, "UPDATE_WEIGHTS", weight_infos=[{"role": "a", "weight": 1}])
        cluster.reset()
        assert cluster.snapshot() == snapshot


def test_a_snapshot_may_be_in_a_file(tmp_path: Path) -> None:
    with LocalCluster(agents=AGENTS) as cluster:
        (tmp_path / "snapshot.json").write_text(json.dumps(cluster.snapshot()))
        expected = slaves(cluster)
    given = cli._parse(["local", "--port", "0", "--initial", f"file://{tmp_path}/snapshot.json"])
    with cli._cluster(given) as cluster:
        assert slaves(cluster) == expected


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ({"tasks": []}, "initial: expected some of agents, weights, quotas, maintenance, got 'tasks'"),
        ({"agents": []}, "initial: agents: expected 1 to 1000 as agents, got 0"),
        ({"weights": {"a": 0}}, "initial: UPDATE_WEIGHTS was refused: .*"),
        ("nonsense", "initial: expected a snapshot, which is an object in JSON"),
    ],
)
def test_a_snapshot_that_is_not_valid_is_refused(initial: Any, message: str) -> None:
    with pytest.raises(ArgumentValueError, match=message):
        LocalCluster(initial=initial)


def test_what_is_no_snapshot_at_all() -> None:
    with pytest.raises(ArgumentTypeError, match="expected a mapping, or a str in JSON, as initial, got 5"):
        LocalCluster(initial=5)  # type: ignore[arg-type]
    cluster = LocalCluster()
    cluster.stop()
    with pytest.raises(ClusterError, match="is stopped"):
        cluster.snapshot()
