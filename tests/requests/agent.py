"""The requests to an agent: its operator API, and its other endpoints."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.requests import Request

HEALTH = {"type": "GET_HEALTH"}
ROOT = {"value": "@container"}
NESTED = {"value": "nested", "parent": ROOT}
READS = (
    "GET_HEALTH",
    "GET_FLAGS",
    "GET_VERSION",
    "GET_LOGGING_LEVEL",
    "GET_STATE",
    "GET_CONTAINERS",
    "GET_FRAMEWORKS",
    "GET_EXECUTORS",
    "GET_OPERATIONS",
    "GET_TASKS",
    "GET_AGENT",
    "GET_RESOURCE_PROVIDERS",
)
CONTAINERS = ("LAUNCH", "WAIT", "KILL", "REMOVE")
IDS = (
    "",
    "a.b",
    "a b",
    "a/b",
    ".",
    "..",
    "a\tb",
    "ä",
    "a" * 242,
    "a" * 256,
)


def requests() -> list[Request]:
    """All of them."""
    return [
        *http(),
        *streaming(),
        *bodies(),
        *reads(),
        *others(),
        *files(),
        *container_ids(),
        *launches(),
        *standalone(),
        *waits(),
        *attachments(),
        *providers(),
        *endpoints(),
    ]


def call(kind: str, **fields: Any) -> dict[str, Any]:
    """A call with its body."""
    return {"type": kind, kind.lower(): fields}


def alone(name: str, sent: Any, **fields: Any) -> Request:
    """A request to an agent on which nothing runs."""
    return Request(name, sent, scene=fields.pop("scene", "alone"), **fields)


def http() -> list[Request]:
    types = (
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/x-protobuf; a=b",
        "text/plain",
        "",
        "application/recordio",
    )
    accepts = (
        "application/json",
        "application/x-protobuf",
        "application/x-protobuf, application/json",
        "*/*",
        "application/*",
        "text/html",
        "application/recordio",
        "application/recordio, application/x-protobuf",
        "application/json;q=0",
        "",
    )
    path = "/@agent-path/api/v1"
    paths = {
        "with a slash at the end": f"{path}/",
        "with a query": f"{path}?a=b",
        "with a further part": f"{path}/agent",
        "of an unknown agent": "/slave(77)/api/v1",
        "of another agent": "/@other-agent-path/api/v1",
        "of another version": "/@agent-path/api/v2",
        "in capitals": "/@agent-path/API/V1",
        "encoded": "/%73lave(1)/api/v1",
    }
    return [
        *(alone(f"the method {name}", HEALTH, method=name) for name in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")),
        *(alone(f"the Content-Type {kind!r}", HEALTH, headers={"Content-Type": kind}) for kind in types),
        alone("no Content-Type", HEALTH, headers={"Content-Type": None}),
        *(alone(f"Accept {accept!r}", HEALTH, headers={"Accept": accept}) for accept in accepts),
        *(alone(f"a path {what}", HEALTH, path=path) for what, path in paths.items()),
        alone("gzip", HEALTH, encode=gzip.compress, headers={"Content-Encoding": "gzip"}),
        alone("gzip that is none", HEALTH, headers={"Content-Encoding": "gzip"}),
        alone("a connection that is kept", HEALTH, again=True),
        alone("Connection: close", HEALTH, headers={"Connection": "close"}, again=True),
        alone("a wrong Accept for a wrong call", call("WAIT_CONTAINER"), headers={"Accept": "text/html"}),
        alone("a wrong Accept and a body that is none", "{", headers={"Accept": "text/html"}),
        alone("a wrong Accept and Content-Type", HEALTH, headers={"Accept": "text/html", "Content-Type": "text/html"}),
    ]


def streaming() -> list[Request]:
    record = json.dumps(HEALTH)
    framed = f"{len(record)}\n{record}"
    recordio = {"Content-Type": "application/recordio"}
    as_json = {**recordio, "Message-Content-Type": "application/json"}
    health = {"Accept": "application/recordio"}
    return [
        alone("recordio without a Message-Content-Type", framed, headers=recordio),
        alone("recordio of text", framed, headers={**recordio, "Message-Content-Type": "text/plain"}),
        alone("recordio of GET_HEALTH", framed, headers=as_json),
        alone("recordio of nothing", "", headers=as_json),
        alone("recordio that is none", "{}", headers=as_json),
        alone("recordio of a wrong call", "2\n{}", headers=as_json),
        alone("a Message-Content-Type without recordio", HEALTH, headers={"Message-Content-Type": "application/json"}),
        alone("a Message-Accept without recordio", HEALTH, headers={"Message-Accept": "application/json"}),
        alone("Accept recordio of JSON", HEALTH, headers={**health, "Message-Accept": "application/json"}),
        alone("Accept recordio of text", HEALTH, headers={**health, "Message-Accept": "text/plain"}),
    ]


def bodies() -> list[Request]:
    good = json.dumps(HEALTH)
    texts = {
        "nothing": "",
        "an opening brace": "{",
        "an empty object": "{}",
        "a list": "[]",
        "null": "null",
        "rubbish after a call": f"{good} x",
        "an unknown type": '{"type": "EXPLODE"}',
        "the type UNKNOWN": '{"type": "UNKNOWN"}',
        "a type by its number": '{"type": 1}',
        "a type in small letters": '{"type": "get_health"}',
        "a type of the master's": '{"type": "GET_MASTER"}',
        "an unknown field": '{"type": "GET_HEALTH", "a": 1}',
        "another's body": '{"type": "GET_HEALTH", "get_metrics": {}}',
        "a body of the wrong kind": '{"type": "GET_METRICS", "get_metrics": 1}',
        "a required field that is missing": '{"type": "READ_FILE", "read_file": {"path": "a"}}',
        "a required message that is missing": '{"type": "WAIT_CONTAINER", "wait_container": {}}',
        "a number that is text": '{"type": "READ_FILE", "read_file": {"path": "a", "offset": "1"}}',
        "a negative number": '{"type": "READ_FILE", "read_file": {"path": "a", "offset": -1}}',
    }
    binary = {"nothing": b"", "rubbish": b"rubbish", "an unknown type": b"\x08\x7f", "no path": b"\x08\x07\x22\x00"}
    return [
        *(alone(f"JSON: {what}", text) for what, text in texts.items()),
        *(alone(f"protobuf: {what}", body, form="protobuf") for what, body in binary.items()),
        alone("protobuf: GET_HEALTH", HEALTH, form="protobuf"),
    ]


def reads() -> list[Request]:
    scenes = ("executor", "nested", "command", "finished", "gone")
    protobuf = {"Accept": "application/x-protobuf"}
    running = ("GET_STATE", "GET_CONTAINERS", "GET_FRAMEWORKS", "GET_EXECUTORS", "GET_TASKS")
    shown = call("GET_CONTAINERS", show_nested=True, show_standalone=True)
    return [
        *(alone(kind, {"type": kind}) for kind in READS),
        *(alone(f"{kind} in protobuf", {"type": kind}, form="protobuf", headers=protobuf) for kind in READS),
        *(alone(f"{kind} with {scene}", {"type": kind}, scene=scene) for kind in running for scene in scenes),
        *(
            alone(f"{kind} in protobuf with command", {"type": kind}, scene="command", headers=protobuf)
            for kind in running
        ),
        alone("GET_CONTAINERS with all that is nested", shown, scene="nested"),
        alone("GET_CONTAINERS with all that is nested, in protobuf", shown, scene="nested", headers=protobuf),
        alone("GET_CONTAINERS with all that is nested of a command", shown, scene="command"),
        alone("GET_CONTAINERS after the end", shown, scene="ended"),
    ]


def others() -> list[Request]:
    second = {"nanoseconds": 1_000_000_000}
    return [
        *(alone(f"{kind} without its body", {"type": kind}) for kind in ("GET_METRICS", "SET_LOGGING_LEVEL")),
        alone("SET_LOGGING_LEVEL", call("SET_LOGGING_LEVEL", level=0, duration=second)),
        alone("SET_LOGGING_LEVEL below what it is", call("SET_LOGGING_LEVEL", level=-1, duration=second)),
        alone("SET_LOGGING_LEVEL without a duration", call("SET_LOGGING_LEVEL", level=1)),
        alone("PRUNE_IMAGES", {"type": "PRUNE_IMAGES"}),
        alone("PRUNE_IMAGES with its body", call("PRUNE_IMAGES", excluded_images=[])),
    ]


def files() -> list[Request]:
    def lists(what: str, path: str, **fields: Any) -> Request:
        return alone(f"LIST_FILES of {what}", call("LIST_FILES", path=path), scene="ended", **fields)

    def reads(what: str, offset: int, path: str = "@sandbox/containers/nested/file", **fields: Any) -> Request:
        sent = call("READ_FILE", path=path, offset=offset, **fields)
        return alone(f"READ_FILE {what}", sent, scene="ended")

    return [
        *(alone(f"{kind} without its body", {"type": kind}) for kind in ("LIST_FILES", "READ_FILE")),
        lists("a sandbox", "@sandbox"),
        lists("a sandbox in protobuf", "@sandbox", headers={"Accept": "application/x-protobuf"}),
        lists("a sandbox with a slash", "@sandbox/"),
        lists("a file", "@sandbox/stdout"),
        lists("a nested sandbox", "@sandbox/containers/nested"),
        lists("what is not there", "@sandbox/nothing"),
        lists("nothing", ""),
        lists("the root", "/"),
        lists("what is not the agent's", "/etc"),
        lists("a path with dots", "@sandbox/../../../../../../../../../../../../../../etc"),
        reads("from the beginning", 0),
        reads("from the middle", 2),
        reads("at the end", 5),
        reads("after the end", 100),
        reads("of a length", 0, length=2),
        reads("of no length", 0, length=0),
        reads("of too great a length", 0, length=100),
        reads("of a directory", 0, path="@sandbox"),
        reads("of what is not there", 0, path="@sandbox/nothing"),
        reads("of nothing", 0, path=""),
        reads("of what is not the agent's", 0, path="/etc/passwd"),
    ]


def container_ids() -> list[Request]:
    kinds = [f"{what}{which}" for what in CONTAINERS for which in ("_NESTED_CONTAINER", "_CONTAINER")]
    kinds += ["LAUNCH_NESTED_CONTAINER_SESSION", "ATTACH_CONTAINER_OUTPUT"]
    parent = {"value": "a", "parent": {"value": "a.b"}}
    return [
        *(alone(f"{kind} without its body", {"type": kind}) for kind in kinds),
        *(alone(f"{kind} of the id 'a.b'", call(kind, container_id={"value": "a.b"})) for kind in kinds),
        *(alone(f"{kind} without a parent", call(kind, container_id={"value": "nobody"})) for kind in kinds[::2]),
        *(
            alone(f"WAIT_CONTAINER of the id {value[:20]!r}, {len(value)}", call("WAIT_CONTAINER", container_id={"value": value}))
            for value in IDS
        ),
        alone("WAIT_CONTAINER of a wrong parent", call("WAIT_CONTAINER", container_id=parent)),
        alone("WAIT_CONTAINER of an unknown parent", call("WAIT_CONTAINER", container_id={"value": "a", "parent": {"value": "nobody"}})),
    ]  # fmt: skip


def launches() -> list[Request]:
    def nested(what: str, scene: str = "executor", container_id: Any = None, **fields: Any) -> Request:
        sent = call("LAUNCH_NESTED_CONTAINER", container_id=container_id or NESTED, **fields)
        return alone(f"LAUNCH_NESTED_CONTAINER {what}", sent, scene=scene)

    def named(value: str, parent: Any = ROOT) -> dict[str, Any]:
        return {"value": value, "parent": parent}

    good = {"value": "exit 3"}
    variable = {"name": "A", "value": "B"}
    linux = {"type": "MESOS", "linux_info": {"share_cgroups": False}}
    return [
        nested("of a shell command", command=good),
        nested("of a program", command={"shell": False, "value": "/bin/sh", "arguments": ["sh", "-c", "exit 4"]}),
        nested("of a program that is not there", command={"shell": False, "value": "/nothing"}),
        nested("that ends by a signal", command={"value": "kill -9 $$"}),
        nested("in its sandbox", command={"value": '[ "$PWD" = "$MESOS_SANDBOX" ]; exit $?'}),
        nested("with its sandbox in its environment", command={"value": 'case "$MESOS_SANDBOX" in */containers/nested) exit 5;; esac'}),
        nested("with a variable", command={"value": '[ "$A" = B ] && exit 6', "environment": {"variables": [variable]}}),
        nested("without the executor's variables", command={"value": '[ -z "$MESOS_FRAMEWORK_ID" ] && exit 7'}),
        nested("without a command"),
        nested("of a command without a value", command={}),
        nested("with an empty value", command={"value": ""}),
        nested("as a user that is not there", command={**good, "user": "nobody-of-this-name"}),
        nested("with a wrong variable", command={**good, "environment": {"variables": [{"name": "A"}]}}),
        nested("with a variable of an unknown type", command={**good, "environment": {"variables": [{"name": "A", "type": "UNKNOWN"}]}}),
        nested("with a container of MESOS", command=good, container={"type": "MESOS"}),
        nested("with a container of DOCKER", command=good, container={"type": "DOCKER", "docker": {"image": "a"}}),
        nested("with a container of DOCKER alone", command=good, container={"type": "DOCKER"}),
        nested("with a volume without a source", command=good, container={"type": "MESOS", "volumes": [{"mode": "RW", "container_path": "a"}]}),
        nested("with a volume of both", command=good, container={"type": "MESOS", "volumes": [{"mode": "RW", "container_path": "a", "host_path": "/", "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "a"}}}]}),
        nested("with cgroups of its own, twice nested", "nested", named("sub", NESTED), command=good, container=linux),
        nested("of an id that runs", "nested", command=good),
        nested("of an id that has ended", "ended", command=good),
        nested("in what is nested", "nested", named("sub", NESTED), command=good),
        nested("in what has ended", "ended", named("sub", NESTED), command=good),
        nested("in an unknown container", container_id=named("sub", {"value": "nobody"}), command=good),
        nested("in an unknown nested container", container_id=named("sub", named("nothing")), command=good),
        alone("LAUNCH_CONTAINER nested", call("LAUNCH_CONTAINER", container_id=NESTED, command=good), scene="executor"),
        alone("LAUNCH_CONTAINER nested, with resources", call("LAUNCH_CONTAINER", container_id=NESTED, command=good, resources=[scalar(0.1)]), scene="executor"),
        alone("LAUNCH_CONTAINER twice nested, with resources", call("LAUNCH_CONTAINER", container_id=named("sub", NESTED), command=good, resources=[scalar(0.1)]), scene="nested"),
        alone("LAUNCH_CONTAINER twice nested, with limits", call("LAUNCH_CONTAINER", container_id=named("sub", NESTED), command=good, limits={"cpus": {"value": 1}}), scene="nested"),
        alone("LAUNCH_CONTAINER of the executor's container", call("LAUNCH_CONTAINER", container_id=ROOT, command=good), scene="executor"),
        alone("LAUNCH_NESTED_CONTAINER in protobuf", call("LAUNCH_NESTED_CONTAINER", container_id=NESTED, command=good), form="protobuf", scene="executor"),
    ]  # fmt: skip


def scalar(value: float, **fields: Any) -> dict[str, Any]:
    """CPUs."""
    return {"name": "cpus", "type": "SCALAR", "scalar": {"value": value}, **fields}


def standalone() -> list[Request]:
    def launch(what: str, **fields: Any) -> Request:
        sent = call("LAUNCH_CONTAINER", container_id=fields.pop("container_id", ROOT), **fields)
        return alone(f"LAUNCH_CONTAINER {what}", sent)

    good = {"value": "sleep 0.2; exit 3"}
    reserved = scalar(0.1, reservations=[{"type": "DYNAMIC", "role": "role"}])
    shared = {"type": "MESOS", "linux_info": {"share_cgroups": True}}
    return [
        launch("alone", command=good),
        launch("alone, with resources", command=good, resources=[scalar(0.1)]),
        launch("alone, with a wrong resource", command=good, resources=[scalar(-1)]),
        launch("alone, with a reserved resource", command=good, resources=[reserved]),
        launch("alone, with a revocable resource", command=good, resources=[scalar(0.1, revocable={})]),
        launch("alone, with a part of a GPU", command=good, resources=[{**scalar(0.1), "name": "gpus"}]),
        launch("alone, with shared cgroups", command=good, container=shared),
        launch("alone, of a wrong command", command={**good, "environment": {"variables": [{"name": "A"}]}}),
        launch("alone, of a container of DOCKER", command=good, container={"type": "DOCKER", "docker": {"image": "a"}}),
        launch("in nobody", container_id={"value": "a", "parent": {"value": "nobody"}}, command=good),
        alone("KILL_CONTAINER of no standalone container", call("KILL_CONTAINER", container_id=ROOT)),
        alone("WAIT_CONTAINER of no standalone container", call("WAIT_CONTAINER", container_id=ROOT)),
    ]


def waits() -> list[Request]:
    def of(kind: str, what: str, scene: str, container_id: Any = None, **fields: Any) -> Request:
        return alone(f"{kind} of {what}", call(kind, container_id=container_id or NESTED, **fields), scene=scene)

    unknown = {"value": "nothing", "parent": ROOT}
    return [
        *(of(kind, "what has ended", "ended") for kind in ("WAIT_NESTED_CONTAINER", "WAIT_CONTAINER")),
        *(of(kind, "what is not there", "executor", unknown) for kind in ("WAIT_NESTED_CONTAINER", "WAIT_CONTAINER")),
        *(
            of(f"{what}_{which}", scene, scene)
            for what in ("KILL", "REMOVE")
            for which in ("NESTED_CONTAINER", "CONTAINER")
            for scene in ("nested", "ended")
        ),
        *(of(kind, "nobody", "executor", unknown) for kind in ("KILL_NESTED_CONTAINER", "KILL_CONTAINER")),
        of("REMOVE_NESTED_CONTAINER", "nobody", "executor", unknown),
        of("REMOVE_NESTED_CONTAINER", "nobody's", "alone", {"value": "a", "parent": {"value": "nobody"}}),
        of("KILL_NESTED_CONTAINER", "one by SIGTERM", "nested", signal=15),
        of("KILL_NESTED_CONTAINER", "one by an unknown signal", "nested", signal=1000),
        of("KILL_NESTED_CONTAINER", "one by no signal", "nested", signal=0),
        alone("WAIT_CONTAINER of what has ended, in protobuf", call("WAIT_CONTAINER", container_id=NESTED), scene="ended", headers={"Accept": "application/x-protobuf"}),
    ]  # fmt: skip


def attachments() -> list[Request]:
    def attach(what: str, container_id: Any, scene: str = "nested", **fields: Any) -> Request:
        sent = call("ATTACH_CONTAINER_OUTPUT", container_id=container_id)
        return alone(f"ATTACH_CONTAINER_OUTPUT {what}", sent, scene=scene, **fields)

    def record(sent: Any) -> str:
        text = json.dumps(sent)
        # The names of a scene are longer or shorter than what stands for them.
        return f"{len(text)}\n{text}"

    recordio = {"Content-Type": "application/recordio", "Message-Content-Type": "application/json"}
    streamed = {"Accept": "application/recordio", "Message-Accept": "application/json"}
    nobody = {"value": "a", "parent": {"value": "nobody"}}
    session = call("LAUNCH_NESTED_CONTAINER_SESSION", container_id=NESTED, command={"value": "echo a"})
    sends = call("ATTACH_CONTAINER_INPUT", type="CONTAINER_ID", container_id=nobody)
    return [
        attach("of a nested container", NESTED),
        attach("of an executor's container", ROOT),
        attach("of an unknown nested container", {"value": "nothing", "parent": ROOT}),
        attach("of nobody", nobody),
        attach("of a nested container, streamed", NESTED, headers=streamed),
        alone("LAUNCH_NESTED_CONTAINER_SESSION", session, scene="executor"),
        alone("LAUNCH_NESTED_CONTAINER_SESSION, streamed", session, scene="executor", headers=streamed),
        alone(
            "LAUNCH_NESTED_CONTAINER_SESSION in nobody",
            call("LAUNCH_NESTED_CONTAINER_SESSION", container_id=nobody, command={"value": "true"}),
        ),
        alone("ATTACH_CONTAINER_INPUT without recordio", sends),
        alone("ATTACH_CONTAINER_INPUT of nobody", record(sends), headers=recordio),
        alone("ATTACH_CONTAINER_INPUT without its body", record({"type": "ATTACH_CONTAINER_INPUT"}), headers=recordio),
        alone("ATTACH_CONTAINER_INPUT without a type", record(call("ATTACH_CONTAINER_INPUT")), headers=recordio),
        alone("ATTACH_CONTAINER_INPUT of input", record(call("ATTACH_CONTAINER_INPUT", type="PROCESS_IO")), headers=recordio),
        alone("ATTACH_CONTAINER_INPUT of an unknown type", record(call("ATTACH_CONTAINER_INPUT", type="UNKNOWN")), headers=recordio),
    ]  # fmt: skip


def providers() -> list[Request]:
    info = {"type": "org.apache.mesos.rp.local.storage", "name": "a"}
    kinds = ("ADD", "UPDATE", "REMOVE")
    return [
        *(alone(f"{kind}_RESOURCE_PROVIDER_CONFIG without its body", {"type": f"{kind}_RESOURCE_PROVIDER_CONFIG"}) for kind in kinds),
        alone("MARK_RESOURCE_PROVIDER_GONE without its body", {"type": "MARK_RESOURCE_PROVIDER_GONE"}),
        *(alone(f"{kind}_RESOURCE_PROVIDER_CONFIG with an id", call(f"{kind}_RESOURCE_PROVIDER_CONFIG", info={**info, "id": {"value": "a"}})) for kind in kinds[:2]),
        *(alone(f"{kind}_RESOURCE_PROVIDER_CONFIG", call(f"{kind}_RESOURCE_PROVIDER_CONFIG", info=info)) for kind in kinds[:2]),
        alone("ADD_RESOURCE_PROVIDER_CONFIG of an unknown type", call("ADD_RESOURCE_PROVIDER_CONFIG", info={**info, "type": "a"})),
        alone("REMOVE_RESOURCE_PROVIDER_CONFIG", call("REMOVE_RESOURCE_PROVIDER_CONFIG", **info)),
        alone("MARK_RESOURCE_PROVIDER_GONE of nobody", call("MARK_RESOURCE_PROVIDER_GONE", resource_provider_id={"value": "a"})),
    ]  # fmt: skip


def endpoints() -> list[Request]:
    def get(path: str, scene: str = "alone", method: str = "GET", **fields: Any) -> Request:
        headers = {"Content-Type": None, "Content-Length": None, **fields.pop("headers", {})}
        shown = f"{method} {path}" + (f" with {scene}" if scene != "alone" else "")
        name = fields.pop("name", shown)
        return alone(name, None, scene=scene, path=f"/@agent-path{path}", method=method, headers=headers, **fields)

    containers = "/containers?"
    return [
        get("/health"),
        get("/health.json"),
        get("/health", method="POST"),
        *(get(path, scene) for path in ("/containers", "/monitor/statistics") for scene in ("alone", "executor", "nested", "command", "finished")),
        get("/containers.json", "executor"),
        get("/monitor/statistics.json", "executor"),
        get("/containers", method="POST"),
        get("/monitor/statistics", method="POST"),
        get("/containers", method="DELETE"),
        get(f"{containers}container_id=@container", "nested"),
        get(f"{containers}container_id=x", "nested"),
        get(f"{containers}framework_id=@framework", "nested"),
        get(f"{containers}framework_id=x", "nested"),
        get(f"{containers}framework_id=@framework&executor_id=@executor", "nested"),
        get(f"{containers}framework_id=@framework&executor_id=x", "nested"),
        get(f"{containers}executor_id=@executor", "nested"),
        get(f"{containers}container_id=@container&framework_id=@framework", "nested"),
        get("/monitor"),
        get("/monitor/usage"),
        get("/metrics"),
        get("/metrics/snapshot"),
        get("/nothing"),
    ]  # fmt: skip
