"""Operations on resources and what is told of them, over plain HTTP, on the embedded cluster and on the real Mesos."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.allocation.client import Framework, Offer, amounts, reservation, scalar, volume
from tests.python.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 10
RESERVATION = reservation("x")


def operation(kind: str, **body: Any) -> dict[str, Any]:
    """An operation whose framework wants to know what becomes of it."""
    return {"type": kind, "id": {"value": "o"}, kind.lower(): body}


def reserved(text: str, **fields: Any) -> list[dict[str, Any]]:
    return amounts(text, reservations=[RESERVATION], **fields)


@contextmanager
def subscribed(master: str) -> Iterator[tuple[Framework, Offer]]:
    """A framework with an offer of an agent, which is torn down at the end."""
    framework = Framework(master, "operations", ("x",))
    framework.connect()
    try:
        framework.wait_for_offers()
        yield framework, framework.held()[0]
    finally:
        framework.call("TEARDOWN")


def next_status(framework: Framework, known: int = 0) -> dict[str, Any]:
    """The status that comes after so many others."""
    until = time.monotonic() + SECONDS
    with framework.changed:
        while True:
            events = [seen.event for seen in framework.seen if seen.event["type"] == "UPDATE_OPERATION_STATUS"]
            if len(events) > known:
                status: dict[str, Any] = events[known]["update_operation_status"]["status"]
                return status
            assert framework.changed.wait(until - time.monotonic()), f"{len(events)} statuses came, not {known + 1}"


def reconcile(framework: Framework, **fields: Any) -> tuple[int, str]:
    operations = [{"operation_id": {"value": "o"}, **fields}] if fields else []
    return framework.call("RECONCILE_OPERATIONS", reconcile_operations={"operations": operations})


def test_an_operation_is_told_of_until_it_is_acknowledged(master: str) -> None:
    with subscribed(master) as (framework, offer):
        framework.accept([offer], operation("RESERVE", resources=reserved("cpus:1")))
        finished = next_status(framework)
        uuid = finished["uuid"]["value"]
        known = {"operation_id": {"value": "o"}, "state": "OPERATION_FINISHED", "agent_id": offer.agent_id}
        assert finished == {**known, "uuid": {"value": uuid}}
        assert reconcile(framework)[0] == 202
        assert next_status(framework, 1) == known
        assert reconcile(framework, agent_id=offer.agent_id)[0] == 202
        assert next_status(framework, 2) == known
        acknowledged = {"agent_id": offer.agent_id, "uuid": uuid, "operation_id": {"value": "o"}}
        framework.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status=acknowledged)
        reconcile(framework, agent_id=offer.agent_id)
        unknown = {"state": "OPERATION_UNKNOWN", "message": "Reconciliation: Operation is unknown"}
        assert next_status(framework, 3) == {**known, **unknown}
        wait_until(lambda: framework.held(agent=offer), "the agent is offered again", SECONDS)
        framework.accept(framework.held(agent=offer), operation("UNRESERVE", resources=reserved("cpus:1")))
        assert next_status(framework, 4)["state"] == "OPERATION_FINISHED"


RO = {"persistence": {"id": "v"}, "volume": {"container_path": "v", "mode": "RO"}}
RW = {"persistence": {"id": "v"}, "volume": {"container_path": "v", "mode": "RW"}}
PLAIN_DISK = "Resource disk(allocated: x)(reservations: [(DYNAMIC,x)]):64 does not have DiskInfo"
VOLUME = "disk(allocated: x)(reservations: [(DYNAMIC,x)])[v:v]"
MORE = scalar("disk", 1, reservations=[RESERVATION])


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (
            operation("RESERVE", resources=amounts("cpus:1", reservations=[reservation("y")])),
            "A reserve operation was attempted for a resource with role 'y', but the resource was allocated to role "
            "'x'; on agent AGENT",
        ),
        (
            operation("RESERVE", resources=amounts("cpus:1")),
            "Resource cpus(allocated: x):1 is not dynamically reserved; on agent AGENT",
        ),
        (
            operation("RESERVE", resources=amounts("cpus:1", reservations=[reservation("x", "STATIC")])),
            "Resource cpus(allocated: x)(reservations: [(STATIC,x)]):1 is not dynamically reserved; on agent AGENT",
        ),
        (
            operation("RESERVE", resources=reserved("cpus:1"), source=amounts("cpus:1")),
            "Operation attempted with invalid resources: Reservation updates are not yet implemented for the scheduler "
            "API.",
        ),
        (
            operation("RESERVE"),
            "Invalid resources: The resources have multiple resource providers: ; on agent AGENT",
        ),
        (
            operation("RESERVE", resources=reserved("cpus:1", revocable={})),
            "Invalid resources: Invalid ReservationInfo: Dynamically reserved resource cpus(allocated: x)"
            "(reservations: [(DYNAMIC,x)]){REV}:1 cannot be created from revocable resources; on agent AGENT",
        ),
        (operation("RESERVE", resources=reserved("cpus:100")), "OFFERED does not contain cpus(allocated: x):100"),
        (
            operation("UNRESERVE", resources=amounts("cpus:1")),
            "Resource cpus(allocated: x):1 is not dynamically reserved; on agent AGENT",
        ),
        (
            operation("UNRESERVE", resources=[volume(64, RESERVATION)]),
            f"A dynamically reserved persistent volume {VOLUME}:64 cannot be unreserved directly. Please destroy the "
            "persistent volume first then unreserve the resource; on agent AGENT",
        ),
        (
            operation("CREATE", volumes=[scalar("disk", 64, disk=RW)]),
            "Invalid resources: Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources; on "
            "agent AGENT",
        ),
        (operation("CREATE", volumes=reserved("disk:64")), f"Not a persistent volume: {PLAIN_DISK}; on agent AGENT"),
        (
            operation("CREATE", volumes=[scalar("disk", 64, reservations=[RESERVATION], disk=RO)]),
            "Not a persistent volume: Read-only persistent volume not supported; on agent AGENT",
        ),
        (
            operation("CREATE", volumes=[volume(64, RESERVATION, shared={})]),
            f"Create volume operation for '{VOLUME}<SHARED>:64' has been attempted by framework 'FRAMEWORK' with no "
            "SHARED_RESOURCES capability; on agent AGENT",
        ),
        (
            operation("CREATE", volumes=[volume(64, RESERVATION)]),
            "OFFERED does not contain disk(allocated: x)(reservations: [(DYNAMIC,x)]):64",
        ),
        (operation("DESTROY", volumes=[volume(64, RESERVATION)]), "Persistent volumes not found; on agent AGENT"),
        (
            operation(
                "GROW_VOLUME", volume=volume(64, RESERVATION), addition=scalar("disk", 0, reservations=[RESERVATION])
            ),
            "The size of 'GrowVolume.addition' field must be greater than zero; on agent AGENT",
        ),
        (
            operation("GROW_VOLUME", volume=volume(64, RESERVATION), addition=scalar("disk", 1)),
            "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields; on agent AGENT",
        ),
        (
            operation("GROW_VOLUME", volume=volume(64, RESERVATION), addition=MORE),
            f"Invalid GROW_VOLUME operation: OFFERED does not contain {VOLUME}:64; "
            "disk(allocated: x)(reservations: [(DYNAMIC,x)]):1",
        ),
        (
            operation("GROW_VOLUME", volume=scalar("disk", 64, reservations=[RESERVATION]), addition=MORE),
            f"Invalid persistent volume in the 'GrowVolume.volume' field: {PLAIN_DISK}; on agent AGENT",
        ),
        (
            operation("SHRINK_VOLUME", volume=volume(64, RESERVATION), subtract={"value": 64}),
            "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'; on agent AGENT",
        ),
        (
            operation("SHRINK_VOLUME", volume=volume(64, RESERVATION), subtract={"value": 0}),
            "Value of 'ShrinkVolume.subtract' must be greater than zero; on agent AGENT",
        ),
        (
            operation("SHRINK_VOLUME", volume=volume(64, RESERVATION), subtract={"value": 1}),
            f"Invalid SHRINK_VOLUME operation: OFFERED does not contain {VOLUME}:64",
        ),
        (
            operation("CREATE_DISK", source=scalar("disk", 64), target_type="MOUNT"),
            "'source' is not managed by a resource provider; on agent AGENT",
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_an_operation_that_is_not_valid_is_dropped_with_its_reason(
    master: str, asked: dict[str, Any], why: str
) -> None:
    with subscribed(master) as (framework, offer):
        framework.accept([offer], asked)
        dropped = next_status(framework)
        assert framework.framework_id is not None
        message = dropped["message"].replace(framework.framework_id["value"], "FRAMEWORK")
        message = re.sub(re.escape(offer.agent_id["value"]) + r" at \S+ \(\S+\)$", "AGENT", message)
        message = re.sub(r"\bports\(allocated.* does not contain", "OFFERED does not contain", message)
        assert message == why
        assert {name: dropped[name] for name in dropped if name != "message"} == {
            "operation_id": {"value": "o"},
            "state": "OPERATION_ERROR",
        }
