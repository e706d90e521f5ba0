"""The scheduler of a pool: starts workers while calls wait, passes calls to them, and settles futures."""

from __future__ import annotations

import contextlib
import itertools
import math
import pickle
import queue
import sys
import threading
import time
import uuid
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from mesos import _logging
from mesos.errors import DriverAbortedError
from mesos.futures._calls import ENDED, Call, Worker
from mesos.futures._channel import Channel
from mesos.futures._errors import PoolBrokenError, WorkerLostError
from mesos.futures._pickling import outcome
from mesos.futures._settings import usable
from mesos.interface import Scheduler, mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mesos.futures._future import MesosFuture
    from mesos.futures._settings import Settings
    from mesos.native import MesosSchedulerDriver

_TICK_SECONDS = 0.1
_PREFETCH_SECONDS = 0.02
_PREFETCH_MOST = 256
"""How much work, and how many calls, a worker is sent at once if calls are short."""
_STUCK_SECONDS = 0.1
"""How long calls wait behind one that takes longer than others did, before they are given to another worker."""
_AVOID_SECONDS = 1.0
"""How long no worker is started on an agent after one did not start there."""
_FAILED_STARTS = 3
"""How many workers in a row may fail to start, while none runs, before the pool is broken."""
_END_SECONDS = 6.0
"""How long workers may take to end: a little more than an agent gives them."""
_FAULTS_OF_WORKERS = {mesos_pb2.TASK_FAILED, mesos_pb2.TASK_ERROR}


