"""The scenes of requests to the operator APIs and endpoints of masters and agents.

A scene is set on a cluster that has just been started, and stays for the following requests until one of them changes
something. So everything that a request changes can be seen, and nothing of it is there for the next one.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from tests.python.support import wait_until
from tests.requests import wire
from tests.requests.normal import Normal
from tests.requests.stage import Framework, Stage, scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.requests import Answer, Request

CAPABILITIES = [{"type": name} for name in ("MULTI_ROLE", "RESERVATION_REFINEMENT", "PARTITION_AWARE")]
RESERVATION = {"type": "DYNAMIC", "role": "role", "principal": "principal"}
VOLUME = {"persistence": {"id": "p", "principal": "principal"}, "volume": {"mode": "RW", "container_path": "a"}}
MACHINE = {"hostname": "localhost", "ip": "127.0.0.1"}
OTHER_MACHINE = {"hostname": "other", "ip": "10.0.0.1"}
READS = ("GET_", "LIST_", "READ_", "SUBSCRIBE", "WAIT_")


def reserved(name: str, value: float, **fields: Any) -> dict[str, Any]:
    """A scalar resource that is reserved for the scene's role."""
    return scalar(name, value, reservations=[RESERVATION], **fields)


def volume(size: float, **fields: Any) -> dict[str, Any]:
    """The scene's persistent volume."""
    return reserved("disk", size, disk={**VOLUME, **fields})


def guarantee(role: str, **limits: float) -> dict[str, Any]:
    """A QuotaConfig with limits."""
    return {"role": role, "limits": {name: {"value": value} for name, value in limits.items()}}


