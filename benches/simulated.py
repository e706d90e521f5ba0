"""Simulated tasks through the whole of it: cluster, HTTP, driver and a framework in Python.

``python -m benches.simulated [AGENTS] [TASKS]``. Time, CPU time of the process, and memory, per task too; first for a
tenth of the tasks on a tenth of the agents, then for all. The ratio is that of the CPU per task: 1 if a task takes the
same however many there are. The cluster's own share is in ``simulation.rs``.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from mesos.interface import mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver

from benches.figures.clients.usage import cpu_seconds, peak_mb
from benches.many import Many

AT_ONCE = 100


def play(agents: int, tasks: int) -> float:
    """CPU seconds per task."""
    scheduler = Many(tasks, mesos_pb2.TASK_FINISHED, at_once=AT_ONCE)
    with LocalCluster(agents=agents, resources="cpus:4;mem:4096", simulate=Run(seconds=1)) as cluster:
        memory, cpu, began = peak_mb(), cpu_seconds(), time.perf_counter()
        driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="many"), cluster.address)
        driver.start()
        scheduler.done.wait()
        took, cpu, memory = time.perf_counter() - began, cpu_seconds() - cpu, peak_mb() - memory
        driver.stop()
        driver.join()
    print(
        f"{agents} agents, {tasks} tasks: {took:.1f} s, {tasks / took:.0f} tasks/s; "
        f"{cpu / tasks * 1e6:.0f} us of CPU and {memory * 1024 / tasks:.1f} kB each",
        flush=True,
    )
    return cpu / tasks


def main(agents: int = 100, tasks: int = 10_000) -> None:
    # In a process each, which its memory needs: what is given back stays with the process.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        few, many = pool.map(play, (max(1, agents // 10), agents), (max(1, tasks // 10), tasks))
    print(f"CPU per task, ratio: {many / few:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
