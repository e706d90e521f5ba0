"""What the real master makes of a framework's JSON, and of the bytes that the core makes of the same dicts."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from mesos import _core
from mesos.errors import ArgumentValueError
from mesos.v1.interface import master_pb2, mesos_pb2

from tests.python.faces import PATH, DictFace, Face, JsonFace, RefusedError, subscribed
from tests.python.support import executor, wait_until
from tests.python.test_dicts import fill, is_list, is_map, masters_json
from tests.requests import wire

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

    from tests.apache_mesos import ApacheMesos

CALL = "mesos.v1.scheduler.Call"
CONVERTED = "Failed to convert JSON into Call protobuf: "
ENDS = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST")
FLOATING = (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT)
# Fields of tasks of which most values are valid, and others of which one is added to each task.
OFTEN = ("discovery", "labels", "data", "name")
SELDOM = ("container", "check", "health_check", "kill_policy", "max_completion_time", "limits")


def tasks_of(offer: dict[str, Any], fields: list[dict[str, Any]], *program: str) -> list[dict[str, Any]]:
    """Tasks of an executor with these fields."""
    info = executor(*(program or ("mirror.py", ""))).SerializeToString()
    made = {"name": "test", "agent_id": offer["agent_id"], "executor": _core.to_dict("mesos.v1.ExecutorInfo", info)}
    made["resources"] = [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.001}}]
    return [{**made, "task_id": {"value": str(number)}, **each} for number, each in enumerate(fields)]


def last_updates(face: Face, number: int) -> list[dict[str, Any]]:
    """The terminal updates of so many tasks, in the tasks' order."""
    found: dict[int, dict[str, Any]] = {}
    while len(found) < number:
        status = face.wait("UPDATE")["status"]
        if "uuid" in status:
            face.acknowledge(status)
        if status["state"] in ENDS:
            found[int(status["task_id"]["value"])] = status
    return [found[each] for each in range(number)]


def mirrored(face: type[Face], master: str, fields: list[dict[str, Any]]) -> list[Any]:
    """Launches tasks with these fields; each as its executor gets it, or why the master or the agent refuses
    it.
    """
    with subscribed(face, master) as framework:
        offer = framework.offers(1)[0]
        framework.launch(offer, tasks_of(offer, fields))
        return [seen(status) for status in last_updates(framework, len(fields))]


def seen(status: dict[str, Any]) -> Any:
    if status["state"] != "TASK_FINISHED":
        return status["message"]
    task = mesos_pb2.TaskInfo.FromString(base64.b64decode(status["data"]))
    for name in ("agent_id", "executor"):
        task.ClearField(name)
    return task


