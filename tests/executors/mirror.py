"""An executor that sends back the bytes of each task that it is to run."""

from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2


class Mirror(Executor):
    def launchTask(self, driver, task):
        status = mesos_pb2.TaskStatus(state=mesos_pb2.TASK_FINISHED, data=task.SerializeToString(deterministic=True))
        status.task_id.CopyFrom(task.task_id)
        driver.sendStatusUpdate(status)

    def shutdown(self, driver):
        driver.stop()


MesosExecutorDriver(Mirror()).run()
