"""Every type of call, with parts that are missing, wrong or good."""

from __future__ import annotations

from typing import Any

from tests.requests import Request
from tests.requests.tables import call

UUID = "AAECAwQFRgeICQoLDA0ODw=="
TASK, AGENT, OFFER = {"value": "unknown"}, {"value": "@agent"}, {"value": "unknown"}
UNKNOWN_AGENT = {"value": "nowhere"}
INFO = {"user": "root", "name": "requests", "id": {"value": "@framework"}}

# By type, the body's name, a body without anything, and a good one.
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "ACCEPT": ("accept", {"offer_ids": [OFFER], "operations": []}),
    "DECLINE": ("decline", {"offer_ids": [OFFER]}),
    "ACCEPT_INVERSE_OFFERS": ("accept_inverse_offers", {"inverse_offer_ids": [OFFER]}),
    "DECLINE_INVERSE_OFFERS": ("decline_inverse_offers", {"inverse_offer_ids": [OFFER]}),
    "REVIVE": ("revive", {"roles": ["*"]}),
    "SUPPRESS": ("suppress", {"roles": ["*"]}),
    "KILL": ("kill", {"task_id": TASK}),
    "SHUTDOWN": ("shutdown", {"executor_id": {"value": "e"}, "agent_id": AGENT}),
    "ACKNOWLEDGE": ("acknowledge", {"agent_id": AGENT, "task_id": TASK, "uuid": UUID}),
    "ACKNOWLEDGE_OPERATION_STATUS": (
        "acknowledge_operation_status",
        {"agent_id": AGENT, "uuid": UUID, "operation_id": {"value": "o"}},
    ),
    "RECONCILE": ("reconcile", {"tasks": [{"task_id": TASK}]}),
    "RECONCILE_OPERATIONS": ("reconcile_operations", {"operations": [{"operation_id": {"value": "o"}}]}),
    "MESSAGE": ("message", {"agent_id": AGENT, "executor_id": {"value": "e"}, "data": "AAEC"}),
    "REQUEST": ("request", {"requests": [{"agent_id": AGENT, "resources": []}]}),
    "UPDATE_FRAMEWORK": ("update_framework", {"framework_info": INFO}),
}


def requests() -> list[Request]:
    return [*of_every_type(), *of_one_type()]


def of_every_type() -> list[Request]:
    found = []
    for kind, (name, body) in BODIES.items():
        good = call(kind, **{name: body})
        without_id = {key: value for key, value in good.items() if key != "framework_id"}
        found += [
            Request(f"{kind}", good),
            Request(f"{kind} in protobuf", good, form="protobuf"),
            Request(f"{kind} without its body", call(kind)),
            Request(f"{kind} with an empty body", call(kind, **{name: {}})),
            Request(f"{kind} without a framework id", without_id),
            Request(f"{kind} of an unknown framework", {**good, "framework_id": {"value": "unknown"}}),
            Request(f"{kind} without a framework id or a body", {"type": kind}),
        ]
    return found


