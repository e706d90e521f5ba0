#!/usr/bin/env python3
"""Keeps a number of tasks running, whatever fails: a task, an agent, the master, or this scheduler.

    keep_running.py MASTER FOLDER [COUNT]

FOLDER has the framework's id and what is known of its tasks. Run it again after a crash, and it takes over the tasks
that it finds there. SIGTERM leaves the tasks to the next scheduler; Ctrl-C ends them.
"""

import json
import signal
import sys
import uuid
from pathlib import Path

from mesos.helpers import Demand, FrameworkIdFile, Reconciliation, Resources, watched
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

ENDED = {
    mesos_pb2.TASK_FINISHED,
    mesos_pb2.TASK_FAILED,
    mesos_pb2.TASK_KILLED,
    mesos_pb2.TASK_ERROR,
    mesos_pb2.TASK_LOST,
}
A_DAY = 24 * 3600.0
AN_HOUR = mesos_pb2.Filters(refuse_seconds=3600)


class KeepRunning(Scheduler):
    def __init__(self, count, path, demand):
        self.count, self.path, self.demand = count, path, demand
        # The agent of each task. A file may say more than is true, which reconciliation corrects, but never less.
        self.tasks = json.loads(path.read_text()) if path.exists() else {}
        self.note()

    def note(self):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.tasks))
        new.rename(self.path)
        self.demand.set(self.count - len(self.tasks))

    def resourceOffers(self, driver, offers):
        for offer in offers:
            left, tasks = Resources(offer.resources), []
            while len(self.tasks) < self.count and (resources := left.find(cpus=0.1, mem=32)) is not None:
                left -= resources
                task = mesos_pb2.TaskInfo(name="sleep", task_id={"value": str(uuid.uuid4())}, slave_id=offer.slave_id)
                task.command.value = "sleep 1000"
                task.resources.extend(resources.messages(mesos_pb2.Resource))
                print("Launching task %s" % task.task_id.value, flush=True)
                self.tasks[task.task_id.value] = offer.slave_id.value
                tasks.append(task)
            # On disk first: after a crash here, the next scheduler asks for the tasks and is told that they are lost.
            self.note()
            # Without tasks, this declines the offer. What is wanted later is asked for by REVIVE.
            driver.launchTasks(offer.id, tasks, AN_HOUR)

    def statusUpdate(self, driver, status):
        print("Task %s is in state %s" % (status.task_id.value, mesos_pb2.TaskState.Name(status.state)), flush=True)
        if status.state not in ENDED:
            # One that was lost has been replaced. It may come back with its agent.
            if status.task_id.value not in self.tasks:
                driver.killTask(status.task_id)
        elif self.tasks.pop(status.task_id.value, None) is not None:
            self.note()


def main():
    master, folder = sys.argv[1], Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    framework = mesos_pb2.FrameworkInfo(user="", name="keep-running", failover_timeout=A_DAY, checkpoint=True)
    # The lock of the id comes first: two schedulers do not write one folder.
    with FrameworkIdFile(folder / "framework.id") as kept:
        demand = Demand(interval=1)
        scheduler = KeepRunning(count, folder / "tasks.json", demand)
        reconciliation = Reconciliation(lambda: dict(scheduler.tasks), implicit=True)

        def make_driver(framework):
            driver = MesosSchedulerDriver(watched(scheduler, kept, demand, reconciliation), framework, master)
            signal.signal(signal.SIGTERM, lambda *_: driver.stop(failover=True))
            signal.signal(signal.SIGINT, lambda *_: driver.stop())
            return driver

        kept.run(framework, make_driver, renew=True)


if __name__ == "__main__":
    main()
