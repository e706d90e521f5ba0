"""Toil's Mesos batch system, its scheduler and its executor, on ``mesos.pymesos``."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from tests.frameworks.environments import PROGRAMS, Environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frameworks.masters import Master

# Toil's extra `mesos` requires pymesos only for Python 3.10.
ENVIRONMENT = Environment("pymesos", ("toil==9.6.0",))
# It names itself as its principal.
PRINCIPAL = "toil"
SECONDS = 300


def run(programs: Path, master: Master) -> str:
    """Runs a workflow to its end."""
    result, store = master.work / "result.json", master.work / "store"
    # Workers and executors by their paths, which Toil does on clusters of its own.
    environment = {**os.environ, **master.authentication(), "TOIL_CHECK_ENV": "True"}
    options = ["--batchSystem", "mesos", "--mesosEndpoint", master.address, "--retryCount", "2"]
    options += ["--mesosRole", "science", "--servicePollingInterval", "2", "--workDir", str(master.work)]
    command = [programs / "python", PROGRAMS / "toil_workflow.py", *options, f"file:{store}", master.work, result]
    with (master.work / "toil.log").open("wb") as log:
        subprocess.run(command, env=environment, stdout=log, stderr=log, check=True, timeout=SECONDS)
    assert json.loads(result.read_text()) == {"sum": 55, "retried": "retried", "greeting": "hello from a job"}
    assert (master.work / "service").read_text() == "stopped"
    ends = master.ends("toil")
    assert ends["TASK_FAILED"] == 1
    assert set(ends) == {"TASK_FAILED", "TASK_FINISHED"}
    return f"{ends.total()} tasks, one of which failed and was retried"
