"""Resources in the form of the agent's flag ``--resources``, read as an agent of an embedded cluster reads it."""

from __future__ import annotations

import json
import re
from typing import Any

from mesos import _core
from mesos.errors import ArgumentValueError
from mesos.helpers._algebra import _amounts, _kinds
from mesos.helpers._algebra._amounts import SCALAR, SCALAR_MAX
from mesos.helpers._algebra._kinds import Entry

_BAD_CHARACTER = re.compile(r"[\s\x7f]", re.ASCII)


def parse(text: str) -> list[Entry]:
    """Reads ``cpus:8;mem:8192;ports:[31000-32000];disks:{a,b}``, with static reservations as in ``cpus(role):2``, or an
    array of resources in JSON.

    :raises ArgumentValueError: the text is neither, or a resource is not valid
    """
    try:
        is_json = text.strip().startswith(("[", "{"))
        entries = _from_json(text) if is_json else [_one(item.strip()) for item in text.split(";") if item.strip()]
        _check(entries)
    except ArgumentValueError as error:
        raise ArgumentValueError(
            f"'{text}' is not a valid list of resources: {error}, as in cpus:8;mem:8192;ports:[31000-32000]"
        ) from None
    return entries


def from_dict(resource: Any) -> Entry:
    """Reads a resource as JSON has it.

    :raises ArgumentValueError: it is not one, or it is not valid
    """
    return _kinds.entry(_core.from_dict("mesos.v1.Resource", resource))


def _from_json(text: str) -> list[Entry]:
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise ArgumentValueError(f"expected an array of resources in JSON: {error}") from None
    if not isinstance(listed, list):
        raise ArgumentValueError(f"expected an array of resources in JSON: got {type(listed).__name__}")
    entries = []
    for each in listed:
        shown = json.dumps(each, separators=(",", ":"), ensure_ascii=False)
        if not isinstance(each, dict):
            raise ArgumentValueError(f"'{shown}': Expecting a JSON object")
        try:
            entries.append(from_dict(each))
        except ArgumentValueError as error:
            raise ArgumentValueError(f"'{shown}': {str(error).partition(' is invalid: ')[2] or error}") from None
    return entries


def _one(item: str) -> Entry:
    try:
        name, colon, value = item.partition(":")
        if not colon:
            raise ArgumentValueError("expected name:value")
        name, parenthesis, role = name.strip().partition("(")
        if parenthesis and not role.endswith(")"):
            raise ArgumentValueError("expected name(role):value")
        if not name.strip():
            raise ArgumentValueError("expected name:value")
        role = role[:-1].strip() if parenthesis else "*"
        check_role(role)
        kind, amount = _amounts.parse(value)
    except ArgumentValueError as error:
        raise ArgumentValueError(f"'{item}': {error}") from None
    return Entry(_kinds.named(name.strip(), kind, role), amount)


def check_role(role: str) -> None:
    """Checks the name of a role.

    :raises ArgumentValueError: it is not valid, in the words of ``roles::validate``
    """
    if role == "*":
        return
    if not role:
        raise ArgumentValueError("Role names cannot be the empty string")
    for found, why in (
        (role.startswith("/"), "cannot start with a slash"),
        (role.endswith("/"), "cannot end with a slash"),
        ("//" in role, "cannot contain two adjacent slashes"),
    ):
        if found:
            raise ArgumentValueError(f"Role '{role}' {why}")
    for part in role.split("/"):
        if part in (".", "..", "*"):
            raise ArgumentValueError(f"Role '{role}' cannot include '{part}' as a component")
        invalid = f"Role component '{part}' is invalid because it"
        if part.startswith("-"):
            raise ArgumentValueError(f"{invalid} starts with a dash")
        if _BAD_CHARACTER.search(part):
            raise ArgumentValueError(f"{invalid} contains backspace or whitespace")


def _check(entries: list[Entry]) -> None:
    """Refuses what a message can say and the flag may not (``validateCommandLineResources``), and sums too large."""
    types: dict[str, int] = {}
    sums: dict[str, int] = {}
    for kind, amount, _ in entries:
        if kind.persistent:
            raise ArgumentValueError("Persistent volumes cannot be specified at the command line")
        if kind.revocable:
            raise ArgumentValueError("Revocable resources cannot be specified at the command line")
        if any(dynamic for dynamic, *_ in kind.reservations):
            raise ArgumentValueError("Dynamic reservations cannot be specified at the command line")
        if types.setdefault(kind.name, kind.type) != kind.type:
            raise ArgumentValueError(
                f"Resources with the same name ('{kind.name}') but different types are not allowed"
            )
        if kind.type == SCALAR:
            sums[kind.name] = sums.get(kind.name, 0) + amount
            if sums[kind.name] > SCALAR_MAX * 1000:
                raise ArgumentValueError(f"'{kind.name}': expected a number from 0 to {SCALAR_MAX}")
