# Python 2.7 and 3. Launches N tasks that end at once, through the classic API: workload.py MASTER N
#
# Prints one JSON object: CPU seconds of this process per task, from the first offer to the last update, and its peak
# memory. The same file drives Apache's own driver and ours.

from __future__ import print_function

import json
import os
import resource
import sys
import time

from mesos.interface import Scheduler, mesos_pb2
from mesos.scheduler import MesosSchedulerDriver

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 1000
TASK = (("cpus", 0.001), ("mem", 0.1))
EXECUTOR = (("cpus", 0.1), ("mem", 32.0))


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def add(resources, amounts):
    for name, amount in amounts:
        resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount


class Workload(Scheduler):
    def __init__(self, number):
        self.number, self.launched, self.finished, self.begun = number, 0, 0, None
        self.executor = mesos_pb2.ExecutorInfo()
        self.executor.executor_id.value = "noop"
        self.executor.command.value = "exec python3 %s/noop_executor.py" % HERE
        add(self.executor.resources, EXECUTOR)
        self.filters = mesos_pb2.Filters(refuse_seconds=0)

    def resourceOffers(self, driver, offers):
        if self.begun is None:
            self.begun = time.time(), cpu_seconds()
        for offer in offers:
            wanted = min(self.number - self.launched, BATCH)
            driver.launchTasks(offer.id, [self.task(offer) for _ in range(wanted)], self.filters)
        if self.launched == self.number:
            driver.suppressOffers()

    def task(self, offer):
        task = mesos_pb2.TaskInfo(name="noop")
        task.task_id.value = str(self.launched)
        task.slave_id.value = offer.slave_id.value
        task.executor.MergeFrom(self.executor)
        add(task.resources, TASK)
        self.launched += 1
        return task

    def statusUpdate(self, driver, status):
        if status.state == mesos_pb2.TASK_FINISHED:
            self.finished += 1
            if self.finished == self.number:
                self.report()
                driver.stop()
        elif status.state not in (mesos_pb2.TASK_STAGING, mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING):
            sys.exit("unexpected: %s" % status)

    def report(self):
        wall, cpu = time.time() - self.begun[0], cpu_seconds() - self.begun[1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
        print(json.dumps({"cpu_us": cpu * 1e6 / self.number, "peak_mb": peak, "per_second": self.number / wall}))


if __name__ == "__main__":
    framework = mesos_pb2.FrameworkInfo(user="", name="bench")
    status = MesosSchedulerDriver(Workload(int(sys.argv[2])), framework, sys.argv[1]).run()
    sys.exit(0 if status == mesos_pb2.DRIVER_STOPPED else 1)
