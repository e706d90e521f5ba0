"""Other distributions that contain the same modules: one warning names the modules in use and the commands that repair it."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mesos
import pytest

HERE = Path(str(mesos.__file__)).parents[1]
# As Apache's releases have it, but for what would not run on Python 3.
NAMESPACE = "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n"


def theirs(directory: Path, name: str = "mesos.interface-1.7.2.dist-info") -> Path:
    """A directory into which Apache's mesos.interface is installed."""
    (directory / name).mkdir(parents=True)
    interface = directory / "mesos" / "interface"
    interface.mkdir(parents=True, exist_ok=True)
    (directory / "mesos" / "__init__.py").write_text(NAMESPACE)
    (interface / "__init__.py").write_text("class Scheduler(object):\n    theirs = True\n")
    (interface / "mesos_pb2.py").write_text("DESCRIPTOR = 'theirs'\n")
    return directory


def ours(directory: Path) -> Path:
    """A directory into which remesos is installed."""
    for package in ("mesos", "mesos_pb2"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HERE / package, directory / package, dirs_exist_ok=True, ignore=ignored)
    return directory


def said(path: list[Path], code: str = "import mesos.interface, mesos.native") -> str:
    """What importing says on stderr."""
    clean = [entry for entry in sys.path if entry and Path(entry) != HERE]
    arguments = [sys.executable, "-S", "-c", inspect.cleandoc(code)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, path), *clean])}
    return subprocess.run(arguments, env=variables, capture_output=True, text=True, timeout=30, check=False).stderr


def test_there_is_nothing_to_say_where_we_are_alone(tmp_path: Path) -> None:
    assert said([ours(tmp_path)], "import mesos, mesos_pb2, mesos.native; from mesos import Scheduler") == ""
    (tmp_path / "mesos_tool-1.0.dist-info").mkdir()
    (tmp_path / "mesos-tool-1.0.dist-info").mkdir()
    (tmp_path / "mesoshttp-1.0.dist-info").mkdir()
    (tmp_path / "mesos.tool-1.0-py3.11.egg-info").mkdir()
    assert said([ours(tmp_path)]) == ""


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        ("mesos.interface-1.7.2.dist-info", "mesos.interface 1.7.2"),
        ("mesos.interface-1.3.0-py3.11.egg-info", "mesos.interface 1.3.0"),
        ("mesos_interface-1.11.0.dist-info", "mesos.interface 1.11.0"),
        ("mesos-0.19.1-py2.7-linux-x86_64.egg", "mesos 0.19.1"),
        ("mesos.native-0.28.2-py2.7-linux-x86_64.egg", "mesos.native 0.28.2"),
        ("mesos.cli-0.1.5.dist-info", "mesos.cli 0.1.5"),
        ("mesos_cli-0.1.5-py3.11.egg-info", "mesos.cli 0.1.5"),
    ],
)
def test_another_distribution_is_named_once(tmp_path: Path, metadata: str, named: str) -> None:
    text = said([ours(tmp_path / "a"), theirs(tmp_path / "b", metadata)])
    assert text.count("UserWarning") == 1
    assert f"({named} in {tmp_path / 'b'})" in text
    assert "those of remesos are in use" in text
    assert f"pip uninstall {named.split()[0]}; pip install --force-reinstall --no-deps remesos" in text


def test_our_command_line_works_beside_apaches_package_of_that_name(tmp_path: Path) -> None:
    theirs_too = ours(tmp_path) / "mesos" / "cli"
    theirs_too.mkdir()
    (theirs_too / "__init__.py").write_text("__version__ = '0.1.5'\n")
    (tmp_path / "mesos.cli-0.1.5.dist-info").mkdir()
    text = said([tmp_path], "import runpy, sys; sys.argv[1:] = ['--help']; runpy.run_module('mesos')")
    assert f"mesos.cli 0.1.5 in {tmp_path}" in text
    assert "those of remesos are in use" in text
    code = "import mesos.cli, mesos._cli; assert mesos.cli.__version__ == '0.1.5'; assert mesos._cli.main"
    assert "Error" not in said([tmp_path], code)


def test_an_egg_on_the_path_itself_is_found(tmp_path: Path) -> None:
    egg = theirs(tmp_path / "mesos.interface-1.0.1-py2.7.egg", "EGG-INFO")
    assert f"mesos.interface 1.0.1 in {egg}" in said([ours(tmp_path / "a"), egg])


def test_theirs_before_ours_on_the_path_wins_and_it_is_said(tmp_path: Path) -> None:
    text = said([theirs(tmp_path / "a"), ours(tmp_path / "b")])
    assert text.count("UserWarning") == 1
    for module in ("mesos/__init__.py", "mesos/interface/__init__.py", "mesos/interface/mesos_pb2.py"):
        assert str(tmp_path / "a" / module) in text
    assert "theirs are in use" in text


def test_theirs_installed_over_ours_wins_and_it_is_said(tmp_path: Path) -> None:
    kept = (ours(tmp_path) / "mesos" / "__init__.py").read_text()
    theirs(tmp_path)
    (tmp_path / "mesos" / "__init__.py").write_text(kept)  # wheels of theirs do not bring it
    text = said([tmp_path])
    assert text.count("UserWarning") == 1
    assert (
        f"theirs are in use: {tmp_path}/mesos/interface/__init__.py, {tmp_path}/mesos/interface/mesos_pb2.py." in text
    )


def test_ours_installed_over_theirs_wins_and_it_is_said(tmp_path: Path) -> None:
    text = said([ours(theirs(tmp_path))], "from mesos import Scheduler; assert not hasattr(Scheduler, 'theirs')")
    assert text.count("UserWarning") == 1
    assert "those of remesos are in use" in text
