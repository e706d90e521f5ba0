"""The operator API of agents, through pymesos' driver, and what tools read of their containers, on both masters."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import select
import socket
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from mesos.pymesos import MesosOperatorAgentDriver
from mesos.pymesos.operator_v1 import OperatorRequestError

from tests.python.support import Recorder, alive, capable, framework, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLED = 9


class Agent(MesosOperatorAgentDriver):
    """An agent on which one task runs."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url
        executor = self.read("/state")["frameworks"][0]["executors"][0]
        self.container: str = executor["container"]
        self.sandbox = Path(executor["directory"])

    def read(self, path: str, **query: str) -> Any:
        """What an endpoint says."""
        return read(f"{self.url}{path}?{urllib.parse.urlencode(query)}")

    def id(self, name: str) -> dict[str, Any]:
        """A container in the task's."""
        return {"value": name, "parent": {"value": self.container}}

    def launch(self, name: str, command: str, **fields: Any) -> Path:
        """Launch a container in the task's; its sandbox."""
        self.launchNestedContainer({"container_id": self.id(name), "command": {"value": command, **fields}})
        return self.sandbox / "containers" / name

    def wait(self, name: str) -> int:
        """How a container in the task's ended, as wait(2) gives it."""
        answer = self.waitNestedContainer(name, self.container)
        status: int = answer["wait_nested_container"]["exit_status"]
        return status

    def containers(self) -> dict[str, Any]:
        """All that run, by the last part of their ids."""
        listed = self.getContainers(show_nested=True, show_standalone=True).get("get_containers", {})
        return {each["container_id"]["value"]: each for each in listed.get("containers", [])}


@contextlib.contextmanager
def agent_with(master: str, command: str) -> Iterator[tuple[Agent, Any]]:
    """An agent that runs a command, and what kills it."""
    scheduler = Recorder()
    with running(master, scheduler, framework(name="nested")) as driver:
        offer = scheduler.offer()
        url = url_of_idle_agent(master, offer)
        launched = task(offer, command)
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        yield Agent(url), lambda: driver.killTask(launched.task_id)


@contextlib.contextmanager
def begun(agent: Agent, kind: str, **fields: Any) -> Iterator[http.client.HTTPConnection]:
    """A connection on which a call was sent that is not answered yet; what is asked after it is carried out after it."""
    url = urllib.parse.urlsplit(agent.url)
    with contextlib.closing(http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)) as connection:
        body = json.dumps({"type": kind, kind.lower(): fields})
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        connection.request("POST", f"{url.path}/api/v1", body, headers)
        yield connection


@pytest.fixture
def agent(master: str) -> Iterator[Agent]:
    with agent_with(master, "exec sleep 1000") as (found, _):
        yield found


def test_a_nested_container_has_a_sandbox_and_an_environment_of_its_own(agent: Agent) -> None:
    environment = {"variables": [{"name": "GIVEN", "value": "a b"}]}
    command = '{ pwd; echo "$MESOS_SANDBOX"; echo "$GIVEN"; echo "$MESOS_TASK_ID$MESOS_FRAMEWORK_ID"; } > told; exit 3'
    sandbox = agent.launch("one", command, environment=environment)
    assert agent.wait("one") == 3 << 8
    assert agent.wait("one") == 3 << 8, "it can be asked again"
    assert (sandbox / "told").read_text().split("\n") == [str(sandbox), str(sandbox), "a b", "", ""]
    listed = agent.listFiles(str(sandbox))["list_files"]["file_infos"]
    assert [Path(each["path"]).name for each in listed] == ["stderr", "stdout", "told"]
    assert listed[2]["size"] == len((sandbox / "told").read_bytes())
    part = agent.readFile(str(sandbox / "told"), length=4, offset=1)["read_file"]
    assert base64.b64decode(part["data"]) == (sandbox / "told").read_bytes()[1:5]
    agent.removeNestedContainer("one", agent.container)
    assert not sandbox.exists()
    with pytest.raises(OperatorRequestError, match="code=404"):
        agent.wait("one")


def test_waiting_is_answered_when_the_container_has_ended(agent: Agent) -> None:
    sandbox = agent.launch("one", "touch up; until [ -e go ]; do sleep 0.02; done; exit 7")
    wait_until((sandbox / "up").exists, "it runs")
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(agent.wait, "one") for _ in range(2)]
        assert "one" in agent.containers(), "others are answered meanwhile"
        assert not any(each.done() for each in waiting)
        (sandbox / "go").touch()
        assert [each.result(20) for each in waiting] == [7 << 8, 7 << 8]
    assert "one" not in agent.containers()


