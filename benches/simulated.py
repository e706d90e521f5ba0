"""Simulated tasks through the whole of it: cluster, HTTP, driver and a framework in Python.

``simulated.py [AGENTS] [TASKS]``. One line: time, CPU time of the process, and memory, per task too. The cluster's own
share is in ``simulation.rs``.
"""

from __future__ import annotations

import resource
import sys
import time

from many import Many
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver

AT_ONCE = 100


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(agents: int = 100, tasks: int = 10_000) -> None:
    scheduler = Many(tasks, mesos_pb2.TASK_FINISHED, at_once=AT_ONCE)
    with LocalCluster(agents=agents, resources="cpus:4;mem:4096", simulate=Run(seconds=1)) as cluster:
        memory, cpu, began = peak_kb(), cpu_seconds(), time.perf_counter()
        driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="many"), cluster.address)
        driver.start()
        scheduler.done.wait()
        took, cpu, memory = time.perf_counter() - began, cpu_seconds() - cpu, peak_kb() - memory
        driver.stop()
        driver.join()
    print(
        f"{agents} agents, {tasks} tasks: {took:.1f} s, {tasks / took:.0f} tasks/s; "
        f"{cpu / tasks * 1e6:.0f} us of CPU and {memory / tasks:.1f} kB each"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
