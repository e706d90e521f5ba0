"""``ProcScheduler``: runs the children of this process as tasks of a framework."""

from __future__ import annotations

import atexit
import logging
import os
import pickle
import shlex
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos.errors import ArgumentValueError
from mesos.pymesos.interface import Scheduler
from mesos.pymesos.scheduler import MesosSchedulerDriver
from mesos.pymesos.subprocess._connections import Door
from mesos.pymesos.subprocess._loop import Loop
from mesos.pymesos.subprocess._reports import Report, StartError
from mesos.pymesos.utils import decode_data, encode_data

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesos.pymesos.subprocess._child import Child

logger = logging.getLogger(__name__)
CONFIG: dict[str, Any] = {}
"""Where children run, and what they need. Members are ``master``, ``principal``, ``secret``, ``default_cpus``,
``default_mem`` and ``default_gpus``.
"""
MIN_CPUS = 0.01
MIN_MEMORY = 32
"""What an executor needs, of which there is one on each agent that runs children."""
_PACKAGE = "mesos.pymesos.subprocess"
_EXECUTOR_ID = "default"
_REFUSE_SECONDS = 5.0
_LIVE = {"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"}
_LOST = {"TASK_LOST", "TASK_DROPPED"}
_MOST_FAILED_STARTS = 3
"""How often an executor may end before it has a child, which it does once if it was killed just before."""
Settings = tuple[Any, str | None, str | None]
"""The master, a principal and its secret."""


def settings() -> Settings:
    """Returns what ``CONFIG`` and the environment say.

    :raises ArgumentValueError: they name no master
    """
    variables = os.environ
    master = CONFIG.get("master", variables.get("MESOS_MASTER"))
    if master is None and not variables.get("REMESOS_MASTER"):
        raise ArgumentValueError('no master is named: set CONFIG["master"] or the environment variable MESOS_MASTER')
    principal = CONFIG.get("principal", variables.get("DEFAULT_PRINCIPAL"))
    return master, principal, CONFIG.get("secret", variables.get("DEFAULT_SECRET"))


