# Python 2.7 and 3. From `MesosSchedulerDriver(scheduler, framework, "local")` to the first offer.

import os
import time

from mesos.interface import Scheduler, mesos_pb2
from mesos.scheduler import MesosSchedulerDriver
from usage import cpu_seconds, report


class First(Scheduler):
    def __init__(self):
        self.begun = time.time(), cpu_seconds()

    def resourceOffers(self, driver, offers):
        wall, cpu = self.begun
        report(wall_s=time.time() - wall, cpu_s=cpu_seconds() - cpu)
        os._exit(0)  # Apache's local cluster takes seconds to end


if __name__ == "__main__":
    MesosSchedulerDriver(First(), mesos_pb2.FrameworkInfo(user="", name="bench"), "local").run()
