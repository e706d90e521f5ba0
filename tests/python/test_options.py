"""How an embedded cluster is set up: by arguments, variables and the command line, and as the real one with these flags."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import logging
import re
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from mesos import _cli as cli
from mesos.errors import ArgumentTypeError, ArgumentValueError, MesosError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.apache_mesos import ApacheMesos, credentials
from tests.python.support import Recorder, capable, filters, framework, running, task, wait_until

if TYPE_CHECKING:
    from pathlib import Path

DOMAIN = {"fault_domain": {"region": {"name": "here"}, "zone": {"name": "a"}}}
USUAL = "cpus:8;mem:8192;disk:20000;ports:[31000-32000]"


def get(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as response:
        return json.load(response)


def texts(resources: Any) -> list[str]:
    """Each resource in a line, in its place."""
    return [" ".join(str(resource).split()) for resource in resources]


def offered(address: str, *roles: str) -> list[list[str]]:
    """What a framework in each role is offered of an agent, and what is left once it has used some and all of it."""
    shown = []
    for role in roles:
        info = framework(roles=[role], capabilities=capable("MULTI_ROLE", "RESERVATION_REFINEMENT", "GPU_RESOURCES"))
        scheduler = Recorder()
        with running(address, scheduler, info) as driver:
            offer = scheduler.offer()
            shown.append(texts(offer.resources))
            driver.launchTasks(offer.id, [task(offer, "sleep 600", cpus=0.5)], filters(0))
            offer = scheduler.offer()
            shown.append(texts(offer.resources))
            cpus = sum(r.scalar.value for r in offer.resources if r.name == "cpus")
            driver.launchTasks(offer.id, [task(offer, "sleep 600", cpus=cpus)], filters(0))
            shown.append(texts(scheduler.offer().resources))
    return shown


RESOURCES = [
    pytest.param(USUAL, ["*"], id="usual"),
    pytest.param("cpus:4;mem:4096", ["*"], id="without disk and ports"),
    pytest.param("ports:[5000-5009,5011-5012];mem:512", ["*"], id="without cpus"),
    pytest.param("cpu:2;gpus:1;mem:1000;disks:{b,a}", ["*"], id="misspelt, GPUs and a set"),
    pytest.param("gpus:2;disk:100;cpus:0;mem(*):300;cpus(r):2;mem(r):200;cpus:1", ["r"], id="reserved"),
    pytest.param(
        json.dumps(
            [
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 512}},
                {
                    "name": "ports",
                    "type": "RANGES",
                    "ranges": {"range": [{"begin": 1, "end": 3}, {"begin": 5, "end": 9}]},
                },
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 3}, "role": "r"},
            ]
        ),
        ["r"],
        id="JSON",
    ),
]


@pytest.mark.parametrize(("resources", "roles"), RESOURCES)
def test_offers_have_a_real_agent_s_resources_in_its_order(
    apache_home: Path, tmp_path: Path, resources: str, roles: list[str]
) -> None:
    with ApacheMesos(apache_home, tmp_path, flags={"MESOS_RESOURCES": resources}) as real:
        expected = offered(real.address, *roles)
    # The size of the disk depends on where the work directory is.
    with LocalCluster(resources=resources, work_dir=tmp_path / "embedded") as embedded:
        assert offered(embedded.address, *roles) == expected


def test_resources_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "resources"
    file.write_text('[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 3}}]')
    with LocalCluster(resources=f"file://{file}") as cluster:
        assert get(cluster.address, "/slaves")["slaves"][0]["resources"]["cpus"] == 3
    listed = [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}}]
    with LocalCluster(resources=listed) as cluster:
        assert get(cluster.address, "/slaves")["slaves"][0]["resources"]["cpus"] == 2
    with pytest.raises(ArgumentValueError, match="resources: cannot read the file '/no/such/file'"):
        LocalCluster(resources="file:///no/such/file")


def test_a_resource_that_looks_misspelt_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), LocalCluster(resources="cpu:2;memory:512;port:[1-2];slots:3"):
        wait_until(lambda: len(caplog.records) >= 3, "the warnings")
    said = [record.getMessage() for record in caplog.records]
    assert [("'cpu'" in text, "'cpus'" in text) for text in said].count((True, True)) == 1
    assert any("'memory'" in text and "'mem'" in text for text in said)
    assert any("'port'" in text and "'ports'" in text for text in said)
    assert not any("slots" in text for text in said)


VARIABLES = {
    "MESOS_NUM_SLAVES": "2",
    "MESOS_RESOURCES": "cpus:2;mem:1024",
    "MESOS_ATTRIBUTES": "rack:abc;level:10;ports:[1-2,5-6]",
    "MESOS_HOSTNAME": "agent.example.org",
    "MESOS_DOMAIN": json.dumps(DOMAIN),
    "MESOS_CLUSTER": "testing",
    "MESOS_WEIGHTS": "a=2.5",
    "MESOS_ROLES": "a,b",
}


def set_variables(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in {**VARIABLES, **variables}.items():
        monkeypatch.setenv(name, value)


def seen_of(address: str) -> dict[str, Any]:
    """What a framework and a tool see of a cluster's set-up."""
    scheduler = Recorder()
    with running(address, scheduler, framework(roles=["a"], capabilities=capable("MULTI_ROLE"))):
        master = scheduler.wait("registered")
        offers = scheduler.offers_of_agents(2)
        state = get(address, "/state")
    return {
        "host names": {offer.hostname for offer in offers} | {master.hostname, state["hostname"]},
        "attributes": texts(offers[0].attributes),
        "attributes in /state": state["slaves"][0]["attributes"],
        "domains": {str(offer.domain) for offer in offers} | {str(master.domain)},
        "domain in /state": state["slaves"][0]["domain"],
        "cluster": state["cluster"],
        "cpus": [slave["resources"]["cpus"] for slave in state["slaves"]],
    }