class ProcScheduler(Scheduler):
    """Launches a task for each child, and tells the children what becomes of their tasks.

    :param given: the master, a principal and its secret; by default what ``CONFIG`` and the environment say
    """

    def __init__(self, given: Settings | None = None) -> None:
        self.settings = given or settings()
        self.master, self.principal, self.secret = self.settings
        self.framework = self._init_framework()
        self.executor: dict[str, Any] | None = None
        self.driver = MesosSchedulerDriver(
            self, self.framework, self.master, principal=self.principal, secret=self.secret
        )
        self.procs_pending: dict[int, Child] = {}
        self.procs_launched: dict[int, Child] = {}
        self._agents: dict[int, Any] = {}
        self._lock = threading.RLock()
        self.door = Door(Loop(_PACKAGE))

    def __repr__(self) -> str:
        return printable(f"{type(self).__name__}[{os.getpid()}]: {' '.join(sys.argv)}")

    def _init_framework(self) -> dict[str, Any]:
        framework = {"user": "", "name": repr(self), "hostname": socket.gethostname()}
        return framework if self.principal is None else {**framework, "principal": self.principal}

    def _init_executor(self, framework_id: Any) -> dict[str, Any]:
        """Describes an executor that runs with this interpreter and imports what this process imports."""
        here = str(Path(__file__).resolve().parents[3])
        places = dict.fromkeys([*(os.path.abspath(each) for each in sys.path), here])
        path = os.pathsep.join(each for each in places if each == printable(each))
        return {
            "executor_id": {"value": _EXECUTOR_ID},
            "framework_id": framework_id,
            "name": _PACKAGE,
            "command": {
                "value": f"exec {shlex.quote(sys.executable or 'python3')} -P -m {_PACKAGE}.executor",
                "environment": {"variables": [{"name": "PYTHONPATH", "value": path}]},
            },
            "resources": _resources({"cpus": MIN_CPUS, "mem": MIN_MEMORY}),
        }

    def start(self) -> None:
        """Starts the framework."""
        try:
            self.driver.start()
        except BaseException:
            self.door.loop.stop()
            raise
        threading.Thread(target=self._wait_for_end, name=f"{_PACKAGE} end", daemon=True).start()

    def stop(self) -> None:
        """Ends the framework, which kills its children, and waits for that."""
        self.driver.stop()
        self._wait_for_end()

    def abandon(self) -> None:
        """Closes in a forked child what belongs to its parent."""
        self.door.loop.abandon()

    def submit(self, proc: Child) -> None:
        """Has a child run as soon as there are resources for it.

        :raises RuntimeError: the driver has ended
        """
        with self._lock:
            if self.driver.aborted:
                raise StartError(f"driver already aborted: {self._why()}")
            self.procs_pending[proc.id] = proc
            self.driver.reviveOffers()

    def cancel(self, proc: Child) -> None:
        """Kills a child with all that it has started, without waiting for its end."""
        with self._lock:
            self.procs_pending.pop(proc.id, None)
            if self.procs_launched.pop(proc.id, None) is not None:
                self._agents.pop(proc.id, None)
                self.driver.killTask({"value": _task_id(proc)})
        proc.abandon()

    def _wait_for_end(self) -> None:
        """Waits for the end of the driver, and ends the children."""
        try:
            self.driver.join()
        except Exception as error:
            logger.debug("The driver has ended: %s", error)
        with self._lock:
            procs = [*self.procs_pending.values(), *self.procs_launched.values()]
            self.procs_pending.clear()
            self.procs_launched.clear()
        for proc in procs:
            proc.mark_lost(StartError(self._why()))
            proc.abandon()
        self.door.loop.stop()

    def _why(self) -> str:
        """Returns why the driver has ended."""
        driver = self.driver._driver
        error = self.driver._raised or (driver.exception if driver is not None else None)
        return "the driver was stopped" if error is None else str(error)

    # Callbacks.

    def registered(self, driver: MesosSchedulerDriver, frameworkId: Any, masterInfo: Any) -> None:
        with self._lock:
            self.executor = self._init_executor(frameworkId)

    def reregistered(self, driver: MesosSchedulerDriver, masterInfo: Any) -> None:
        with self._lock:
            launched = [
                {"task_id": {"value": _task_id(proc)}, "agent_id": self._agents[proc.id]}
                for proc in self.procs_launched.values()
            ]
            if launched:
                driver.reconcileTasks(launched)
            driver.reviveOffers()

    def resourceOffers(self, driver: MesosSchedulerDriver, offers: list[Any]) -> None:
        with self._lock:
            for offer in offers:
                tasks = self._tasks(offer)
                if tasks:
                    driver.launchTasks(offer["id"], tasks, {"refuse_seconds": _REFUSE_SECONDS})
                else:
                    driver.declineOffer(offer["id"], {"refuse_seconds": _REFUSE_SECONDS})
            if not self.procs_pending:
                driver.suppressOffers()

    def statusUpdate(self, driver: MesosSchedulerDriver, status: Any) -> None:
        task_id, state = status["task_id"]["value"], status["state"]
        if state in _LIVE:
            return
        with self._lock:
            proc = self.procs_launched.get(int(task_id.partition("-")[0]))
            if proc is None or _task_id(proc) != task_id:
                return
            del self.procs_launched[proc.id], self._agents[proc.id]
            if _is_launched_again(proc, status):
                logger.info("%s is launched again: %s", proc.name, status.get("message", state))
                self.procs_pending[proc.id] = proc
                driver.reviveOffers()
                return
        if "data" in status:
            try:
                proc.handle_report(Report.decode(decode_data(status["data"])))
            except ValueError:
                logger.exception("%s: a report cannot be read", proc.name)
        # Has no effect if the child has ended.
        proc.mark_lost(StartError(f"{status.get('message') or 'the task ended'} ({state})"))

    def error(self, driver: MesosSchedulerDriver, message: str) -> None:
        logger.error("The framework has ended: %s", message)

    # Inside of the lock.

    def _tasks(self, offer: Any) -> list[dict[str, Any]]:
        """Returns tasks of as many waiting children as an offer has resources for."""
        if not self.procs_pending:
            return []
        free = _amounts(offer["resources"])
        if not any(each["value"] == _EXECUTOR_ID for each in offer.get("executor_ids", [])):
            free["cpus"] = free.get("cpus", 0.0) - MIN_CPUS
            free["mem"] = free.get("mem", 0.0) - MIN_MEMORY
        chosen = []
        for proc in self.procs_pending.values():
            if all(round(free.get(name, 0.0) - amount, 3) >= 0 for name, amount in proc.needs.items()):
                chosen.append(proc)
                for name, amount in proc.needs.items():
                    free[name] = free.get(name, 0.0) - amount
        if not chosen:
            return []
        try:
            address = self._address(offer)
        except OSError as error:
            logger.warning("Agent %s is not used: %s", offer["hostname"], error)
            return []
        for proc in chosen:
            del self.procs_pending[proc.id]
            self.procs_launched[proc.id] = proc
            self._agents[proc.id] = offer["agent_id"]
        return [self._init_task(proc, offer, address) for proc in chosen]

    def _address(self, offer: Any) -> tuple[str, int]:
        """Returns the address at which the agent of an offer reaches this process."""
        agent = offer.get("url", {}).get("address", {})
        return self.door.address(agent.get("ip") or agent.get("hostname") or offer["hostname"])

    def _init_task(self, proc: Child, offer: Any, address: tuple[str, int]) -> dict[str, Any]:
        order = encode_data(pickle.dumps((address, proc.new_keys(), proc.order)))
        return {
            "task_id": {"value": _task_id(proc)},
            "name": proc.name,
            "executor": self.executor,
            "agent_id": offer["agent_id"],
            "data": order,
            "resources": _resources(proc.needs),
        }


