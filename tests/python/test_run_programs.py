"""The forms of programs that `remesos run` takes: those that `python` takes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REMESOS = [sys.executable, "-m", "mesos"]
SEEN = "import os, sys\nprint('seen', __name__, __package__, sys.argv, sys.path[0], 'REMESOS_MASTER' in os.environ)\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs of each form, in the current directory."""
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    (tmp_path / "hidden").mkdir()
    (package / "__init__.py").write_text(
        "import os\n__path__.append(os.path.abspath('hidden'))\nprint('seen import of package')\n"
    )
    for name in (
        "module.py",
        "package/__main__.py",
        "package/inner/__main__.py",
        "package/inner/module.py",
        "hidden/found.py",
    ):
        (tmp_path / name).write_text(SEEN)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", SEEN)
        archive.writestr("inner/__main__.py", SEEN)
    return tmp_path


@pytest.mark.parametrize(
    "program",
    [
        ["module.py"],
        ["./package/inner/module.py"],
        ["package"],
        ["archive.zip"],
        ["archive.zip/inner"],
        ["-m", "module"],
        ["-m", "package"],
        ["-m", "package.inner"],
        ["-m", "package.inner.module"],
        ["-m", "package.found"],
    ],
    ids=" ".join,
)
def test_run_takes_what_python_takes(programs: Path, program: list[str]) -> None:
    arguments = [*program, "a", "--for", "-m", "--", "b"]
    environment = {**os.environ, "PYTHONPATH": ""}

    def seen(*command: str) -> list[str]:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return [line for line in done.stdout.splitlines() if line.startswith("seen ")]

    expected = [line.replace(" False", " True") for line in seen(sys.executable, *arguments)]
    assert "seen __main__" in expected[-1]
    assert seen(*REMESOS, "run", "--agents", "1", *arguments) == expected


def test_python_m_mesos_is_the_command() -> None:
    def shown(*command: str) -> str:
        return subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=30, check=True).stdout

    assert shown(*REMESOS).startswith("usage: remesos ")
    assert shown(*REMESOS) == shown(str(Path(sys.executable).with_name("remesos")))