def test_a_nested_container_is_killed_with_what_is_within_it(agent: Agent) -> None:
    outer = agent.launch("outer", "echo $$ > pid; exec sleep 1000")
    agent.launchNestedContainer(
        {
            "container_id": {"value": "inner", "parent": agent.id("outer")},
            "command": {"value": "echo $$ > pid; exec sleep 1000"},
        }
    )
    inner = outer / "containers" / "inner"
    pids = [pid_in(outer), pid_in(inner)]
    agent.killNestedContainer("outer", agent.container)
    assert agent.wait("outer") == KILLED
    # Mesos waits for the first process of a container, not for those that it started.
    wait_until(lambda: not any(map(alive, pids)), "what is within them has ended")
    answer = agent._call("WAIT_CONTAINER", container_id={"value": "inner", "parent": agent.id("outer")})
    assert answer == {"type": "WAIT_CONTAINER", "wait_container": {"exit_status": KILLED}}


def test_nested_containers_end_with_their_task(master: str) -> None:
    with agent_with(master, "exec sleep 1000") as (agent, kill):
        pid = pid_in(agent.launch("one", "echo $$ > pid; exec sleep 1000"))
        with begun(agent, "WAIT_NESTED_CONTAINER", container_id=agent.id("one")) as waiting:
            assert "one" in agent.containers()
            kill()
            answer = json.loads(waiting.getresponse().read())
        assert answer["wait_nested_container"]["exit_status"] == KILLED
        wait_until(lambda: not alive(pid), "what is within it has ended")
        wait_until(lambda: agent.container not in agent.containers(), "the executor is gone")
        with pytest.raises(OperatorRequestError, match="code=400.*does not exist"):
            agent.launch("two", "true")


def test_the_container_of_an_executor_is_killed(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler, framework(name="nested")) as driver:
        offer = scheduler.offer()
        url = url_of_idle_agent(master, offer)
        launched = task(offer, "exec sleep 1000")
        driver.launchTasks(offer.id, [launched])
        scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
        agent = Agent(url)
        pid = pid_in(agent.launch("one", "echo $$ > pid; exec sleep 1000"))
        with begun(agent, "WAIT_CONTAINER", container_id={"value": agent.container}) as waiting:
            agent._call("KILL_CONTAINER", container_id={"value": agent.container}, signal=0)
            assert select.select([waiting.sock], [], [], 0)[0] == [], "it is not answered yet"
            agent._call("KILL_CONTAINER", container_id={"value": agent.container})
            answer = json.loads(waiting.getresponse().read())
        assert answer["wait_container"] == {"exit_status": KILLED}
        status = scheduler.state(launched.task_id.value, mesos_pb2.TASK_FAILED)
        assert status.reason == mesos_pb2.TaskStatus.REASON_EXECUTOR_TERMINATED
        wait_until(lambda: not alive(pid), "what is within it has ended")


def test_many_containers_at_once(agent: Agent) -> None:
    names = [f"many-{number}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda name: agent.launch(name, "exit 5"), names))
        assert list(pool.map(agent.wait, names)) == [5 << 8] * 20


def test_a_container_that_stands_alone(agent: Agent, tmp_path: Path) -> None:
    alone = {"value": f"alone-{agent.container}"}
    cpus = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}}
    command = {"value": f"pwd > {tmp_path}/pwd; echo $$ > {tmp_path}/pid; until [ -e go ]; do sleep 0.02; done; exit 4"}
    agent._call("LAUNCH_CONTAINER", container_id=alone, command=command, resources=[cpus])
    listed = agent.containers()[alone["value"]]
    assert listed["resource_statistics"]["cpus_soft_limit"] == 0.5
    assert "framework_id" not in listed
    pid_in(tmp_path)
    sandbox = Path((tmp_path / "pwd").read_text().strip())
    assert sandbox.parts[-2:] == ("containers", alone["value"])
    # Nobody remembers a container that stands alone when it has ended.
    with begun(agent, "WAIT_CONTAINER", container_id=alone) as waiting:
        assert alone["value"] in agent.containers()
        (sandbox / "go").touch()
        answer = json.loads(waiting.getresponse().read())
    assert answer["wait_container"] == {"exit_status": 4 << 8}
    assert alone["value"] not in agent.containers()


