"""How operators decide who gets how much: weights and quotas, on the embedded cluster and on the real Mesos."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.python.test_operator import JSON, ask

# Roles that no other test uses.
A, B = "sharing-a", "sharing-b"


def call(master: str, kind: str, **body: Any) -> tuple[int, str]:
    """The status and the body of an answer to a call of the operator API."""
    status, _, answer = ask(master, json.dumps({"type": kind, **body}).encode(), JSON)
    return status, answer.decode()


def asked(master: str, method: str, path: str, body: str = "") -> tuple[int, str]:
    """The status and the body of an answer to a request without the operator API."""
    status, _, answer = ask(master, body.encode(), JSON if body else None, path=path, method=method)
    return status, answer.decode()


def weights(*pairs: tuple[str, float]) -> dict[str, Any]:
    return {"update_weights": {"weight_infos": [{"role": role, "weight": weight} for role, weight in pairs]}}


def amounts(**amounts: float) -> dict[str, Any]:
    return {name: {"value": amount} for name, amount in amounts.items()}


def quota(role: str, guarantees: Any = None, limits: Any = None, *, force: bool = False) -> dict[str, Any]:
    config = {"role": role, "guarantees": guarantees or {}, "limits": limits or {}}
    return {"update_quota": {"force": force, "quota_configs": [config]}}


def request(role: str, *guarantee: dict[str, Any], force: bool = False) -> dict[str, Any]:
    return {"role": role, "force": force, "guarantee": list(guarantee)}


def scalar(name: str, amount: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": amount}, **more}


def configured(master: str, role: str) -> list[Any]:
    """The quotas that the master tells of a role."""
    status = json.loads(call(master, "GET_QUOTA")[1])["get_quota"]["status"]
    return [config for config in status.get("configs", []) if config["role"] == role]


WEIGHTS = "Failed to validate update weights request JSON"


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (weights(("/a", 1)), f"{WEIGHTS}: Invalid role '/a': Role '/a' cannot start with a slash"),
        (weights(("", 1)), f"{WEIGHTS}: Invalid role '': Role names cannot be the empty string"),
        (weights((A, 0)), f"{WEIGHTS} for role '{A}': Invalid weight '0': Weights must be positive"),
        (weights((A, 2), (B, -1.5)), f"{WEIGHTS} for role '{B}': Invalid weight '-1.5': Weights must be positive"),
        ({}, "Failed to validate master::Call: Expecting 'update_weights' to be present"),
    ],
)
def test_weights_that_are_not_valid_are_refused(master: str, update: dict[str, Any], words: str) -> None:
    assert call(master, "UPDATE_WEIGHTS", **update) == (400, words)


def test_weights_are_read_as_they_were_written(master: str) -> None:
    assert call(master, "UPDATE_WEIGHTS", **weights((A, 2.5), (f" {B} ", 3))) == (200, "")
    infos = json.loads(call(master, "GET_WEIGHTS")[1])["get_weights"]["weight_infos"]
    assert {"role": A, "weight": 2.5} in infos
    assert {"role": B, "weight": 3} in infos
    body = json.dumps([{"role": A, "weight": 1.0}, {"role": B, "weight": 1.0}])
    assert asked(master, "PUT", "/weights", body) == (200, "")
    assert {"role": A, "weight": 1.0} in json.loads(asked(master, "GET", "/master/weights")[1])
    assert asked(master, "PUT", "/weights", "{}") == (
        400,
        "Failed to parse update weights request JSON '{}': Unexpected JSON type parsed",
    )
    words = "405 Method Not Allowed. Expecting one of { 'GET', 'PUT' }, but received 'POST'."
    assert asked(master, "POST", "/weights", "[]") == (405, words)


QUOTA = "Invalid QuotaConfig"
SET = "Failed to validate set quota request"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("UPDATE_QUOTA", {}, "Failed to validate master::Call: Expecting 'update_quota' to be present"),
        ("UPDATE_QUOTA", quota(f"{A}/x"), f"Updating quota on nested role '{A}/x' is not supported yet"),
        ("UPDATE_QUOTA", quota(""), f"{QUOTA}: Invalid 'QuotaConfig.role': Role names cannot be the empty string"),
        (
            "UPDATE_QUOTA",
            quota(A, amounts(cpus=2), amounts(cpus=1)),
            f"{QUOTA}: 'QuotaConfig.guarantees' {{ cpus: 2 }} is not contained within the"
            " 'QuotaConfig.limits' { cpus: 1 }",
        ),
        (
            "UPDATE_QUOTA",
            quota(A, amounts(cpus=-1)),
            f"{QUOTA}: Invalid guarantee configuration {{'cpus': -1}}: Negative values not supported",
        ),
        ("SET_QUOTA", {}, "Failed to validate master::Call: Expecting 'set_quota' to be present"),
        ("SET_QUOTA", {"set_quota": {"quota_request": request(A)}}, f"{SET}: QuotaInfo with empty 'guarantee'"),
        (
            "SET_QUOTA",
            {"set_quota": {"quota_request": request(A, scalar("cpus", 1), scalar("cpus", 1))}},
            f"{SET}: QuotaInfo contains duplicate resource name 'cpus'",
        ),
        (
            "SET_QUOTA",
            {"set_quota": {"quota_request": request(A, scalar("cpus", 1, revocable={}))}},
            f"{SET}: QuotaInfo must not contain RevocableInfo",
        ),
        (
            "SET_QUOTA",
            {"set_quota": {"quota_request": request(f"{A}/x", scalar("cpus", 1))}},
            f"{SET}: Invalid quota configuration. Parent role '{A}' with guarantees ({{}}) does not contain the sum of"
            " its children's guarantees (cpus:1)",
        ),
        ("REMOVE_QUOTA", {}, "Failed to validate master::Call: Expecting 'remove_quota' to be present"),
    ],
)
def test_quotas_that_are_not_valid_are_refused(master: str, kind: str, body: dict[str, Any], words: str) -> None:
    assert call(master, kind, **body) == (400, words)


def test_more_than_there_is_is_guaranteed_only_by_force(master: str) -> None:
    much = amounts(cpus=1e6)
    status, words = call(master, "UPDATE_QUOTA", **quota(A, much))
    assert status == 400
    assert words.startswith(f"{QUOTA}: total quota guarantees 'cpus:1000000' exceed cluster capacity 'cpus:")
    try:
        assert call(master, "UPDATE_QUOTA", **quota(A, much, force=True)) == (200, "")
    finally:
        assert call(master, "UPDATE_QUOTA", **quota(A)) == (200, "")
    assert configured(master, A) == [{"role": A}], "a quota of nothing is one"
    assert call(master, "REMOVE_QUOTA", remove_quota={"role": A}) == (200, "")
    assert configured(master, A) == []


def test_a_quota_of_the_older_kind_is_set_once(master: str) -> None:
    body = json.dumps(request(B, scalar("cpus", 0.5)))
    try:
        assert asked(master, "POST", "/quota", body) == (200, "")
        words = f"{SET}: Cannot set quota for role '{B}' which already has quota"
        assert asked(master, "POST", "/quota", body) == (400, words)
        assert configured(master, B) == [
            {"role": B, "guarantees": amounts(cpus=0.5), "limits": amounts(cpus=0.5)},
        ]
        infos = json.loads(asked(master, "GET", "/master/quota")[1])["infos"]
        assert {"role": B, "guarantee": [scalar("cpus", 0.5)]} in infos
    finally:
        assert asked(master, "DELETE", f"/master/quota/{B}") == (200, "")
    words = f"Failed to remove quota for path '/master/quota/{B}': Role '{B}' has no quota set"
    assert asked(master, "DELETE", f"/quota/{B}") == (400, words)
