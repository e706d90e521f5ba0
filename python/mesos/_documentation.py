"""What ``help()`` and ``inspect.signature()`` show of message classes."""

from __future__ import annotations

import inspect
import keyword
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from mesos._comments import COMMENTS
from mesos._text import is_map, is_repeated

_SCALARS = {
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_DOUBLE: "float",
    FieldDescriptor.CPPTYPE_FLOAT: "float",
    FieldDescriptor.CPPTYPE_STRING: "str",
}


def docstring(descriptor: Any) -> str:
    """Returns the docstring of a message class: the comment in its proto file, if there is one."""
    return COMMENTS.get(descriptor.full_name, f"``{descriptor.full_name}`` of Mesos 1.11.0.")


class CallSignature:
    """The ``__signature__`` of a message class: its fields as keywords, created on access."""

    def __get__(self, _: object, message_class: type[Any]) -> inspect.Signature:
        """Returns the signature."""
        keywords = [field for field in message_class.DESCRIPTOR.fields if not keyword.iskeyword(field.name)]
        return inspect.Signature([_parameter(field) for field in keywords])


def _parameter(field: Any) -> inspect.Parameter:
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_kind(field))


def _kind(field: Any) -> str:
    if is_map(field):
        key, value = field.message_type.fields
        return f"dict[{_single_kind(key)}, {_single_kind(value)}]"
    return f"list[{_single_kind(field)}]" if is_repeated(field) else _single_kind(field)


def _single_kind(field: Any) -> str:
    named = field.message_type or field.enum_type
    if named:
        return str(named.full_name.removeprefix(named.file.package + "."))
    return "bytes" if field.type == FieldDescriptor.TYPE_BYTES else _SCALARS.get(field.cpp_type, "int")