def test_the_variables_are_those_of_the_real_one(
    apache_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ApacheMesos(apache_home, tmp_path / "real", agents=2, flags=VARIABLES) as real:
        expected = seen_of(real.address)
    set_variables(monkeypatch)
    with LocalCluster() as cluster:
        assert seen_of(cluster.address) == expected


def test_master_local_honours_the_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_variables(monkeypatch, MESOS_WORK_DIR=str(tmp_path))
    scheduler = Recorder()
    with running("local", scheduler, framework(roles=["a"], capabilities=capable("MULTI_ROLE"))):
        offers = scheduler.offers_of_agents(2)
    assert {offer.hostname for offer in offers} == {"agent.example.org"}
    assert [attribute.name for attribute in offers[0].attributes] == ["rack", "level", "ports"]
    assert (tmp_path / "agents").is_dir()


SHOW = """
import json, os, urllib.request
state = json.load(urllib.request.urlopen("http://" + os.environ["REMESOS_MASTER"] + "/state"))
slave = state["slaves"][0]
print("seen:", json.dumps([len(state["slaves"]), slave["hostname"], slave["attributes"], state["cluster"]]))
"""


@pytest.mark.parametrize("arguments", [[], ["--agents", "1", "--cluster", "other", "--attributes=x:y"]])
def test_remesos_run_honours_the_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SHOW)
    set_variables(monkeypatch, MESOS_WORK_DIR=str(tmp_path / "work"))
    command = [sys.executable, "-m", "mesos", "run", *arguments, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    seen = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("seen: "))[6:])
    attributes = {"rack": "abc", "level": 10, "ports": "[1-2, 5-6]"}
    if arguments:
        assert seen == [1, "agent.example.org", {"x": "y"}, "other"]
    else:
        assert seen == [2, "agent.example.org", attributes, "testing"]
    assert (tmp_path / "work" / "agents").is_dir()


