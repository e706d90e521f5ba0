"""A framework that a test started: what its driver called, which callbacks it received, and waiting for them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from mesos import _callbacks
from mesos._failures import Failure
from mesos.errors import ArgumentValueError
from mesos.interface import SchedulerDriver, mesos_pb2
from mesos.local import LocalCluster
from mesos.scheduler import MesosSchedulerDriver
from mesos.testing._clock import Changes
from mesos.testing._recording import Call, brief, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from mesos.testing._story import Story

_ENDS = {"FINISHED", "FAILED", "KILLED", "ERROR", "LOST", "DROPPED", "GONE", "GONE_BY_OPERATOR"}
_TERMINAL = {mesos_pb2.TaskState.Value(f"TASK_{name}") for name in _ENDS}


class Callback:
    """A callback that was made, with its arguments without the driver."""

    def __init__(self, name: str, arguments: tuple[Any, ...], at: float) -> None:
        self.name, self.arguments, self.time = name, arguments, at

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(brief(argument) for argument in self.arguments)})"


class Framework:
    """A framework that :meth:`Mesos.start` started."""

    def __init__(
        self, scheduler: Any, info: mesos_pb2.FrameworkInfo, master: Any, story: Story, **options: Any
    ) -> None:
        self.scheduler = scheduler
        """The scheduler, as it was passed to ``start``."""
        self.name: str = info.name
        """The framework's name."""
        self.callbacks: list[Callback] = []
        """The callbacks that were made and have returned, in order."""
        self._story = story
        self._changes = Changes()
        self._in_callback = False
        self._failure = _Kept()
        self._taken = False
        self.driver: MesosSchedulerDriver = _WatchedDriver(self, scheduler, info, master, **options)
        """Its driver, which callbacks receive too."""

    @property
    def id(self) -> str | None:
        """The id that the master assigned, or None if the framework has not registered yet."""
        ids = [callback.arguments[0].value for callback in self.callbacks if callback.name == "registered"]
        return ids[-1] if ids else None

    @property
    def calls(self) -> list[Call]:
        """The calls that were made on the driver, in order."""
        return list(self.driver.calls)  # type: ignore[attr-defined]

    @property
    def exception(self) -> BaseException | None:
        """The exception that a callback raised, or a ``DriverAbortedError`` with the message that ``error`` received.

        A test that has read it is not failed by it.
        """
        self._taken = True
        return self._failure.exception

    @property
    def is_in_callback(self) -> bool:
        """Whether a callback has been called and has not returned."""
        return self._in_callback

    def updates(self, task_id: str | None = None) -> list[mesos_pb2.TaskStatus]:
        """Returns the status updates that the framework received, in order.

        :param task_id: of this task; if None, of all tasks
        """
        updates = [callback.arguments[0] for callback in self.callbacks if callback.name == "statusUpdate"]
        return [status for status in updates if task_id is None or status.task_id.value == task_id]

    def states(self, task_id: str) -> list[str]:
        """Returns the names of the states in which the framework saw a task, in order."""
        return [mesos_pb2.TaskState.Name(status.state) for status in self.updates(task_id)]

    def wait_for(self, task_id: str | None, state: str, timeout: float | None = None) -> mesos_pb2.TaskStatus:
        """Waits until the framework has received a status update, and returns it.

        An update that came earlier counts too. The update's callback has returned.

        :param task_id: the task's id, or None for any task
        :param state: the name of a state, such as ``TASK_RUNNING``
        :param timeout: seconds on the cluster's clock; if None, 30, or 3600 if the clock skips
        :raises AssertionError: the task ended otherwise, the driver ended, or the timeout has passed
        :raises BaseException: what a callback of the framework raised
        """
        __tracebackhide__ = True
        if state not in mesos_pb2.TaskState.keys():  # noqa: SIM118  (an enum is no mapping)
            raise ArgumentValueError(f"expected the name of a state, such as 'TASK_RUNNING', as state, got {state!r}")
        number = mesos_pb2.TaskState.Value(state)
        what = f"{'any task' if task_id is None else f'the task {task_id!r}'} in {state}"

        def found() -> mesos_pb2.TaskStatus | None:
            __tracebackhide__ = True
            updates = self.updates(task_id)
            status = next((status for status in updates if status.state == number), None)
            if status is None and task_id is not None and updates and updates[-1].state in _TERMINAL:
                raise AssertionError(f"the task {task_id!r} ended with {brief(updates[-1])}, not in {state}")
            return status

        status: mesos_pb2.TaskStatus = self.wait_until(found, timeout, what=what)
        return status

    def wait_for_callback(self, name: str, timeout: float | None = None, *, count: int = 1) -> Callback:
        """Waits until a callback, such as ``reregistered``, was made a number of times, and returns the last of these.

        :param timeout: as for :meth:`wait_for`
        :raises AssertionError: the driver ended, or the timeout has passed
        :raises BaseException: what a callback of the framework raised
        """
        __tracebackhide__ = True

        def found() -> Callback | None:
            made = [callback for callback in self.callbacks if callback.name == name]
            return made[count - 1] if len(made) >= count else None

        what = name if count == 1 else f"{count} times {name}"
        callback: Callback = self.wait_until(found, timeout, what=what)
        return callback

    def wait_until(self, condition: Callable[[], Any], timeout: float | None = None, *, what: str | None = None) -> Any:
        """Waits until a condition is true, and returns its value. It is looked at after each callback and call, and
        twenty times a second.

        :param condition: a function without arguments, which must not change anything
        :param timeout: as for :meth:`wait_for`
        :param what: words for the error
        :raises AssertionError: the driver ended, or the timeout has passed
        :raises BaseException: what a callback of the framework or the condition raised
        """
        __tracebackhide__ = True
        what = what or getattr(condition, "__name__", None) or repr(condition)
        clock = self._story.clock
        limit = clock.limit if timeout is None else timeout
        outcome: list[Any] = []

        def over() -> bool:
            __tracebackhide__ = True
            # An error ends the wait too, and is raised below, in the test's own stack.
            if not outcome:
                try:
                    value = condition()
                    if value:
                        outcome.append((value, None))
                    elif self._failure.exception is not None or self._has_ended():
                        outcome.append((None, AssertionError(f"{self.name} did not see {what}: {self._end()}")))
                except BaseException as error:
                    outcome.append((None, error))
            return bool(outcome)

        if not clock.wait(self._changes, over, limit):
            seen = ", ".join(map(repr, self.callbacks[-5:])) or "nothing"
            raise AssertionError(f"{self.name} did not see {what} within {limit:g} seconds; it saw last: {seen}")
        value, error = outcome[0]
        if error is not None:
            self.check()
            raise error
        return value

    def join(self, timeout: float | None = None) -> mesos_pb2.Status.ValueType:
        """Waits until the driver has ended, and returns its status.

        :param timeout: as for :meth:`wait_for`
        :raises AssertionError: the timeout has passed
        :raises BaseException: the exception that aborted the driver
        """
        __tracebackhide__ = True
        self.wait_until(self._has_ended, timeout, what="the end of its driver")
        self.check()
        return self.driver.join()

    def stop(self, failover: bool = False) -> None:
        """Stops the driver and waits until its last calls have been sent. Has no effect on a driver that has ended."""
        self.driver.stop(failover)
        self.driver.join()

    def check(self) -> None:
        """Raises the exception that aborted the driver, unless the test has already received it."""
        __tracebackhide__ = True
        error, taken = self._failure.exception, self._taken
        self._taken = True
        if error is not None and not taken:
            raise error.with_traceback(self._failure.origin)

    def _end(self) -> str:
        error = self._failure.exception
        status = mesos_pb2.Status.Name(self.driver._core.status())
        return f"its driver is {status}" if error is None else f"{error!r} aborted its driver"

    def _has_ended(self) -> bool:
        # A callback that stops the driver is still to be counted.
        return not self._in_callback and self.driver._core.status() != mesos_pb2.DRIVER_RUNNING

    def _call_back(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Makes a callback, on the driver's thread."""
        __tracebackhide__ = True
        made = Callback(name, arguments, self._story.clock.now())
        self._in_callback = True
        self._story.add(self.name, f"<- {made!r}")
        try:
            returned = getattr(self.scheduler, name)(self.driver, *arguments)
        except SystemExit as error:
            # It would end the test runner.
            failure = AssertionError(f"the callback {name} raised {error!r}")
            failure.__cause__ = error
            self._fail(name, failure)
            self.driver.abort()
            return None
        except BaseException as error:
            self._fail(name, error)
            raise
        finally:
            self.callbacks.append(made)
            self._in_callback = False
            self._changes.tell()
        return returned

    def _fail(self, name: str, error: BaseException) -> None:
        self._failure.note(error)
        first = str(error).partition("\n")[0]
        self._story.add(self.name, f"!! {name} raised {type(error).__name__}: {first}")

    def _note_call(self, call: Call) -> None:
        self._story.add(self.name, f"-> {call!r}")

    def __repr__(self) -> str:
        return f"<Framework {self.name!r} {mesos_pb2.Status.Name(self.driver._core.status())}>"


class _Kept(Failure):
    """Keeps the exception for the test, which raises it, so that it is neither printed nor told to a hook."""

    def note(self, error: BaseException) -> bool:
        if self.exception is None:
            self.origin: TracebackType | None = error.__traceback__
        super().note(error)
        return True


class _Watched:
    """Stands for the scheduler: each of its callbacks goes through the framework."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework

    def __getattr__(self, name: str) -> Any:
        framework = self._framework
        return lambda _, *arguments: framework._call_back(name, arguments)


@recording(SchedulerDriver)
class _WatchedDriver(MesosSchedulerDriver):
    """A driver whose calls and callbacks a framework watches."""

    def __init__(
        self, framework: Framework, scheduler: Any, info: mesos_pb2.FrameworkInfo, master: Any, **options: Any
    ) -> None:
        self.calls: list[Call] = []
        self._framework = framework
        super().__init__(scheduler, info, master, **options)
        self._failure = framework._failure
        # The core looks the callbacks up here.
        self._scheduler = _Watched(framework)

    def start(self) -> mesos_pb2.Status.ValueType:
        # The real driver does this too, but with what stands for the scheduler.
        _callbacks.check(self._framework.scheduler, _callbacks.SCHEDULER, "scheduler")
        return super().start()

    def _find_master(self, master: Any) -> tuple[str, LocalCluster | None, None]:
        # The test's cluster, whatever REMESOS_MASTER is.
        return master.address, master if isinstance(master, LocalCluster) else None, None

    @contextlib.contextmanager
    def _recording(self, call: Call) -> Iterator[None]:
        """Tells the story of a call before it is made, because its effects may come at once."""
        self.calls.append(call)
        self._framework._note_call(call)
        try:
            yield
        finally:
            self._framework._changes.tell()


def framework_info(scheduler: Any, info: mesos_pb2.FrameworkInfo | None, fields: dict[str, Any]) -> Any:
    """Returns the info of a framework, with fields by name; capabilities may be names."""
    made = mesos_pb2.FrameworkInfo(user="", name=type(scheduler).__name__)
    if info is not None:
        made.CopyFrom(info)
    capabilities: Iterable[Any] = fields.pop("capabilities", ())
    for each in capabilities:
        kind = mesos_pb2.FrameworkInfo.Capability
        made.capabilities.append(kind(type=kind.Type.Value(each)) if isinstance(each, str) else each)
    made.MergeFrom(mesos_pb2.FrameworkInfo(**{"user": made.user, "name": made.name, **fields}))
    return made
