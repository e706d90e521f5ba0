"""Mesos' own command line client on the embedded cluster and on the real Mesos.

The client of Mesos 1.11 is no package. ``avmesos-cli`` is that client with other module names, and PyPI has it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.allocation.client import Framework
from tests.endpoints import scene
from tests.python.conftest import absent

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory in which the client is installed."""
    place = tmp_path_factory.mktemp("cli")
    # It asks for old versions of what it needs, which tests/requirements.txt has.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), "avmesos-cli"]
    try:
        subprocess.run(pip, capture_output=True, text=True, timeout=100, check=True)
    except subprocess.SubprocessError as error:
        absent(f"avmesos-cli cannot be installed: {error}: {getattr(error, 'stderr', None)}")
    return place


@pytest.fixture
def task(master: str) -> Iterator[dict[str, Any]]:
    """A task that runs, as the master shows it."""
    framework = Framework(master, "of-the-client")
    framework.connect()
    try:
        framework.wait_for_offers()
        framework.launch(framework.held()[0], task="of-the-client")
        [shown] = scene.get(master, "/tasks?task_id=of-the-client")["tasks"][:1]
        yield shown
    finally:
        framework.call("TEARDOWN")


def said(installed: Path, config: Path, *arguments: str) -> str:
    """What the client prints."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "MESOS_CLI_CONFIG": str(config)}
    command = [sys.executable, "-m", "avmesos.cli.mesos-cli", *arguments]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def rows(text: str) -> list[list[str]]:
    """A table without its heading."""
    return [line.split() for line in text.splitlines()[1:]]


def test_it_lists_agents_frameworks_and_tasks(
    installed: Path, master: str, task: dict[str, Any], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[master]\naddress = "{master}"\n')
    agents = {slave["id"] for slave in scene.get(master, "/slaves")["slaves"]}
    assert sorted(rows(said(installed, config, "agent", "list"))) == [
        [agent, "localhost", "True"] for agent in sorted(agents)
    ]
    listed = rows(said(installed, config, "task", "list", "-a"))
    assert ["of-the-client", "TASK_RUNNING", task["framework_id"]] in [row[:3] for row in listed]
    frameworks = rows(said(installed, config, "framework", "list", "-a"))
    assert [task["framework_id"], "True", "of-the-client"] in [[row[0], row[1], row[-1]] for row in frameworks]
    inspected = json.loads(said(installed, config, "task", "inspect", "of-the-client"))
    assert (inspected["id"], inspected["slave_id"]) == ("of-the-client", task["slave_id"])
