"""What can be read, in every scene that has some of it."""

from __future__ import annotations

from typing import Any

from tests.requests import Request
from tests.requests.operator.calls import READS, call

PROTOBUF: dict[str, str | None] = {"Accept": "application/x-protobuf"}
SCENES = {
    "running": READS,
    "offered": ("GET_STATE", "GET_AGENTS", "GET_FRAMEWORKS", "GET_ROLES"),
    "reserved": ("GET_STATE", "GET_AGENTS", "GET_OPERATIONS", "GET_ROLES"),
    "shared": ("GET_ROLES", "GET_WEIGHTS", "GET_QUOTA"),
    "maintained": ("GET_MAINTENANCE_STATUS", "GET_MAINTENANCE_SCHEDULE", "GET_AGENTS"),
    "down": ("GET_MAINTENANCE_STATUS", "GET_MAINTENANCE_SCHEDULE"),
    "drained": ("GET_STATE", "GET_AGENTS"),
}


def requests() -> list[Request]:
    found = [*read("nobody", READS), *metrics(), *levels(), *files("nobody", MASTER_FILES)]
    for scene, kinds in SCENES.items():
        found += read(scene, kinds)
        found += more(scene)
    return found


def read(scene: str, kinds: tuple[str, ...]) -> list[Request]:
    """These calls in a scene, answered in JSON and in protobuf."""
    forms: dict[str, dict[str, Any]] = {"": {}, ", in protobuf": {"form": "protobuf", "headers": PROTOBUF}}
    return [
        Request(f"{kind} ({scene}){suffix}", {"type": kind}, scene=scene, whole=is_whole(kind, scene), **fields)
        for kind in kinds
        for suffix, fields in forms.items()
    ]


def is_whole(kind: str, scene: str) -> bool:
    """Whether nothing of an answer is left out."""
    return kind in {"GET_FLAGS", "GET_VERSION"} and scene == "nobody"


def more(scene: str) -> list[Request]:
    """What else a scene has to show."""
    found = [Request(f"SUBSCRIBE ({scene})", {"type": "SUBSCRIBE"}, scene=scene)]
    if scene == "running":
        found += [
            Request("SUBSCRIBE (running) in protobuf", {"type": "SUBSCRIBE"}, scene=scene, form="protobuf", headers=PROTOBUF),
            Request("GET_METRICS (running)", METRICS, scene=scene),
            *files(scene, SANDBOX_FILES),
            Request("TEARDOWN", call("TEARDOWN", framework_id={"value": "@framework"}), scene=scene, then=AFTERWARDS),
            Request("TEARDOWN of one that is away", call("TEARDOWN", framework_id={"value": "@away"}), scene=scene, then=AFTERWARDS),
            Request("TEARDOWN of one that has left", call("TEARDOWN", framework_id={"value": "@left"}), scene=scene),
            Request("TEARDOWN in protobuf", call("TEARDOWN", framework_id={"value": "@framework"}), form="protobuf", scene=scene),
        ]  # fmt: skip
    return found


METRICS = call("GET_METRICS", timeout={"nanoseconds": 500_000_000})
AFTERWARDS = ({"type": "GET_FRAMEWORKS"}, {"type": "GET_ROLES"})


# One that is negative is never answered.
def metrics() -> list[Request]:
    return [
        Request("GET_METRICS", METRICS, scene="nobody", whole=True),
        Request("GET_METRICS in protobuf", METRICS, form="protobuf", headers=PROTOBUF, scene="nobody"),
        Request("GET_METRICS with a timeout without its value", call("GET_METRICS", timeout={}), scene="nobody"),
    ]  # fmt: skip


def levels() -> list[Request]:
    second = {"nanoseconds": 1_000_000_000}
    after = ({"type": "GET_LOGGING_LEVEL"},)
    return [
        *(
            Request(f"SET_LOGGING_LEVEL to {level}", call("SET_LOGGING_LEVEL", level=level, duration=second), scene="nobody", then=after)
            for level in (0, 1, 3, 4, 100)
        ),
        Request("SET_LOGGING_LEVEL to -1", call("SET_LOGGING_LEVEL", level=-1, duration=second), scene="nobody"),
        Request("SET_LOGGING_LEVEL for no time", call("SET_LOGGING_LEVEL", level=1, duration={"nanoseconds": 0}), scene="nobody"),
        Request("SET_LOGGING_LEVEL for less than that", call("SET_LOGGING_LEVEL", level=1, duration={"nanoseconds": -1}), scene="nobody"),
    ]  # fmt: skip


MASTER_FILES = ("", "/", "/master", "/master/log", "master", "/nothing", "/etc", "/../etc", "/slave")
SANDBOX = "@directory"
SANDBOX_FILES = (
    SANDBOX, f"{SANDBOX}/", f"{SANDBOX}/file", f"{SANDBOX}/nothing", f"{SANDBOX}/..", f"{SANDBOX}/../../../../../..",
    "/frameworks/@framework/executors/executor/runs/latest", "/agent/@agent",
)  # fmt: skip


def files(scene: str, paths: tuple[str, ...]) -> list[Request]:
    odd = {"offset": (0, 1, 5, 10_000, -1), "length": (0, 1, 10_000)}
    return [
        *(Request(f"LIST_FILES of {path!r} ({scene})", call("LIST_FILES", path=path), scene=scene) for path in paths),
        *(Request(f"READ_FILE of {path!r} ({scene})", call("READ_FILE", path=path, offset=0), scene=scene) for path in paths),
        *(
            Request(
                f"READ_FILE with {name} {value} ({scene})",
                call("READ_FILE", **{"path": f"{paths[0]}/file", "offset": 0, name: value}),
                scene=scene,
            )
            for name, values in odd.items()
            for value in values
            if scene != "nobody"
        ),
    ]  # fmt: skip
