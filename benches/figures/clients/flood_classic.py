# Takes N status updates or offers from benches/figures/flood_master.py, through the classic API:
# flood_classic.py MASTER N
#
# Reports the CPU of this process for each, from the registration until the master's message that all updates are
# acknowledged, or all offers sent.

import sys
import threading

from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
from usage import cpu_seconds, report


class Counter(Scheduler):
    def __init__(self):
        self.taken, self.begun, self.cpu, self.over = 0, 0.0, 0.0, threading.Event()

    def registered(self, *_):
        self.begun = cpu_seconds()

    def statusUpdate(self, _, status):
        assert status.state == mesos_pb2.TASK_FINISHED
        self.taken += 1

    def resourceOffers(self, _, offers):
        for offer in offers:
            assert len([resource.name for resource in offer.resources]) == 4
        self.taken += len(offers)

    def frameworkMessage(self, *_):
        self.cpu = cpu_seconds() - self.begun
        self.over.set()


def main(master, number):
    counter = Counter()
    driver = MesosSchedulerDriver(counter, mesos_pb2.FrameworkInfo(user="", name="flood"), master)
    driver.start()
    counter.over.wait()
    driver.stop()
    driver.join()
    assert counter.taken == int(number), counter.taken
    report(cpu_us=counter.cpu * 1e6 / counter.taken)


if __name__ == "__main__":
    main(*sys.argv[1:])
