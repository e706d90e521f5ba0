"""An executor whose tasks last as many seconds as their data says. It ends when nothing is launched for a while.

Every launch is noted in the file that ``CHAOS_LAUNCHES`` names, so that a task that was launched twice is found.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from mesos.interface import Executor, mesos_pb2
from mesos.native import MesosExecutorDriver

IDLE_SECONDS = 15
LAUNCHES = os.open(os.environ["CHAOS_LAUNCHES"], os.O_WRONLY | os.O_APPEND)


class Waiting(Executor):
    def __init__(self) -> None:
        self.tasks: dict[str, threading.Timer] = {}
        self.last = time.monotonic()

    def launchTask(self, driver: Any, task: Any) -> None:
        name = task.task_id.value
        os.write(LAUNCHES, f"{name}\n".encode())
        timer = threading.Timer(float(task.data), self._end, (driver, name, mesos_pb2.TASK_FINISHED))
        timer.daemon = True
        self.tasks[name] = timer
        send(driver, name, mesos_pb2.TASK_RUNNING)
        timer.start()

    def killTask(self, driver: Any, taskId: Any) -> None:
        timer = self.tasks.get(taskId.value)
        if timer is not None:
            timer.cancel()
            self._end(driver, taskId.value, mesos_pb2.TASK_KILLED)

    def shutdown(self, driver: Any) -> None:
        driver.stop()

    def _end(self, driver: Any, name: str, state: int) -> None:
        self.last = time.monotonic()
        if self.tasks.pop(name, None) is not None:
            send(driver, name, state)

    def is_idle(self) -> bool:
        return not self.tasks and time.monotonic() - self.last > IDLE_SECONDS


def send(driver: Any, name: str, state: int) -> None:
    driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id={"value": name}, state=state))


def main() -> None:
    executor = Waiting()
    driver = MesosExecutorDriver(executor)
    status = driver.start()
    while status == mesos_pb2.DRIVER_RUNNING:
        status = driver.join(timeout=1)
        if executor.is_idle():
            driver.stop()


main()
