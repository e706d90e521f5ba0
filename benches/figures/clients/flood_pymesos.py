# Python 3.6 and later. What flood_classic.py does, through pymesos, or `mesos.pymesos` where pymesos is not installed:
# flood_pymesos.py MASTER N

import sys
import threading

try:
    from pymesos import MesosSchedulerDriver, Scheduler
except ImportError:
    from mesos.pymesos import MesosSchedulerDriver, Scheduler
from usage import cpu_seconds, report


class Counter(Scheduler):
    def __init__(self):
        self.taken, self.begun, self.cpu, self.over = 0, 0.0, 0.0, threading.Event()

    def registered(self, *_):
        self.begun = cpu_seconds()

    def statusUpdate(self, _, status):
        assert status["state"] == "TASK_FINISHED"
        self.taken += 1

    def resourceOffers(self, _, offers):
        for offer in offers:
            assert len([resource["name"] for resource in offer["resources"]]) == 4
        self.taken += len(offers)

    def frameworkMessage(self, *_):
        self.cpu = cpu_seconds() - self.begun
        self.over.set()


def main(master, number):
    counter = Counter()
    driver = MesosSchedulerDriver(counter, {"user": "root", "name": "flood"}, master)
    driver.start()
    counter.over.wait()
    driver.stop(failover=True)
    driver.join()
    assert counter.taken == int(number), counter.taken
    report(cpu_us=counter.cpu * 1e6 / counter.taken)


if __name__ == "__main__":
    main(*sys.argv[1:])
