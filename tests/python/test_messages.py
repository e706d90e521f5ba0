"""The message classes: as Apache's, on every protobuf runtime, picklable, with stubs that are up to date."""

from __future__ import annotations

import ast
import copy
import importlib
import importlib.util
import inspect
import os
import pickle
import pydoc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, text_format
from mesos.interface import mesos_pb2

from tests.python.clusterd import of_clusterd

ROOT = Path(__file__).resolve().parents[2]
V0 = ["agent", "allocator", "executor", "maintenance", "master", "mesos", "quota", "resource_provider", "scheduler"]
# File, messages at the top, all messages, enums, enum values, fields; without the entries of maps (Mesos 1.11.0 and
# clusterd).
COUNTS = [
    ("mesos.interface.mesos_pb2", 91, 170, 34, 239, 720),
    ("mesos.v1.interface.mesos_pb2", 91, 170, 34, 238, 719),
    ("mesos.interface.scheduler_pb2", 5, 44, 4, 36, 106),
    ("mesos.v1.interface.scheduler_pb2", 6, 45, 4, 36, 108),
    ("mesos.interface.executor_pb2", 2, 12, 2, 15, 30),
    ("mesos.v1.interface.executor_pb2", 2, 12, 2, 15, 30),
    ("mesos.interface.agent_pb2", 3, 52, 7, 70, 147),
    ("mesos.v1.interface.agent_pb2", 3, 52, 7, 70, 147),
    ("mesos.interface.master_pb2", 3, 58, 3, 72, 169),
    ("mesos.v1.interface.master_pb2", 3, 58, 3, 72, 169),
]


def apache_descriptor(home: Path) -> descriptor_pb2.FileDescriptorProto:
    """The descriptor inside Apache's published ``mesos_pb2.py``, which was made for Python 2."""
    source = (home / "site" / "mesos" / "interface" / "mesos_pb2.py").read_text()
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            if keyword.arg == "serialized_pb":
                argument = keyword.value.args[0] if isinstance(keyword.value, ast.Call) else keyword.value
                data = ast.literal_eval(argument)
                data = data.encode("latin-1") if isinstance(data, str) else data
                return descriptor_pb2.FileDescriptorProto.FromString(data)
    raise AssertionError("no serialized descriptor in Apache's mesos_pb2.py")


def describe(file: descriptor_pb2.FileDescriptorProto) -> dict[str, Any]:
    """Every name of a file with all that is said of it, whatever order it is written in."""
    found: dict[str, Any] = {"": (file.name, file.package, list(file.dependency), str(file.options))}

    def enum(enum: Any, scope: str) -> None:
        found[scope + enum.name] = str(enum.options)
        for value in enum.value:
            found[f"{scope}{enum.name}.{value.name}"] = (value.number, str(value.options))

    def message(message: Any, scope: str) -> None:
        name = scope + message.name
        found[name] = (str(message.options), [o.name for o in message.oneof_decl], len(message.extension_range))
        for field in message.field:
            said = copy.copy(field)
            said.ClearField("json_name")  # protoc omits it if it follows from the name
            found[f"{name}.{field.name}"] = str(said)
        for nested in message.nested_type:
            message_again(nested, name + ".")
        for inner in message.enum_type:
            enum(inner, name + ".")

    message_again = message
    for top in file.enum_type:
        enum(top, "")
    for top in file.message_type:
        message(top, "")
    return found


@pytest.mark.apache
def test_descriptors_are_those_of_apache_s_published_package(apache_home: Path) -> None:
    ours = descriptor_pb2.FileDescriptorProto()
    mesos_pb2.DESCRIPTOR.CopyToProto(ours)
    theirs = describe(apache_descriptor(apache_home))
    mine = describe(ours)
    assert len(theirs) > 1000
    assert mine.keys() - theirs.keys() == of_clusterd("mesos/mesos.proto")
    assert theirs == {name: mine.get(name) for name in theirs}


