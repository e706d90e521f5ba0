"""tfmesos' scheduler and its servers, which run a command instead of TensorFlow's server, on ``mesos.pymesos``."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from tests.frameworks.environments import PROGRAMS, Environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frameworks.masters import Master

ENVIRONMENT = Environment("pymesos", ("tfmesos==0.0.10",))
PRINCIPAL = "tfmesos"
SECONDS = 120
STUBS = PROGRAMS / "stubs"


def run(programs: Path, master: Master) -> str:
    """Runs a command on a parameter server and a worker."""
    result = master.work / "result.json"
    environment = {**os.environ, **master.authentication(), "MESOS_MASTER": master.address, "PYTHONPATH": str(STUBS)}
    command = [programs / "python", PROGRAMS / "tfmesos_cluster.py", result]
    with (master.work / "tfmesos.log").open("wb") as log:
        subprocess.run(command, cwd=master.work, env=environment, stdout=log, stderr=log, check=True, timeout=SECONDS)
    assert json.loads(result.read_text()) == {
        "targets": ["/job:ps/task:0", "/job:worker/task:0"],
        "version": "1.11.0",
    }
    assert (master.work / "ran-ps").read_text() == (master.work / "ran-worker").read_text()
    assert master.ends("tfmesos") == {"TASK_FINISHED": 2}
    return "a parameter server and a worker ran a command"
