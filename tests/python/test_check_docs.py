"""``docs/porting.md`` says the same about ``remesos check`` as the rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mesos import _cli

from tools.check_table import PAGE, groups, page

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CODES = [row[0] for rows in groups().values() for row in rows]


def test_the_tables_are_those_of_the_rules() -> None:
    text = PAGE.read_text()
    assert text == page(text), "run: python tools/check_table.py"


def test_each_code_is_listed_once() -> None:
    listed = re.findall(r"^\| `([\w-]+)`(?: \(may\))? \| ", PAGE.read_text(), re.MULTILINE)
    assert [code for code in listed if code in CODES] == CODES
    assert len(set(CODES)) == len(CODES)


def test_the_example_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "framework").mkdir()
    lines = ["print 1"] * 11 + ["try:", "    pass", "except ValueError, e:", "    pass", "class Task:"]
    text = "\n".join(["import mesos", "", *lines, *[""] * (39 - 2 - len(lines)), "    def __cmp__(self, other): pass"])
    (tmp_path / "framework/scheduler.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert _cli.main(["check", "framework"]) == 1
    assert f"$ remesos check framework\n{capsys.readouterr().out}```\n" in PAGE.read_text()