def test_arguments_override_the_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_variables(monkeypatch, MESOS_WORK_DIR=str(tmp_path / "variable"), MESOS_OFFER_TIMEOUT="nonsense")
    with LocalCluster(
        agents=1,
        resources={"cpus": 3, "cpus(a)": 1},
        attributes={"rack": "x", "level": 3},
        hostname="other",
        domain={"fault_domain": {"region": {"name": "there"}, "zone": {"name": "b"}}},
        cluster="mine",
        weights={"a": 3},
        roles=["a"],
        work_dir=tmp_path / "argument",
        offer_timeout=timedelta(seconds=30),
    ) as cluster:
        state = get(cluster.address, "/state")
    [slave] = state["slaves"]
    assert slave["resources"]["cpus"] == 4
    assert (slave["attributes"], slave["hostname"]) == ({"rack": "x", "level": 3}, "other")
    assert slave["domain"]["fault_domain"]["region"]["name"] == "there"
    assert (state["cluster"], state["hostname"]) == ("mine", "other")
    assert [path.name for path in tmp_path.iterdir()] == ["argument"]


def test_a_cluster_on_loopback_is_localhost() -> None:
    scheduler = Recorder()
    with LocalCluster() as cluster, running(cluster.address, scheduler):
        assert scheduler.wait("registered").hostname == "localhost"
        offer = scheduler.offer()
        assert (offer.hostname, offer.url.address.hostname) == ("localhost", "localhost")
        assert get(f"{offer.hostname}:{offer.url.address.port}", "/state")["hostname"] == "localhost"


def test_a_host_name_that_is_given_may_be_the_host_of_a_request() -> None:
    with LocalCluster(hostname="agent.example.org") as cluster:
        request = urllib.request.Request(f"{cluster.url}/state", headers={"Host": "agent.example.org"})
        urllib.request.urlopen(request, timeout=30).close()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("attributes", "rack", "'rack': expected name:value"),
        ("hostname", "a b", "expected the name of a host"),
        ("domain", "x", "expected JSON such as"),
        ("domain", "{}", "expected JSON such as"),
        ("roles", "a,-b", "Role component '-b' is invalid because it starts with a dash"),
        ("weights", "a", "'a': expected role=weight"),
        ("weights", "a=0", "'a=0': expected a weight above 0"),
        ("offer_timeout", "soon", "'soon'.* expected"),
        ("min_allocatable_resources", "cpus", "'cpus': expected name:number"),
        ("executor_environment_variables", "[]", "expected JSON such as"),
        ("credentials", "/no/such/file", "cannot read the file '/no/such/file'"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(ArgumentValueError, match=f"^{name}: .*{said}"):
        LocalCluster(**arguments)
    monkeypatch.setenv(f"MESOS_{name.upper()}", value)
    with pytest.raises(ArgumentValueError, match=f"^MESOS_{name.upper()}: .*{said}"):
        LocalCluster()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"weights": {"b": 1}, "roles": "a"}, "weights: 'b' is not among the roles"),
        ({"authenticate_http_frameworks": True}, "authenticate_http_frameworks: expected credentials too"),
        ({"max_completed_frameworks": -1}, "max_completed_frameworks: expected a whole number from 0"),
        ({"offer_timeout": -1}, "expected a finite number from 0 as offer_timeout, got -1"),
    ],
)
def test_values_that_do_not_fit_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentValueError, match=said):
        LocalCluster(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"attributes": 5},
        {"attributes": {"a": None}},
        {"hostname": 5},
        {"domain": 5},
        {"domain": {"a": object()}},
        {"roles": 5},
        {"roles": [5]},
        {"weights": ["a"]},
        {"offer_timeout": None, "allocation_interval": b"1"},
        {"authenticate_http_frameworks": "yes"},
        {"credentials": 5},
        {"credentials": {"a": 5}},
        {"max_completed_frameworks": "5"},
        {"keep": 5},
    ],
)
def test_a_type_that_cannot_be_used_is_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentTypeError, match=f"as {'.*'}{list(arguments)[-1]}|in {list(arguments)[-1]}"):
        LocalCluster(**arguments)


def test_the_environment_of_executors(tmp_path: Path) -> None:
    variables = {"PATH": "/special:/usr/bin:/bin", "MINE": "x", "MESOS_SLAVE_ID": "not this one"}
    scheduler = Recorder()
    with (
        LocalCluster(executor_environment_variables=variables) as cluster,
        running(cluster.address, scheduler) as driver,
    ):
        offer = scheduler.offer()
        launched = task(offer, "echo $PATH $MINE $MESOS_SLAVE_ID")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
        said = (cluster.tasks[0].sandbox / "stdout").read_text()
    assert said == f"/special:/usr/bin:/bin x {offer.slave_id.value}\n"