class Pool(Scheduler):
    """Everything of a pool but its interface. It is a scheduler; calls travel as framework messages."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._worker_numbers = itertools.count(1)
        self._prefix = uuid.uuid4().hex[:8]
        self._waiting: OrderedDict[int, Call] = OrderedDict()
        self._workers: dict[str, Worker] = {}
        self._free: dict[str, Worker] = {}
        self._dirty: set[Worker] = set()
        self._seconds: float | None = None
        self._settled: list[Callable[[], None]] = []
        self._wanting = False
        self._failed_starts = 0
        self._warned = False
        self._closing = False
        self._failure: Callable[[], BaseException] | None = None
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._sleeping = True
        self._driver: MesosSchedulerDriver | None = None
        self._command = mesos_pb2.CommandInfo()
        self._thread = threading.Thread(target=self._run, name="mesos-pool", daemon=True)

    def start(self, driver: MesosSchedulerDriver, command: mesos_pb2.CommandInfo) -> None:
        """Starts the driver, which the pool stops when it has ended."""
        self._driver, self._command = driver, command
        driver.start()
        self._thread.start()

    # Called by the interface, on any thread.

    def submit(self, payloads: list[tuple[bytes, MesosFuture[Any]]]) -> None:
        """Adds calls.

        :raises RuntimeError: the pool was shut down
        :raises PoolBrokenError: the pool is broken
        :raises DriverAbortedError: the driver was aborted
        """
        with self._turn():
            self._check_driver()
            if self._failure is not None:
                raise self._failure()
            if self._closing:
                raise RuntimeError("cannot schedule new futures after shutdown")
            for payload, future in payloads:
                call = Call(next(self._numbers), payload, future)
                future._pool, future._number = self, call.number
                self._waiting[call.number] = call

    def cancelled(self, number: int) -> None:
        """Takes note that the future of a call was cancelled."""
        with self._turn():
            if self._waiting.pop(number, None) is not None:
                return
            for worker in self._workers.values():
                if worker.calls.pop(number, None) is not None:
                    self._post(worker, "cancel", number)
                    self._emptied(worker)
                    return

    def close(self) -> None:
        """Takes no more calls, and ends when those that it has are done.

        Takes no lock, because the garbage collector may call this on a thread that has it.
        """
        self._closing = True
        self._wake.put(None)

    def futures(self, *, running: bool) -> list[MesosFuture[Any]]:
        """Returns the futures of the calls that wait, and perhaps of those that run, the last one first."""
        with self._lock:
            calls = list(self._waiting.values())
            if running:
                calls = [call for worker in self._workers.values() for call in worker.calls.values()] + calls
        return [call.future for call in reversed(calls)]

    def join(self) -> None:
        """Waits until the pool has ended. On one of its own threads, returns at once."""
        driver = self._driver
        if threading.current_thread() is self._thread or (driver is not None and driver._core.waits_for_itself()):
            return
        self._thread.join()

    @property
    def most_workers(self) -> float:
        """How many workers there may be at once."""
        return self._settings.max_workers

    def counts(self) -> tuple[int, int, int]:
        """Returns how many workers there are, and how many calls run or wait."""
        with self._lock:
            running = sum(len(worker.calls) for worker in self._workers.values())
            return len(self._workers), running, len(self._waiting)

    # Callbacks.

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        with self._turn(guarded=True):
            self._connected(driver)

    def reregistered(self, driver: Any, masterInfo: Any) -> None:
        with self._turn(guarded=True):
            self._connected(driver)

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        with self._turn(guarded=True):
            now = time.monotonic()
            for offer in offers:
                tasks = []
                agent = offer.slave_id.value
                if self._settings.avoided.get(agent, 0.0) <= now and self._settings.suits(offer):
                    free = usable(offer.resources)
                    while self._needed() and (taken := self._settings.take(free)) is not None:
                        tasks.append(self._launch(agent, taken, now))
                if tasks:
                    driver.launchTasks(offer.id, tasks)
                elif self._needed() and self._settings.suits(offer):
                    driver.declineOffer(offer.id, mesos_pb2.Filters(refuse_seconds=_AVOID_SECONDS))
                else:
                    driver.declineOffer(offer.id)

    def statusUpdate(self, driver: Any, status: mesos_pb2.TaskStatus) -> None:
        if status.state in ENDED:
            with self._turn(guarded=True):
                worker = self._workers.pop(status.task_id.value, None)
                if worker is not None:
                    self._gone(worker, status)
        elif status.task_id.value not in self._workers:
            # It was lost with its agent, which is back.
            driver.killTask(status.task_id)

    def frameworkMessage(self, driver: Any, executorId: Any, slaveId: Any, message: bytes) -> None:
        with self._turn(guarded=True):
            worker = self._workers.get(executorId.value)
            if worker is None:
                driver.killTask(executorId.value)
                return
            if worker.channel is None:
                worker.channel = self._channel(worker)
            complete = worker.channel.receive(bytes(message))
            items = pickle.loads(complete) if complete is not None else ()
            for item in items:
                getattr(self, f"_on_{item[0]}")(worker, *item[1:])
            if items:
                self._refill(worker)
            if self._closing:  # this may have been the last result
                self._wake.put(None)

    def error(self, driver: Any, message: str) -> None:
        with self._turn(guarded=True):
            self._fail(lambda: DriverAbortedError(str(message)))

    def _connected(self, driver: Any) -> None:
        """Asks for offers or not, and asks what became of the workers, and sends again what may be lost."""
        statuses = []
        for worker in self._workers.values():
            status = mesos_pb2.TaskStatus(state=mesos_pb2.TASK_RUNNING)
            status.task_id.value, status.slave_id.value = worker.name, worker.agent_id
            statuses.append(status)
            if worker.channel is not None:
                worker.channel.resend()
        if statuses:
            driver.reconcileTasks(statuses)
        if self._wanting:
            driver.reviveOffers()
        else:
            driver.suppressOffers()

    # What workers say.

    def _on_hello(self, worker: Worker, version: tuple[int, int]) -> None:
        if tuple(version) != sys.version_info[:2] and not self._warned:
            self._warned = True
            _logging.log.warning(
                "Workers run Python %d.%d, and this is Python %d.%d: functions of __main__ and of notebooks may fail",
                *version,
                *sys.version_info[:2],
            )
        self._post(worker, "setup", self._settings.setup)

    def _on_ready(self, worker: Worker, succeeded: bool, data: bytes) -> None:
        if not succeeded:
            cause = outcome(False, data)[1]
            self._break("the initializer of a worker raised an exception", cause)
        elif not worker.ready:
            worker.ready = True
            self._failed_starts = 0
            self._emptied(worker)

    def _on_result(self, worker: Worker, number: int, seconds: float, succeeded: bool, data: bytes) -> None:
        self._seconds = seconds if self._seconds is None else (self._seconds + seconds) / 2
        worker.since = time.monotonic()
        worker.asked = False
        call = worker.calls.pop(number, None)
        if call is not None:
            self._settled.append(lambda: call.future._settle(*outcome(succeeded, data)))

    def _on_died(self, worker: Worker, number: int, how: str) -> None:
        call = worker.calls.pop(number, None)
        if call is not None:
            self._failed(call, f"its process {how}")
        elif number < 0:
            self._break(f"the initializer ended the process of a worker: it {how}")

    def _on_returned(self, worker: Worker, numbers: list[int]) -> None:
        calls = [call for number in numbers if (call := worker.calls.pop(number, None)) is not None]
        self._again(calls)

    # Inside of a turn.

    @contextlib.contextmanager
    def _turn(self, *, guarded: bool = False) -> Iterator[None]:
        """Has the lock; at the end passes calls on, and settles futures without it, because that calls others' code.

        :param guarded: whether an exception breaks the pool, because nobody else would see it
        """
        with self._lock:
            try:
                yield
                self._assign()
            except Exception as error:
                if not guarded:
                    raise
                self._break("the scheduler of the pool failed", error)
            finally:
                for worker in self._dirty:
                    self._flush(worker)
                self._dirty.clear()
            settled, self._settled = self._settled, []
        for settle in settled:
            settle()

    def _assign(self) -> None:
        while self._waiting and self._free:
            _, worker = self._free.popitem()
            self._give(worker)
        wanting = self._needed() > 0
        if wanting != self._wanting and self._driver is not None:
            self._wanting = wanting
            if wanting:
                self._driver.reviveOffers()
            else:
                self._driver.suppressOffers()
        if self._sleeping and (self._waiting or wanting or len(self._free) < len(self._workers)):
            self._sleeping = False
            self._wake.put(None)

    def _needed(self) -> int:
        """Returns how many more workers could run calls at once."""
        starting = sum(1 for worker in self._workers.values() if not worker.ready) if self._waiting else 0
        return int(max(0, min(len(self._waiting) - starting, self._settings.max_workers - len(self._workers))))

    def _depth(self) -> int:
        """Returns how many calls a worker is sent at once: one, unless they are short and there are many."""
        if self._seconds is None:
            return 1
        ready = sum(1 for worker in self._workers.values() if worker.ready)
        share = math.ceil(len(self._waiting) / max(1, ready))
        return max(1, min(share, _PREFETCH_MOST, int(_PREFETCH_SECONDS / max(self._seconds, 1e-6))))

    def _give(self, worker: Worker) -> None:
        room = (self._depth() if len(self._waiting) > 1 else 1) - len(worker.calls)
        while room > 0 and self._waiting:
            _, call = self._waiting.popitem(last=False)
            if call.future._begin():
                worker.calls[call.number] = call
                self._post(worker, "call", call.number, call.payload)
                room -= 1
        self._emptied(worker)

    def _refill(self, worker: Worker) -> None:
        if worker.ready and not worker.ending:
            if self._waiting and not worker.asked and len(worker.calls) <= self._depth() // 2:
                self._give(worker)
            self._emptied(worker)

    def _emptied(self, worker: Worker) -> None:
        if not worker.calls and worker.ready and not worker.ending:
            worker.asked = False
            if worker.name not in self._free:
                worker.since = time.monotonic()
                self._free[worker.name] = worker
        else:
            self._free.pop(worker.name, None)

    def _post(self, worker: Worker, *item: Any) -> None:
        worker.outbox.append(item)
        self._dirty.add(worker)

    def _flush(self, worker: Worker) -> None:
        if worker.outbox and worker.channel is not None:
            outbox, worker.outbox = worker.outbox, []
            worker.channel.post(pickle.dumps(outbox, pickle.HIGHEST_PROTOCOL))

    def _channel(self, worker: Worker) -> Channel:
        driver, name, agent = self._driver, worker.name, worker.agent_id
        assert driver is not None
        return Channel(lambda data: driver.sendFrameworkMessage(name, agent, data))

    def _launch(self, agent: str, resources: list[mesos_pb2.Resource], now: float) -> mesos_pb2.TaskInfo:
        index = next(self._worker_numbers)
        worker = Worker(f"{self._prefix}-{index}", agent, now)
        self._workers[worker.name] = worker
        task = mesos_pb2.TaskInfo(name=f"worker {index}", resources=resources)
        task.task_id.value, task.slave_id.value = worker.name, agent
        task.executor.executor_id.value = worker.name
        task.executor.name = "mesos.futures"
        task.executor.command.CopyFrom(self._command)
        return task

    def _gone(self, worker: Worker, status: mesos_pb2.TaskStatus) -> None:
        self._free.pop(worker.name, None)
        state = mesos_pb2.TaskState.Name(status.state)
        how = f"{state}{f': {status.message}' if status.message else ''}"
        calls = list(worker.calls.values())
        first, others = (calls[0] if calls else None), calls[1:]
        self._again(others)
        if first is not None:
            self._failed(first, f"its worker ended with {how}")
        if self._closing:
            self._wake.put(None)
        if worker.ready or worker.ending or status.state not in _FAULTS_OF_WORKERS:
            return
        self._settings.avoided[worker.agent_id] = time.monotonic() + _AVOID_SECONDS
        self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS and not self._workers:
            self._break(f"no worker starts; the last one ended with {how}, and its sandbox may have more")
        # Those who are refused until then have to be asked for again.
        self._wanting = False

    def _failed(self, call: Call, how: str) -> None:
        call.failures += 1
        if call.failures <= self._settings.retries:
            self._again([call])
            return
        tries = f"{call.failures} times" if call.failures > 1 else "once"
        error = WorkerLostError(f"the call was tried {tries}, and the last time {how}")
        self._settled.append(lambda: call.future._settle(None, error))

    def _again(self, calls: list[Call]) -> None:
        """Puts calls in front of those that wait."""
        for call in reversed(calls):
            self._waiting[call.number] = call
            self._waiting.move_to_end(call.number, last=False)

    def _break(self, message: str, cause: BaseException | None = None) -> None:
        def failure() -> BaseException:
            error = PoolBrokenError(message)
            error.__cause__ = cause
            return error

        self._fail(failure)

    def _fail(self, failure: Callable[[], BaseException]) -> None:
        """Ends the pool; all futures fail."""
        if self._failure is None:
            self._failure = failure
        calls = [call for worker in self._workers.values() for call in worker.calls.values()] + list(
            self._waiting.values()
        )
        for worker in self._workers.values():
            worker.calls.clear()
        self._waiting.clear()
        for call in calls:
            self._settled.append(lambda call=call: call.future._settle(None, failure()))  # type: ignore[misc]
        self._closing = True
        self._wake.put(None)

    # The thread of the pool.

    def _run(self) -> None:
        delay: float | None = None
        while True:
            self._sleep(delay)
            with self._turn(guarded=True):
                if self._closing and not self._waiting and not any(w.calls for w in self._workers.values()):
                    break
                delay = self._tick(time.monotonic())
                self._sleeping = delay != _TICK_SECONDS
        self._end()

    def _sleep(self, seconds: float | None) -> None:
        with contextlib.suppress(queue.Empty):
            self._wake.get(timeout=seconds)
            while True:
                self._wake.get_nowait()

    def _check_driver(self) -> None:
        """Notices that the driver has ended by itself, which an embedded cluster that is stopped makes it do."""
        driver = self._driver
        if self._failure is None and driver is not None and driver._core.status() != mesos_pb2.DRIVER_RUNNING:
            self._fail(lambda: DriverAbortedError("the driver of the pool was stopped, perhaps with its cluster"))

    def _tick(self, now: float) -> float | None:
        """Does what is due. Returns the seconds until something may be due again."""
        self._check_driver()
        busy = bool(self._waiting)
        idle_for = self._settings.idle_timeout
        due = float("inf")
        for worker in self._workers.values():
            if worker.channel is not None:
                worker.channel.tick()
            if self._free.get(worker.name) is worker and (worker.channel is None or not worker.channel.busy):
                due = min(due, worker.since + idle_for)
                if now >= worker.since + idle_for:
                    self._dismiss(worker)
            else:
                busy = True
            if len(worker.calls) > 1 and not worker.asked and now - worker.since > _STUCK_SECONDS:
                worker.asked = True
                self._post(worker, "return")
        if busy:
            return _TICK_SECONDS
        return None if due == float("inf") else max(0.0, due - now)

    def _dismiss(self, worker: Worker) -> None:
        worker.ending = True
        self._free.pop(worker.name, None)
        self._post(worker, "exit")

    def _end(self) -> None:
        """Ends the workers, and then the driver."""
        driver = self._driver
        assert driver is not None
        until = time.monotonic() + _END_SECONDS
        if driver._core.status() == mesos_pb2.DRIVER_RUNNING:
            with self._turn(guarded=True):
                for worker in list(self._workers.values()):
                    if worker.ready:
                        self._dismiss(worker)
                    else:
                        driver.killTask(worker.name)
            while self._workers and time.monotonic() < until and driver._core.status() == mesos_pb2.DRIVER_RUNNING:
                with self._turn(guarded=True):
                    self._tick(time.monotonic())
                self._sleep(_TICK_SECONDS)
        driver.stop()
        driver.join()
        with self._lock:
            self._workers.clear()
            self._free.clear()
            self._driver = None
