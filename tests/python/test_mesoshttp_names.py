"""The distributions in ``compat/`` that provide the names ``mesoshttp`` and ``avmesos``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["mesoshttp", "avmesos"]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment into which both are installed, with the remesos of this one."""
    work = tmp_path_factory.mktemp("names")
    sources = [shutil.copytree(ROOT / "compat" / name, work / name) for name in NAMES]
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", work, *sources]
    subprocess.run(build, check=True)
    venv.create(work / "venv", with_pip=True, symlinks=True)
    python = work / "venv" / "bin" / "python"
    # What they need is here already, and is not to be built again.
    wheels = list(work.glob("*.whl"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", *wheels], check=True)
    site = next((work / "venv" / "lib").glob("python*/site-packages"))
    here = [str(ROOT / "python"), *(path for path in sys.path if path.endswith("site-packages"))]
    (site / "here.pth").write_text("\n".join(here))
    return python


@pytest.mark.parametrize("name", NAMES)
def test_the_sample_runs_with_the_name_alone(fresh: Path, name: str, master: str) -> None:
    sample = Path(__file__).with_name("mesoshttp_sample.py")
    command = [fresh, sample, name, f"http://{master}"]
    done = subprocess.run(command, cwd=fresh.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    states = [state for state in done.stdout.split() if state != "TASK_STARTING"]
    assert states == ["TASK_RUNNING", "TASK_KILLED"]


@pytest.mark.parametrize("name", NAMES)
def test_the_version_satisfies_what_frameworks_require(fresh: Path, name: str) -> None:
    code = f"from importlib.metadata import version; print(version('{name}'))"
    done = subprocess.run([fresh, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.4.2+remesos.1"
    check = [fresh, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", f"{name}==0.4.2"]
    subprocess.run(check, check=True)