@pytest.mark.apache
def test_module_has_every_name_that_apache_s_generated_module_has(apache_home: Path) -> None:
    source = (apache_home / "site" / "mesos" / "interface" / "mesos_pb2.py").read_text()
    targets = [t for node in ast.parse(source).body if isinstance(node, ast.Assign) for t in node.targets]
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    assert len(names) > 300
    assert sorted(name for name in names if not hasattr(mesos_pb2, name)) == []


@pytest.mark.parametrize(("name", "top", "messages", "enums", "values", "fields"), COUNTS)
def test_nothing_is_missing(name: str, top: int, messages: int, enums: int, values: int, fields: int) -> None:
    descriptor = importlib.import_module(name).DESCRIPTOR
    every = list(descriptor.message_types_by_name.values())
    for message in every:
        every.extend(nested for nested in message.nested_types if not nested.GetOptions().map_entry)
    kinds = [*descriptor.enum_types_by_name.values(), *(enum for message in every for enum in message.enum_types)]
    assert len(descriptor.message_types_by_name) == top
    assert len(every) == messages
    assert len(kinds) == enums
    assert sum(len(enum.values) for enum in kinds) == values
    assert sum(len(message.fields) for message in every) == fields


@pytest.mark.parametrize(
    "name", [f"{package}.{stem}_pb2" for package in ("mesos.interface", "mesos.v1.interface") for stem in V0]
)
def test_every_module_imports(name: str) -> None:
    module = importlib.import_module(name)
    for message in module.DESCRIPTOR.message_types_by_name:
        assert isinstance(getattr(module, message)().SerializePartialToString(), bytes)


def test_v1_names_are_where_people_look() -> None:
    from mesos.v1 import mesos_pb2 as v1

    assert v1.AgentID(value="a").SerializeToString() == mesos_pb2.SlaveID(value="a").SerializeToString()
    with pytest.raises(ImportError):
        from mesos.v1 import nonsense_pb2  # noqa: F401


def test_names_from_before_0_20() -> None:
    import mesos_pb2 as old

    assert old.TaskInfo is mesos_pb2.TaskInfo
    assert old._TASKSTATE is mesos_pb2._TASKSTATE