def of_one_type() -> list[Request]:
    bodies: dict[str, dict[str, Any]] = {
        "TEARDOWN": call("TEARDOWN"),
        "TEARDOWN in a body": call("TEARDOWN", teardown={"framework_id": {"value": "x"}}),
        "TEARDOWN without a framework id": {"type": "TEARDOWN"},
        "UNKNOWN without a framework id": {"type": "UNKNOWN"},
        "UNKNOWN of an unknown framework": {"type": "UNKNOWN", "framework_id": {"value": "x"}},
        "SUBSCRIBE with another's body": {"type": "SUBSCRIBE", "accept": {}},
        "ACCEPT with another's body": call("ACCEPT", decline={}),
        "KILL with an agent": call("KILL", kill={"task_id": TASK, "agent_id": AGENT}),
        "KILL on an unknown agent": call("KILL", kill={"task_id": TASK, "agent_id": UNKNOWN_AGENT}),
        "KILL of an empty task id": call("KILL", kill={"task_id": {"value": ""}}),
        "KILL with a negative grace period": call(
            "KILL", kill={"task_id": TASK, "kill_policy": {"grace_period": {"nanoseconds": -1}}}
        ),
        "SHUTDOWN on an unknown agent": call(
            "SHUTDOWN", shutdown={"executor_id": {"value": "e"}, "agent_id": UNKNOWN_AGENT}
        ),
        "ACKNOWLEDGE on an unknown agent": call(
            "ACKNOWLEDGE", acknowledge={"agent_id": UNKNOWN_AGENT, "task_id": TASK, "uuid": UUID}
        ),
        "ACKNOWLEDGE without a uuid": call("ACKNOWLEDGE", acknowledge={"agent_id": AGENT, "task_id": TASK}),
        "ACKNOWLEDGE_OPERATION_STATUS without an agent": call(
            "ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status={"uuid": UUID, "operation_id": {"value": "o"}}
        ),
        "ACKNOWLEDGE_OPERATION_STATUS with a short uuid": call(
            "ACKNOWLEDGE_OPERATION_STATUS",
            acknowledge_operation_status={"agent_id": AGENT, "uuid": "AAEC", "operation_id": {"value": "o"}},
        ),
        "ACKNOWLEDGE_OPERATION_STATUS with a short uuid and no agent": call(
            "ACKNOWLEDGE_OPERATION_STATUS",
            acknowledge_operation_status={"uuid": "AAEC", "operation_id": {"value": "o"}},
        ),
        "ACKNOWLEDGE_OPERATION_STATUS of a resource provider": call(
            "ACKNOWLEDGE_OPERATION_STATUS",
            acknowledge_operation_status={
                "agent_id": AGENT,
                "resource_provider_id": {"value": "r"},
                "uuid": UUID,
                "operation_id": {"value": "o"},
            },
        ),
        "RECONCILE of everything": call("RECONCILE", reconcile={"tasks": []}),
        "RECONCILE with an agent": call("RECONCILE", reconcile={"tasks": [{"task_id": TASK, "agent_id": AGENT}]}),
        "RECONCILE with an unknown agent": call(
            "RECONCILE", reconcile={"tasks": [{"task_id": TASK, "agent_id": UNKNOWN_AGENT}]}
        ),
        "RECONCILE of two": call(
            "RECONCILE", reconcile={"tasks": [{"task_id": TASK}, {"task_id": {"value": "b"}, "agent_id": AGENT}]}
        ),
        "RECONCILE_OPERATIONS of everything": call("RECONCILE_OPERATIONS", reconcile_operations={"operations": []}),
        "RECONCILE_OPERATIONS with an agent": call(
            "RECONCILE_OPERATIONS",
            reconcile_operations={"operations": [{"operation_id": {"value": "o"}, "agent_id": AGENT}]},
        ),
        "RECONCILE_OPERATIONS with an unknown agent": call(
            "RECONCILE_OPERATIONS",
            reconcile_operations={"operations": [{"operation_id": {"value": "o"}, "agent_id": UNKNOWN_AGENT}]},
        ),
        "RECONCILE_OPERATIONS without an id": call("RECONCILE_OPERATIONS", reconcile_operations={"operations": [{}]}),
        "MESSAGE to an unknown agent": call(
            "MESSAGE", message={"agent_id": UNKNOWN_AGENT, "executor_id": {"value": "e"}, "data": ""}
        ),
        "MESSAGE without data": call("MESSAGE", message={"agent_id": AGENT, "executor_id": {"value": "e"}}),
        "SUPPRESS of an unknown role": call("SUPPRESS", suppress={"roles": ["nobody"]}),
        "SUPPRESS of a role that is none": call("SUPPRESS", suppress={"roles": ["/a"]}),
        "REVIVE of an unknown role": call("REVIVE", revive={"roles": ["nobody"]}),
        "REVIVE of a role that is none": call("REVIVE", revive={"roles": [""]}),
        "DECLINE with filters": call("DECLINE", decline={"offer_ids": [OFFER], "filters": {"refuse_seconds": 1}}),
        "DECLINE with negative filters": call(
            "DECLINE", decline={"offer_ids": [OFFER], "filters": {"refuse_seconds": -1}}
        ),
        "DECLINE with endless filters": call(
            "DECLINE", decline={"offer_ids": [OFFER], "filters": {"refuse_seconds": "Infinity"}}
        ),
        "REQUEST of a resource that is none": call(
            "REQUEST", request={"requests": [{"resources": [{"name": "", "type": "SCALAR"}]}]}
        ),
    }
    found = [Request(name, body) for name, body in bodies.items()]
    accept = call("RECONCILE_OPERATIONS", reconcile_operations={"operations": []})
    return [
        *found,
        Request("RECONCILE_OPERATIONS with Accept text/html", accept, headers={"Accept": "text/html"}),
        Request("RECONCILE_OPERATIONS with Accept protobuf", accept, headers={"Accept": "application/x-protobuf"}),
    ]
