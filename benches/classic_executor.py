"""An executor on the classic driver that finishes every task at once, and tells its CPU seconds when it is asked."""

import resource

from mesos.interface import Executor, mesos_pb2
from mesos.native import MesosExecutorDriver


class Finishing(Executor):
    def launchTask(self, driver, task):
        driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id=task.task_id, state=mesos_pb2.TASK_FINISHED))

    def frameworkMessage(self, driver, message):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        driver.sendFrameworkMessage(str(usage.ru_utime + usage.ru_stime))

    def shutdown(self, driver):
        driver.stop()


if __name__ == "__main__":
    MesosExecutorDriver(Finishing()).run()
