"""Messages as dicts: those that the core makes equal the master's own JSON, and those that it reads say the same."""

from __future__ import annotations

import base64
import json
import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from mesos import _core
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.v1.interface import mesos_pb2, scheduler_pb2

from tests.python.faces import DictFace, JsonFace, subscribed
from tests.python.support import executor

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

MESSAGES = [
    mesos_pb2.FrameworkInfo,
    mesos_pb2.Offer,
    mesos_pb2.TaskInfo,
    mesos_pb2.TaskStatus,
    mesos_pb2.MasterInfo,
    scheduler_pb2.Call,
    scheduler_pb2.Event,
]
INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    # The master itself reads greater ones as floating-point numbers.
    FieldDescriptor.TYPE_UINT64: (0, 2**63 - 1),
}


def is_list(field: FieldDescriptor) -> bool:
    return bool(getattr(field, "is_repeated", None))


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def value(field: FieldDescriptor, chance: random.Random) -> Any:
    """Any value of a field that holds no message."""
    if field.enum_type is not None:
        return chance.choice(field.enum_type.values).number
    if field.type in INTEGERS:
        least, most = INTEGERS[field.type]
        return chance.choice([0, least, most, chance.randint(least, most)])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    if field.type == FieldDescriptor.TYPE_STRING:
        return "".join(chance.choice('aé"\\\n😀 ') for _ in range(chance.randint(0, 4)))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.randint(0, 4))
    assert field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT), field.full_name
    return chance.choice([0.0, 0.5, -1.25, float(chance.randint(-1000, 1000))])


def fill(message: Message, chance: random.Random, depth: int = 5) -> Message:
    """Sets fields of a message at random: the required ones, and some of the others."""
    for field in message.DESCRIPTOR.fields:
        holds_message = field.message_type is not None
        if not field.is_required and (chance.random() > 0.4 or (holds_message and depth <= 0)):
            continue
        member = getattr(message, field.name)
        if is_map(field):
            fill_map(field, member, chance, depth)
            continue
        for _ in range(chance.randint(1, 3) if is_list(field) else 1):
            if holds_message:
                inner = member.add() if is_list(field) else member
                inner.SetInParent()
                fill(inner, chance, depth - 1)
            elif is_list(field):
                member.append(value(field, chance))
            else:
                setattr(message, field.name, value(field, chance))
    return message


def fill_map(field: FieldDescriptor, map_: Any, chance: random.Random, depth: int) -> None:
    key, held = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    for _ in range(chance.randint(1, 3)):
        if held.message_type is not None:
            fill(map_[value(key, chance)], chance, depth - 1)
        else:
            map_[value(key, chance)] = value(held, chance)


def masters_json(message: Message) -> dict[str, Any]:
    """What the master's JSON of a message says (``JSON::protobuf`` of stout): the fields that are set, and those that are
    not and have a default that the proto files name, unless they are deprecated.
    """
    made = {field.name: said(field, found) for field, found in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        if field.has_default_value and not field.GetOptions().deprecated and field.name not in made:
            made[field.name] = one(field, field.default_value)
    return made


def said(field: FieldDescriptor, found: Any) -> Any:
    if is_map(field):
        held = field.message_type.fields_by_name["value"]
        return {str(key): one(held, found[key]) for key in found}
    return [one(field, each) for each in found] if is_list(field) else one(field, found)


def one(field: FieldDescriptor, found: Any) -> Any:
    if field.message_type is not None:
        return masters_json(found)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[found].name
    return base64.b64encode(found).decode() if isinstance(found, bytes) else found


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.DESCRIPTOR.name)
def test_a_dict_equals_the_masters_json_and_says_the_same_when_it_is_read(kind: type[Message]) -> None:
    name = kind.DESCRIPTOR.full_name
    for seed in range(100):
        message = fill(kind(), random.Random(seed))
        made = _core.to_dict(name, message.SerializeToString())
        assert made == masters_json(message), seed
        assert made == json.loads(json.dumps(made)), seed
        again = kind.FromString(_core.from_dict(name, made))
        assert masters_json(again) == made, seed


