#!/usr/bin/env python3
"""Packs jobs onto as few agents as will do, and tells each that wants one its port."""

import sys

from mesos.helpers import Resources, Wish, match
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

JOBS = [
    ("server-1", "echo serving on port $PORT", {"cpus": 1.5, "mem": 256, "ports": 1}),
    ("server-2", "echo serving on port $PORT", {"cpus": 1.5, "mem": 256, "ports": 1}),
    ("batch-1", "echo crunching", {"cpus": 0.5, "mem": 128}),
    ("batch-2", "echo crunching", {"cpus": 0.3, "mem": 64}),
]
FAILED = ("TASK_FAILED", "TASK_LOST", "TASK_ERROR", "TASK_KILLED")


def new_wish(name, command, needs):
    task = mesos_pb2.TaskInfo()
    task.name = task.task_id.value = name
    task.command.value = command
    return Wish(task, **needs)


class PackingScheduler(Scheduler):
    def __init__(self, jobs):
        self.waiting = [new_wish(*job) for job in jobs]
        self.unfinished = {name for name, _, _ in jobs}

    def resourceOffers(self, driver, offers):
        matching = match(offers, self.waiting, fit="best")
        for launch in matching:
            for placement in launch.placements:
                for port in placement.resources.ports:
                    placement.task.command.environment.variables.add(name="PORT", value=str(port))
                print("Launching %s with %s" % (placement.task.name, placement.resources.unallocated()))
            cpus = Resources(launch.offer).cpus
            print("%g of %g CPUs of %s are left" % (launch.left.cpus, cpus, launch.offer.hostname))
            driver.launchTasks(launch.offer.id, launch.tasks)
        for offer in matching.unused:
            driver.declineOffer(offer.id)
        self.waiting = matching.unmatched
        if not self.waiting:
            driver.suppressOffers()

    def statusUpdate(self, driver, status):
        state = mesos_pb2.TaskState.Name(status.state)
        print("Task %s is in state %s" % (status.task_id.value, state))
        if state == "TASK_FINISHED":
            self.unfinished.discard(status.task_id.value)
        if state in FAILED or not self.unfinished:
            driver.stop()


def main(master):
    framework = mesos_pb2.FrameworkInfo()
    framework.user = ""
    framework.name = "bin-packing"
    scheduler = PackingScheduler(JOBS)
    MesosSchedulerDriver(scheduler, framework, master).run()
    return 1 if scheduler.unfinished else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "local"))
