"""The requests to the executor API."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from tests.requests import Request

IDS = {"framework_id": {"value": "@framework"}, "executor_id": {"value": "@executor"}}
UUID = "AAECAwQFRgeICQoLDA0ODw=="
OTHER_UUID = "EAECAwQFRgeICQoLDA0ODw=="
PATH = "/@agent-path/api/v1/executor"


def requests() -> list[Request]:
    """All of them."""
    return [*http(), *json_text(), *protobuf(), *ids(), *subscriptions(), *updates(), *others()]


def call(kind: str, **fields: Any) -> dict[str, Any]:
    """A call of the scene's executor."""
    return {"type": kind, **IDS, **fields}


MESSAGE = call("MESSAGE", message={"data": "AAEC"})
SUBSCRIBE = call("SUBSCRIBE", subscribe={})


def status(**fields: Any) -> dict[str, Any]:
    """A status of the scene's task; fields that are None are left out."""
    made = {
        "task_id": {"value": "@task"},
        "state": "TASK_RUNNING",
        "source": "SOURCE_EXECUTOR",
        "uuid": UUID,
        "executor_id": {"value": "@executor"},
        **fields,
    }
    return {name: value for name, value in made.items() if value is not None}


def update(**fields: Any) -> dict[str, Any]:
    """An UPDATE of the scene's task."""
    return call("UPDATE", update={"status": status(**fields)})


def http() -> list[Request]:
    def message(what: str, **fields: Any) -> Request:
        return Request(f"MESSAGE with {what}", MESSAGE, scene="executor", **fields)

    def subscribe(accept: str) -> Request:
        return Request(f"SUBSCRIBE with Accept {accept!r}", SUBSCRIBE, scene="launched", headers={"Accept": accept})

    encoded = {"Content-Encoding": "gzip"}
    return [
        *(Request(f"the method {name}", MESSAGE, method=name, scene="executor") for name in ("GET", "PUT", "DELETE", "HEAD")),
        message("a slash at the end", path=f"{PATH}/"),
        message("a query", path=f"{PATH}?a=b"),
        message("a further part", path=f"{PATH}/a"),
        message("a path of another agent", path="/@other-agent-path/api/v1/executor"),
        message("a path of an unknown agent", path="/slave(77)/api/v1/executor"),
        message("a path of another name", path="/@agent-path/api/v1/executors"),
        *(message(f"the Content-Type {kind!r}", headers={"Content-Type": kind}) for kind in ("application/json; charset=utf-8", "text/plain", "Application/JSON", "")),
        message("no Content-Type", headers={"Content-Type": None}),
        message("Accept text/html", headers={"Accept": "text/html"}),
        message("gzip", encode=gzip.compress, headers=encoded),
        message("gzip that is none", headers=encoded),
        message("gzip cut short", encode=lambda body: gzip.compress(body)[:-12], headers=encoded),
        message("deflate", encode=lambda _: zlib.compress(b"{}"), headers={"Content-Encoding": "deflate"}),
        message("150 headers more", headers={f"X-{number}": "x" for number in range(150)}),
        message("a Mesos-Stream-Id", headers={"Mesos-Stream-Id": "x"}),
        message("Connection: close", headers={"Connection": "close"}, again=True),
        message("a connection that is kept", again=True),
        message("protobuf", form="protobuf"),
        message("no body at all", encode=lambda _: b""),
        *map(subscribe, ("application/json", "application/x-protobuf", "*/*", "text/html", "application/json;q=0", "")),
        Request("SUBSCRIBE in protobuf", SUBSCRIBE, form="protobuf", scene="launched"),
    ]  # fmt: skip


def json_text() -> list[Request]:
    good = json.dumps(MESSAGE)
    texts = {
        "an opening brace": "{",
        "an empty object": "{}",
        "a list": "[]",
        "rubbish after a call": f"{good} x",
        "camelCase": good.replace("framework_id", "frameworkId"),
        "a type by its number": good.replace('"MESSAGE"', "3"),
        "an unknown type": good.replace('"MESSAGE"', '"HELLO"'),
        "an unknown field": good.replace('"type"', '"a": [1], "type"'),
        "data that is no base64": good.replace("AAEC", "*"),
        "data in URL-safe base64": good.replace("AAEC", "_-8="),
        "data that is a number": good.replace('"AAEC"', "1"),
        "an id that is text": good.replace('{"value": "@framework"}', '"@framework"'),
    }
    return [Request(f"JSON: {what}", text, scene="executor") for what, text in texts.items()]


