# What commands.py does, with dask's LocalCluster of processes: commands_dask.py N
#
# A call there runs in a process that waits for work, where a task of Mesos is a process of its own. The time is that of
# the calls alone: making the cluster, `made_s`, takes longer than they do.

import logging
import sys
import time

from distributed import Client, LocalCluster
from usage import cpu_seconds, report

SLOTS = 8


def nothing(number):
    return number


def main(number):
    begun, cpu = time.perf_counter(), cpu_seconds()
    with (
        LocalCluster(
            n_workers=SLOTS, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster,
        Client(cluster) as client,
    ):
        made = time.perf_counter()
        client.gather(client.map(nothing, range(int(number)), pure=False))
        ended = time.perf_counter()
        report(wall_s=ended - made, made_s=made - begun, cpu_s=cpu_seconds() - cpu)


if __name__ == "__main__":
    main(*sys.argv[1:])
