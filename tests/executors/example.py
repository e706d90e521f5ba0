"""An executor on the classic driver: runs every task in a thread, sends its data back, echoes framework messages.

What Apache's own example executor does (`src/examples/python/test_executor.py`).
"""

import sys
import threading

from mesos.interface import Executor, mesos_pb2
from mesos.native import MesosExecutorDriver


class ExampleExecutor(Executor):
    def launchTask(self, driver, task):
        def run():
            for state in (mesos_pb2.TASK_RUNNING, mesos_pb2.TASK_FINISHED):
                update = mesos_pb2.TaskStatus()
                update.task_id.value = task.task_id.value
                update.state = state
                update.data = task.data
                driver.sendStatusUpdate(update)

        threading.Thread(target=run).start()

    def frameworkMessage(self, driver, message):
        driver.sendFrameworkMessage(message)

    def shutdown(self, driver):
        driver.stop()


if __name__ == "__main__":
    sys.exit(0 if MesosExecutorDriver(ExampleExecutor()).run() == mesos_pb2.DRIVER_STOPPED else 1)
