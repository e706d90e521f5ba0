"""Scheduler CPU per task and peak memory: ours beside Apache's classic driver, on one real Mesos, in one run.

Apache's driver and Apache's own build of Mesos both need Python 2.7; without it there is nothing to measure on. What
counts are the ratios, not the microseconds of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.apache_mesos import ApacheMesos, install, python27_environment  # noqa: E402
from tests.apache_mesos.install import InstallError  # noqa: E402

WORKLOAD = str(Path(__file__).with_name("workload.py"))
COLUMNS = [("cpu_us", "CPU per task (us)"), ("peak_mb", "peak memory (MB)"), ("per_second", "tasks per second")]


def measure(command: list[str], environment: dict[str, str], master: str, tasks: int) -> dict[str, float]:
    done = subprocess.run([*command, WORKLOAD, master, str(tasks)], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def show(rows: dict[str, list[dict[str, float]]]) -> None:
    print(f"{'':28}" + "".join(f"{title:>20}" for _, title in COLUMNS))
    medians = {}
    for name, results in rows.items():
        medians[name] = {key: statistics.median(r[key] for r in results) for key, _ in COLUMNS}
        print(f"{name:28}" + "".join(f"{medians[name][key]:20.1f}" for key, _ in COLUMNS))
    theirs, ours = medians.values()
    print(f"{'remesos / Apache':28}" + "".join(f"{ours[key] / theirs[key]:20.2f}" for key, _ in COLUMNS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000, help="past some 3000 a real agent itself slows down")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    try:
        home = install(Path(os.environ.get("REMESOS_APACHE_MESOS", ROOT / ".apache-mesos")))
    except InstallError as error:
        sys.exit(f"no real Mesos to measure on: {error}")
    theirs = {**python27_environment(home), "LIBPROCESS_IP": "127.0.0.1", "GLOG_minloglevel": "3"}
    rows: dict[str, list[dict[str, float]]] = {"Apache's driver, Python 2.7": [], "remesos, this Python": []}
    with (
        tempfile.TemporaryDirectory() as work,
        ApacheMesos(home, Path(work), agents=2, flags={"MESOS_ALLOCATION_INTERVAL": "200ms"}) as mesos,
    ):
        for _ in range(options.rounds):
            apache, ours = rows.values()
            apache.append(measure([theirs["MESOS_PYTHON27"]], theirs, mesos.address, options.tasks))
            ours.append(measure([sys.executable], dict(os.environ), mesos.address, options.tasks))
    print(f"{options.tasks} tasks, median of {options.rounds} rounds, Mesos 1.11.0 with 2 agents")
    show(rows)


if __name__ == "__main__":
    main()
