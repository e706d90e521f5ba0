"""A scheduler that records its callbacks, and makers of the messages that tests send."""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_SECONDS = 30
EXECUTORS = Path(__file__).resolve().parent.parent / "executors"


class Event:
    """A callback that was made."""

    def __init__(self, name: str, *arguments: Any) -> None:
        self.name, self.arguments = name, arguments

    def __repr__(self) -> str:
        shown = [argument for argument in self.arguments if not isinstance(argument, list)]
        return f"{self.name}({', '.join(' '.join(str(argument).split()) for argument in shown)})"


class Recorder(Scheduler):
    """Puts each callback into a queue, and then calls the function that ``on`` has for it, by the callback's name.

    Who waits for a callback may go on before that function was called.
    No wait goes on after a callback whose name is in ``unwanted``.
    """

    def __init__(self, unwanted: tuple[str, ...] = (), **on: Callable[..., None]) -> None:
        self.unwanted = unwanted
        self.events: queue.Queue[Event] = queue.Queue()
        self.seen: list[Event] = []
        self.held: list[Event] = []
        self.on = on

    def _record(self, name: str, driver: Any, *arguments: Any) -> None:
        self.events.put(Event(name, *arguments))
        if name in self.on:
            self.on[name](driver, *arguments)

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        self._record("registered", driver, frameworkId, masterInfo)

    def reregistered(self, driver: Any, masterInfo: Any) -> None:
        self._record("reregistered", driver, masterInfo)

    def disconnected(self, driver: Any) -> None:
        self._record("disconnected", driver)

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        self._record("resourceOffers", driver, offers)

    def offerRescinded(self, driver: Any, offerId: Any) -> None:
        self._record("offerRescinded", driver, offerId)

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self._record("statusUpdate", driver, status)

    def frameworkMessage(self, driver: Any, executorId: Any, slaveId: Any, message: bytes) -> None:
        self._record("frameworkMessage", driver, message)

    def slaveLost(self, driver: Any, slaveId: Any) -> None:
        self._record("slaveLost", driver, slaveId)

    def executorLost(self, driver: Any, executorId: Any, slaveId: Any, status: int) -> None:
        self._record("executorLost", driver, status)

    def error(self, driver: Any, message: str) -> None:
        self._record("error", driver, message)

    def wait(self, name: str, where: Callable[..., Any] = lambda *_: True, seconds: float = WAIT_SECONDS) -> Any:
        """Wait for a callback of this name whose arguments satisfy ``where``; its last argument.

        Offers that come while something else is waited for are held: whether they come before or after an update is
        left to chance.
        """
        until = time.monotonic() + seconds
        held = [event for event in self.held if event.name == name and where(*event.arguments)]
        if held:
            self.held.remove(held[0])
            return held[0].arguments[-1]
        while True:
            try:
                event = self.events.get(timeout=max(0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no such {name} within {seconds} s; seen last: {self.seen[-20:]}") from None
            self.seen.append(event)
            assert event.name not in self.unwanted, f"{event} while waiting for {name}"
            wanted = event.name == name and where(*event.arguments)
            if event.name != "resourceOffers" or not wanted:
                self._hold(event)
            if wanted:
                return event.arguments[-1] if event.arguments else None

    def _hold(self, event: Event) -> None:
        if event.name == "resourceOffers":
            self.held.append(event)
        elif event.name == "offerRescinded":
            rescinded = event.arguments[-1].value
            self.held = [each for each in self.held if rescinded not in {o.id.value for o in each.arguments[-1]}]
        elif event.name in ("disconnected", "registered", "reregistered"):
            self.held.clear()

    def state(self, task_id: str, state: int) -> mesos_pb2.TaskStatus:
        """Wait until this task is reported in this state."""
        status: mesos_pb2.TaskStatus = self.wait(
            "statusUpdate", lambda s: s.task_id.value == task_id and s.state == state
        )
        return status

    def offer(self, where: Callable[[Any], Any] = lambda _: True) -> mesos_pb2.Offer:
        """Wait for offers; the first that satisfies ``where``."""
        offers = self.wait("resourceOffers", lambda offers: any(map(where, offers)))
        return next(offer for offer in offers if where(offer))

    def offers_of_agents(self, number: int) -> list[mesos_pb2.Offer]:
        """Wait until offers of so many agents came; one offer of each."""
        found: dict[str, mesos_pb2.Offer] = {}
        while len(found) < number:
            found.update({offer.slave_id.value: offer for offer in self.wait("resourceOffers")})
        return list(found.values())


@contextlib.contextmanager
def heard(text: str) -> Iterator[threading.Event]:
    """An event that is set once this is logged, and pytest's ``caplog`` has it."""
    said = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if text in record.getMessage():
                said.set()

    listener = Listener()
    # Handlers are called in order, and pytest's are on the root logger.
    logging.getLogger().addHandler(listener)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(listener)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until(true: Any, what: str, seconds: float = WAIT_SECONDS) -> None:
    """For what happens in another process and has no event."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def framework(**fields: Any) -> mesos_pb2.FrameworkInfo:
    return mesos_pb2.FrameworkInfo(**{"user": "", "name": "test", **fields})


def capable(*names: str) -> list[mesos_pb2.FrameworkInfo.Capability]:
    capability = mesos_pb2.FrameworkInfo.Capability
    return [capability(type=capability.Type.Value(name)) for name in names]


def task(offer: mesos_pb2.Offer, command: str = "exit 0", cpus: float = 0.1, mem: float = 32) -> mesos_pb2.TaskInfo:
    made = mesos_pb2.TaskInfo(name="test")
    made.task_id.value = str(uuid.uuid4())
    made.slave_id.value = offer.slave_id.value
    made.command.value = command
    for name, amount in (("cpus", cpus), ("mem", mem)):
        made.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    return made


def executor(file: str = "scripted.py", arguments: str = "classic", play: str = "") -> mesos_pb2.ExecutorInfo:
    """One of ``tests/executors``; ``play`` has words for the scripted one."""
    made = mesos_pb2.ExecutorInfo(name=file)
    made.executor_id.value = "executor"
    made.command.value = f"exec {sys.executable} {EXECUTORS / file} {arguments}"
    if play:
        made.command.environment.variables.add(name="PLAY", value=play)
    for name, amount in (("cpus", 0.1), ("mem", 32)):
        made.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    return made


def task_of(offer: mesos_pb2.Offer, on: mesos_pb2.ExecutorInfo, words: str = "") -> mesos_pb2.TaskInfo:
    """A task of an executor, with what the scripted one is to do."""
    made = task(offer)
    made.ClearField("command")
    made.executor.MergeFrom(on)
    made.data = words.encode()
    return made


def filters(seconds: float) -> mesos_pb2.Filters:
    return mesos_pb2.Filters(refuse_seconds=seconds)


@contextlib.contextmanager
def running(
    master: str | None, scheduler: Recorder, info: mesos_pb2.FrameworkInfo | None = None, **arguments: Any
) -> Iterator[MesosSchedulerDriver]:
    """A started driver, stopped at the end."""
    driver = MesosSchedulerDriver(scheduler, info or framework(), master, **arguments)
    assert driver.start() == mesos_pb2.DRIVER_RUNNING
    try:
        yield driver
    finally:
        driver.stop()
        driver.join()


def exit_status_of_executor(master: str, code: str, *options: str) -> int:
    """Launch a task on an executor that runs this Python code, and wait for the executor's exit status."""
    made = executor()
    made.command.value = f'exec {sys.executable} {" ".join(options)} -c "$CODE"'
    made.command.environment.variables.add(name="CODE", value=code)
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        driver.launchTasks(offer.id, [task_of(offer, made)])
        status: int = scheduler.wait("executorLost")
    assert status & 0xFF == 0, f"it was ended by signal {status & 0x7F}"
    return status >> 8
