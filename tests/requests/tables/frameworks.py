"""SUBSCRIBE and UPDATE_FRAMEWORK, by what they say of the framework."""

from __future__ import annotations

from typing import Any

from tests.requests import Request
from tests.requests.tables import call, subscribe

MULTI_ROLE = [{"type": "MULTI_ROLE"}]
LONG = "a" * 256
ROLES = (
    "a",
    "a/b",
    "*",
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/..",
    "-a",
    "a b",
    "a\tb",
    "a\\b",
    "a\bb",
    "a\x0bb",
    "a\x7fb",
    "a/*",
    "ä",
    LONG,
)
CONSTRAINT = {
    "attribute_constraints": [
        {"selector": {"attribute_name": "rack"}, "predicate": {"text_equals": {"value": "a"}}},
    ]
}


def requests() -> list[Request]:
    return [*subscriptions(), *updates()]


def infos() -> dict[str, dict[str, Any]]:
    """What a FrameworkInfo may say."""
    capabilities = ("MULTI_ROLE", "GPU_RESOURCES", "PARTITION_AWARE", "TASK_KILLING_STATE", "REGION_AWARE", "UNKNOWN")
    return {
        **{f"the role {role[:20]!r}": {"role": role} for role in ROLES},
        **{f"the roles of {role[:20]!r}": {"roles": [role], "capabilities": MULTI_ROLE} for role in ROLES},
        "no roles with MULTI_ROLE": {"capabilities": MULTI_ROLE},
        "a role with MULTI_ROLE": {"role": "a", "capabilities": MULTI_ROLE},
        "the role * with MULTI_ROLE": {"role": "*", "capabilities": MULTI_ROLE},
        "roles without MULTI_ROLE": {"roles": ["a"]},
        "a role and roles with MULTI_ROLE": {"role": "a", "roles": ["a"], "capabilities": MULTI_ROLE},
        "roles twice": {"roles": ["a", "b", "a"], "capabilities": MULTI_ROLE},
        "roles twice and thrice": {"roles": ["a", "b", "a", "b", "b"], "capabilities": MULTI_ROLE},
        "a role and its child": {"roles": ["a", "a/b"], "capabilities": MULTI_ROLE},
        **{f"the capability {name}": {"capabilities": [{"type": name}]} for name in capabilities},
        "a capability twice": {"capabilities": [{"type": "GPU_RESOURCES"}, {"type": "GPU_RESOURCES"}]},
        **{
            f"a failover_timeout of {seconds}": {"failover_timeout": seconds}
            for seconds in (-1, 0, 1e9, 9223372036, 9223372037, -9223372036, -9223372037, 1e300, "Infinity", 1e-12)
        },
        "a user": {"user": "nobody"},
        "an empty user": {"user": ""},
        "an unknown user": {"user": "no such user"},
        "an empty name": {"name": ""},
        "no name": {"name": None},
        "no user": {"user": None},
        "a principal": {"principal": "p"},
        "an empty principal": {"principal": ""},
        "checkpoint": {"checkpoint": True},
        "a webui_url": {"webui_url": "http://x"},
        "a webui_url that is none": {"webui_url": "x y"},
        "a hostname": {"hostname": "a b"},
        "labels twice": {"labels": {"labels": [{"key": "k"}, {"key": "k"}]}},
        "offer_filters": {"roles": ["a"], "capabilities": MULTI_ROLE, "offer_filters": {"a": {"min_allocatable_resources": {"quantities": [{"quantities": {"cpus": {"value": 1}}}]}}}},
        "offer_filters of another role": {"offer_filters": {"x": {"min_allocatable_resources": {"quantities": [{"quantities": {"cpus": {"value": 1}}}]}}}},
        "offer_filters without quantities": {"offer_filters": {"*": {"min_allocatable_resources": {"quantities": []}}}},
        "offer_filters with empty quantities": {"offer_filters": {"*": {"min_allocatable_resources": {"quantities": [{"quantities": {}}]}}}},
        "offer_filters with negative quantities": {"offer_filters": {"*": {"min_allocatable_resources": {"quantities": [{"quantities": {"cpus": {"value": -1}}}]}}}},
    }  # fmt: skip


