"""The scheduler of ``dicts.py``, for pymesos and for ``mesos.pymesos``: runs on Python 3.6 too."""

import resource
import sys
import threading

try:
    from pymesos import MesosSchedulerDriver, Scheduler
except ImportError:
    from mesos.pymesos import MesosSchedulerDriver, Scheduler


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Counter(Scheduler):
    def __init__(self, number):
        self.left, self.cpu, self.over = number, 0.0, threading.Event()

    def registered(self, *_):
        self.cpu = cpu_seconds()

    def statusUpdate(self, _, status):
        assert status["state"] == "TASK_FINISHED"
        self.count(1)

    def resourceOffers(self, _, offers):
        for each in offers:
            assert len([resource["name"] for resource in each["resources"]]) == 4
        self.count(len(offers))

    def count(self, number):
        self.left -= number
        if self.left == 0:
            self.over.set()


def main():
    address, number = sys.argv[1], int(sys.argv[2])
    scheduler = Counter(number)
    driver = MesosSchedulerDriver(scheduler, {"user": "root", "name": "flood"}, address)
    driver.start()
    scheduler.over.wait()
    driver.stop(failover=True)
    driver.join()
    print((cpu_seconds() - scheduler.cpu) * 1e6 / number)


main()
