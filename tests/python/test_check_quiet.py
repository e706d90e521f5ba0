"""What remesos makes work, and what runs on Python 3, is not reported."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from mesos._check import check_paths
from mesos._check._paths import check_text

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "text",
    [
        "import mesos\nimport mesos_pb2\nmesos.MesosSchedulerDriver(s, mesos_pb2.FrameworkInfo(), 'local')\n",
        "from mesos.interface import mesos_pb2\ntask = mesos_pb2.TaskInfo()\ntask.data = 'text'\n",
        "from mesos.interface import mesos_pb2\nt = mesos_pb2.TaskInfo(data='text')\nt.task_id.value = '1'\n",
        "import json\ndef f(task):\n    if task.data == 'text':\n        return json.loads(task.data)\n",
        "import pickle\ndef f(task):\n    return pickle.loads(task.data), task.data.split(',')\n",
        "import pickle\nfrom mesos.interface import mesos_pb2\nt = mesos_pb2.TaskInfo()\nt.data = pickle.dumps(1)\n",
        "from mesos.interface import mesos_pb2\nmesos_pb2.TaskStatus.REASON_MEMORY_LIMIT\nmesos_pb2.Image.AppC\n",
        "from mesos.interface import mesos_pb2\nmesos_pb2.HealthCheck.HTTP(port=1)\n",
        "from mesos.interface import mesos_pb2\nmesos_pb2.TaskState.Name(1)\nmesos_pb2.TaskInfo.FromString(x)\n",
        "from mesos.interface import mesos_pb2\nmesos_pb2._TASKSTATUS_REASON.values_by_number\n",
        "def f(driver):\n    driver.killTask('task')\n    driver.sendFrameworkMessage('e', 's', 'text')\n",
        "import uuid\ndef f(status):\n    return uuid.UUID(bytes=status.uuid), status.uuid.encode('hex')\n",
        "try:\n    import urllib2\nexcept ImportError:\n    import urllib.request as urllib2\n",
        "import sys\nif sys.version_info[0] == 2:\n    text = unicode\n",
        "match x:\n    case [a, b]:\n        print(a, file=b)\n",
        "from pathlib import Path\np = Path('a') / 'b'\nx[p / 'c']\n",
        "def f(x, message):\n    return message.message + x['a']\n",
        "",
        "\n",
    ],
)
def test_what_runs_is_not_reported(text: str) -> None:
    assert [str(finding) for finding in check_text("framework.py", text)] == []


def test_the_examples_run() -> None:
    assert [str(finding) for finding in check_paths([ROOT / "examples"])] == []


def test_python_2_is_told_once_per_file(tmp_path: Path) -> None:
    old = tmp_path / "old.py"
    old.write_text("import urllib2\nprint 'a'\ntry:\n    pass\nexcept ValueError, e:\n    print e\n{}.has_key(1)\n")
    (finding,) = check_paths([tmp_path])
    assert (finding.code, finding.line) == ("2to3", 1)
    assert "2to3 converts 5 place(s)" in finding.message


def test_fields_and_messages_are_compared_with_the_messages_themselves() -> None:
    text = inspect.cleandoc("""
        from mesos.interface import mesos_pb2 as pb

        def task(offer):
            info = pb.TaskInfo()
            info.command.container.image = "x"
            cpus = info.resources.add()
            cpus.scalar.amount = 1
            network = pb.NetworkInfo(protocol=1)
            return pb.FrameworkInfo.NoSuchThing
    """)
    found = [(f.line, f.code) for f in check_text("framework.py", text)]
    assert found == [(5, "gone-field"), (7, "gone-field"), (8, "gone-field"), (9, "gone-message")]


@pytest.mark.parametrize("fault", ["def f(:\n    pass\n", "class\n", "x = (\n", "\0", "'''\n"])
def test_a_file_that_cannot_be_parsed_is_said_and_the_rest_goes_on(fault: str, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(fault)
    (tmp_path / "cmp.py").write_text("cmp(a, b)\n")
    found = check_paths([tmp_path])
    assert [(Path(f.path).name, f.code) for f in found] == [("bad.py", "syntax"), ("cmp.py", "cmp-function")]


def test_what_is_deep_or_long_is_read() -> None:
    assert list(check_text("deep.py", "x = " + "(" * 90 + "1" + ")" * 90 + "\n")) == []
    assert list(check_text("long.py", "x = [" + "1, " * 20_000 + "]\n")) == []
    list(check_text("sum.py", "x = " + "'a' + " * 300 + "'b'\n"))