class OperatorStage(Stage):
    """The operator API of the master.

    :param address: the master, as ``host:port``
    :param renew: starts the cluster anew; its address
    """

    api, path = "operator", "/api/v1"

    def __init__(self, address: str, renew: Callable[[], str]) -> None:
        self._renew = renew
        self._open = contextlib.ExitStack()
        self._scene: str | None = None
        super().__init__(address)

    def close(self) -> None:
        """Leave the scene."""
        self._scene = None
        self._open.close()

    def play(self, request: Request) -> Answer:
        if request.scene != self._scene:
            self._set(request)
        try:
            answer = self._sent(request)
        except BaseException:
            self.close()
            raise
        if self._changes(request, answer):
            self.close()
        return answer

    def _set(self, request: Request) -> None:
        self.close()
        super().__init__(self._renew())
        agents = sorted(self.state["slaves"], key=lambda agent: str(agent["pid"]))
        self._names = {"@master": self.state["id"], "@address": self.address}
        for which, agent in zip(("@agent", "@other-agent"), agents, strict=True):
            self._names.update({which: agent["id"], f"{which}-path": agent["pid"].partition("@")[0]})
        self._after = self._open.enter_context(getattr(self, request.scene)(request))
        self._scene = request.scene

    def _sent(self, request: Request) -> Answer:
        before = [self._read(call) for call in request.then]
        exchange = wire.send(self.address, self.written(request))
        with contextlib.closing(exchange):
            answer = self.head(exchange)
            answer.update(self.rest(request, exchange, self._after))
        after = [self._read(call) for call in request.then]
        if after != before:
            answer["then"] = after
        return self._normal(request, answer)

    def _changes(self, request: Request, answer: Answer) -> bool:
        if answer.get("status") not in {200, 202, "closed without a response"}:
            return False
        kind = str(request.call.get("type") if isinstance(request.call, dict) else request.call)
        return request.method == "POST" and not kind.startswith(READS)

    def _read(self, call: dict[str, Any]) -> Any:
        exchange = wire.post(self.address, self.path, json.loads(self.filled(json.dumps(call))))
        with contextlib.closing(exchange):
            return json.loads(exchange.body()) if exchange.status == 200 else exchange.status

    def head(self, exchange: wire.Exchange) -> Answer:
        answer = super().head(exchange)
        answer.get("headers", {}).pop("Mesos-Stream-Id", None)
        return answer

    def is_stream(self, exchange: wire.Exchange) -> bool:
        if exchange.response is None or not super().is_stream(exchange):
            return False
        return bool(exchange.response.headers.get("Transfer-Encoding") == "chunked")

    def rest(self, request: Request, exchange: wire.Exchange, after: Callable[[wire.Exchange], Answer]) -> Answer:
        found = super().rest(request, exchange, after)
        data = found.pop("bytes", None)
        kind = str(exchange.response.headers.get("Content-Type")) if exchange.response is not None else ""
        if data is not None:
            response = wire.RESPONSES[self.api].FromString(data)
            found["body"] = json_format.MessageToDict(response, preserving_proto_field_name=True)
        elif kind == wire.JSON and "body" in found:
            found["body"] = wire.parsed(found["body"])
        return found

    def _normal(self, request: Request, answer: Answer) -> Answer:
        in_protobuf = answer.get("headers", {}).get("Content-Type") == wire.PROTOBUF
        text = json.dumps(self.normal(answer))
        # Which number a framework or an offer has depends on those that were there before.
        text = text.replace(f"localhost:{self.address.rpartition(':')[2]}", "@address")
        text = re.sub(
            r"@master-(?:\d{4}|O\d+)", lambda found: f"@a-{'offer' if 'O' in found[0] else 'framework'}", text
        )
        text = re.sub(r'"/[^" ]*?/(?=(?:work/)?slaves/@agent|agents?/\d)', '"@work-dir/', text)
        found: Answer = Normal(in_protobuf, request.whole, self.api == "endpoints").value("", json.loads(text))
        return found

    def subscription(self, exchange: wire.Exchange) -> Answer:
        """The first two events of a stream."""
        if not self.is_stream(exchange):
            return {}
        events = exchange.records(self.api)
        return {"events": [next(events), next(events)]}

    def call(self, kind: str, **fields: Any) -> None:
        """Set something up."""
        call = json.loads(self.filled(json.dumps({"type": kind, **fields})))
        exchange = wire.post(self.address, "/api/v1", call)
        with contextlib.closing(exchange):
            assert exchange.status in {200, 202}, exchange.body()

    def get(self, path: str) -> Any:
        """What an endpoint shows."""
        url = f"http://{self.address}{self.filled(path)}"
        with urllib.request.urlopen(url, timeout=wire.SECONDS) as response:
            return json.load(response)

    @contextlib.contextmanager
    def reserved(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With resources that are reserved on ``@agent``, and a persistent volume in them."""
        agent_id = {"value": "@agent"}
        resources = [reserved("cpus", 2), reserved("mem", 512), reserved("disk", 1000)]
        self.call("RESERVE_RESOURCES", reserve_resources={"agent_id": agent_id, "resources": resources})
        self._until(lambda agent: agent["reserved_resources"])
        self.call("CREATE_VOLUMES", create_volumes={"agent_id": agent_id, "volumes": [volume(100)]})
        self._until(lambda agent: any("disk" in r for r in agent["reserved_resources_full"].get("role", ())))
        yield self.subscription

    @contextlib.contextmanager
    def shared(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With weights and quotas of roles."""
        weights = [{"role": "role", "weight": 2.5}, {"role": "other/child", "weight": 3}]
        self.call("UPDATE_WEIGHTS", update_weights={"weight_infos": weights})
        configs = [guarantee("role", cpus=4, mem=1024), guarantee("third", disk=100)]
        self.call("UPDATE_QUOTA", update_quota={"force": True, "quota_configs": configs})
        yield self.subscription

    @contextlib.contextmanager
    def maintained(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With a schedule for the agents' machine and for another one."""
        duration = {"nanoseconds": 3_600_000_000_000}
        windows = [
            {"machine_ids": [MACHINE], "unavailability": {"start": {"nanoseconds": 1000}, "duration": duration}},
            {"machine_ids": [OTHER_MACHINE], "unavailability": {"start": {"nanoseconds": 2000}}},
        ]
        self.call("UPDATE_MAINTENANCE_SCHEDULE", update_maintenance_schedule={"schedule": {"windows": windows}})
        yield self.subscription

    @contextlib.contextmanager
    def down(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With the other machine of the schedule in maintenance."""
        with self.maintained(request) as after:
            self.call("START_MAINTENANCE", start_maintenance={"machines": [OTHER_MACHINE]})
            yield after

    @contextlib.contextmanager
    def drained(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With ``@agent`` drained, and ``@other-agent`` deactivated."""
        drain = {"agent_id": {"value": "@agent"}, "max_grace_period": {"seconds": 10}}
        self.call("DRAIN_AGENT", drain_agent=drain)
        self.call("DEACTIVATE_AGENT", deactivate_agent={"agent_id": {"value": "@other-agent"}})
        self._until(lambda agent: agent["drain_info"]["state"] == "DRAINED")
        yield self.subscription

    @contextlib.contextmanager
    def offered(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With a framework that holds an offer of each agent."""
        framework = self._framework("holder", roles=["role"], principal="principal")
        with contextlib.closing(framework.stream):
            offers = self._offers(framework)
            self._names["@offer"] = offers[self._names["@agent"]]
            self._names["@other-offer"] = offers[self._names["@other-agent"]]
            yield self.subscription

    @contextlib.contextmanager
    def running(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With frameworks of all states, and one with an executor and tasks that run, finished and failed."""
        with contextlib.ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._names["@temporary"] = str(directory)
            left = self._framework("left", roles=["other"])
            self._names["@left"] = left.id
            left.leave()
            away = self._framework("away", roles=["other"], failover_timeout=10_000)
            self._names["@away"] = away.id
            away.stream.close()
            labels = {"labels": [{"key": "key", "value": "value"}, {"key": "key"}]}
            framework = self._framework(
                "requests",
                # So the offers are of the other one.
                suppressed_roles=("role/child",),
                roles=["role", "role/child"],
                principal="principal",
                hostname="host",
                webui_url="http://web.example/",
                failover_timeout=10_000.5,
                checkpoint=True,
                labels=labels,
            )
            stack.enter_context(contextlib.closing(framework.stream))
            self._names["@framework"] = framework.id
            self._run_tasks(stack, framework, directory)
            self._until(lambda _: not self._is_active("@away"))
            yield self.subscription

    def _framework(self, name: str, suppressed_roles: tuple[str, ...] = (), **info: Any) -> Framework:
        info = {"name": name, "capabilities": CAPABILITIES, **info}
        return Framework(self.address, framework_info=info, suppressed_roles=list(suppressed_roles))

    def _offers(self, framework: Framework) -> dict[str, str]:
        """An offer of each agent."""
        offers: dict[str, str] = {}
        while len(offers) < len(self.state["slaves"]):
            for offer in framework.wait("OFFERS")["offers"]["offers"]:
                offers[offer["agent_id"]["value"]] = offer["id"]["value"]
        return offers

    def _is_active(self, framework_id: str) -> bool:
        frameworks = self.get("/frameworks")["frameworks"]
        return any(f["active"] for f in frameworks if f["id"] == self.filled(framework_id))

    def _until(self, condition: Callable[[dict[str, Any]], Any]) -> None:
        """Wait until ``@agent`` is as it should be."""

        def is_so() -> bool:
            (agent,) = (a for a in self.get("/slaves")["slaves"] if a["id"] == self._names["@agent"])
            return bool(condition(agent))

        wait_until(is_so, "the scene is set")

    def _run_tasks(self, stack: contextlib.ExitStack, framework: Framework, directory: Path) -> None:
        offers = self._offers(framework)
        offer = offers.pop(self._names["@agent"])
        started = directory / "started"
        tasks = [
            self._task(name, f"printf hello >file; touch {started}; exec sleep 1000")
            for name in ("running", "finished", "failed")
        ]
        operations = [{"type": "LAUNCH", "launch": {"task_infos": tasks}}]
        filters = {"refuse_seconds": 10_000}
        accept = {"offer_ids": [{"value": offer}], "operations": operations, "filters": filters}
        framework.call("ACCEPT", accept=accept)
        framework.call("DECLINE", decline={"offer_ids": [{"value": o} for o in offers.values()], "filters": filters})
        framework.call("SUPPRESS")
        # An agent fails a task whose executor subscribes before its container is up.
        wait_until(started.exists, "the executor runs")
        executor = Executor(self, "executor")
        stack.enter_context(contextlib.closing(executor.stream))
        for task, states in TASKS.items():
            for state in states:
                executor.update(task, state)
                framework.acknowledge()
        self._until(lambda _: self._states() == {"running": "TASK_RUNNING", **ENDED})
        (executors,) = (
            f["executors"] for f in self.get("/@agent-path/state")["frameworks"] if f["id"] == self._names["@framework"]
        )
        self._names["@container"] = executors[0]["container"]
        self._names["@directory"] = executors[0]["directory"]

    def _states(self) -> dict[str, str]:
        (framework,) = (f for f in self.get("/frameworks")["frameworks"] if f["id"] == self._names["@framework"])
        running = {task["id"]: task["state"] for task in framework["tasks"] if task["state"] == "TASK_RUNNING"}
        return {**running, **{task["id"]: task["state"] for task in framework["completed_tasks"]}}

    def _task(self, name: str, command: str) -> dict[str, Any]:
        resources = [scalar("cpus", 0.5), scalar("mem", 64)]
        executor = {
            "type": "CUSTOM",
            "executor_id": {"value": "executor"},
            "name": "an executor",
            "source": "source",
            "command": {"value": command},
            "resources": [scalar("cpus", 0.25), scalar("mem", 32)],
        }
        fields = {
            "labels": {"labels": [{"key": "task", "value": name}]},
            "discovery": {"visibility": "CLUSTER", "name": name, "ports": {"ports": [{"number": 80, "name": "web"}]}},
            "kill_policy": {"grace_period": {"nanoseconds": 1_000_000_000}},
        }
        return {
            "name": f"task {name}",
            "task_id": {"value": name},
            "agent_id": {"value": self._names["@agent"]},
            "executor": executor,
            "resources": resources,
            **(fields if name == "running" else {}),
        }


ENDED = {"finished": "TASK_FINISHED", "failed": "TASK_FAILED"}
TASKS = {
    "running": ("TASK_STARTING", "TASK_RUNNING"),
    "finished": ("TASK_RUNNING", "TASK_FINISHED"),
    "failed": ("TASK_FAILED",),
}


class Executor:
    """An executor of a scene's framework, which this process plays."""

    def __init__(self, stage: Stage, executor_id: str) -> None:
        self._stage, self._id, self._updates = stage, executor_id, 0
        self.stream = self._call("SUBSCRIBE", subscribe={})
        assert self.stream.status == 200
        self._events = self.stream.records("executor")

    def update(self, task: str, state: str) -> None:
        """Send an update of a task."""
        self._updates += 1
        status = {
            "task_id": {"value": task},
            "state": state,
            "source": "SOURCE_EXECUTOR",
            "uuid": base64.b64encode(bytes([*range(6), 0x46, 7, 0x88, *range(9, 15), self._updates])).decode(),
            "executor_id": {"value": self._id},
            "message": f"{task} is {state}",
            "timestamp": 1.5,
        }
        assert self._call("UPDATE", update={"status": status}).finish() == 202

    def _call(self, kind: str, **fields: Any) -> wire.Exchange:
        path = self._stage.filled("/@agent-path/api/v1/executor")
        ids = {"framework_id": {"value": self._stage.filled("@framework")}, "executor_id": {"value": self._id}}
        return wire.post(self._stage.address, path, {"type": kind, **ids, **fields})


class EndpointStage(OperatorStage):
    """The endpoints of masters and agents beside their APIs."""

    api, path = "endpoints", "/state"

    def _changes(self, request: Request, answer: Answer) -> bool:
        return request.method in {"POST", "PUT", "DELETE"} and answer.get("status") in {
            200,
            202,
            "closed without a response",
        }

    def _read(self, call: dict[str, Any]) -> Any:
        return self.get(call["path"])

    def is_stream(self, exchange: wire.Exchange) -> bool:
        return False