def sides() -> dict[str, dict[str, Any]]:
    """What stands beside a FrameworkInfo."""
    regex = {"selector": {"attribute_name": "rack"}, "predicate": {"text_matches": {"regex": "a("}}}

    def group(*constraints: dict[str, Any]) -> dict[str, Any]:
        groups = [{"attribute_constraints": list(constraints)}]
        return {"offer_constraints": {"role_constraints": {"*": {"groups": groups}}}}

    return {
        "its role suppressed": {"suppressed_roles": ["*"]},
        "its role suppressed twice": {"suppressed_roles": ["*", "*"]},
        "another role suppressed": {"suppressed_roles": ["a"]},
        "a role suppressed that is none": {"suppressed_roles": ["/"]},
        "no role suppressed": {"suppressed_roles": []},
        "offer constraints": {"offer_constraints": {"role_constraints": {"*": {"groups": [CONSTRAINT]}}}},
        "empty offer constraints": {"offer_constraints": {}},
        "offer constraints of another role": {"offer_constraints": {"role_constraints": {"a": {"groups": [CONSTRAINT]}}}},
        "offer constraints without groups": {"offer_constraints": {"role_constraints": {"*": {}}}},
        "offer constraints with an empty group": {"offer_constraints": {"role_constraints": {"*": {"groups": [{}]}}}},
        "offer constraints with a bad regular expression": group(regex),
        "offer constraints without a selector": group({"predicate": {"exists": {}}}),
        "offer constraints with an empty selector": group({"selector": {}, "predicate": {"exists": {}}}),
        "offer constraints without a predicate": group({"selector": {"attribute_name": "rack"}}),
        "offer constraints with an empty predicate": group({"selector": {"attribute_name": "rack"}, "predicate": {}}),
        "offer constraints on the host's name": group({"selector": {"pseudoattribute_type": "HOSTNAME"}, "predicate": {"exists": {}}}),
        "offer constraints on UNKNOWN": group({"selector": {"pseudoattribute_type": "UNKNOWN"}, "predicate": {"exists": {}}}),
    }  # fmt: skip


def subscriptions() -> list[Request]:
    def id_(value: Any) -> dict[str, Any]:
        return {"id": {"value": value}}

    def own(value: Any) -> dict[str, Any]:
        return {"framework_id": {"value": value}}

    ids = ("given", LONG, "a/b", "a\\b", ".", "..", " ", "a b", "ä", "a\nb", "a\x7fb")
    found = {
        **{f"SUBSCRIBE with {what}": subscribe(**info) for what, info in infos().items()},
        **{f"SUBSCRIBE with {what}": subscribe(side) for what, side in sides().items()},
        **{f"SUBSCRIBE with the id {value[:20]!r}": subscribe(call=own(value), **id_(value)) for value in ids},
        "SUBSCRIBE with an id in the info alone": subscribe(**id_("given")),
        "SUBSCRIBE with an id in the call alone": subscribe(call=own("given")),
        "SUBSCRIBE with two ids": subscribe(call=own("given"), **id_("other")),
        "SUBSCRIBE with an empty id": subscribe(call=own(""), **id_("")),
        "SUBSCRIBE with an empty id in the info alone": subscribe(**id_("")),
        "SUBSCRIBE with an empty id in the call alone": subscribe(call=own("")),
        "SUBSCRIBE without a FrameworkInfo": {"type": "SUBSCRIBE", "subscribe": {}},
        "SUBSCRIBE without its body": {"type": "SUBSCRIBE"},
        "SUBSCRIBE with force": subscribe({"force": True}),
    }
    again = subscribe(call=own("@framework"), **id_("@framework"))
    return [
        *(Request(name, body, scene="nobody") for name, body in found.items()),
        Request("SUBSCRIBE again", again, headers={"Mesos-Stream-Id": None}),
        Request("SUBSCRIBE again with its stream id", again),
        Request("SUBSCRIBE again with another principal", subscribe(call=own("@framework"), principal="p", **id_("@framework")), headers={"Mesos-Stream-Id": None}),
        Request("SUBSCRIBE again with another user", subscribe(call=own("@framework"), user="nobody", **id_("@framework")), headers={"Mesos-Stream-Id": None}),
        Request("SUBSCRIBE again with a bad role", subscribe(call=own("@framework"), role="/", **id_("@framework")), headers={"Mesos-Stream-Id": None}),
    ]  # fmt: skip


def updates() -> list[Request]:
    def update(side: dict[str, Any] | None = None, **info: Any) -> dict[str, Any]:
        framework = {"user": "root", "name": "requests", "id": {"value": "@framework"}, **info}
        framework = {name: value for name, value in framework.items() if value is not None}
        return call("UPDATE_FRAMEWORK", update_framework={"framework_info": framework, **(side or {})})

    found = {
        **{f"UPDATE_FRAMEWORK with {what}": update(**info) for what, info in infos().items()},
        **{f"UPDATE_FRAMEWORK with {what}": update(side) for what, side in sides().items()},
        "UPDATE_FRAMEWORK without an id in the info": update(id=None),
        "UPDATE_FRAMEWORK with another id in the info": update(id={"value": "other"}),
        "UPDATE_FRAMEWORK with another user and checkpoint": update(user="nobody", checkpoint=True),
        "UPDATE_FRAMEWORK with another principal and user": update(user="nobody", principal="p"),
        "UPDATE_FRAMEWORK with another principal and a bad role": update(principal="p", role="/"),
    }
    return [Request(name, body) for name, body in found.items()]
