"""Who takes part: this build and another one, Apache's driver, pymesos, the floor, and dask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.apache_mesos import install, local_environment
from tests.apache_mesos.install import InstallError, find_python

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = Path(__file__).with_name("clients")
MADE = ROOT / "target" / "bench"
WAIT_SECONDS = 300

OURS, AGAINST, APACHE, PYMESOS, FLOOR, DASK = "remesos", "against", "Apache", "pymesos", "floor", "dask"
PYMESOS_REQUIREMENT = "pymesos==0.3.15"
PYMESOS_PYTHON = "3.10"


class Absent(Exception):
    """A participant cannot take part; says why."""


class Failed(Absent):
    """A participant took part, and its program failed."""


@dataclass(frozen=True)
class Participant:
    """Runs programs of ``clients/`` with a Python and an environment of its own."""

    name: str
    python: str
    environment: dict[str, str] = field(repr=False)

    def run(self, client: str, *arguments: object, **variables: str) -> dict[str, Any]:
        """What a client reports.

        :raises Failed: it ended with an error, or not within five minutes
        """
        command = [self.python, str(CLIENTS / client), *map(str, arguments)]
        environment = {**self.environment, **variables}
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"{client} did not end within {WAIT_SECONDS} s") from None
        if done.returncode != 0:
            raise Failed(f"{client} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
        values: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return values


def find(options: argparse.Namespace, names: list[str]) -> tuple[dict[str, Participant], dict[str, str]]:
    """Those of these names that can take part, and of the others why not."""
    present, absent = {}, {}
    for name in names:
        try:
            if options.participants and name not in options.participants:
                raise Absent("left out with --participants")
            present[name] = FINDERS[name](options)
        except Absent as reason:
            absent[name] = str(reason)
    return present, absent


def ours(_: argparse.Namespace) -> Participant:
    return Participant(OURS, sys.executable, dict(os.environ))


def against(options: argparse.Namespace) -> Participant:
    if options.against is None:
        raise Absent("no other build is named with --against")
    if not (options.against / "mesos").is_dir():
        raise Absent(f"{options.against} has no package mesos")
    path = os.pathsep.join(filter(None, [str(options.against.resolve()), os.environ.get("PYTHONPATH")]))
    return Participant(AGAINST, sys.executable, {**os.environ, "PYTHONPATH": path})


def floor(_: argparse.Namespace) -> Participant:
    return Participant(FLOOR, sys.executable, dict(os.environ))


def mesos_home() -> Path:
    """Where the real Mesos is laid out.

    :raises Absent: it cannot be, for example without Python 2.7
    """
    try:
        return install(Path(os.environ.get("REMESOS_APACHE_MESOS", ROOT / ".apache-mesos")))
    except InstallError as error:
        raise Absent(f"no real Mesos: {error}") from error


def apache(_: argparse.Namespace) -> Participant:
    # The work directory is named when a client needs one.
    quiet = {"GLOG_minloglevel": "3", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {**local_environment(mesos_home(), Path()), **quiet}
    return Participant(APACHE, environment["MESOS_PYTHON27"], environment)


def pymesos(options: argparse.Namespace) -> Participant:
    if options.pymesos is not None:
        return Participant(PYMESOS, str(options.pymesos), plain_environment())
    python = find_python(PYMESOS_PYTHON)
    if python is None:
        raise Absent(f"pymesos needs Python {PYMESOS_PYTHON}, and none was found; --pymesos names one that has it")
    return installed(PYMESOS, python, PYMESOS_REQUIREMENT)


def dask(_: argparse.Namespace) -> Participant:
    return installed(DASK, sys.executable, "distributed")


def installed(name: str, python: str, requirement: str) -> Participant:
    """A participant in a virtual environment of its own under ``target/bench``.

    :raises Absent: it could not be installed
    """
    home = MADE / name
    made, complete = Participant(name, str(home / "bin" / "python"), plain_environment()), home / ".complete"
    if not complete.exists():
        pip = [made.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
        for command in ([python, "-m", "venv", "--clear", str(home)], pip):
            done = subprocess.run(command, env=made.environment, capture_output=True, text=True)
            if done.returncode != 0:
                raise Absent(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
        complete.touch()
    return made


def plain_environment() -> dict[str, str]:
    """The environment, without what names packages of this Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


FINDERS: dict[str, Callable[[argparse.Namespace], Participant]] = {
    OURS: ours,
    AGAINST: against,
    APACHE: apache,
    PYMESOS: pymesos,
    FLOOR: floor,
    DASK: dask,
}
"""In the order in which they take turns."""