def protobuf() -> list[Request]:
    return [
        Request("protobuf: rubbish", b"rubbish", form="protobuf", scene="executor"),
        Request("protobuf: nothing", b"", form="protobuf", scene="executor"),
        Request("protobuf: cut short", MESSAGE, form="protobuf", scene="executor", encode=lambda body: body[:-1]),
        Request(
            "protobuf: no ids", {"type": "MESSAGE", "message": {"data": "AAEC"}}, form="protobuf", scene="executor"
        ),
    ]


def ids() -> list[Request]:
    without = {key: value for key, value in MESSAGE.items() if key != "executor_id"}
    return [
        Request("MESSAGE without an executor id", without, scene="executor"),
        Request(
            "MESSAGE without a framework id",
            {**without, "executor_id": {"value": "e"}, "framework_id": None},
            scene="executor",
        ),
        Request("MESSAGE without a type", {**MESSAGE, "type": None}, scene="executor"),
        Request("MESSAGE of an unknown framework", {**MESSAGE, "framework_id": {"value": "x"}}, scene="executor"),
        Request("MESSAGE of an unknown executor", {**MESSAGE, "executor_id": {"value": "x"}}, scene="executor"),
        Request(
            "MESSAGE of an unknown executor, with empty ids",
            {**MESSAGE, "executor_id": {"value": ""}},
            scene="executor",
        ),
        Request("MESSAGE of a bad executor id", {**MESSAGE, "executor_id": {"value": "a/b"}}, scene="executor"),
        Request("MESSAGE before SUBSCRIBE", MESSAGE, scene="launched"),
        Request("MESSAGE without its body", call("MESSAGE"), scene="executor"),
        Request("MESSAGE without its body before SUBSCRIBE", call("MESSAGE"), scene="launched"),
        Request("MESSAGE with an empty body", call("MESSAGE", message={}), scene="executor"),
        Request("MESSAGE", MESSAGE, scene="executor"),
        Request("MESSAGE with nothing in it", call("MESSAGE", message={"data": ""}), scene="executor"),
    ]


def subscriptions() -> list[Request]:
    task = {"name": "task", "task_id": {"value": "@task"}, "agent_id": {"value": "@agent"}, "resources": []}
    unacknowledged = {"status": status(timestamp=1.5)}
    bodies: dict[str, dict[str, Any]] = {
        "SUBSCRIBE": {},
        "SUBSCRIBE with its task": {"unacknowledged_tasks": [task]},
        "SUBSCRIBE with an unknown task": {"unacknowledged_tasks": [{**task, "task_id": {"value": "x"}}]},
        "SUBSCRIBE with an update without a uuid": {"unacknowledged_updates": [{"status": status(uuid=None)}]},
        "SUBSCRIBE with an update of another agent": {
            "unacknowledged_updates": [{"status": status(agent_id={"value": "x"})}]
        },
        "SUBSCRIBE with an empty update": {"unacknowledged_updates": [{}]},
    }
    again = {
        **bodies,
        "SUBSCRIBE with its task and an update": {
            "unacknowledged_tasks": [task],
            "unacknowledged_updates": [unacknowledged],
        },
        "SUBSCRIBE with its task and an update of another source": {
            "unacknowledged_tasks": [task],
            "unacknowledged_updates": [{"status": status(source="SOURCE_AGENT")}],
        },
        "SUBSCRIBE with its task and an update of another executor": {
            "unacknowledged_tasks": [task],
            "unacknowledged_updates": [{"status": status(executor_id={"value": "x"})}],
        },
    }
    return [
        *(Request(what, call("SUBSCRIBE", subscribe=body), scene="launched") for what, body in bodies.items()),
        *(
            Request(
                f"{what}, again",
                call("SUBSCRIBE", subscribe=body),
                scene="executor",
                acknowledged="with its task and" in what,
            )
            for what, body in again.items()
        ),
        Request("SUBSCRIBE without its body", call("SUBSCRIBE"), scene="launched"),
        Request("SUBSCRIBE of an unknown executor", {**SUBSCRIBE, "executor_id": {"value": "x"}}, scene="launched"),
        Request("SUBSCRIBE of an unknown framework", {**SUBSCRIBE, "framework_id": {"value": "x"}}, scene="launched"),
        Request("SUBSCRIBE at another agent", SUBSCRIBE, scene="launched", path="/@other-agent-path/api/v1/executor"),
    ]


