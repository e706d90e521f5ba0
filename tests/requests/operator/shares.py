"""Weights and quotas."""

from __future__ import annotations

from typing import Any

from tests.requests import Request
from tests.requests.operator.calls import QUOTA_REQUEST, call
from tests.requests.scenes import guarantee
from tests.requests.stage import scalar

AFTERWARDS = ({"type": "GET_WEIGHTS"}, {"type": "GET_ROLES"})
QUOTAS = ({"type": "GET_QUOTA"}, {"type": "GET_ROLES"})


def requests() -> list[Request]:
    return [*weights(), *updates(), *old_quotas()]


def weights() -> list[Request]:
    cases: dict[str, list[dict[str, Any]]] = {
        "one": [{"role": "role", "weight": 2.5}],
        "two": [{"role": "role", "weight": 2.5}, {"role": "a/b", "weight": 0.5}],
        "none": [],
        "a role twice": [{"role": "role", "weight": 2.5}, {"role": "role", "weight": 3}],
        "nothing": [{"role": "role", "weight": 0}],
        "less than nothing": [{"role": "role", "weight": -1}],
        "the role *": [{"role": "*", "weight": 2}],
        "an empty role": [{"role": "", "weight": 2}],
        "a role with a blank": [{"role": "a b", "weight": 2}],
        "a role with blanks around": [{"role": " role ", "weight": 2}],
        "a role that begins with a slash": [{"role": "/a", "weight": 2}],
        "a role of a dot": [{"role": ".", "weight": 2}],
        "a role that begins with a minus": [{"role": "-a", "weight": 2}],
        "a weight without a role": [{"weight": 2}],
        "a role without a weight": [{"role": "role"}],
        "a weight of text": [{"role": "role", "weight": "2.5"}],
        "the weight that roles have": [{"role": "role", "weight": 1}],
    }
    kind = "UPDATE_WEIGHTS"
    made = [
        Request(f"{kind}: {what}", call(kind, weight_infos=infos), scene="nobody", then=AFTERWARDS)
        for what, infos in cases.items()
    ]
    one = cases["one"]
    return [
        *made,
        Request(f"{kind}: one, in protobuf", call(kind, weight_infos=one), form="protobuf", scene="nobody", then=AFTERWARDS),
        Request(f"{kind}: one that is set", call(kind, weight_infos=[{"role": "role", "weight": 1}]), scene="shared", then=AFTERWARDS),
        Request(f"{kind}: of a framework's role", call(kind, weight_infos=one), scene="running", then=AFTERWARDS),
    ]  # fmt: skip


