"""ACCEPT with operations on resources: which calls are refused, and what the master tells."""

from __future__ import annotations

from tests.requests import Request
from tests.requests.tables import accept, scalar

RESERVED = {"type": "DYNAMIC", "role": "role", "principal": "principal"}
DISK = scalar("disk", 32, reservations=[RESERVED])
VOLUME = {
    **DISK,
    "disk": {"persistence": {"id": "p", "principal": "principal"}, "volume": {"mode": "RW", "container_path": "a"}},
}
FIELDS = {
    "RESERVE": "reserve",
    "UNRESERVE": "unreserve",
    "CREATE": "create",
    "DESTROY": "destroy",
    "GROW_VOLUME": "grow_volume",
    "SHRINK_VOLUME": "shrink_volume",
    "CREATE_DISK": "create_disk",
    "DESTROY_DISK": "destroy_disk",
}


def requests() -> list[Request]:
    found = {
        "RESERVE": {"type": "RESERVE", "reserve": {"resources": [scalar("cpus", 1, reservations=[RESERVED])]}},
        "RESERVE of nothing": {"type": "RESERVE", "reserve": {"resources": []}},
        "RESERVE of what is not reserved": {"type": "RESERVE", "reserve": {"resources": [scalar("cpus", 1)]}},
        "RESERVE of a bad resource": {"type": "RESERVE", "reserve": {"resources": [scalar("cpus", -1, reservations=[RESERVED])]}},
        "RESERVE with source": {"type": "RESERVE", "reserve": {"source": [scalar("cpus", 1)], "resources": [scalar("cpus", 1, reservations=[RESERVED])]}},
        "UNRESERVE of what is not reserved": {"type": "UNRESERVE", "unreserve": {"resources": [scalar("cpus", 1)]}},
        "CREATE on unreserved disk": {"type": "CREATE", "create": {"volumes": [{**VOLUME, "reservations": []}]}},
        "CREATE of what is not reserved": {"type": "CREATE", "create": {"volumes": [VOLUME]}},
        "DESTROY of what is not there": {"type": "DESTROY", "destroy": {"volumes": [VOLUME]}},
        "GROW_VOLUME without a volume": {"type": "GROW_VOLUME", "grow_volume": {"addition": DISK}},
        "GROW_VOLUME of what is not there": {"type": "GROW_VOLUME", "grow_volume": {"volume": VOLUME, "addition": DISK}},
        "SHRINK_VOLUME of what is not there": {"type": "SHRINK_VOLUME", "shrink_volume": {"volume": VOLUME, "subtract": {"value": 1}}},
        "SHRINK_VOLUME without an amount": {"type": "SHRINK_VOLUME", "shrink_volume": {"volume": VOLUME}},
        **{f"{kind} without its body": {"type": kind} for kind in FIELDS},
        **{f"{kind} with an empty body": {"type": kind, field: {}} for kind, field in FIELDS.items()},
    }  # fmt: skip
    return [Request(f"ACCEPT: {what}", accept(operation), scene="offer") for what, operation in found.items()]
