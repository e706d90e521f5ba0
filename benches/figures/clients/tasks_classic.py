# Python 2.7 and 3. Launches N tasks that end at once, through the classic API: tasks_classic.py MASTER N EXECUTOR
#
# EXECUTOR is the executor's command. Reports the CPU of this process per task, from the first offer to the last update,
# and its peak memory. The same file drives Apache's own driver and ours.

import sys
import time

from mesos.interface import Scheduler, mesos_pb2
from usage import cpu_seconds, peak_mb, report

BATCH = 1000
TASK = (("cpus", 0.001), ("mem", 0.1))
EXECUTOR = (("cpus", 0.1), ("mem", 32.0))
ON_THE_WAY = (mesos_pb2.TASK_STAGING, mesos_pb2.TASK_STARTING, mesos_pb2.TASK_RUNNING)


def add(resources, amounts):
    for name, amount in amounts:
        resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount


class Workload(Scheduler):
    def __init__(self, number, command):
        self.number, self.launched, self.finished, self.begun = number, 0, 0, None
        self.executor = mesos_pb2.ExecutorInfo()
        self.executor.executor_id.value = "noop"
        self.executor.command.value = command
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
        elif status.state not in ON_THE_WAY:
            sys.exit("unexpected: %s" % status)

    def report(self):
        wall, cpu = time.time() - self.begun[0], cpu_seconds() - self.begun[1]
        report(cpu_us=cpu * 1e6 / self.number, peak_mb=peak_mb(), wall_s=wall)


def main(master, number, command):
    from mesos.scheduler import MesosSchedulerDriver

    driver = MesosSchedulerDriver(
        Workload(int(number), command), mesos_pb2.FrameworkInfo(user="", name="bench"), master
    )
    sys.exit(0 if driver.run() == mesos_pb2.DRIVER_STOPPED else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
