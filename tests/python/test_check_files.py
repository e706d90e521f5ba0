"""Generated modules and notebooks: what ``remesos check`` finds in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from mesos._check import check_paths

if TYPE_CHECKING:
    from pathlib import Path

# As protoc before 3.19 generates it.
OLD = """\
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf import reflection as _reflection
DESCRIPTOR = _descriptor.FileDescriptor(name='o.proto', package='o', serialized_pb=b'\\n\\x07o.proto\\x12\\x01o"\\x0e\\n\\x01A\\x12\\t\\n\\x01x\\x18\\x01 \\x01(\\x05')
_A = _descriptor.Descriptor(name='A', full_name='o.A', filename=None, file=DESCRIPTOR, containing_type=None,
  fields=[_descriptor.FieldDescriptor(name='x', full_name='o.A.x', index=0, number=1, type=5, cpp_type=1, label=1,
    has_default_value=False, default_value=0, message_type=None, enum_type=None, containing_type=None, is_extension=False, extension_scope=None, options=None)],
  extensions=[], nested_types=[], enum_types=[], options=None, is_extendable=False, extension_ranges=[])
DESCRIPTOR.message_types_by_name['A'] = _A
A = _reflection.GeneratedProtocolMessageType('A', (_message.Message,), dict(DESCRIPTOR=_A, __module__='old_pb2'))
"""
NEW = """\
from google.protobuf import descriptor_pool as _descriptor_pool
DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(b'\\n\\x07n.proto\\x12\\x01n"\\x03\\n\\x01A')
"""
USE = "import generated_pb2; from mesos.interface import mesos_pb2; mesos_pb2.TaskInfo(data='text')"


class TestGenerated:
    """Whether protobuf accepts a module, and what the check says."""

    @staticmethod
    def runs(directory: Path, **variables: str) -> bool:
        command = [sys.executable, "-W", "ignore", "-c", USE]
        environment = {**os.environ, **variables}
        done = subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or "generated code is out of date" in done.stderr, done.stderr
        return done.returncode == 0

    @pytest.mark.parametrize("name", ["generated_pb2.py", "messages.py"])
    def test_an_old_module_is_found_once(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text(OLD)
        (found,) = check_paths([tmp_path])
        assert found.code == "old-pb2"

    def test_an_old_module_is_refused_and_the_remedy_helps(self, tmp_path: Path) -> None:
        (tmp_path / "generated_pb2.py").write_text(OLD)
        (found,) = check_paths([tmp_path])
        remedy = "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python"
        assert found.remedy.endswith(remedy)
        assert not self.runs(tmp_path)
        assert self.runs(tmp_path, **dict([remedy.split("=")]))

    def test_a_new_module_is_accepted(self, tmp_path: Path) -> None:
        (tmp_path / "generated_pb2.py").write_text(NEW)
        assert check_paths([tmp_path]) == []
        assert self.runs(tmp_path)


class TestNotebooks:
    @staticmethod
    def notebook(directory: Path, *cells: tuple[str, str]) -> Path:
        path = directory / "notebook.ipynb"
        content = [{"cell_type": kind, "source": text.splitlines(keepends=True)} for kind, text in cells]
        path.write_text(json.dumps({"cells": content, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        return path

    def test_cells_of_code_are_read(self, tmp_path: Path) -> None:
        text = "class Task:\n    def __cmp__(self, other):\n        return 0\n"
        path = self.notebook(tmp_path, ("markdown", text), ("code", "x = 1"), ("code", text))
        (found,) = check_paths([tmp_path])
        assert (found.path, found.code) == (str(path), "cmp-method")

    @pytest.mark.parametrize(
        "text",
        [
            "%matplotlib inline\n!pip install remesos\nx = 1\nx?\n",
            "if True:\n    !ls\n",
            "%%bash\nfor i in 1 2; do echo $i; done\n",
            "%%time\nx = 1\n",
        ],
    )
    def test_commands_of_the_notebook_are_not_python(self, tmp_path: Path, text: str) -> None:
        self.notebook(tmp_path, ("code", text))
        assert check_paths([tmp_path]) == []

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 1}', '{"cells": [1]}'])
    def test_what_is_no_notebook(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "notebook.ipynb").write_text(text)
        assert [found.code for found in check_paths([tmp_path])] == ["unreadable"]
