"""The scenes in which requests are sent to an agent's operator API and to its other endpoints."""

from __future__ import annotations

import contextlib
import json
import stat
import time
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from mesos.v1.interface import agent_pb2

from tests.python.support import wait_until
from tests.requests import wire
from tests.requests.stage import ExecutorStage, Framework, scalar, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.requests import Answer, Request

# What is measured, or of the place where a cluster runs.
MEASURED = {"cpus_user_time_secs", "cpus_system_time_secs", "mem_rss_bytes"}
TIMES = {"mtime", "build_time", "nanoseconds"}
# The flags that mean the same to both.
FLAGS = {
    "containerizers",
    "default_role",
    "executor_registration_timeout",
    "executor_shutdown_grace_period",
    "launcher",
}
LAUNCHES = {"LAUNCH_NESTED_CONTAINER": "WAIT_NESTED_CONTAINER", "LAUNCH_CONTAINER": "WAIT_CONTAINER"}


class AgentStage(ExecutorStage):
    """An agent, with executors that only sleep."""

    api = "agent"

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.agent = self.path.removesuffix("/executor")
        self.executors, self.path = self.path, self.agent

    def rest(self, request: Request, exchange: wire.Exchange, after: Callable[[wire.Exchange], Answer]) -> Answer:
        found = super().rest(request, exchange, after)
        answer = exchange.response
        if answer is None or exchange.status != 200:
            return found
        kind = answer.headers["Content-Type"]
        if kind == wire.PROTOBUF:
            body = json_format.MessageToDict(
                agent_pb2.Response.FromString(found["bytes"]), preserving_proto_field_name=True
            )
            found["body"] = json.dumps(without_empty_lists(self._own(body)))
        if kind in {wire.JSON, wire.PROTOBUF} and found["body"]:
            own = self._own(json.loads(found["body"]))
            if isinstance(own, dict) and own.get("get_containers") in ({"containers": []}, {}):
                del own["get_containers"]  # all were of others
            found["body"] = json.dumps(self._measured("", own), separators=(",", ":"))
        found.pop("bytes", None)
        return found

    def is_stream(self, exchange: wire.Exchange) -> bool:
        return False

    def _own(self, body: Any) -> Any:
        """A body without what earlier scenes left behind."""
        if isinstance(body, dict):
            return {key: self._own(value) for key, value in body.items()}
        if isinstance(body, list):
            return [self._own(one) for one in body if not is_of_somebody(one) or self._is_own(one)]
        return body

    def _is_own(self, one: Any) -> bool:
        owners = [self._names[name] for name in ("@framework", "@container") if name in self._names]
        return any(owner in json.dumps(one) for owner in owners)

    def _measured(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: self._measured(name, inner)
                for name, inner in value.items()
                if name not in {"executor_pid", "pid"}
            }
        if isinstance(value, list):
            kept = [inner for inner in value if not is_of_place(inner)]
            return [self._measured("", inner) for inner in kept]
        if key in MEASURED:
            return "@measured" if float(value) >= 0 else value
        if key in TIMES:
            return "@time"
        if key == "mode" and stat.S_ISDIR(value):
            return "@directory"
        if key == "status_update_uuid":
            return "@uuid"
        if isinstance(value, str) and value.endswith("/mesos-executor"):
            return "mesos-executor"
        return self._normal_value(key, value)

    @contextlib.contextmanager
    def alone(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """Without a framework. A container that the request starts is waited for."""
        self._names["@container"] = f"alone-{uuid.uuid4()}"
        yield lambda exchange: self._ended(request, exchange)

    @contextlib.contextmanager
    def executor(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With an executor, whose container is ``@container``."""
        with self._launched():
            self._find_container()
            yield lambda exchange: self._ended(request, exchange)

    @contextlib.contextmanager
    def nested(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With a container ``nested`` in the executor's, which runs."""
        with self.executor(request) as after:
            self._launch("touch started; exec sleep 1000")
            wait_until((Path(self._names["@sandbox"]) / "containers/nested/started").exists, "it runs")
            yield after

    @contextlib.contextmanager
    def ended(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With a container ``nested`` in the executor's, which has ended with the status 3."""
        with self.executor(request) as after:
            self._launch("printf hello >file; exit 3")
            self._post("WAIT_NESTED_CONTAINER", container_id=self._nested())
            yield after

    @contextlib.contextmanager
    def command(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With a task that is a command, and runs."""
        with self._task_with("echo out; exec sleep 1000", "TASK_RUNNING"):
            yield lambda exchange: {}

    @contextlib.contextmanager
    def finished(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With a task that has finished, and its executor."""
        with self._task_with("true", "TASK_FINISHED"):
            wait_until(lambda: not self._frameworks("frameworks"), "the executor is over")
            yield lambda exchange: {}

    @contextlib.contextmanager
    def gone(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With a framework that has left while its task ran."""
        with self._task_with("exec sleep 1000", "TASK_RUNNING"):
            pass
        wait_until(lambda: self._frameworks("completed_frameworks"), "the framework is over")
        yield lambda exchange: {}

    @contextlib.contextmanager
    def _task_with(self, command: str, state: str) -> Iterator[Framework]:
        capabilities = [{"type": "MULTI_ROLE"}]
        info = {"roles": ["role"], "capabilities": capabilities, "principal": "principal", "checkpoint": True}
        framework = Framework(self.address, framework_info=info)
        try:
            task = f"task-{uuid.uuid4()}"
            self._names.update({"@framework": framework.id, "@task": task})
            self._accept(framework, self._command_task(task, command))
            while True:
                update = status(framework.wait("UPDATE"))
                acknowledged = {"agent_id": update["agent_id"], "task_id": update["task_id"], "uuid": update["uuid"]}
                framework.call("ACKNOWLEDGE", acknowledge=acknowledged)
                if update["state"] == state:
                    break
            self._wait_acknowledged(framework, task)
            yield framework
        finally:
            framework.leave()

    def _command_task(self, task: str, command: str) -> dict[str, Any]:
        return {
            "name": "task",
            "task_id": {"value": task},
            "agent_id": {"value": self._names["@agent"]},
            "command": {"value": command},
            "resources": [scalar("cpus", 0.1), scalar("mem", 32)],
            "labels": {"labels": [{"key": "k", "value": "v"}]},
            "discovery": {"visibility": "CLUSTER", "name": "d"},
        }

    def _accept(self, framework: Framework, task: dict[str, Any]) -> None:
        offer = None
        while offer is None:
            offers = framework.wait("OFFERS")["offers"]["offers"]
            offer = next((o["id"] for o in offers if o["agent_id"]["value"] == self._names["@agent"]), None)
        operations = [{"type": "LAUNCH", "launch": {"task_infos": [task]}}]
        framework.call("ACCEPT", accept={"offer_ids": [offer], "operations": operations})

    def _wait_acknowledged(self, framework: Framework, task: str) -> None:
        """Until the agent knows that its last update was acknowledged, in as far as that can be seen."""
        framework.told()
        time.sleep(0.05)

    def _frameworks(self, which: str) -> list[dict[str, Any]]:
        return [found for found in self._state()[which] if found["id"] == self._names["@framework"]]

    def _state(self) -> dict[str, Any]:
        path = self.agent.removesuffix("/api/v1")
        with urllib.request.urlopen(f"http://{self.address}{path}/state", timeout=wire.SECONDS) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def _find_container(self) -> None:
        (executor,) = self._frameworks("frameworks")[0]["executors"]
        self._names.update({"@container": executor["container"], "@sandbox": executor["directory"]})

    def _nested(self) -> dict[str, Any]:
        return {"value": "nested", "parent": {"value": self._names["@container"]}}

    def _launch(self, command: str) -> None:
        launched = self._post("LAUNCH_NESTED_CONTAINER", container_id=self._nested(), command={"value": command})
        with contextlib.closing(launched):
            assert launched.status == 200, launched.body()

    def _post(self, kind: str, **fields: Any) -> wire.Exchange:
        exchange = wire.post(self.address, self.agent, {"type": kind, kind.lower(): fields})
        if kind != "LAUNCH_NESTED_CONTAINER":
            exchange.finish()
        return exchange

    def _ended(self, request: Request, exchange: wire.Exchange) -> Answer:
        """How a container ended that a request started."""
        call = request.call
        if exchange.status != 200 or not isinstance(call, dict) or call.get("type") not in LAUNCHES:
            return {}
        kind = LAUNCHES[call["type"]]
        started = json.loads(self.filled(json.dumps(call)))[call["type"].lower()]["container_id"]
        waited = wire.post(self.address, self.agent, {"type": kind, kind.lower(): {"container_id": started}})
        with contextlib.closing(waited):
            return {"ended": waited.body().decode()}


def is_of_somebody(one: Any) -> bool:
    """Whether an element of a list belongs to a framework or to a container."""
    if not isinstance(one, dict):
        return False
    if "task_id" in one and "uuid" in one:
        return False  # a status
    named = {"framework_id", "framework_info", "executor_info", "container_status"} & set(one)
    return bool(named) or {"executors", "completed_executors"} <= set(one)


def without_empty_lists(value: Any) -> Any:
    """A message of which nothing is written that says nothing."""
    if isinstance(value, dict):
        return {key: without_empty_lists(inner) for key, inner in value.items() if inner != []}
    return [without_empty_lists(inner) for inner in value] if isinstance(value, list) else value


def is_of_place(one: Any) -> bool:
    """Whether an element of a list is an argument, or a flag, that depends on where a cluster runs, or on its build."""
    if isinstance(one, dict) and set(one) <= {"name", "value"}:
        return one["name"] not in FLAGS
    return isinstance(one, str) and one.startswith("--launcher_dir=")
