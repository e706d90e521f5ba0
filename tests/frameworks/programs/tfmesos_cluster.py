"""A cluster of tfmesos, a parameter server and a worker, each of which runs a command to its end, as with tfrun.

``MESOS_MASTER`` names the master; the argument is the file for the result.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from tfmesos import cluster

COMMAND = "echo {ps_hosts} {worker_hosts} > ran-{job_name}"
SECONDS = 60


def main() -> None:
    jobs = [{"name": name, "num": 1, "cpus": 0.5, "mem": 64.0, "cmd": COMMAND} for name in ("ps", "worker")]
    with cluster(jobs, name="tfmesos") as tensorflow:
        value = {"targets": sorted(tensorflow.targets), "version": tensorflow.driver.version}
        ended = threading.Event()
        tell = tensorflow.statusUpdate

        def tell_and_check(driver: object, update: object) -> None:
            tell(driver, update)
            if all(tensorflow.job_finished.values()):
                ended.set()

        tensorflow.statusUpdate = tell_and_check
        if not all(tensorflow.job_finished.values()):
            assert ended.wait(SECONDS)
    Path(sys.argv[1]).write_text(json.dumps(value))


if __name__ == "__main__":
    main()
