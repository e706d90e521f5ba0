"""A cluster of tfmesos2, a parameter server and a worker, until it is ready.

``MESOS_MASTER`` names the master; the arguments are a port for tfmesos2's own API, the type of the tasks' containers,
or ``none``, and the file for the result.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tfmesos2 import cluster
from tfmesos2.scheduler import Task


def replace_image(container: str) -> None:
    """Run tasks with this Python instead of the image's, and, with ``none``, in no container."""
    described = Task.to_task_info

    def to_task_info(self: Task, *arguments: object, **options: object) -> object:
        info = described(self, *arguments, **options)
        info["command"]["value"] = info["command"]["value"].replace("/usr/bin/python3", sys.executable)
        if container == "none":
            del info["container"]
        return info

    Task.to_task_info = to_task_info


def main() -> None:
    port, container, result = sys.argv[1:]
    replace_image(container)
    options: dict[str, Any] = {} if container == "none" else {"containerizer_type": container}
    options["env"] = {"REMESOS_TEST_DIRECTORY": str(Path(result).parent)}
    jobs = [{"name": "ps", "num": 1, "cpus": 0.5, "mem": 64.0}, {"name": "worker", "num": 1, "cpus": 0.5, "mem": 64.0}]
    with cluster(jobs, client_ip="127.0.0.1", port=int(port), readiness_timeout=120, **options) as tensorflow:
        states = sorted(task.state for task in tensorflow.tasks.values())
        value = {"cluster": tensorflow.cluster_def, "targets": sorted(tensorflow.targets), "states": states}
    Path(result).write_text(json.dumps(value))


if __name__ == "__main__":
    main()
