"""Virtual environments with a framework, remesos and the name of the client that the framework imports."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"


@dataclass(frozen=True)
class Environment:
    """What is installed: one run of pip finds that our distributions satisfy what the framework requires."""

    client: str
    """A folder of ``compat/``."""
    requirements: tuple[str, ...]

    def make(self, directory: Path, python: str, remesos: str) -> Path:
        """Makes it, if it is not there, and returns the directory of its programs.

        :param remesos: what pip installs as remesos
        """
        programs = directory / "bin"
        if not programs.exists():
            subprocess.run([python, "-m", "venv", directory], check=True)
        self._pip(programs, remesos, str(ROOT / "compat" / self.client), *self.requirements)
        # A wheel of the working tree has the same version however often it is built.
        self._pip(programs, "--force-reinstall", "--no-deps", remesos, str(ROOT / "compat" / self.client))
        return programs

    def _pip(self, programs: Path, *arguments: str) -> None:
        options = ("--quiet", "--disable-pip-version-check", "--no-cache-dir")
        subprocess.run([programs / "python", "-m", "pip", "install", *options, *arguments], check=True)


def build_wheel(directory: Path) -> str:
    """Builds a wheel of the working tree, as ``maturin develop`` builds it, and returns its path."""
    command = [sys.executable, "-m", "maturin", "build", "--quiet", "--interpreter", sys.executable, "--out"]
    subprocess.run([*command, directory], cwd=ROOT, check=True)
    newest = max(directory.glob("remesos-*.whl"), key=lambda wheel: wheel.stat().st_mtime)
    return str(newest)
