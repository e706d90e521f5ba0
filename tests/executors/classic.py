"""The classic driver under the few methods that the tests' executors use."""

from mesos.executor import MesosExecutorDriver
from mesos.interface import Executor, mesos_pb2
from mesos_free import Task


class Driver(Executor):
    def __init__(self, executor):
        self.executor = executor
        self.native = MesosExecutorDriver(self)

    def update(self, task_id, state, **fields):
        status = mesos_pb2.TaskStatus(state=mesos_pb2.TaskState.Value(state), **fields)
        status.task_id.value = task_id
        self.native.sendStatusUpdate(status)

    def message(self, data):
        self.native.sendFrameworkMessage(data)

    def stop(self):
        self.native.stop()

    def run(self):
        self.native.run()

    def registered(self, driver, executorInfo, frameworkInfo, slaveInfo):
        self.executor.registered(self, executorInfo.executor_id.value, frameworkInfo.name, slaveInfo.IsInitialized())

    def launchTask(self, driver, task):
        self.executor.launch(self, Task(task.task_id.value, task.name, task.data))

    def killTask(self, driver, taskId):
        self.executor.kill(self, taskId.value)

    def frameworkMessage(self, driver, message):
        self.executor.heard(self, message)

    def shutdown(self, driver):
        self.executor.shutdown(self)
