"""Writes docs/web-page.png: the embedded cluster's web page with a few tasks, as Debian's chromium shows it."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "web-page.png"
COMMANDS = ["sleep 300", "echo done", "sleep 300", "exit 3", "echo hello", "sleep 300"]
WANTED = {"TASK_RUNNING": 3, "TASK_FINISHED": 2, "TASK_FAILED": 1}
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
SECONDS = 60


class Shown(Scheduler):
    """Runs the commands, three on each offer, and tells when all are in the states that are wanted."""

    def __init__(self) -> None:
        self.waiting = [f"hello-{number}" for number in range(1, len(COMMANDS) + 1)]
        self.states: dict[str, str] = {}
        self.done = threading.Event()

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            names, self.waiting = self.waiting[:3], self.waiting[3:]
            driver.launchTasks(offer.id, [self.task(offer, name) for name in names])

    def task(self, offer: Any, name: str) -> Any:
        task = mesos_pb2.TaskInfo(name="hello", task_id={"value": name}, slave_id=offer.slave_id)
        task.command.value = COMMANDS[int(name.rpartition("-")[2]) - 1]
        for resource, amount in (("cpus", 0.5), ("mem", 128)):
            task.resources.add(name=resource, type=mesos_pb2.Value.SCALAR).scalar.value = amount
        return task

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self.states[status.task_id.value] = mesos_pb2.TaskState.Name(status.state)
        states = list(self.states.values())
        if {state: states.count(state) for state in states} == WANTED:
            self.done.set()


def main() -> None:
    shown = Shown()
    info = mesos_pb2.FrameworkInfo(user="", name="hello-world")
    with (
        tempfile.TemporaryDirectory() as profile,
        LocalCluster(port=5050, agents=2, resources={"cpus": 4, "mem": 8192}) as cluster,
        MesosSchedulerDriver(shown, info, cluster.address) as driver,
    ):
        driver.start()
        if not shown.done.wait(SECONDS):
            raise TimeoutError(f"after {SECONDS} seconds the tasks are {shown.states}")
        options = [f"--user-data-dir={profile}", "--window-size=1100,490", f"--screenshot={OUTPUT}", cluster.url]
        subprocess.run([*CHROMIUM, *options], check=True, capture_output=True, timeout=SECONDS)


if __name__ == "__main__":
    main()