def updates() -> list[Request]:
    cases: dict[str, dict[str, Any]] = {
        "UPDATE": update(),
        "UPDATE without an executor id": update(executor_id=None),
        "UPDATE with another executor id": update(executor_id={"value": "x"}),
        "UPDATE without a uuid": update(uuid=None),
        "UPDATE with a short uuid": update(uuid="AAEC"),
        "UPDATE with an empty uuid": update(uuid=""),
        "UPDATE with a uuid of zeros": update(uuid="AAAAAAAAAAAAAAAAAAAAAA=="),
        "UPDATE without a source": update(source=None),
        "UPDATE from an agent": update(source="SOURCE_AGENT"),
        "UPDATE from a master": update(source="SOURCE_MASTER"),
        "UPDATE of an unknown source": update(source="SOURCE_NOWHERE"),
        "UPDATE without a state": update(state=None),
        "UPDATE of an unknown state": update(state="TASK_DREAMING"),
        "UPDATE without a task id": update(task_id=None),
        "UPDATE of an unknown task": update(task_id={"value": "x"}),
        "UPDATE of an empty task id": update(task_id={"value": ""}),
        "UPDATE with an agent": update(agent_id={"value": "@agent"}),
        "UPDATE with another agent": update(agent_id={"value": "@other-agent"}),
        "UPDATE with a timestamp": update(timestamp=1.5),
        "UPDATE with a reason": update(reason="REASON_CONTAINER_LAUNCH_FAILED"),
        "UPDATE with an unknown reason": update(reason="REASON_NONE"),
        "UPDATE with a message": update(message="hello"),
        "UPDATE with data": update(data="AAEC"),
        "UPDATE with labels": update(labels={"labels": [{"key": "k", "value": "v"}]}),
        "UPDATE with health": update(healthy=True),
        "UPDATE with a check's status": update(check_status={"type": "HTTP", "http": {"status_code": 200}}),
        "UPDATE with a check's status without a type": update(check_status={}),
        "UPDATE with a check's status of no body": update(check_status={"type": "TCP"}),
        "UPDATE with a container's status": update(container_status={"executor_pid": 7}),
        "UPDATE with an unreachable time": update(unreachable_time={"nanoseconds": 1}),
        **{f"UPDATE of {state}": update(state=state) for state in STATES},
        "UPDATE without its body": call("UPDATE"),
        "UPDATE with an empty body": call("UPDATE", update={}),
    }
    return [
        *(
            Request(what, body, scene="executor", acknowledged=what not in UNACKNOWLEDGED)
            for what, body in cases.items()
        ),
        Request("UPDATE in protobuf", update(), form="protobuf", scene="executor", acknowledged=True),
        Request("UPDATE before SUBSCRIBE", update(), scene="launched"),
    ]


# The agent ignores the first, and knows no executor of such tasks to tell that it has the others.
UNACKNOWLEDGED = {"UPDATE with another agent", "UPDATE of an unknown task", "UPDATE of an empty task id"}
STATES = (
    "TASK_STAGING", "TASK_STARTING", "TASK_KILLING", "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR",
    "TASK_LOST", "TASK_DROPPED", "TASK_UNREACHABLE", "TASK_GONE", "TASK_GONE_BY_OPERATOR", "TASK_UNKNOWN",
)  # fmt: skip


def others() -> list[Request]:
    strange = {"framework_id": {"value": "x"}, "executor_id": {"value": "y"}}
    return [
        Request("HEARTBEAT", call("HEARTBEAT"), scene="executor"),
        Request("HEARTBEAT before SUBSCRIBE", call("HEARTBEAT"), scene="launched"),
        Request("HEARTBEAT of nobody", {"type": "HEARTBEAT", **strange}, scene="launched"),
        Request("HEARTBEAT without ids", {"type": "HEARTBEAT"}, scene="launched"),
        Request("UNKNOWN", call("UNKNOWN"), scene="executor"),
        Request("UNKNOWN before SUBSCRIBE", call("UNKNOWN"), scene="launched"),
        Request("UNKNOWN of nobody", {"type": "UNKNOWN", **strange}, scene="launched"),
        Request("a wrong and missing body", call("UPDATE", message={"data": ""}), scene="executor"),
    ]