def updates() -> list[Request]:
    both = {**guarantee("role", cpus=4), "guarantees": {"cpus": {"value": 2}}}
    cases: dict[str, dict[str, Any]] = {
        "one": {"quota_configs": [guarantee("role", cpus=1)]},
        "two": {"quota_configs": [guarantee("role", cpus=1), guarantee("a", mem=10, disk=5)]},
        "none": {"quota_configs": []},
        "without limits": {"quota_configs": [{"role": "role"}]},
        "without a role": {"quota_configs": [{"limits": {"cpus": {"value": 1}}}]},
        "the role *": {"quota_configs": [guarantee("*", cpus=1)]},
        "an empty role": {"quota_configs": [guarantee("", cpus=1)]},
        "a role with a blank": {"quota_configs": [guarantee("a b", cpus=1)]},
        "a role within another": {"quota_configs": [guarantee("a/b", cpus=1)]},
        "a role twice": {"quota_configs": [guarantee("role", cpus=1), guarantee("role", cpus=2)]},
        "less than nothing": {"quota_configs": [guarantee("role", cpus=-1)]},
        "nothing": {"quota_configs": [guarantee("role", cpus=0)]},
        "guarantees": {"quota_configs": [both]},
        "guarantees alone": {"quota_configs": [{"role": "role", "guarantees": {"cpus": {"value": 2}}}]},
        "guarantees above the limits": {"quota_configs": [{**guarantee("role", cpus=1), "guarantees": {"cpus": {"value": 2}}}]},
        "guarantees of more than there is": {
            "quota_configs": [{**guarantee("role", cpus=900), "guarantees": {"cpus": {"value": 900}}}]
        },
        "guarantees of more than there is, by force": {
            "force": True,
            "quota_configs": [{**guarantee("role", cpus=900), "guarantees": {"cpus": {"value": 900}}}],
        },
        "limits of more than there is": {"quota_configs": [guarantee("role", cpus=900)]},
        "an unknown resource": {"quota_configs": [guarantee("role", bananas=1)]},
        "an empty resource": {"quota_configs": [{"role": "role", "limits": {"": {"value": 1}}}]},
        "a limit of text": {"quota_configs": [{"role": "role", "limits": {"cpus": 1}}]},
        "a limit without its value": {"quota_configs": [{"role": "role", "limits": {"cpus": {}}}]},
        "limits as a list": {"quota_configs": [{"role": "role", "limits": [{"cpus": {"value": 1}}]}]},
        "a limit that is large": {"quota_configs": [guarantee("role", cpus=1e18)]},
    }  # fmt: skip
    used = {
        "less than is used": {"quota_configs": [guarantee("role", cpus=0.1)]},
        "less than is used, by force": {"force": True, "quota_configs": [guarantee("role", cpus=0.1)]},
        "more than is used": {"quota_configs": [guarantee("role", cpus=4)]},
    }
    kind = "UPDATE_QUOTA"
    return [
        *(Request(f"{kind}: {what}", call(kind, **body), scene="nobody", then=QUOTAS) for what, body in cases.items()),
        Request(f"{kind}: one, in protobuf", call(kind, **cases["two"]), form="protobuf", scene="nobody", then=QUOTAS),
        *(Request(f"{kind}: {what}", call(kind, **body), scene="running", then=QUOTAS) for what, body in used.items()),
        Request(f"{kind}: of one that is set", call(kind, quota_configs=[guarantee("role", cpus=1)]), scene="shared", then=QUOTAS),
        Request(f"{kind}: none of one that is set", call(kind, quota_configs=[{"role": "role"}]), scene="shared", then=QUOTAS),
        Request(f"{kind}: a child above its parent", call(kind, quota_configs=[guarantee("role/child", cpus=5)]), scene="shared", then=QUOTAS),
        Request(f"{kind}: a child within its parent", call(kind, quota_configs=[guarantee("role/child", cpus=3)]), scene="shared", then=QUOTAS),
    ]  # fmt: skip


def old_quotas() -> list[Request]:
    def changed(**fields: Any) -> dict[str, Any]:
        return call("SET_QUOTA", quota_request={**QUOTA_REQUEST, **fields})

    cases: dict[str, dict[str, Any]] = {
        "one": changed(),
        "without force": changed(force=False),
        "more than there is": changed(force=False, guarantee=[scalar("cpus", 900)]),
        "more than there is, by force": changed(guarantee=[scalar("cpus", 900)]),
        "without a role": changed(role=None),
        "the role *": changed(role="*"),
        "an empty role": changed(role=""),
        "a role with a blank": changed(role="a b"),
        "no guarantee": changed(guarantee=[]),
        "a resource twice": changed(guarantee=[scalar("cpus", 1), scalar("cpus", 2)]),
        "a reserved resource": changed(guarantee=[scalar("cpus", 1, role="role")]),
        "nothing of a resource": changed(guarantee=[scalar("cpus", 0)]),
        "less than nothing": changed(guarantee=[scalar("cpus", -1)]),
        "ports": changed(guarantee=[{"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}}]),
        "an unknown resource": changed(guarantee=[scalar("bananas", 1)]),
    }  # fmt: skip
    return [
        *(Request(f"SET_QUOTA: {what}", body, scene="nobody", then=QUOTAS) for what, body in cases.items()),
        Request("SET_QUOTA: of one that is set", changed(), scene="shared", then=QUOTAS),
        *(
            Request(f"REMOVE_QUOTA: {what}", call("REMOVE_QUOTA", role=role), scene="shared", then=QUOTAS)
            for what, role in {
                "one": "role",
                "one that is not set": "nobody",
                "the role *": "*",
                "an empty role": "",
                "a role with a blank": "a b",
            }.items()
        ),
    ]
