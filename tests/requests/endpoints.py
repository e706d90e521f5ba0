"""The requests to the endpoints of masters and agents beside their APIs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from tests.requests import Request
from tests.requests.operator.calls import QUOTA_REQUEST, WINDOW
from tests.requests.scenes import MACHINE, OTHER_MACHINE, reserved, volume
from tests.requests.stage import scalar

BODILESS: dict[str, str | None] = {"Content-Type": None, "Content-Length": None}
# A page of the cluster itself, as a browser tells.
OWN_PAGE: dict[str, str | None] = {"Sec-Fetch-Site": "same-origin"}
FORM = "application/x-www-form-urlencoded"
SLAVES = ({"path": "/slaves"},)
MASTER = (
    "/state", "/state-summary", "/slaves", "/frameworks", "/tasks", "/roles", "/weights", "/quota", "/flags", "/version", "/health",
    "/maintenance/schedule", "/maintenance/status", "/system/stats.json", "/redirect", "/logging/toggle",
)  # fmt: skip
"""What is there to be read on a master. /metrics/snapshot without a timeout waits for what never comes."""
PREFIXED = (
    "/state",
    "/state.json",
    "/slaves",
    "/tasks.json",
    "/roles.json",
    "/version",
    "/health",
    "/flags",
    "/nothing",
)
AGENT = ("/state", "/state.json", "/flags")
WHOLE = {"/version", "/flags", "/state", "/@agent-path/flags"}
"""Whose answers are compared as they are; those of others without what is of the build, flags and metrics."""
METRICS = "/metrics/snapshot?timeout=500ms"


def requests() -> list[Request]:
    """All of them, those of a scene together as far as they change nothing."""
    return [
        *reads("nobody", MASTER),
        *odd(),
        *reads("running", ("/state", "/state-summary", "/slaves", "/frameworks", "/tasks", "/roles", METRICS, "/@agent-path/state")),
        *filters(),
        *files(),
        *reads("offered", ("/state", "/slaves", "/frameworks", "/roles")),
        *reads("reserved", ("/state", "/slaves", "/roles", "/state-summary", "/@agent-path/state")),
        *reads("shared", ("/roles", "/weights", "/quota", "/state")),
        *reads("maintained", ("/maintenance/schedule", "/maintenance/status", "/state")),
        *reads("down", ("/maintenance/schedule", "/maintenance/status")),
        *reads("drained", ("/state", "/slaves", "/state-summary", "/@agent-path/state")),
        *resources(),
        *shares(),
        *maintenance(),
        *teardown(),
    ]  # fmt: skip


def get(path: str, scene: str = "nobody", name: str = "", **fields: Any) -> Request:
    headers = {**BODILESS, **fields.pop("headers", {})}
    whole = (path in WHOLE and not name and scene == "nobody") or (path, scene) == ("/tasks", "running")
    return Request(
        name or f"GET {path} ({scene})",
        None,
        scene=scene,
        method="GET",
        path=path,
        headers=headers,
        whole=whole,
        **fields,
    )


def reads(scene: str, paths: tuple[str, ...]) -> list[Request]:
    return [get(path, scene) for path in paths]


def odd() -> list[Request]:
    """Other forms of paths, methods, jsonp and encodings."""
    methods = ("POST", "PUT", "HEAD", "DELETE", "OPTIONS")
    written = (
        "/state",
        "/version",
        "/health",
        "/roles",
        "/weights",
        "/quota",
        "/maintenance/status",
    )
    return [
        *(get(f"/master{path}") for path in PREFIXED),
        *(get(path) for path in ("/state.json", "/tasks.json", "/roles.json", "/slaves.json", "/nothing", "/state/", "/state/a", "/State")),
        *(
            Request(f"{method} {path}", None, scene="nobody", method=method, path=path, headers=BODILESS)
            for path in written
            for method in methods
            if not (path in {"/weights", "/quota"} and method in {"POST", "PUT", "DELETE"})
        ),
        *(get(f"/@agent-path{path}") for path in AGENT),
        get("/slave(77)/state"),
        get("/files/browse"),
        get("/files/read"),
        get("/files/download"),
        get("/files/debug"),
        get("/files/nothing"),
        *(
            get(f"{path}?jsonp=f", name=f"GET {path} with jsonp", headers=OWN_PAGE)
            for path in ("/weights", "/quota", "/roles", "/health", "/maintenance/schedule")
        ),
        get("/weights?jsonp=f"),
        *(get(path, name=f"GET {path} that takes gzip", headers={"Accept-Encoding": "gzip"}) for path in ("/state", "/version", "/health", "/weights")),
        get("/version", name="GET /version that takes deflate", headers={"Accept-Encoding": "deflate"}),
        get("/version", name="GET /version that takes gzip by q", headers={"Accept-Encoding": "gzip;q=0"}),
        get("/version", name="GET /version with Accept text/html", headers={"Accept": "text/html"}),
        get(METRICS),
        *(get(f"/metrics/snapshot?timeout={timeout}") for timeout in ("1", "x", "-1secs", "")),
        get("/version?a=b"),
        get("/logging/toggle?level=x&duration=1secs"),
        get("/logging/toggle?level=1"),
        get("/logging/toggle?duration=1secs"),
        get("/logging/toggle?level=1&duration=x"),
        get("/logging/toggle?level=-1&duration=1secs"),
        get("/logging/toggle?level=100&duration=1secs"),
        get("/master/redirect"),
    ]  # fmt: skip


def filters() -> list[Request]:
    """Queries that choose."""
    paths = {
        "/frameworks": ("framework_id=@framework", "framework_id=@left", "framework_id=x", "framework_id="),
        "/slaves": ("slave_id=@agent", "slave_id=x", "slave_id="),
        "/tasks": (
            "framework_id=@framework", "framework_id=x", "task_id=running", "task_id=x", "framework_id=@framework&task_id=failed",
            "limit=1", "limit=0", "limit=x", "limit=-1", "limit=1&offset=1", "offset=1", "offset=100", "offset=x", "offset=-1",
            "order=asc", "order=des", "order=desc", "order=x", "order=",
        ),
        "/state": ("framework_id=@framework", "slave_id=@agent"),
        "/roles": ("role=role",),
    }  # fmt: skip
    return [get(f"{path}?{query}", "running") for path, queries in paths.items() for query in queries]


def files() -> list[Request]:
    """The sandbox of an executor."""
    sandbox = "@directory"
    queries = {
        "browse": ("", "path=", f"path={sandbox}", f"path={sandbox}/", f"path={sandbox}/file", f"path={sandbox}/nothing", f"path={sandbox}/..", "path=/etc", "path=/nothing"),
        "browse.json": (f"path={sandbox}",),
        "read": (
            "", "path=", f"path={sandbox}", f"path={sandbox}/file", f"path={sandbox}/nothing", f"path={sandbox}/../x", "path=/etc/passwd",
            f"path={sandbox}/file&offset=0", f"path={sandbox}/file&offset=0&length=2", f"path={sandbox}/file&offset=2", f"path={sandbox}/file&offset=5",
            f"path={sandbox}/file&offset=100", f"path={sandbox}/file&offset=-1", f"path={sandbox}/file&offset=x", f"path={sandbox}/file&offset=-2",
            f"path={sandbox}/file&offset=0&length=-1", f"path={sandbox}/file&offset=0&length=x", f"path={sandbox}/file&offset=0&length=-2",
            f"path={sandbox}/file&offset=0&length=0", "offset=0&length=1",
        ),
        "read.json": (f"path={sandbox}/file&offset=0",),
        "download": ("", "path=", f"path={sandbox}", f"path={sandbox}/file", f"path={sandbox}/nothing", f"path={sandbox}/..", "path=/etc/passwd"),
        "download.json": (f"path={sandbox}/file",),
    }  # fmt: skip
    return [
        *(get(f"/files/{which}?{query}".rstrip("?"), "running") for which, found in queries.items() for query in found),
        *(
            Request(f"{method} /files/{which}", None, scene="running", method=method, path=f"/files/{which}?path={sandbox}/file&offset=0", headers=BODILESS)
            for which in ("browse", "read", "download")
            for method in ("HEAD",)
        ),
    ]  # fmt: skip


def post(path: str, what: str, scene: str, fields: dict[str, Any], then: Any = SLAVES) -> Request:
    """A form."""
    text = urlencode(
        {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}, safe="@"
    )
    return Request(f"POST {path}: {what}", text, scene=scene, path=path, headers={"Content-Type": FORM}, then=then)  # fmt: skip


def resources() -> list[Request]:
    agent = {"slaveId": "@agent"}
    kinds = {
        "/reserve": ("nobody", "resources", [reserved("cpus", 1)]),
        "/unreserve": ("reserved", "resources", [reserved("cpus", 1)]),
        "/create-volumes": ("reserved", "volumes", [volume(64, persistence={"id": "q", "principal": "principal"})]),
        "/destroy-volumes": ("reserved", "volumes", [volume(100)]),
    }
    found = []
    for path, (scene, name, good) in kinds.items():
        cases: dict[str, dict[str, Any]] = {
            "nothing": {},
            "no agent": {name: good},
            f"no {name}": agent,
            "an unknown agent": {"slaveId": "x", name: good},
            f"{name} that are no JSON": {**agent, name: "["},
            f"{name} that are an object": {**agent, name: {}},
            f"{name} that are numbers": {**agent, name: [1]},
            f"{name} without a name": {**agent, name: [{}]},
            f"no {name} in a list": {**agent, name: []},
            "unreserved ones": {**agent, name: [scalar("cpus", 1)]},
            "what is right": {**agent, name: good},
            "more than there is": {**agent, name: [reserved("cpus", 5000)]},
        }
        found += [post(path, what, scene, fields) for what, fields in cases.items()]
        found.append(get(path, scene))
        found.append(Request(f"POST {path} of JSON", {}, scene=scene, path=path))
    return found


def shares() -> list[Request]:
    def put(what: str, body: Any, method: str = "PUT", **fields: Any) -> Request:
        return Request(
            f"{method} /weights: {what}",
            body,
            scene="nobody",
            method=method,
            path="/weights",
            then=({"path": "/weights"},),
            **fields,
        )

    def quota(
        what: str, body: Any, scene: str = "nobody", path: str = "/quota", method: str = "POST", **fields: Any
    ) -> Request:
        return Request(
            f"{method} {path}: {what}",
            body,
            scene=scene,
            method=method,
            path=path,
            then=({"path": "/quota"},),
            **fields,
        )

    weight = [{"role": "role", "weight": 2}]
    return [
        put("one", json.dumps(weight)),
        put("none", "[]"),
        put("an object", "{}"),
        put("no JSON", "["),
        put("a number", "[1]"),
        put("a weight without a role", '[{"weight": 2}]'),
        put("nothing of a weight", '[{"role": "role", "weight": 0}]'),
        put("the role *", '[{"role": "*", "weight": 2}]'),
        put("another Content-Type", json.dumps(weight), headers={"Content-Type": "text/plain"}),
        put("another method", json.dumps(weight), method="POST"),
        put("another method", json.dumps(weight), method="DELETE"),
        quota("one", QUOTA_REQUEST),
        quota("no JSON", "{"),
        quota("a list", "[]"),
        quota("nothing", {}),
        quota("no guarantee", {"role": "role"}),
        quota("the role *", {**QUOTA_REQUEST, "role": "*"}),
        quota("more than there is", {**QUOTA_REQUEST, "force": False, "guarantee": [scalar("cpus", 5000)]}),
        quota("an unknown method", QUOTA_REQUEST, method="PUT"),
        quota("one that is set", QUOTA_REQUEST, scene="shared"),
        quota("one that is set", None, scene="shared", path="/quota/role", method="DELETE", headers=BODILESS),
        quota("no role", None, scene="shared", path="/quota", method="DELETE", headers=BODILESS),
        get("/quota/role", "shared"),
    ]  # fmt: skip


def maintenance() -> list[Request]:
    def schedule(what: str, body: Any, scene: str = "nobody", **fields: Any) -> Request:
        return Request(
            f"POST /maintenance/schedule: {what}",
            body,
            scene=scene,
            path="/maintenance/schedule",
            then=({"path": "/maintenance/schedule"}, {"path": "/maintenance/status"}),
            **fields,
        )

    def machines(path: str, what: str, body: Any, scene: str, method: str = "POST") -> Request:
        return Request(
            f"{method} {path}: {what} ({scene})",
            body,
            scene=scene,
            path=path,
            method=method,
            then=({"path": "/maintenance/status"},),
        )

    bodies = {
        "a machine": json.dumps([OTHER_MACHINE]),
        "no machines": "[]",
        "an object": "{}",
        "no JSON": "[",
        "a number": "[1]",
        "an unscheduled machine": json.dumps([{"hostname": "x", "ip": "10.9.9.9"}]),
        "a machine twice": json.dumps([OTHER_MACHINE, OTHER_MACHINE]),
        "a machine of nothing": "[{}]",
    }
    return [
        schedule("one", {"windows": [WINDOW]}),
        schedule("nothing", {}),
        schedule("no JSON", "{"),
        schedule("a list", "[]"),
        schedule("a window of nothing", {"windows": [{}]}),
        schedule("a machine twice", {"windows": [WINDOW, WINDOW]}),
        schedule("another Content-Type", {"windows": [WINDOW]}, headers={"Content-Type": "text/plain"}),
        Request("PUT /maintenance/schedule", {"windows": [WINDOW]}, scene="nobody", method="PUT", path="/maintenance/schedule"),
        schedule("none any more", {"windows": []}, scene="maintained"),
        *(machines("/machine/down", what, body, "maintained") for what, body in bodies.items()),
        machines("/machine/down", "one that is down", json.dumps([OTHER_MACHINE]), "down"),
        machines("/machine/up", "one that is not down", json.dumps([OTHER_MACHINE, MACHINE]), "maintained"),
        *(machines("/machine/up", what, body, "down") for what, body in bodies.items()),
        machines("/machine/up", "another method", "[]", "down", method="GET"),
        machines("/machine/down", "another method", "[]", "down", method="PUT"),
    ]  # fmt: skip


def teardown() -> list[Request]:
    found = {
        "nothing": {},
        "an unknown framework": {"frameworkId": "x"},
        "an empty id": {"frameworkId": ""},
        "a framework that has left": {"frameworkId": "@left"},
        "a framework": {"frameworkId": "@framework"},
        "one that is away": {"frameworkId": "@away"},
    }
    return [
        *(post("/teardown", what, "running", fields, then=({"path": "/frameworks"},)) for what, fields in found.items()),
        post("/master/teardown", "a framework", "running", {"frameworkId": "@framework"}, then=()),
        Request("POST /teardown of JSON", {"frameworkId": "@framework"}, scene="running", path="/teardown"),
        get("/teardown", "running"),
    ]  # fmt: skip
