"""An executor as they were written for Python 2: data is text and bytes at once, and it inherits from nothing.

Ends with `os._exit` as soon as `run()` returns, so what it said last has to be out by then.
"""

import os
import pickle

import mesos_pb2
from mesos import MesosExecutorDriver


class OldExecutor:
    def registered(self, driver, executorInfo, frameworkInfo, slaveInfo):
        driver.sendFrameworkMessage("registered with %s" % executorInfo.data)

    def launchTask(self, driver, task):
        kind, _, rest = task.data.partition(":")
        update = mesos_pb2.TaskStatus()
        update.task_id.value = task.task_id.value
        update.state = mesos_pb2.TASK_FINISHED
        if kind == "text":
            update.data = "%s, %s" % (rest, rest.upper())
        elif kind == "pickle":
            update.data = pickle.dumps(sum(pickle.loads(rest)))
        elif kind == "bytes":
            with open("data", "wb") as file:
                file.write(rest)
            update.data = open("data", "rb").read() + task.data
        elif kind == "same":
            update.data = task.data
        elif kind == "last":
            update.data = "the last word"
            driver.sendStatusUpdate(update)
            driver.stop()
            return
        driver.sendStatusUpdate(update)

    def killTask(self, driver, taskId):
        pass

    def frameworkMessage(self, driver, message):
        command, _, argument = message.partition(" ")
        if command == "shout":
            driver.sendFrameworkMessage(argument.upper())
        elif message.startswith("echo"):
            driver.sendFrameworkMessage(message)
        else:
            driver.sendFrameworkMessage("what is " + message + "?")

    def disconnected(self, driver):
        pass

    def shutdown(self, driver):
        driver.stop()


if __name__ == "__main__":
    status = MesosExecutorDriver(OldExecutor()).run()
    os._exit(0 if status == mesos_pb2.DRIVER_STOPPED else 1)