def both(master: str, fields: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    """What comes of each dict if the master reads it as JSON, and if the core makes bytes of it."""
    theirs, ours = (mirrored(face, master, fields) for face in (JsonFace, DictFace))
    return list(zip(theirs, ours, strict=True))


def respelled(descriptor: Descriptor, said: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Says the same in another way."""
    made: dict[str, Any] = {}
    for name, value in said.items():
        field = descriptor.fields_by_name[name]
        if is_map(field):
            held = field.message_type.fields_by_name["value"]
            made[name] = {key: one(held, each, chance) for key, each in value.items()}
        elif is_list(field):
            items = [one(field, each, chance) for each in value]
            made[name] = items[0] if len(items) == 1 and chance.random() < 0.5 else items
        else:
            made[name] = one(field, value, chance)
    for field in descriptor.fields:
        if field.name not in made and chance.random() < 0.2:
            made[field.name] = [None] if is_list(field) else None
    if chance.random() < 0.2:
        made["no_such_field"] = {"of": ["any", 1, None, {"kind": True}]}
    return made


def one(field: FieldDescriptor, value: Any, chance: random.Random) -> Any:
    if field.message_type is not None:
        return respelled(field.message_type, value, chance)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.choice([value, value.rstrip("="), " ".join(value), value + "=="])
    if field.enum_type is not None or isinstance(value, str):
        return value
    as_text = json.dumps(value)
    whole = not isinstance(value, bool) and (field.type in FLOATING or abs(value) < 2**53)
    return chance.choice([value, as_text, " " + as_text, float(value) if whole else value])


@pytest.mark.apache
def test_tasks_at_random_are_read_as_the_master_reads_them(apache_mesos: ApacheMesos) -> None:
    fields = []
    for seed in range(120):
        chance = random.Random(seed)
        said = masters_json(fill(mesos_pb2.TaskInfo(), chance, 8))
        kept = {name: said[name] for name in (*OFTEN, chance.choice(SELDOM)) if name in said}
        made = respelled(mesos_pb2.TaskInfo.DESCRIPTOR, kept, chance)
        fields.append({name: made[name] for name in (*kept, "no_such_field") if name in made})
    pairs = both(apache_mesos.address, fields)
    assert [(seed, theirs, ours) for seed, (theirs, ours) in enumerate(pairs) if theirs != ours] == []
    assert sum(isinstance(theirs, mesos_pb2.TaskInfo) for theirs, _ in pairs) > 60


def port(number: Any) -> dict[str, Any]:
    """A task with an unsigned number of 32 bits."""
    return {"discovery": {"visibility": "FRAMEWORK", "ports": {"ports": [{"number": number}]}}}


def duration(number: Any) -> dict[str, Any]:
    """A task with a number of 64 bits, which must not be negative."""
    return {"kill_policy": {"grace_period": {"nanoseconds": number}}}


def rlimit(number: Any) -> dict[str, Any]:
    """A task with an unsigned number of 64 bits."""
    limits = [{"type": "RLMT_CORE", "soft": number, "hard": number}]
    return {"container": {"type": "MESOS", "rlimit_info": {"rlimits": limits}}}


def delay(number: Any) -> dict[str, Any]:
    """A task with a floating-point number, which must not be negative."""
    return {"health_check": {"type": "COMMAND", "command": {"value": "true"}, "delay_seconds": number}}


def limit(number: Any) -> dict[str, Any]:
    """A task with a floating-point number in a map."""
    return {"limits": {"cpus": {"value": number}}}


def linux(**fields: Any) -> dict[str, Any]:
    return {"container": {"type": "MESOS", "linux_info": fields}}


def labels(*given: Any) -> dict[str, Any]:
    return {"labels": {"labels": list(given)}}


NUMBERS: list[Any] = [
    *(0, 1, -1, 1.9, -1.9, -0.0, 1e300, -1e300, 4294967296.7, 4294967301.0, -4294967297.5, 1e20, -1e20),
    *(edge + step for edge in (2**31, 2**32, 2**63, 2**64) for step in (-1, 0, 1, 2048)),
    *(-edge + step for edge in (2**31, 2**63) for step in (-1, 0, 1, -2048)),
    *("5", " 5", "\n5", "1e2", "-7", "-1.5", "007", "1E+2", "9223372036854775807", "9223372036854775808", "18446744073709551615"),
]  # fmt: skip
READ = [
    *itertools.starmap(lambda make, number: make(number), itertools.product((port, duration, rlimit, delay), NUMBERS)),
    *(delay(number) for number in ("Infinity", "-Infinity", None)),
    *(limit(number) for number in (1, "1.5", "Infinity", "-Infinity")),
    {"labels": {"labels": {"key": "single"}}},
    labels({"key": "a"}, None, [{"key": "b"}, [{"key": "c"}]]),
    labels(),
    {"labels": {}},
    {"labels": None},
    {"name": "nul \0, é, 😀, \x7f, \u2028"},
    {"labels": {"labels": [{"key": "a", "key ": "b", "KEY": 1, "": []}]}},
    *({"data": text} for text in ("", "AAEC", "AAE=", "AAE", "AA==rubbish", "A A\nE\tC", "A", "====", "/+8=", "AAECA")),
    linux(share_pid_namespace="true"),
    linux(share_pid_namespace=" false"),
    linux(share_pid_namespace=True),
    linux(effective_capabilities={"capabilities": ["CHOWN", "NO_SUCH", "KILL"]}),
    linux(effective_capabilities={"capabilities": "CHOWN"}),
    linux(effective_capabilities={"capabilities": "NO_SUCH"}),
    linux(ipc_mode="NO_SUCH"),
    {"check": {"type": "NO_SUCH"}},
    {"limits": [{"cpus": {"value": 1}}, None, {"mem": {"value": 2}, "cpus": {"value": 3}}]},
    {"limits": {}},
    {"limits": None},
]  # fmt: skip


@pytest.mark.apache
def test_what_can_be_read_in_several_ways_is_read_as_the_master_reads_it(apache_mesos: ApacheMesos) -> None:
    pairs = both(apache_mesos.address, READ)
    assert [each for each in zip(READ, pairs, strict=True) if each[1][0] != each[1][1]] == []


REFUSED = [
    *(make(number) for make in (port, duration, rlimit, delay, limit) for number in ("5 ", "0x10", "+5", "", ".5", "x", "true", "null", True, [1], {})),
    *(make(number) for make in (port, duration, rlimit) for number in ("Infinity", "NaN")),
    *(delay(number) for number in ("NaN", "nan", "infinity", "+Infinity")),
    *({"name": value} for value in (1, 1.5, True, [], ["a"], {}, {"value": "a"})),
    *({"labels": value} for value in (1, "a", True, [], [{"labels": []}])),
    *(labels(value) for value in ({}, {"key": None}, {"key": 1}, 1, "a", True, {"value": "a"})),
    *({"data": value} for value in ("%%", "_-8=", 1, True, {}, [])),
    *({"discovery": {"visibility": value}} for value in ("NO_SUCH", 1, "1", None, "framework", {}, [])),
    *(linux(share_pid_namespace=value) for value in (1, 0, "1", "True", "", "yes", [True])),
    *(linux(effective_capabilities={"capabilities": value}) for value in (1, True, {}, [1], [["CHOWN", 2]])),
    *({"limits": value} for value in ("a", 1, True, {"cpus": 1}, {"cpus": "a"}, {"cpus": [1]}, ["a"])),
    {"limits": {"cpus": {}}},
    {"limits": {"cpus": None}},
]  # fmt: skip
# The real one finds that something is missing in a map, and does not say what.
UNNAMED = "Missing required fields: "
UNWRITTEN = [
    {"name": "\ud800"},
    {"\udc00": "name"},
    delay(10**400),
    delay(math.inf),
    delay(math.nan),
    {"no_such_field": json.loads("[" * 201 + "]" * 201)},
]


def accept(fields: dict[str, Any]) -> dict[str, Any]:
    launch = {"type": "LAUNCH", "launch": {"task_infos": tasks_of({"agent_id": {"value": "a"}}, [fields])}}
    accept = {"offer_ids": [], "operations": [launch]}
    return {"type": "ACCEPT", "framework_id": {"value": "nobody"}, "accept": accept}


def words_of_master(master: str, call: dict[str, Any]) -> str:
    with contextlib.closing(wire.post(master, PATH, call)) as exchange:
        assert exchange.status == 400
        return exchange.body().decode().rstrip("\0")


def words_of_core(call: dict[str, Any]) -> str:
    with pytest.raises(ArgumentValueError) as raised:
        _core.from_dict(CALL, call)
    return str(raised.value)


@pytest.mark.apache
def test_what_the_master_refuses_is_refused_with_its_words(apache_mesos: ApacheMesos) -> None:
    calls = [accept(fields) for fields in REFUSED]
    theirs = [words_of_master(apache_mesos.address, call) for call in calls]
    assert [(words, call) for words, call in zip(theirs, calls, strict=True) if not words.startswith(CONVERTED)] == []
    wanted = [words.removeprefix(CONVERTED) for words in theirs]
    ours = [UNNAMED if words == UNNAMED else words_of_core(call) for words, call in zip(wanted, calls, strict=True)]
    assert ours == wanted
    assert all(
        words_of_core(call).startswith(UNNAMED) for words, call in zip(wanted, calls, strict=True) if words == UNNAMED
    )


@pytest.mark.apache
def test_what_is_no_json_for_the_master_is_refused(apache_mesos: ApacheMesos) -> None:
    for call in map(accept, UNWRITTEN):
        assert words_of_master(apache_mesos.address, call).startswith("Failed to parse body into JSON: ")
        words_of_core(call)


def known(master: str, framework: Face) -> Any:
    """What the master says of a framework."""
    call = {"type": "GET_FRAMEWORKS"}
    with contextlib.closing(wire.post(master, "/api/v1", call, Accept=wire.PROTOBUF)) as exchange:
        answer = master_pb2.Response.FromString(exchange.body())
    found = (each.framework_info for each in answer.get_frameworks.frameworks)
    seen = next(each for each in found if each.id.value == framework.framework_id)
    seen.ClearField("id")
    return seen


def framework_of(face: type[Face], master: str, info: dict[str, Any]) -> Any:
    """What the master says of a framework that subscribed with this information, or why it refuses it."""
    with contextlib.ExitStack() as stack:
        try:
            framework = stack.enter_context(subscribed(face, master, info))
        except RefusedError as error:
            return str(error)
        return known(master, framework)


def updated(face: type[Face], master: str, info: dict[str, Any]) -> Any:
    """What the master says of a framework that changed its information."""
    with subscribed(face, master, INFO) as framework:
        changed = {**info, "name": "changed", "id": {"value": framework.framework_id}}
        framework.call({"type": "UPDATE_FRAMEWORK", "update_framework": {"framework_info": changed}})
        wait_until(lambda: known(master, framework).name == "changed", "the framework is updated")
        return known(master, framework)


# The host name is one that the driver would fill in.
INFO = {"user": "somebody", "name": "test", "hostname": "host"}
MAY_CHANGE = (*INFO, "labels", "webui_url", "failover_timeout", "no_such_field")
SAFE = ("labels", "webui_url", "failover_timeout", "offer_filters", "checkpoint", "principal")
INFOS: list[dict[str, Any]] = [
    *({**INFO, "failover_timeout": number} for number in (-1, "-1.5", "1e300", "Infinity", "-Infinity", 2**63, 2**64, -(2**64))),
    {**INFO, "checkpoint": "true", "webui_url": None},
    {**INFO, "capabilities": {"type": "MULTI_ROLE"}, "roles": "a"},
    {**INFO, "capabilities": [{"type": "MULTI_ROLE"}, {"type": "NO_SUCH"}, {}, {"type": None}], "roles": ["a", ["b", None]]},
    {**INFO, "offer_filters": {"*": {}, "a": None}},
    {**INFO, "offer_filters": {"*": {"min_allocatable_resources": {"quantities": {"quantities": {"cpus": {"value": "1"}}}}}}},
    {**INFO, "offer_filters": [{"*": {"no_such": 1}}, {"a": {"min_allocatable_resources": {"quantities": []}}}]},
    {**INFO, "labels": {"labels": [{"key": "", "value": None}, {"key": "\0"}]}},
]  # fmt: skip


def random_info(seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    said = masters_json(fill(mesos_pb2.FrameworkInfo(), chance, 6))
    made = respelled(mesos_pb2.FrameworkInfo.DESCRIPTOR, {name: said[name] for name in SAFE if name in said}, chance)
    return {**INFO, **{name: made[name] for name in (*SAFE, "no_such_field") if name in made}}


@pytest.mark.apache
def test_frameworks_are_read_as_the_master_reads_them(apache_mesos: ApacheMesos) -> None:
    infos = [*INFOS, *map(random_info, range(25))]
    for info in infos:
        theirs, ours = (framework_of(face, apache_mesos.address, info) for face in (JsonFace, DictFace))
        assert ours == theirs, info


@pytest.mark.apache
def test_updates_of_frameworks_are_read_as_the_master_reads_them(apache_mesos: ApacheMesos) -> None:
    for seed in range(10):
        info = {name: value for name, value in random_info(seed).items() if name in MAY_CHANGE}
        theirs, ours = (updated(face, apache_mesos.address, info) for face in (JsonFace, DictFace))
        assert ours == theirs, info


STATUS = ("message", "data", "healthy", "labels", "check_status", "container_status", "reason")
CHECKS: list[dict[str, Any]] = [
    {"type": "COMMAND", "command": {"exit_code": -1}},
    {"type": "COMMAND", "command": {}},
    {"type": "HTTP", "http": {"status_code": 200}},
    {"type": "TCP", "tcp": {"succeeded": True}},
]


def random_status(seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    said = masters_json(fill(mesos_pb2.TaskStatus(), chance, 8))
    # The agent refuses all others.
    said["check_status"] = chance.choice(CHECKS)
    made = respelled(mesos_pb2.TaskStatus.DESCRIPTOR, {name: said[name] for name in STATUS if name in said}, chance)
    kept = {name: made[name] for name in (*STATUS, "no_such_field") if name in made}
    return {**kept, "state": chance.choice(ENDS)}


def exited(code: Any) -> dict[str, Any]:
    """An update with a number of 32 bits."""
    return {"state": "TASK_FINISHED", "check_status": {"type": "COMMAND", "command": {"exit_code": code}}}


STATUSES = [*map(random_status, range(60)), *map(exited, NUMBERS)]
# Tasks without data, of which the executor sends back what it is told.
TOLD: list[dict[str, Any]] = [{}, labels({"key": "a"}), port(1), duration(1), linux(ipc_mode="PRIVATE")]


def neutral(status: dict[str, Any]) -> dict[str, Any]:
    """An update without what differs from play to play."""
    kept = {name: value for name, value in status.items() if name not in ("uuid", "timestamp", "agent_id")}
    container = kept.get("container_status", {})
    kept["container_status"] = {
        name: value for name, value in container.items() if name not in ("container_id", "executor_pid")
    }
    return kept


def told(status: dict[str, Any]) -> Any:
    """What an executor was told of its task, without what differs from play to play."""
    task = json.loads(base64.b64decode(status["data"]))
    return {name: value for name, value in task.items() if name not in ("agent_id", "executor")}


@pytest.mark.apache
def test_updates_as_dicts_equal_those_in_json(apache_mesos: ApacheMesos) -> None:
    fields = [{"data": base64.b64encode(json.dumps(status).encode()).decode()} for status in STATUSES] + TOLD
    seen = []
    for face, talks in itertools.product((JsonFace, DictFace), ("json", "dicts")):
        with subscribed(face, apache_mesos.address) as framework:
            offer = framework.offers(1)[0]
            framework.launch(offer, tasks_of(offer, fields, "dictating.py", talks))
            updates = last_updates(framework, len(fields))
        assert {"check_status", "container_status", "data", "labels"} <= set(itertools.chain(*updates))
        number = len(STATUSES)
        seen.append([*map(neutral, updates[:number]), *map(told, updates[number:])])
    for others in seen[1:]:
        assert others == seen[0]