def test_what_processes_use_is_measured(master: str) -> None:
    # The shell's own child burns time, and holds 64 MB.
    command = "python3 -c 'held = bytearray(b\"x\" * (64 << 20))\nwhile True: pass'; true"
    with agent_with(master, command) as (agent, _):

        def used() -> dict[str, Any]:
            (shown,) = agent.read("/monitor/statistics")
            found: dict[str, Any] = shown["statistics"]
            return found

        def is_at_work() -> bool:
            now = used()
            return now["cpus_user_time_secs"] > 0.2 and now["mem_rss_bytes"] > 64 << 20

        wait_until(is_at_work, "it has run for a while, and holds its memory")
        before = used()
        wait_until(lambda: used()["cpus_user_time_secs"] > before["cpus_user_time_secs"] + 0.2, "it goes on")
        assert before["mem_rss_bytes"] > 64 << 20
        assert before["cpus_system_time_secs"] >= 0
        # Those of the task and of its executor.
        assert (before["cpus_soft_limit"], before["mem_limit_bytes"]) == (0.2, 64 << 20)
        (shown,) = agent.read("/containers", container_id=agent.container)
        assert shown["status"]["container_id"] == {"value": agent.container}
        assert shown["statistics"].keys() == before.keys()
        assert agent.read("/containers", container_id="other") == []


def test_the_state_of_an_agent(agent: Agent) -> None:
    state = agent.getState()["get_state"]
    (launched,) = state["get_tasks"]["launched_tasks"]
    assert launched["state"] == "TASK_RUNNING"
    assert [status["state"] for status in launched["statuses"]] == ["TASK_STARTING", "TASK_RUNNING"]
    (executor,) = state["get_executors"]["executors"]
    assert executor["executor_info"]["executor_id"] == launched["task_id"]
    assert {"framework_info"} == set(state["get_frameworks"]["frameworks"][0])
    assert agent.getTasks()["get_tasks"]["launched_tasks"] == [launched]
    assert agent.getExecutors()["get_executors"]["executors"] == [executor]
    assert agent.getHealth() == {"type": "GET_HEALTH", "get_health": {"healthy": True}}
    assert agent.getVersion()["get_version"]["version_info"]["version"] == "1.11.0"
    flags = {flag["name"]: flag["value"] for flag in agent.getFlags()["get_flags"]["flags"]}
    assert flags == agent.read("/flags")["flags"]
    with urllib.request.urlopen(f"{agent.url}/health", timeout=20) as answer:
        assert (answer.status, answer.read()) == (200, b"")


def test_metrics(embedded: LocalCluster) -> None:
    """The real Mesos waits for some of its own until the time-out."""
    with agent_with(embedded.address, "exec sleep 1000") as (agent, _):
        measured = agent.getMetrics(5 * 10**9)["get_metrics"]["metrics"]
        metrics = {metric["name"]: metric["value"] for metric in measured}
        assert metrics["slave/tasks_running"] == 1
        assert metrics["slave/cpus_total"] == 16


def test_the_logging_level_holds_for_a_while(agent: Agent) -> None:
    assert agent.getLoggingLevel()["get_logging_level"]["level"] == 0
    agent.setLoggingLevel(1, 3 * 10**9)
    assert agent.getLoggingLevel()["get_logging_level"]["level"] == 1
    wait_until(lambda: agent.getLoggingLevel()["get_logging_level"]["level"] == 0, "it is over")


def test_what_is_written_and_read_cannot_be_attached_to(agent: Agent) -> None:
    why = "code=500.*Not supported in local mode"
    launch = {"container_id": agent.id("one"), "command": {"value": "exec sleep 1000"}}
    with pytest.raises(OperatorRequestError, match=why):
        agent.launchNestedContainerSession(launch)
    with pytest.raises(OperatorRequestError, match=why):
        agent.attachContainerOutput(agent.container)
    with pytest.raises(OperatorRequestError, match=why):
        agent.attachContainerInput(agent.container, [{"type": "DATA", "data": {"type": "STDIN", "data": "YQ=="}}])


