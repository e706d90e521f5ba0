"""The comparison of what ``remesos check`` finds with what porting ten frameworks took."""

from __future__ import annotations

from pathlib import Path

import pytest
from mesos._check import Finding

from tests.check.__main__ import CONVERSION, TABLES, Framework, compare

ENTRY = {"path", "line", "code", "why"}
EDITS = [
    {"path": "a.py", "line": 3, "code": "cmp-method", "why": "not called"},
    {"path": "a.py", "line": 8, "also": [9], "code": "integer-division", "why": "an index"},
    {"path": "old_pb2.py", "line": 0, "code": "old-pb2", "why": "refused"},
    {"path": "b.py", "line": 1, "code": "state-json", "why": "gone", "found_by": "checker"},
]
REAL = [{"path": "a.py", "line": 20, "code": "gone-module", "why": "in 3.12"}]
FRAMEWORK = Framework("example", "pypi", "example", "1.0", ["."], EDITS, REAL)


def finding(path: Path, line: int, code: str) -> Finding:
    return Finding(str(path), line, 1, code, "will not run", "message", "remedy")


@pytest.mark.parametrize("path", sorted(TABLES.glob("*.toml")), ids=lambda path: path.stem)
def test_each_table_says_where_and_why(path: Path) -> None:
    framework = Framework.read(path)
    assert framework.kind in {"pypi", "github"}
    assert framework.version
    assert framework.edits
    for entry in [*framework.edits, *framework.real]:
        assert set(entry) - {"also", "found_by"} == ENTRY


def test_edits_are_found_by_their_line_or_a_symptom(tmp_path: Path) -> None:
    findings = [
        finding(tmp_path / "a.py", 3, "cmp-method"),
        finding(tmp_path / "a.py", 9, "integer-division"),
        finding(tmp_path / "old_pb2.py", 20, "old-pb2"),
        finding(tmp_path / "b.py", 1, "state-json"),
    ]
    result = compare(FRAMEWORK, tmp_path, findings)
    assert (result.found, result.missed, result.by_checker, result.false_alarms) == (3, 0, 1, 0)


def test_what_no_finding_names_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = compare(FRAMEWORK, tmp_path, [finding(tmp_path / "a.py", 8, "integer-division")])
    assert (result.found, result.missed) == (1, 2)
    assert "missed: a.py:3: cmp-method: not called" in capsys.readouterr().out


def test_what_no_table_names_is_a_false_alarm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = [
        finding(tmp_path / "a.py", 20, "gone-module"),
        finding(tmp_path / "a.py", 21, "gone-module"),
        finding(tmp_path / "old_pb2.py", 20, "str-of-bytes"),
        finding(tmp_path / "a.py", 1, CONVERSION),
    ]
    result = compare(FRAMEWORK, tmp_path, findings)
    assert (result.findings, result.false_alarms) == (3, 2)
    assert "false alarm: a.py:21: gone-module: message" in capsys.readouterr().out
