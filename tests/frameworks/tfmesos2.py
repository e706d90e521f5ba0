"""tfmesos2's scheduler and its servers, with a stand-in for TensorFlow, on ``mesos.mesoshttp``."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from tests.apache_mesos import free_port
from tests.frameworks.environments import PROGRAMS, Environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frameworks.masters import Master

# It imports six and does not require it.
ENVIRONMENT = Environment("avmesos", ("tfmesos2==0.4.0", "six"))
PRINCIPAL = "tfmesos2"
SECONDS = 180
STUBS = PROGRAMS / "stubs"


def run(programs: Path, master: Master) -> str:
    """Starts a parameter server and a worker, until both are ready."""
    result = master.work / "result.json"
    credential = {"MESOS_USERNAME": master.principal, "MESOS_PASSWORD": master.secret}
    environment = {**os.environ, **credential, "MESOS_MASTER": master.address, "PYTHONPATH": str(STUBS)}
    container = "DOCKER" if master.has_containers else "none"
    command = [programs / "python", PROGRAMS / "tfmesos2_cluster.py", str(free_port()), container, result]
    with (master.work / "tfmesos2.log").open("wb") as log:
        subprocess.run(command, env=environment, stdout=log, stderr=log, check=True, timeout=SECONDS)
    value = json.loads(result.read_text())
    assert value["states"] == ["TASK_RUNNING", "TASK_RUNNING"]
    assert value["targets"] == ["/job:ps/task:0", "/job:worker/task:0"]
    assert sorted(value["cluster"]) == ["ps", "worker"]
    assert all(address.startswith("127.0.0.1:") for addresses in value["cluster"].values() for address in addresses)
    for job in ("ps", "worker"):
        # It may start before the other one has told its port.
        assert json.loads((master.work / f"started-{job}").read_text())[job] == value["cluster"][job]
    ends = master.ends("Mesos HTTP framework")
    assert ends == {"TASK_KILLED": 2}
    return "a parameter server and a worker are ready"
