"""The examples as users run them: from a wheel in a fresh virtual environment, and as type checkers see them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from tests.apache_mesos import ApacheMesos

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def code(notebook: Path) -> str:
    """What the cells of a notebook do, as a program."""
    cells = nbformat.read(notebook, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "code") + "\n"


class Fresh:
    """A virtual environment in which the wheel is installed, and nothing of the working tree can be found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        maturin = [sys.executable, "-m", "maturin", "build", "--quiet", "--profile", "dev", "--auditwheel", "skip"]
        subprocess.run([*maturin, "--out", folder], cwd=ROOT, check=True, timeout=500)
        (wheel,) = folder.glob("*.whl")
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        install = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, f"{wheel}[futures,notebook]"], check=True)

    def start(self, *command: object, master: str = "") -> subprocess.Popen[str]:
        hidden = ("PYTHON", "VIRTUAL_ENV", "REMESOS_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        environment |= {"MPLBACKEND": "agg"}
        if master:
            environment["REMESOS_MASTER"] = master
        return subprocess.Popen(
            [str(self.python), *map(str, command)],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self, *command: object, master: str = "") -> str:
        process = self.start(*command, master=master)
        said, complaints = process.communicate(timeout=100)
        assert process.returncode == 0, complaints
        return said


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    fresh = Fresh(tmp_path_factory.mktemp("fresh"))
    found = Path(fresh.said("-c", "import mesos; print(mesos.__path__[0])").strip())
    assert found.is_relative_to(fresh.folder)
    return fresh


@pytest.fixture(params=["local", pytest.param("real", marks=pytest.mark.apache)])
def address(request: pytest.FixtureRequest) -> str:
    """What users name as the master: ``local``, or the address of the real Mesos."""
    if request.param == "local":
        return "local"
    cluster: ApacheMesos = request.getfixturevalue("apache_mesos")
    return cluster.address


@pytest.mark.timeout(600)
class TestFromTheWheel:
    def test_the_classic_hello_world(self, fresh: Fresh, address: str) -> None:
        with fresh.start("-u", EXAMPLES / "hello_world.py", master=address) as process:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if "is in state TASK_FINISHED" in line:
                    break
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=60)
        assert process.returncode == 0, complaints
        # It may be in the middle of a line: the main thread and the callbacks' thread print at the same time.
        assert "Registered with framework id " in said, complaints

    def test_the_hello_world_of_asyncio(self, fresh: Fresh, address: str) -> None:
        lines = fresh.said(EXAMPLES / "hello_asyncio.py", address).splitlines()
        states = [line.rpartition(" ")[2] for line in lines if " is in state " in line]
        assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
        assert ("[hello-1] hello from asyncio" in lines) == (address == "local")

    def test_the_hello_world_of_futures(self, fresh: Fresh, address: str) -> None:
        said = fresh.said(EXAMPLES / "hello_futures.py", address)
        assert re.fullmatch(r"(hello (alice|bob|carol) from process \d+\n){3}", said), said

    def test_the_sweep(self, fresh: Fresh, address: str) -> None:
        program = fresh.folder / "sweep.py"
        program.write_text(code(EXAMPLES / "parameter_sweep.ipynb") + "print(len(results), round(results[0][0], 3))\n")
        master = "" if address == "local" else address
        assert fresh.said(program, master=master).splitlines()[-1:] == ["400 0.615"]


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """The examples, with those of notebooks as programs."""
    for path in EXAMPLES.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    for path in NOTEBOOKS:
        (tmp_path / f"notebook_{path.stem}.py").write_text(code(path))
    return tmp_path


def test_mypy_has_nothing_to_say(typed: Path) -> None:
    programs = sorted(path.name for path in typed.glob("hello_*.py"))
    assert len(programs) == 3
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={typed / 'cache'}"]
    untyped = ["--allow-untyped-defs", "--allow-untyped-calls"]
    # The classic hello-world and the notebooks have no annotations, as most of their readers' code; the rest is checked.
    of_their_time = ["hello_world.py", *sorted(path.name for path in typed.glob("notebook_*.py"))]
    for command in (
        [*mypy, *(name for name in programs if name not in of_their_time)],
        [*mypy, *untyped, *of_their_time],
    ):
        done = subprocess.run(command, cwd=typed, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_pyright_has_nothing_to_say(typed: Path) -> None:
    # The last expression of a cell is what the notebook shows.
    (typed / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard", "reportUnusedExpression": false}')
    pyright = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--level", "warning", "."]
    done = subprocess.run(pyright, cwd=typed, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