def printable(text: str) -> str:
    """Returns text that a message can hold, which the names of files need not be."""
    return text.encode("utf-8", "replace").decode()


def _is_launched_again(proc: Child, status: Any) -> bool:
    """Returns whether a child whose task has ended is launched again: if no executor had it."""
    if proc.connected or proc.ended:
        return False
    is_failure = status["state"] == "TASK_FAILED" and status.get("source") != "SOURCE_EXECUTOR"
    return status["state"] in _LOST or (is_failure and proc.attempt < _MOST_FAILED_STARTS)


def _task_id(proc: Child) -> str:
    return str(proc.id) if proc.attempt <= 1 else f"{proc.id}-{proc.attempt}"


def _resources(amounts: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {"name": name, "type": "SCALAR", "scalar": {"value": amount}} for name, amount in amounts.items() if amount > 0
    ]


def _amounts(resources: Iterable[Any]) -> dict[str, float]:
    amounts: dict[str, float] = {}
    for each in resources:
        if each["type"] == "SCALAR":
            amounts[each["name"]] = amounts.get(each["name"], 0.0) + each["scalar"]["value"]
    return amounts


_running: list[ProcScheduler] = []
_lock = threading.Lock()


def running() -> ProcScheduler:
    """Returns the framework for what ``CONFIG`` says now, and starts it if it does not run.

    :raises ArgumentValueError: no master is named, or its address is not valid
    """
    wanted = settings()
    with _lock:
        _running[:] = [each for each in _running if not each.driver.aborted]
        for each in _running:
            if each.settings == wanted:
                return each
        scheduler = ProcScheduler(wanted)
        scheduler.start()
        _running.append(scheduler)
        return scheduler


def _stop() -> None:
    for scheduler in list(_running):
        scheduler.stop()


def _forget() -> None:
    """The frameworks of a forked child are its parent's."""
    global _lock
    _lock = threading.Lock()
    for scheduler in _running:
        scheduler.abandon()
    _running.clear()


atexit.register(_stop)
os.register_at_fork(after_in_child=_forget)
