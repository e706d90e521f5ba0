"""Each call without its body, and with bodies that are wrong in form."""

from __future__ import annotations

import copy
from typing import Any

from tests.requests import Request
from tests.requests.operator.calls import BODIES

# GET_METRICS without a timeout never ends.
WITHOUT_TIMEOUT = {"GET_METRICS"}


def requests() -> list[Request]:
    return [
        *(Request(f"{kind} without its body", {"type": kind}, scene="nobody") for kind in BODIES if kind not in WITHOUT_TIMEOUT),
        *(Request(f"{kind} without its body, in protobuf", {"type": kind}, form="protobuf", scene="nobody") for kind in BODIES if kind not in WITHOUT_TIMEOUT),
        *(wrong(kind, "an empty body", {}) for kind in BODIES if kind not in WITHOUT_TIMEOUT),
        *(wrong(kind, "a body that is text", "x") for kind in BODIES),
        *(wrong(kind, "a body that is null", None) for kind in BODIES if kind not in WITHOUT_TIMEOUT),
        *fields(),
        Request("UNKNOWN", {"type": "UNKNOWN"}, scene="nobody"),
        Request("UNKNOWN in protobuf", {"type": "UNKNOWN"}, form="protobuf", scene="nobody"),
        *(Request(f"{kind} with a body", {"type": kind, kind.lower(): {}}, scene="nobody") for kind in ("GET_STATE", "SUBSCRIBE")),
    ]  # fmt: skip


def wrong(kind: str, what: str, body: Any) -> Request:
    return Request(f"{kind} with {what}", {"type": kind, kind.lower(): body}, scene="nobody")


def fields() -> list[Request]:
    """Bodies of which one field is of a wrong kind, and those of which a required one is missing."""
    found = []
    for kind, body in BODIES.items():
        for name in body:
            changed = copy.deepcopy(body)
            changed[name] = True
            found.append(wrong(kind, f"{name} of a wrong kind", changed))
            if kind not in WITHOUT_TIMEOUT and name != "force":
                found.append(wrong(kind, f"no {name}", {key: value for key, value in body.items() if key != name}))
    return found
