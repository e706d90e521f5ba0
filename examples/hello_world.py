#!/usr/bin/env python3
"""The hello-world: on every offer, one task that says hello."""

import signal
import sys
import time
import uuid

from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver


def new_task(offer):
    task = mesos_pb2.TaskInfo()
    task.task_id.value = str(uuid.uuid4())
    task.slave_id.value = offer.slave_id.value
    task.name = "hello"
    task.command.value = "echo hello from $(hostname), task %s" % task.task_id.value

    cpus = task.resources.add()
    cpus.name = "cpus"
    cpus.type = mesos_pb2.Value.SCALAR
    cpus.scalar.value = 0.1

    mem = task.resources.add()
    mem.name = "mem"
    mem.type = mesos_pb2.Value.SCALAR
    mem.scalar.value = 10
    return task


class HelloWorldScheduler(Scheduler):
    def registered(self, driver, frameworkId, masterInfo):
        print("Registered with framework id %s on %s" % (frameworkId.value, masterInfo.hostname))

    def resourceOffers(self, driver, offers):
        for offer in offers:
            task = new_task(offer)
            print("Launching task %s on offer %s" % (task.task_id.value, offer.id.value))
            driver.launchTasks(offer.id, [task])

    def statusUpdate(self, driver, status):
        print("Task %s is in state %s" % (status.task_id.value, mesos_pb2.TaskState.Name(status.state)))


def main():
    framework = mesos_pb2.FrameworkInfo()
    framework.user = ""
    framework.name = "hello-world"

    driver = MesosSchedulerDriver(HelloWorldScheduler(), framework, "zk://localhost:2181/mesos")
    driver.start()

    def shutdown(signum, frame):
        print("Stopping")
        driver.stop()
        sys.exit(0)

    signal.signal(signal.SIGINT, shutdown)
    print("Running; Ctrl-C to stop")
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