def test_who_attaches_is_answered_before_all_input_is_there(embedded: LocalCluster) -> None:
    call = {
        "type": "ATTACH_CONTAINER_INPUT",
        "attach_container_input": {"type": "CONTAINER_ID", "container_id": {"value": "nobody"}},
    }
    record = json.dumps(call)
    heads = {"Content-Type": "application/recordio", "Message-Content-Type": "application/json"}
    lines = [f"{name}: {value}" for name, value in {"Host": embedded.address, **heads}.items()]
    request = "\r\n".join(["POST /slave(1)/api/v1 HTTP/1.1", *lines, "Transfer-Encoding: chunked", "", ""])
    first = f"{len(record)}\n{record}"
    assert b" 404 " in first_answer(embedded.address, f"{request}{len(first):x}\r\n{first}\r\n".encode())


def test_a_pool_of_the_default_executor(embedded: LocalCluster) -> None:
    """Its tasks are containers in that of the executor, as on a real agent, whose package has no such executor."""
    scheduler = Recorder()
    info = mesos_pb2.ExecutorInfo(type=mesos_pb2.ExecutorInfo.DEFAULT)
    info.executor_id.value = "group"
    for name, amount in (("cpus", 0.1), ("mem", 32), ("disk", 32)):
        info.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    with running(embedded.address, scheduler, framework(capabilities=capable("MULTI_ROLE"), roles=["*"])) as driver:
        offer = scheduler.offer()
        launched = [task(offer, "until [ -e go ]; do sleep 0.02; done; exit 6"), task(offer, "exec sleep 1000")]
        info.framework_id.CopyFrom(offer.framework_id)
        operation = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.LAUNCH_GROUP)
        operation.launch_group.executor.CopyFrom(info)
        operation.launch_group.task_group.tasks.extend(launched)
        driver.acceptOffers([offer.id], [operation])
        status = scheduler.state(launched[0].task_id.value, mesos_pb2.TASK_RUNNING)
        agent = Agent(url_of_agent(embedded.address, offer))
        own = status.container_status.container_id
        assert own.parent.value == agent.container
        assert agent.containers()[own.value]["container_status"]["container_id"]["parent"] == {"value": agent.container}
        assert agent.containers()[agent.container]["resource_statistics"]["mem_rss_bytes"] > 0
        call = {"type": "WAIT_CONTAINER", "wait_container": {"container_id": agent.id(own.value)}}
        waiting = http.client.HTTPConnection(agent.url.split("/")[2], timeout=20)
        path = f"/{agent.url.rpartition('/')[2]}/api/v1"
        waiting.request("POST", path, json.dumps(call), {"Content-Type": "application/json"})
        # Answered after that was read: the executor ends with this task, and with it what it knows of containers.
        agent.getHealth()
        (agent.sandbox / "tasks" / launched[0].task_id.value / "go").touch()
        with waiting.getresponse() as response:
            assert json.load(response)["wait_container"] == {"exit_status": 6 << 8}
        waiting.close()


def test_the_history_tells_of_what_operators_change(embedded: LocalCluster) -> None:
    with agent_with(embedded.address, "exec sleep 1000") as (agent, _):
        agent.launch("one", "exit 3")
        agent.wait("one")
        agent.removeNestedContainer("one", agent.container)
        noted = [record for record in embedded.history() if record["kind"] == "operator_call"]
    assert [record["call"] for record in noted] == ["LAUNCH_NESTED_CONTAINER", "REMOVE_NESTED_CONTAINER"]
    assert {record["agent_id"] for record in noted} == {agent.read("/state")["id"]}


def test_time_that_moves_when_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalCluster(time="skip") as cluster, agent_with(cluster.address, "exec sleep 1000") as (agent, _):
        agent.launch("one", "exit 3")
        assert agent.wait("one") == 3 << 8


def url_of_agent(master: str, offer: mesos_pb2.Offer) -> str:
    """Where the agent of an offer is."""
    agents = read(f"http://{master}/slaves")["slaves"]
    pid: str = next(agent["pid"] for agent in agents if agent["id"] == offer.slave_id.value)
    return f"http://{master}/{pid.partition('@')[0]}"


def url_of_idle_agent(master: str, offer: mesos_pb2.Offer) -> str:
    """Where the agent of an offer is, once what ran there before has ended."""
    url = url_of_agent(master, offer)
    wait_until(lambda: not read(f"{url}/state")["frameworks"], "the agent has ended what ran before")
    return url


def read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


def pid_in(sandbox: Path) -> int:
    """The process that a container wrote down."""
    file = sandbox / "pid"
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"), "it runs")
    return int(file.read_text())


def first_answer(address: str, request: bytes) -> bytes:
    """The first line of what is answered to a request that does not end."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            return answer.readline()
