"""Bytes fields accept and return text at every depth, unless bytes are strict."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import subprocess
import sys
import uuid
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, json_format, text_format
from google.protobuf.message import DecodeError
from mesos.bytestr import ByteStr
from mesos.interface import mesos_pb2, scheduler_pb2
from mesos.v1.interface import mesos_pb2 as v1

TEXT = "é: \0"
RAW = TEXT.encode()
LAUNCH = mesos_pb2.Offer.Operation.Launch


def bytes_fields(descriptor: Any) -> list[str]:
    return [field.name for field in descriptor.fields if field.type == field.TYPE_BYTES]


def every_message(module: Any) -> list[Any]:
    found = [getattr(module, name) for name in module.DESCRIPTOR.message_types_by_name]
    for message in found:
        found.extend(getattr(message, nested.name) for nested in message.DESCRIPTOR.nested_types)
    return found


WITH_BYTES = [
    (message, name)
    for module in (mesos_pb2, v1, scheduler_pb2)
    for message in every_message(module)
    for name in bytes_fields(message.DESCRIPTOR)
]


@pytest.mark.parametrize(("message", "name"), WITH_BYTES, ids=lambda v: v if isinstance(v, str) else v.__qualname__)
@pytest.mark.parametrize("given", [TEXT, RAW, ByteStr(RAW), ByteStr(b"\xff\0"), b"\x80"], ids=repr)
def test_every_bytes_field_takes_text_and_bytes(message: Any, name: str, given: Any) -> None:
    raw = given.encode() if isinstance(given, str) else given
    by_attribute = message()
    setattr(by_attribute, name, given)
    assert message(**{name: given}) == by_attribute
    read = getattr(by_attribute, name)
    assert type(read) is ByteStr
    assert bytes(read) == raw
    assert read == given
    assert by_attribute == message.FromString(by_attribute.SerializePartialToString())
    assert getattr(message(), name) == ""


def test_the_fields_are_those_that_frameworks_use() -> None:
    names = {f"{message.__qualname__}.{name}" for message, name in WITH_BYTES}
    assert {"TaskInfo.data", "ExecutorInfo.data", "TaskStatus.data", "TaskStatus.uuid", "Call.Message.data"} <= names


@pytest.mark.parametrize(
    "make",
    [
        lambda: mesos_pb2.TaskInfo(executor={"data": TEXT}).executor,
        lambda: mesos_pb2.TaskInfo(executor=mesos_pb2.ExecutorInfo(data=TEXT)).executor,
        lambda: mesos_pb2.TaskGroupInfo(tasks=[{"name": "t", "executor": {"data": TEXT}}]).tasks[0].executor,
        lambda: mesos_pb2.Offer.Operation(launch={"task_infos": iter([{"data": TEXT}])}).launch.task_infos[0],
        lambda: LAUNCH().task_infos.add(name="t", data=TEXT),
        lambda: LAUNCH().task_infos.add(executor={"data": TEXT}).executor,
        lambda: mesos_pb2.Task().statuses.add(data=TEXT),
        lambda: mesos_pb2.Secret(type=mesos_pb2.Secret.VALUE, value={"data": TEXT}).value,
        lambda: v1.TaskGroupInfo(tasks=[{"data": TEXT}]).tasks[0],
        lambda: scheduler_pb2.Call(message={"data": TEXT}).message,
    ],
)
def test_constructors_take_text_at_every_depth(make: Any) -> None:
    assert bytes(make().data) == RAW


def test_data_can_be_assigned_on() -> None:
    task = mesos_pb2.TaskInfo(data=b"\xff\0")
    status = mesos_pb2.TaskStatus(data=task.data)
    status.data = task.data
    assert status.data == task.data == b"\xff\0"
    task.name = ByteStr("a name")
    task.task_id.value = ByteStr("é")
    assert (task.name, task.task_id.value) == ("a name", "é")


def test_a_uuid_is_sixteen_bytes_whatever_they_look_like() -> None:
    looks_like_text = "éééééééé".encode()
    status = mesos_pb2.TaskStatus(uuid=looks_like_text)
    assert len(status.uuid) == 16
    assert status.uuid == looks_like_text
    assert uuid.UUID(bytes=status.uuid).bytes == looks_like_text
    assert len(mesos_pb2.UUID(value=looks_like_text).value) == 16
    assert {message.__qualname__ for message, name in WITH_BYTES if name == "value"} == {"UUID"}
    assert mesos_pb2.Task(status_update_uuid=looks_like_text).status_update_uuid[:2] == b"\xc3\xa9"


def test_what_is_neither_raises_and_changes_nothing() -> None:
    task, launch = mesos_pb2.TaskInfo(data="before"), LAUNCH()
    for wrong in (5, None, [], {}):
        with pytest.raises(TypeError):
            task.data = wrong  # type: ignore[assignment]
    with pytest.raises(TypeError):
        mesos_pb2.TaskInfo(data=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        launch.task_infos.add(data=5)
    with pytest.raises(ValueError, match="no_such_field"):
        launch.task_infos.add(no_such_field=5)
    with pytest.raises(AttributeError):
        task.no_such_field = "x"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        task.no_such_field  # type: ignore[attr-defined]  # noqa: B018
    assert (task.data, len(launch.task_infos)) == ("before", 0)
    assert not mesos_pb2.TaskInfo(data=None).HasField("data")


def test_repeated_fields_are_still_protobuf_s() -> None:
    launch = LAUNCH(task_infos=[{"name": "a"}, {"name": "b"}])
    tasks = launch.task_infos
    plain = mesos_pb2.TaskInfo().resources
    if type(plain).__module__ != "google.protobuf.internal.containers":  # else protobuf is pure Python
        assert isinstance(tasks, type(plain))
    assert (len(tasks), tasks[0].name, tasks[-1].name, [t.name for t in tasks]) == (2, "a", "b", ["a", "b"])
    assert [t.name for t in reversed(tasks)] == ["b", "a"]
    assert [t.name for t in tasks[:1]] == ["a"]
    assert tasks[0] in tasks
    assert tasks == launch.task_infos
    assert tasks == LAUNCH(task_infos=tasks).task_infos
    assert tasks != LAUNCH().task_infos
    tasks.extend([mesos_pb2.TaskInfo(name="c")])
    tasks.append(mesos_pb2.TaskInfo(name="d"))
    tasks.MergeFrom(LAUNCH(task_infos=[{"name": "e"}]).task_infos)
    tasks.add(name="f").data = TEXT
    del tasks[1]
    tasks.pop(0)
    assert [t.name for t in launch.task_infos] == ["c", "d", "e", "f"]
    assert [t.name for t in copy.deepcopy(launch).task_infos] == ["c", "d", "e", "f"]
    assert launch.task_infos[-1].data == TEXT
    assert "name: \"c\"" in repr(tasks)  # fmt: skip


def test_what_protobuf_does_with_messages_is_unchanged() -> None:
    task = mesos_pb2.TaskInfo(name="t", data=TEXT)
    other = mesos_pb2.TaskInfo()
    other.CopyFrom(task)
    other.MergeFrom(mesos_pb2.TaskInfo(data="merged"))
    assert other.data == "merged"
    assert dict((f.name, v) for f, v in task.ListFields())["data"] == RAW  # noqa: C402
    assert text_format.Parse(text_format.MessageToString(task), mesos_pb2.TaskInfo()) == task
    assert json_format.Parse(json_format.MessageToJson(task), mesos_pb2.TaskInfo()) == task
    assert pickle.loads(pickle.dumps(task)) == copy.deepcopy(task) == task
    task.ClearField("data")
    assert not task.HasField("data")
    assert (task.data, bool(task.data)) == ("", False)


@pytest.mark.parametrize("kind", [mesos_pb2.TaskID, descriptor_pb2.FileDescriptorProto], ids=["ours", "another's"])
def test_messages_that_were_put_into_data_can_be_parsed(kind: Any) -> None:
    field = "value" if kind is mesos_pb2.TaskID else "name"
    task = mesos_pb2.TaskInfo(data=kind(**{field: "é"}).SerializeToString())
    assert getattr(kind.FromString(task.data), field) == "é"
    again = kind()
    assert again.ParseFromString(task.data) == len(bytes(task.data))
    again.MergeFromString(task.data)
    assert again == kind.FromString(bytes(task.data)) == kind.FromString(memoryview(task.data))
    for wrong in (1, None, "text"):
        with pytest.raises((TypeError, DecodeError)):
            kind.FromString(wrong)
    with pytest.raises(DecodeError):
        kind.FromString(ByteStr(b"\xff"))


def test_messages_are_true_whatever_they_hold() -> None:
    assert mesos_pb2.TaskInfo()
    assert mesos_pb2.Offer().slave_id
    assert not mesos_pb2.TaskInfo().data
    assert not mesos_pb2.Offer().resources
    assert not LAUNCH().task_infos


def run(code: str, **environment: str) -> None:
    variables = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", inspect.cleandoc(code)], env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("implementation", ["upb", "python"])
def test_strict_bytes_are_protobuf_s_own(implementation: str) -> None:
    run(
        """
        from mesos.interface import mesos_pb2, scheduler_pb2
        assert type(mesos_pb2.TaskInfo(data=b"x").data) is bytes
        for call in (lambda: mesos_pb2.TaskInfo(data="x"), lambda: setattr(mesos_pb2.TaskInfo(), "data", "x")):
            try:
                call()
            except TypeError:
                continue
            raise AssertionError("text was taken")
        plain = mesos_pb2.TaskID
        for message in (mesos_pb2.TaskInfo, mesos_pb2.TaskStatus, scheduler_pb2.Call):
            for slot in ("__getattribute__", "__setattr__"):
                assert getattr(message, slot) == getattr(plain, slot), "a wrapped class"
            assert type(message.__init__) is type(plain.__init__)
        from google.protobuf import descriptor_pb2
        for message in (plain, descriptor_pb2.FileDescriptorProto):
            assert message.FromString.__module__ != "mesos._text"
        from mesos._text import received
        assert received is bytes
        """,
        REMESOS_STRICT_BYTES="1",
        PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=implementation,
    )


@pytest.mark.parametrize("value", ["", "0", "false", "no"])
def test_the_switch_can_be_off(value: str) -> None:
    run(
        'from mesos.interface import mesos_pb2; assert mesos_pb2.TaskInfo(data="x").data == "x"',
        REMESOS_STRICT_BYTES=value,
    )


@pytest.mark.slow
def test_protobuf_in_pure_python_takes_text_too() -> None:
    """This whole file, and the one on messages, again."""
    files = [__file__, __file__.replace("text_fields", "messages")]
    if os.environ.get("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION") != "python":
        environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not apache", *files]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