def test_offers_time_out(tmp_path: Path) -> None:
    scheduler = Recorder()
    with LocalCluster(offer_timeout="300ms") as cluster, running(cluster.address, scheduler):
        offer = scheduler.offer()
        assert scheduler.wait("offerRescinded").value == offer.id.value
        scheduler.offer()


def test_offers_are_not_smaller_than_what_is_allocatable() -> None:
    scheduler = Recorder()
    with (
        LocalCluster(
            resources="cpus:2;mem:1024", min_allocatable_resources="cpus:1", allocation_interval=0.1
        ) as cluster,
        running(cluster.address, scheduler) as driver,
    ):
        offer = scheduler.offer()
        launched = task(offer, "sleep 1", cpus=1.5)
        driver.launchTasks(offer.id, [launched], filters(0))
        scheduler.wait(
            "resourceOffers", lambda offers: sum(r.scalar.value for r in offers[0].resources if r.name == "cpus") == 2
        )
        seen = [event for event in scheduler.seen if event.name == "resourceOffers"]
        assert len(seen) == 2, "half a cpu is not offered"


def test_completed_frameworks_and_tasks_are_bounded() -> None:
    with LocalCluster(max_completed_frameworks=1, max_completed_tasks_per_framework=2) as cluster:
        for name in ("first", "second"):
            scheduler = Recorder()
            with running(cluster.address, scheduler, framework(name=name)) as driver:
                offer = scheduler.offer()
                driver.launchTasks(offer.id, [task(offer) for _ in range(3)])
                for _ in range(3):
                    scheduler.wait("statusUpdate", lambda status: status.state == mesos_pb2.TASK_FINISHED)
        wait_until(
            lambda: [f["name"] for f in get(cluster.address, "/state")["completed_frameworks"]] == ["second"],
            "the first framework is forgotten",
        )
        [shown] = get(cluster.address, "/state")["completed_frameworks"]
        assert len(shown["completed_tasks"]) <= 3


SUBSCRIBE = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "u", "name": "f"}}}


def answered(address: str, credential: str | None, principal: str | None) -> tuple[int, str, str | None]:
    """The status, the body or what kind of event comes first, and what the answer wants."""
    info = {**SUBSCRIBE["subscribe"]["framework_info"], **({"principal": principal} if principal else {})}  # type: ignore[index]
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if credential:
        headers["Authorization"] = f"Basic {base64.b64encode(credential.encode()).decode()}"
    connection = http.client.HTTPConnection(address, timeout=30)
    body = json.dumps({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}})
    connection.request("POST", "/api/v1/scheduler", body, headers)
    response = connection.getresponse()
    if response.status == 200:
        text = json.loads(response.read(int(response.readline())))["type"]
    else:
        text = response.read().decode()
    wanted = response.headers["WWW-Authenticate"]
    connection.close()
    return response.status, text, wanted


def test_frameworks_authenticate_as_with_the_real_one(apache_home: Path, tmp_path: Path) -> None:
    path = credentials(tmp_path / "credentials", "alice", "sesame")["MESOS_CREDENTIALS"]
    asked = list(
        itertools.product([None, "alice:wrong", "bob:sesame", "alice", "alice:sesame"], [None, "alice", "bob"])
    )
    flags = {
        "MESOS_AUTHENTICATE_HTTP_FRAMEWORKS": "true",
        "MESOS_HTTP_FRAMEWORK_AUTHENTICATORS": "basic",
        "MESOS_CREDENTIALS": path,
    }
    with ApacheMesos(apache_home, tmp_path / "real", flags=flags) as real:
        expected = [answered(real.address, *each) for each in asked]
    with LocalCluster(authenticate_http_frameworks=True, credentials=path) as cluster:
        assert [answered(cluster.address, *each) for each in asked] == expected