def test_the_greatest_integer_is_an_integer() -> None:
    message = mesos_pb2.Value.Range(begin=2**63, end=2**64 - 1)
    made = _core.to_dict("mesos.v1.Value.Range", message.SerializeToString())
    assert made == {"begin": 2**63, "end": 2**64 - 1}


def scalar(value: Any) -> dict[str, Any]:
    return {"name": "cpus", "type": "SCALAR", "scalar": {"value": value}}


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("Resource", scalar("0.5"), scalar(0.5)),
        ("Filters", {"refuse_seconds": "5"}, {"refuse_seconds": 5.0}),
        ("CommandInfo", {"shell": "false", "value": "x"}, {"shell": False, "value": "x"}),
        ("TaskID", {"value": "t", "nothing": {"of": ["the", "kind"]}}, {"value": "t"}),
    ],
    ids=["a number as text", "seconds as text", "a boolean as text", "an unknown field"],
)
def test_a_dict_is_read_as_the_master_reads_json(name: str, given: dict[str, Any], read: dict[str, Any]) -> None:
    full_name = f"mesos.v1.{name}"
    made = _core.to_dict(full_name, _core.from_dict(full_name, given))
    assert {key: made[key] for key in read} == {**read, **({"role": "*"} if "role" in read else {})}


@pytest.mark.parametrize(
    ("given", "error", "place"),
    [
        ({"value": b"t"}, ArgumentTypeError, "value"),
        ({"value": {"value": "t"}}, ArgumentValueError, "value"),
        ({}, ArgumentValueError, "value"),
    ],
    ids=["bytes", "a dict for a text", "a required field"],
)
def test_what_is_wrong_in_a_dict_is_named(given: dict[str, Any], error: type[Exception], place: str) -> None:
    with pytest.raises(error, match=place):
        _core.from_dict("mesos.v1.TaskID", given)


def neutral(offers: list[dict[str, Any]]) -> Any:
    """Offers without what differs between two frameworks."""
    text = json.dumps(sorted(offers, key=lambda offer: str(offer["agent_id"]["value"])))
    return json.loads(re.sub(r"-O\d+|[0-9a-f-]{36}-\d{4}", "*", text))


def test_offers_as_dicts_equal_those_of_a_framework_that_speaks_json(master: str) -> None:
    seen = []
    for face in (JsonFace, DictFace):
        with subscribed(face, master) as framework:
            seen.append(neutral(framework.offers(2)))
    assert seen[0] == seen[1]


def test_other_events_as_dicts_equal_those_in_json(master: str, tmp_path: Path) -> None:
    seen = []
    for face in (JsonFace, DictFace):
        go_on = tmp_path / face.__name__
        task = {
            "name": "test",
            "task_id": {"value": "t"},
            "executor": _core.to_dict("mesos.v1.ExecutorInfo", executor().SerializeToString()),
            "data": base64.b64encode(f"say:hello wait:{go_on} exit:3".encode()).decode(),
            "resources": {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
        }
        with subscribed(face, master) as framework:
            offer = framework.offers(1)[0]
            framework.launch(offer, [{**task, "agent_id": offer["agent_id"]}])
            message = framework.wait("MESSAGE", lambda field: field["data"] == base64.b64encode(b"hello").decode())
            go_on.touch()
            failure = framework.wait("FAILURE")
            assert offer["agent_id"] == message.pop("agent_id") == failure.pop("agent_id")
            assert framework.subscribed["framework_id"] == {"value": framework.framework_id}
            seen.append([{**framework.subscribed, "framework_id": None}, message, failure])
    assert seen[0] == seen[1]


def test_a_message_that_is_not_known_is_refused() -> None:
    descriptor: Descriptor = mesos_pb2.TaskID.DESCRIPTOR
    assert _core.to_dict(descriptor.full_name, b"\n\x01t") == {"value": "t"}
    with pytest.raises(ArgumentValueError, match="NoSuch"):
        _core.to_dict("mesos.v1.NoSuch", b"")
