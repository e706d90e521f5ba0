"""The command ``remesos check``: what it reads, what it prints, and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from mesos import _cli
from mesos._check import Finding, check_paths
from mesos._console import BROKEN_STATUS
from mesos.errors import ArgumentValueError

if TYPE_CHECKING:
    from pathlib import Path

BAD = "class Task:\n    def __cmp__(self, other):\n        return 0\n"
GOOD = "class Task:\n    pass\n"
COMPARED = "cmp-method"


def codes(*paths: Path) -> list[str]:
    return [finding.code for finding in check_paths(paths)]


def status(*arguments: Any) -> int:
    """Run the command; its exit status."""
    return _cli.main(["check", *map(str, arguments)])


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.py"
    path.write_text(BAD)
    return path


class TestCommand:
    def test_nothing_found(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "good.py").write_text(GOOD)
        assert status(tmp_path) == 0
        assert capsys.readouterr().out == "0 finding(s) in 0 file(s)\n"

    def test_findings_for_people(self, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert status(bad) == 1
        place, remedy, summary = capsys.readouterr().out.splitlines()
        assert place.startswith(f"{bad}:2:")
        assert f": {COMPARED} " in place
        assert remedy.startswith("    will not run; ")
        assert summary == f"1 finding(s) in 1 file(s): 1 {COMPARED}"

    def test_findings_as_json(self, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert status("--json", bad) == 1
        given = json.loads(capsys.readouterr().out)
        assert [Finding(**one) for one in given] == check_paths([bad])
        assert given[0]["line"] == 2

    def test_nothing_found_as_json(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert status("--json", tmp_path) == 0
        assert json.loads(capsys.readouterr().out) == []

    def test_select_and_ignore(self, bad: Path) -> None:
        assert status("--select", COMPARED, bad) == 1
        assert status("--select", "getargspec", bad) == 0
        assert status("--ignore", COMPARED, bad) == 0
        assert status("--ignore", "getargspec,2to3", bad) == 1

    def test_an_unknown_code(self, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert status("--select", "no-such-code", bad) == 2
        assert "no-such-code" in capsys.readouterr().err

    def test_a_path_that_does_not_exist(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert status(tmp_path / "missing.py") == 2
        assert "does not exist" in capsys.readouterr().err
        with pytest.raises(ArgumentValueError, match="does not exist"):
            check_paths([tmp_path / "missing.py"])

    def test_without_the_extra(
        self, bad: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in [name for name in sys.modules if name.startswith("mesos._check._")]:
            if name != "mesos._check._report":
                monkeypatch.delitem(sys.modules, name)
                monkeypatch.delattr(sys.modules["mesos._check"], name.rpartition(".")[2])
        monkeypatch.setitem(sys.modules, "tree_sitter", None)
        assert status(bad) == 2
        assert "pip install 'remesos[check]'" in capsys.readouterr().err

    def test_a_reader_that_ends_early(self, bad: Path) -> None:
        bad.write_text("\n".join(BAD.replace("Task", f"Task{n}") for n in range(2000)))
        command = [sys.executable, "-m", "mesos", "check", str(bad)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert COMPARED in process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == BROKEN_STATUS


class TestFiles:
    def test_what_is_read_in_a_directory(self, tmp_path: Path) -> None:
        for name in ("a.py", "b/c.py", ".git/d.py", "node_modules/e.py", "site-packages/f.py", "g.txt"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(BAD)
        (tmp_path / "env").mkdir()
        (tmp_path / "env" / "pyvenv.cfg").touch()
        (tmp_path / "env" / "h.py").write_text(BAD)
        (tmp_path / "script").write_text("#!/usr/bin/env python2.7\n" + BAD)
        (tmp_path / "shell").write_text("#!/bin/sh\n" + BAD)
        found = {finding.path for finding in check_paths([tmp_path])}
        assert found == {str(tmp_path / name) for name in ("a.py", "b/c.py", "script")}

    def test_directories_that_contain_themselves(self, bad: Path) -> None:
        (bad.parent / "again").symlink_to(bad.parent, target_is_directory=True)
        assert codes(bad.parent) == [COMPARED]

    def test_a_file_that_is_named_twice(self, bad: Path) -> None:
        assert codes(bad, bad) == [COMPARED]

    def test_one_unreadable_file_does_not_end_the_check(self, bad: Path) -> None:
        (bad.parent / "a.py").write_bytes(b"# coding: no-such-encoding\n")
        assert codes(bad.parent) == ["unreadable", COMPARED]

    def test_one_file_with_a_syntax_error_does_not_end_the_check(self, bad: Path) -> None:
        broken = bad.parent / "a.py"
        broken.write_text("x = 1\ndef f(:\n    pass\n")
        first, second = check_paths([bad.parent])
        assert (first.code, first.path, first.line) == ("syntax", str(broken), 2)
        assert second.code == COMPARED

    @pytest.mark.parametrize(
        "content",
        [
            BAD.replace("\n", "\r\n").encode(),
            b"\xef\xbb\xbf" + BAD.encode(),
            b"# coding: latin-1\n# \xe9\n" + BAD.encode(),
        ],
        ids=["crlf", "bom", "pep263"],
    )
    def test_encodings_and_ends_of_lines(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "framework.py"
        path.write_bytes(content)
        (found,) = check_paths([path])
        assert found.code == COMPARED
        assert "__cmp__" in content.decode("latin-1").splitlines()[found.line - 1]

    @pytest.mark.parametrize("line", [1, 4])
    def test_bytes_that_are_not_of_the_encoding(self, tmp_path: Path, line: int) -> None:
        path = tmp_path / "framework.py"
        lines = BAD.encode().splitlines(keepends=True)
        lines.insert(line - 1, b"# \xe9\n")
        path.write_bytes(b"".join(lines))
        found = {finding.code: finding.line for finding in check_paths([path])}
        assert found == {"unreadable": line, COMPARED: 3 if line == 1 else 2}

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "__init__.py").touch()
        assert codes(tmp_path) == []


class TestSilence:
    @pytest.mark.parametrize("comment", ["# remesos: ok", f"# remesos: ok {COMPARED}"])
    def test_a_comment_silences_its_line(self, tmp_path: Path, comment: str) -> None:
        path = tmp_path / "framework.py"
        path.write_text(BAD.replace("other):", f"other):  {comment}"))
        assert codes(path) == []

    def test_a_comment_with_a_code_silences_only_that_code(self, bad: Path) -> None:
        bad.write_text(BAD.replace("other):", "other):  # remesos: ok getargspec"))
        assert codes(bad) == [COMPARED]


class TestConversion:
    def test_what_2to3_converts_is_one_finding_per_file(self, tmp_path: Path) -> None:
        path = tmp_path / "old.py"
        path.write_text("import urllib2\nprint 'a'\ntry:\n    print `1`\nexcept ValueError, e:\n    exec 'x'\n")
        (found,) = check_paths([path])
        assert found.code == "2to3"
        assert "6 place(s)" in found.message

    def test_python_3_is_not_python_2(self, tmp_path: Path) -> None:
        path = tmp_path / "new.py"
        path.write_text(
            'def f(x):\n    match x:\n        case [1]:\n            return f"{"a"}"\n    print(x, end="")\n'
        )
        assert "2to3" not in codes(path)

    def test_what_remesos_makes_work_is_not_found(self, tmp_path: Path) -> None:
        path = tmp_path / "framework.py"
        path.write_text(
            "import json\nimport mesos\nimport mesos_pb2\nfrom mesos.interface import Scheduler\n"
            "task = mesos_pb2.TaskInfo()\ntask.data = 'text'\nprint(json.loads(task.data), task.data == 'text')\n"
            "driver = mesos.MesosSchedulerDriver(Scheduler(), mesos_pb2.FrameworkInfo(), 'local')\n"
            "reason = mesos_pb2.TaskStatus.REASON_MEMORY_LIMIT\n"
        )
        assert codes(path) == []
