"""A cluster of tfmesos, a parameter server and a worker, until it has started.

``MESOS_MASTER`` names the master; the argument is the file for the result.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tfmesos import cluster


def main() -> None:
    jobs = [{"name": "ps", "num": 1, "cpus": 0.5, "mem": 64.0}, {"name": "worker", "num": 1, "cpus": 0.5, "mem": 64.0}]
    with cluster(jobs, name="tfmesos") as tensorflow:
        value = {"targets": tensorflow.targets, "started": tensorflow.started, "version": tensorflow.driver.version}
    Path(sys.argv[1]).write_text(json.dumps(value))


if __name__ == "__main__":
    main()
