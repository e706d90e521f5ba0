"""Makes the message classes on the installed ``google.protobuf`` runtime, from the descriptors inside the extension.

The descriptors live in a pool of this package's own: a framework that brings its own copy of ``mesos.proto``,
registered in protobuf's default pool, does not clash with ours.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import (
    descriptor,
    descriptor_pb2,
    descriptor_pool,
    message,
    reflection,
    symbol_database,
    # Frameworks find it as google.protobuf.text_format, without having imported it.
    text_format,  # noqa: F401
)
from google.protobuf.internal import enum_type_wrapper

from mesos import _core
from mesos._documentation import CallSignature, docstring
from mesos._text import take_text

_POOL = descriptor_pool.DescriptorPool()
_FILES: dict[str, Any] = {}
# The metaclass has no public name that every runtime from 4.25 to 7 shares; any generated class leads to it.
_MESSAGE_TYPE: Any = type(descriptor_pb2.FileDescriptorProto)
# What protoc's modules import, and frameworks then took from there.
_IMPORTED = {
    "_descriptor": descriptor,
    "_message": message,
    "_reflection": reflection,
    "_symbol_database": symbol_database,
    "_sym_db": symbol_database.Default(),
    "_b": lambda text: text.encode("latin-1"),
    "descriptor_pb2": descriptor_pb2,
    "enum_type_wrapper": enum_type_wrapper,
}


def define(file: str, namespace: dict[str, Any]) -> None:
    """Fill a ``*_pb2`` module with what protoc's generated module of that file would hold.

    :param file: the file's name as its importers write it, ``mesos.proto`` or ``mesos/v1/scheduler/scheduler.proto``
    :param namespace: the module's ``globals()``; it gets ``DESCRIPTOR``, the message classes, the enums and their
        values, and the ``_NAME`` descriptors and the imports that generated modules carry
    :raises KeyError: no such file is embedded
    """
    file_descriptor = _load(file)
    module = namespace["__name__"]
    namespace.update(_IMPORTED, DESCRIPTOR=file_descriptor)
    for name, enum in file_descriptor.enum_types_by_name.items():
        namespace["_" + name.upper()] = enum
        namespace[name] = enum_type_wrapper.EnumTypeWrapper(enum)
        for value in enum.values:
            namespace[value.name] = value.number
    for name, described in file_descriptor.message_types_by_name.items():
        namespace[name] = _message_class(described, module, name)
        _name_descriptors(described, "_" + name.upper(), namespace)
    take_text(namespace[name] for name in file_descriptor.message_types_by_name)


def _load(file: str) -> Any:
    if file not in _FILES:
        serialized = _core.file_descriptor(file)
        for dependency in descriptor_pb2.FileDescriptorProto.FromString(serialized).dependency:
            _load(dependency)
        _POOL.AddSerializedFile(serialized)
        _FILES[file] = _POOL.FindFileByName(file)
    return _FILES[file]


def _message_class(descriptor: Any, module: str, qualname: str) -> Any:
    # __qualname__ is what lets pickle find a nested message again; protobuf's own way looks in its default pool.
    attributes = {
        "DESCRIPTOR": descriptor,
        "__doc__": docstring(descriptor),
        "__signature__": CallSignature(),
        "__module__": module,
        "__qualname__": qualname,
        "__reduce__": _reduce,
    }
    for nested in descriptor.nested_types:
        attributes[nested.name] = _message_class(nested, module, f"{qualname}.{nested.name}")
    return _MESSAGE_TYPE(descriptor.name, (message.Message,), attributes)


def _reduce(self: Any) -> tuple[Any, tuple[Any, bytes]]:
    return _restore, (type(self), self.SerializePartialToString())


def _restore(kind: Any, data: bytes) -> Any:
    restored = kind()
    restored.MergeFromString(data)
    return restored


def _name_descriptors(descriptor: Any, name: str, namespace: dict[str, Any]) -> None:
    namespace[name] = descriptor
    for nested in descriptor.nested_types:
        _name_descriptors(nested, f"{name}_{nested.name.upper()}", namespace)
    for enum in descriptor.enum_types:
        namespace[f"{name}_{enum.name.upper()}"] = enum