def test_drivers_authenticate() -> None:
    credential = mesos_pb2.Credential(principal="alice", secret="sesame")
    scheduler = Recorder()
    with (
        LocalCluster(authenticate_http_frameworks=True, credentials={"alice": "sesame"}) as cluster,
        running(cluster.address, scheduler, framework(principal="alice"), credential=credential) as driver,
    ):
        offer = scheduler.offer()
        launched = task(offer)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)


def test_the_token_is_a_secret_too() -> None:
    with LocalCluster(authenticate_http_frameworks=True, credentials={}, token="0123456789abcdef") as cluster:
        assert answered(cluster.address, "anyone:0123456789abcdef", "alice")[:2] == (200, "SUBSCRIBED")


AGENTS = [
    {"resources": {"cpus": 4, "mem": 2048}, "attributes": {"rack": "a", "level": 1}, "hostname": "large"},
    {"attributes": "rack:b", "domain": {"fault_domain": {"region": {"name": "r"}, "zone": {"name": "z"}}}},
    {},
]


def test_agents_differ() -> None:
    with LocalCluster(agents=AGENTS, resources={"cpus": 1, "mem": 512}, attributes={"rack": "c"}) as cluster:
        seen = [(a.hostname, a.resources["cpus"], a.resources["mem"], a.attributes) for a in cluster.agents]
        [large, *_] = get(cluster.address, "/slaves")["slaves"]
        domains = [slave.get("domain") for slave in get(cluster.address, "/slaves")["slaves"]]
        flags = get(cluster.address, "/slave(1)/flags")["flags"]
    assert seen == [
        ("large", 4, 2048, {"rack": "a", "level": 1}),
        ("localhost", 1, 512, {"rack": "b"}),
        ("localhost", 1, 512, {"rack": "c"}),
    ]
    assert (large["hostname"], large["attributes"]) == ("large", {"rack": "a", "level": 1})
    assert [domain is not None for domain in domains] == [False, True, False]
    assert (flags["resources"], flags["hostname"]) == ("cpus:4.0;mem:2048.0", "large")


def test_agents_differ_on_the_command_line(tmp_path: Path) -> None:
    given = '[{"resources": "cpus:4;mem:2048"}, {"resources": {"cpus": 2, "mem": 100}, "hostname": "b"}]'
    (tmp_path / "agents").write_text(given)
    for text in (given, f"file://{tmp_path / 'agents'}"):
        options = cli._parse(["local", "--port", "0", "--agents", text])
        with cli._cluster(options) as cluster:
            assert [(a.hostname, a.resources["cpus"]) for a in cluster.agents] == [("localhost", 4), ("b", 2)]


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        ([], "expected 1 to 1000 as agents, got 0"),
        ([4], "expected a mapping such as {'resources': {'cpus': 4}} as agents[0], got 4"),
        ([{}, {"cpus": 4}], "expected some of resources, attributes, hostname, domain in agents[1], got 'cpus'"),
        ([{"resources": {"cpus": -1}}], "expected a finite number from 0 as agents[0]['resources']['cpus'], got -1"),
        ([{"hostname": 5}], "expected a str as agents[0]['hostname'], got int"),
    ],
)
def test_an_agent_that_is_not_valid_is_named(agents: list[Any], message: str) -> None:
    with pytest.raises(MesosError, match=re.escape(message)):
        LocalCluster(agents=agents)


def test_how_often_resources_are_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    def interval(cluster: LocalCluster) -> str:
        flag: str = get(cluster.address, "/flags")["flags"]["allocation_interval"]
        return flag

    monkeypatch.delenv("MESOS_ALLOCATION_INTERVAL", raising=False)
    with LocalCluster() as own, LocalCluster.from_environment() as environment:
        assert (interval(own), interval(environment)) == ("50ms", "1secs")
    with cli._cluster(cli._parse(["local", "--port", "0"])) as cluster:
        assert interval(cluster) == "1secs"
    monkeypatch.setenv("MESOS_ALLOCATION_INTERVAL", "3secs")
    with LocalCluster() as own:
        assert interval(own) == "3secs"