def test_what_frameworks_took_from_generated_modules_by_the_way() -> None:
    from google.protobuf import descriptor, message, reflection, symbol_database

    assert mesos_pb2._descriptor is descriptor  # type: ignore[attr-defined]
    assert mesos_pb2._message is message  # type: ignore[attr-defined]
    assert mesos_pb2._reflection is reflection  # type: ignore[attr-defined]
    assert mesos_pb2._symbol_database is symbol_database  # type: ignore[attr-defined]
    assert mesos_pb2._sym_db is symbol_database.Default()  # type: ignore[attr-defined]
    assert mesos_pb2._b("\xff") == b"\xff"  # type: ignore[attr-defined]
    assert mesos_pb2.descriptor_pb2 is descriptor_pb2  # type: ignore[attr-defined]
    code = """
import google.protobuf
import mesos.interface.mesos_pb2
google.protobuf.text_format.MessageToString(mesos.interface.mesos_pb2.TaskID(value="t"))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_private_descriptors() -> None:
    """What was used before the enums had wrappers."""
    assert mesos_pb2._TASKSTATE.values_by_number[mesos_pb2.TASK_LOST].name == "TASK_LOST"
    assert mesos_pb2._TASKSTATUS_REASON.values_by_name["REASON_RECONCILIATION"].number == 9
    assert mesos_pb2._TASKINFO.fields_by_name["data"].number == 6
    assert mesos_pb2._OFFER_OPERATION_TYPE.full_name == "mesos.Offer.Operation.Type"
    assert mesos_pb2._STATUS.values_by_number[2].name == "DRIVER_RUNNING"


def test_former_names_that_mean_the_same() -> None:
    check = mesos_pb2.HealthCheck(http=mesos_pb2.HealthCheck.HTTP(port=80, path="/", statuses=[200]))  # type: ignore[attr-defined]
    assert (check.http.port, check.http.path, list(check.http.statuses)) == (80, "/", [200])
    check.type = mesos_pb2.HealthCheck.HTTP
    assert (check.type, mesos_pb2.HealthCheck.HTTP) == (2, mesos_pb2.HealthCheck.Type.Value("HTTP"))
    assert mesos_pb2._HEALTHCHECK_HTTP.fields_by_name["port"].number == 1
    assert mesos_pb2.Image.AppC is mesos_pb2.Image.Appc  # type: ignore[attr-defined]
    reason = mesos_pb2.TaskStatus.REASON_MEMORY_LIMIT  # type: ignore[attr-defined]
    assert mesos_pb2.TaskStatus.Reason.Name(reason) == "REASON_CONTAINER_LIMITATION_MEMORY"
    reason = mesos_pb2.TaskStatus.REASON_EXECUTOR_PREEMPTED  # type: ignore[attr-defined]
    assert mesos_pb2.TaskStatus.Reason.Name(reason) == "REASON_CONTAINER_PREEMPTED"
    assert mesos_pb2.Credential(principal="p", secret=b"bytes until 0.23").secret == "bytes until 0.23"  # type: ignore[arg-type]


def test_former_names_take_no_other_s_place() -> None:
    def values(descriptor: Any, where: Any) -> None:
        for enum in descriptor.enum_types:
            for value in enum.values:
                assert getattr(where, value.name) == value.number
                assert getattr(where, enum.name).Value(value.name) == value.number
        for nested in descriptor.nested_types:
            assert getattr(where, nested.name).DESCRIPTOR is nested
            values(nested, getattr(where, nested.name))

    for name, descriptor in mesos_pb2.DESCRIPTOR.message_types_by_name.items():
        values(descriptor, getattr(mesos_pb2, name))


@pytest.mark.parametrize(
    "use",
    [
        lambda command: mesos_pb2.CommandInfo.ContainerInfo(image="docker:///busybox"),  # type: ignore[attr-defined]
        lambda command: setattr(command.container, "image", "docker:///busybox"),
        lambda command: command.container.options.append("-v"),
        lambda command: command.container.MergeFrom(mesos_pb2.ContainerInfo()),
    ],
)
def test_the_container_of_a_command_is_gone_and_it_is_said_what_took_its_place(use: Any) -> None:
    with pytest.raises(AttributeError, match=r"removed CommandInfo.container .* use TaskInfo.container"):
        use(mesos_pb2.CommandInfo())
    with pytest.raises((AttributeError, ValueError), match="container"):
        mesos_pb2.CommandInfo(container={})  # type: ignore[call-arg]


def test_enums_and_nested_names() -> None:
    assert mesos_pb2.TaskState.Name(mesos_pb2.TASK_RUNNING) == "TASK_RUNNING"
    assert mesos_pb2.TaskState.Value("TASK_LOST") == mesos_pb2.TASK_LOST == 5
    assert mesos_pb2.Value.Type.Value("SCALAR") == mesos_pb2.Value.SCALAR
    assert mesos_pb2.TaskStatus.Reason.Name(mesos_pb2.TaskStatus.REASON_RECONCILIATION) == "REASON_RECONCILIATION"
    assert mesos_pb2._TASKSTATUS_REASON.full_name == "mesos.TaskStatus.Reason"
    assert mesos_pb2.DESCRIPTOR.name == "mesos.proto"


def test_defaults_and_required_fields() -> None:
    assert mesos_pb2.CommandInfo().shell is True
    assert mesos_pb2.Filters().refuse_seconds == 5.0
    assert not mesos_pb2.FrameworkInfo(user="u").IsInitialized()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "message",
    [
        mesos_pb2.TaskStatus(task_id={"value": "t"}, state=mesos_pb2.TASK_LOST, data=b"\0\xff"),
        mesos_pb2.Value.Range(begin=1, end=2),
        mesos_pb2.ContainerInfo.DockerInfo.PortMapping(host_port=1),  # partial
    ],
    ids=lambda message: message.DESCRIPTOR.name,
)
def test_messages_survive_pickle_and_copy(message: Any, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(message, protocol))
    assert again == message == copy.deepcopy(message)
    assert type(again) is type(message)


def test_text_and_json_formats() -> None:
    info = mesos_pb2.FrameworkInfo(user="u", name="n")
    assert text_format.Parse(text_format.MessageToString(info), mesos_pb2.FrameworkInfo()) == info
    assert json_format.Parse(json_format.MessageToJson(info), mesos_pb2.FrameworkInfo()) == info


def test_another_copy_of_mesos_proto_does_not_clash() -> None:
    other = descriptor_pb2.FileDescriptorProto(name="mesos.proto", package="mesos")
    other.message_type.add(name="TaskInfo").field.add(name="different", number=1, type=9, label=1)
    descriptor_pool.Default().AddSerializedFile(other.SerializeToString())
    assert mesos_pb2.TaskInfo(name="still here").name == "still here"


def test_other_packages_below_mesos_still_import(tmp_path: Path) -> None:
    for style, init in (("regular", True), ("namespace", False)):
        package = tmp_path / style / "mesos" / f"other_{style}"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("here = True\n")
        if init:
            (package.parent / "__init__.py").write_text("raise AssertionError('ours comes first')\n")
    path = os.pathsep.join([*filter(None, sys.path), str(tmp_path / "regular"), str(tmp_path / "namespace")])
    code = "import mesos.native, mesos.other_regular, mesos.other_namespace as n; assert n.here"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, check=True)


@pytest.mark.parametrize("message_class", [mesos_pb2.TaskStatus, mesos_pb2.FrameworkInfo.Capability])
def test_help_shows_what_a_message_is_and_its_fields(message_class: Any) -> None:
    shown = pydoc.plain(pydoc.render_doc(message_class))
    assert message_class.__doc__ in shown.replace("\n |  ", "\n")
    assert f"{message_class.__name__}(*, {message_class.DESCRIPTOR.fields[0].name}: " in shown


def test_signatures_have_the_types_of_fields() -> None:
    parameters = inspect.signature(mesos_pb2.TaskInfo).parameters
    kinds = {name: parameter.annotation for name, parameter in parameters.items()}
    assert list(kinds) == [field.name for field in mesos_pb2.TaskInfo.DESCRIPTOR.fields]
    assert kinds["name"] == "str"
    assert kinds["data"] == "bytes"
    assert kinds["slave_id"] == "SlaveID"
    assert kinds["resources"] == "list[Resource]"
    assert kinds["limits"] == "dict[str, Value.Scalar]"


def test_docstrings_are_the_comments_of_the_proto_files() -> None:
    assert mesos_pb2.Offer.__doc__ == "Resources of one agent, offered to one framework."
    assert mesos_pb2.Offer.Operation.Launch.__doc__ == "``mesos.Offer.Operation.Launch`` of Mesos 1.11.0."


def test_stubs_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate_stubs", ROOT / "tools" / "generate_stubs.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    stubs = generator.stubs()
    assert len(stubs) == 2 * len(V0) + 1  # and the comments
    assert [path.name for path, text in stubs.items() if path.read_text() != text] == [], "run `make stubs`"


def test_importing_starts_no_thread_and_sets_no_signal_handler() -> None:
    code = inspect.cleandoc("""
        import os, signal, threading
        before = [signal.getsignal(number) for number in signal.valid_signals()]
        import mesos.native, mesos.local, mesos.interface.mesos_pb2
        assert [signal.getsignal(number) for number in signal.valid_signals()] == before
        assert len(os.listdir("/proc/self/task")) == threading.active_count() == 1
    """)
    subprocess.run([sys.executable, "-c", code], check=True)
