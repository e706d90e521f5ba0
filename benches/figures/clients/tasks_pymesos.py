# Python 3.6 and later. What tasks_classic.py does, through pymesos: tasks_pymesos.py MASTER N EXECUTOR

import sys
import time

from pymesos import MesosSchedulerDriver, Scheduler
from usage import cpu_seconds, peak_mb, report

BATCH = 1000


def resources(cpus, mem):
    return [
        {"name": name, "type": "SCALAR", "scalar": {"value": amount}} for name, amount in (("cpus", cpus), ("mem", mem))
    ]


class Workload(Scheduler):
    def __init__(self, number, command):
        self.number, self.launched, self.finished, self.begun = number, 0, 0, None
        self.executor = {
            "type": "CUSTOM",
            "executor_id": {"value": "noop"},
            "command": {"value": command},
            "resources": resources(0.1, 32.0),
        }

    def resourceOffers(self, driver, offers):
        if self.begun is None:
            self.begun = time.time(), cpu_seconds()
        for offer in offers:
            wanted = min(self.number - self.launched, BATCH)
            driver.launchTasks(offer["id"], [self.task(offer) for _ in range(wanted)], {"refuse_seconds": 0})
        if self.launched == self.number:
            driver.suppressOffers()

    def task(self, offer):
        self.launched += 1
        return {
            "name": "noop",
            "task_id": {"value": str(self.launched)},
            "agent_id": {"value": offer["agent_id"]["value"]},
            "executor": self.executor,
            "resources": resources(0.001, 0.1),
        }

    def statusUpdate(self, driver, status):
        if status["state"] == "TASK_FINISHED":
            self.finished += 1
            if self.finished == self.number:
                self.report()
                driver.stop()
        elif status["state"] not in ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING"):
            sys.exit("unexpected: %s" % status)

    def report(self):
        wall, cpu = time.time() - self.begun[0], cpu_seconds() - self.begun[1]
        report(cpu_us=cpu * 1e6 / self.number, peak_mb=peak_mb(), wall_s=wall)


def main(master, number, command):
    MesosSchedulerDriver(Workload(int(number), command), {"user": "root", "name": "bench"}, master).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
