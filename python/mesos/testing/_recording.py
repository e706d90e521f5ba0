"""Drivers that record the calls that a framework makes."""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import TYPE_CHECKING, Any

from mesos import _callbacks
from mesos._driver import Driver
from mesos._failures import Failure
from mesos._misuse import Misuse
from mesos.errors import DriverError
from mesos.executor import MesosExecutorDriver
from mesos.interface import ExecutorDriver, Scheduler, SchedulerDriver, mesos_pb2
from mesos.scheduler import MesosSchedulerDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RUNNING = mesos_pb2.DRIVER_RUNNING


class Call:
    """A call that a framework or an executor made on its driver. Its arguments are attributes too: ``call.tasks``."""

    def __init__(self, name: str, arguments: dict[str, Any]) -> None:
        self.name = name
        """The name of the driver's method."""
        self.arguments = arguments
        """The arguments by name, defaults included, as they were at the call."""
        self.returned: int | None = None
        """What the driver returned: its status."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["arguments"][name]
        except KeyError:
            raise AttributeError(f"the call {self.__dict__.get('name')} has no argument {name!r}") from None

    def __eq__(self, other: object) -> bool:
        """Whether name and arguments are the same."""
        if not isinstance(other, Call):
            return NotImplemented
        return (self.name, self.arguments) == (other.name, other.arguments)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = [brief(value) for value in self.arguments.values() if value is not None]
        return f"{self.name}({', '.join(shown)})"


def brief(value: Any) -> str:
    """Returns what identifies a value, in a few words."""
    if isinstance(value, list | tuple):
        listed = [brief(each) for each in value[:3]]
        return f"[{', '.join(listed)}{f', ... {len(value)} in all' if len(value) > 3 else ''}]"
    if isinstance(value, mesos_pb2.TaskStatus):
        said = f": {value.message}" if value.message else ""
        return f"{value.task_id.value} {mesos_pb2.TaskState.Name(value.state)}{said}"
    if isinstance(value, mesos_pb2.Offer):
        return f"{value.id.value} of {value.slave_id.value}"
    if isinstance(value, mesos_pb2.TaskInfo):
        return str(value.task_id.value)
    if isinstance(value, mesos_pb2.Offer.Operation):
        tasks = [*value.launch.task_infos, *value.launch_group.task_group.tasks]
        return mesos_pb2.Offer.Operation.Type.Name(value.type) + (f" {brief(tasks)}" if tasks else "")
    if isinstance(value, mesos_pb2.Filters):
        return f"refuse_seconds={value.refuse_seconds:g}"
    if isinstance(value, mesos_pb2.MasterInfo | mesos_pb2.FrameworkInfo):
        return f"{type(value).__name__}"
    if isinstance(getattr(value, "value", None), str):
        return str(value.value)
    text = " ".join((repr(value) if isinstance(value, str | bytes) else str(value)).split())
    return text if len(text) <= 80 else f"{text[:80]}..."


def _copied(value: Any) -> Any:
    """Returns a value that the framework cannot change later; what is iterated once becomes a list."""
    if hasattr(value, "SerializeToString"):
        copy = type(value)()
        copy.CopyFrom(value)
        return copy
    if isinstance(value, str | bytes) or not hasattr(type(value), "__iter__"):
        # Protobuf's repeated fields have no __iter__.
        is_repeated = not isinstance(value, str | bytes) and hasattr(type(value), "__getitem__")
        return [_copied(each) for each in value] if is_repeated else value
    return [_copied(each) for each in value]


def recording(interface: type) -> Callable[[type], type]:
    """Decorates a driver's class so that its methods pass each call to ``_record``."""

    def decorated(cls: type) -> type:
        for name, declared in vars(interface).items():
            if inspect.isfunction(declared) and name not in ("join", "run"):
                setattr(cls, name, _recorded(name, getattr(cls, name)))
        return cls

    return decorated


def _recorded(name: str, method: Any) -> Any:
    signature = inspect.signature(method)

    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **keywords: Any) -> Any:
        bound = signature.bind(self, *arguments, **keywords)
        bound.apply_defaults()
        given = dict(list(bound.arguments.items())[1:])
        for key, value in given.items():
            given[key] = _copied(value)
        made = Call(name, given)
        with self._recording(made):
            # With the copies, so that an iterator is used once.
            made.returned = method(self, **given)
        return made.returned

    return call


class _Calls(Driver):
    """The calls that were made on a driver, and the core that a driver without a master has."""

    calls: list[Call]
    """Every call that was made, in order."""

    def called(self, name: str) -> list[Call]:
        """Returns the calls of one method, in order.

        >>> driver = RecordingDriver()
        >>> _ = driver.killTask("task-1")
        >>> driver.called("killTask")
        [killTask('task-1')]
        """
        return [call for call in self.calls if call.name == name]

    def start(self) -> mesos_pb2.Status.ValueType:
        """Returns the driver's status."""
        return mesos_pb2.Status.Value(mesos_pb2.Status.Name(self._core.status()))

    def run(self, *, check: bool = False) -> mesos_pb2.Status.ValueType:
        """Returns the driver's status if it has been stopped.

        :raises DriverError: the driver runs, so that the real one would wait
        """
        return self.join(check=check)

    @contextlib.contextmanager
    def _recording(self, call: Call) -> Iterator[None]:
        """Keeps a call once it has been checked; a call with wrong arguments raises, as on the real driver."""
        yield
        self.calls.append(call)


class _Core:
    """Stands for a driver's core: runs from the start, and takes every call."""

    def __init__(self) -> None:
        self._status: int = _RUNNING

    def status(self) -> int:
        return self._status

    def start(self, *_: object) -> int:
        return self._status

    def stop(self, *_: object) -> int:
        # Like the real one: an aborted driver is stopped too, and returns what it was.
        before, self._status = self._status, mesos_pb2.DRIVER_STOPPED
        return self._status if before == _RUNNING else before

    def abort(self) -> int:
        if self._status == _RUNNING:
            self._status = mesos_pb2.DRIVER_ABORTED
        return self._status

    def join(self, seconds: float | None) -> int:
        if self._status == _RUNNING and seconds is None:
            raise DriverError("join() would wait forever: a driver that only records makes no callbacks")
        return self._status

    def waits_for_itself(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *_: self._status


@recording(SchedulerDriver)
class RecordingDriver(_Calls, MesosSchedulerDriver):
    """A scheduler driver without a master: records the calls of a scheduler in a unit test.

    It checks arguments as :class:`mesos.native.MesosSchedulerDriver` does, and raises the same errors. It runs from the
    beginning, makes no callbacks, and every call returns DRIVER_RUNNING until it is stopped or aborted.

    >>> from mesos.testing import fake_offer
    >>> driver = RecordingDriver()
    >>> _ = driver.declineOffer(fake_offer(offer_id="offer-1").id)
    >>> driver.declined
    ['offer-1']

    :param implicitAcknowledgements: as for the real driver; if False, ``acknowledgeStatusUpdate`` can be called
    """

    def __init__(
        self,
        scheduler: Any = None,
        framework: mesos_pb2.FrameworkInfo | None = None,
        *,
        implicitAcknowledgements: bool = True,
    ) -> None:
        # Not the real driver's, which connects to a master.
        self._failure, self._misuse, self._loop = Failure(), Misuse(), None
        self._scheduler = Scheduler() if scheduler is None else scheduler
        _callbacks.check(self._scheduler, _callbacks.SCHEDULER, "scheduler")
        self._implicit = bool(implicitAcknowledgements)
        self._cluster = self._follower = None
        self._core: Any = _Core()
        self.calls = []

    @property
    def launched(self) -> list[mesos_pb2.TaskInfo]:
        """The tasks of all calls of ``launchTasks`` and ``acceptOffers``, in order, if the driver ran."""
        tasks: list[mesos_pb2.TaskInfo] = []
        for call in self._effective("launchTasks", "acceptOffers"):
            tasks += call.arguments.get("tasks", [])
            for operation in call.arguments.get("operations", []):
                tasks += [*operation.launch.task_infos, *operation.launch_group.task_group.tasks]
        return tasks

    @property
    def declined(self) -> list[str]:
        """The ids of the offers that were declined, also by launching nothing on them."""
        calls = self._effective("declineOffer", "launchTasks", "acceptOffers")
        nothing = [call for call in calls if not call.arguments.get("tasks") and not call.arguments.get("operations")]
        return [
            each for call in nothing for each in _ids(call.arguments.get("offerId", call.arguments.get("offerIds")))
        ]

    @property
    def killed(self) -> list[str]:
        """The ids of the tasks that were killed."""
        return [each for call in self._effective("killTask") for each in _ids(call.taskId)]

    def _effective(self, *names: str) -> list[Call]:
        """The calls that a real driver would have sent."""
        return [call for call in self.calls if call.name in names and call.returned == _RUNNING]


@recording(ExecutorDriver)
class RecordingExecutorDriver(_Calls, MesosExecutorDriver):
    """An executor driver without an agent: records the calls of an executor in a unit test.

    >>> driver = RecordingExecutorDriver()
    >>> _ = driver.sendStatusUpdate(mesos_pb2.TaskStatus(task_id={"value": "task-1"}, state=mesos_pb2.TASK_RUNNING))
    >>> driver.states("task-1")
    ['TASK_RUNNING']
    """

    def __init__(self, executor: Any = None) -> None:
        # Not the real driver's, which connects to an agent.
        self._failure, self._misuse, self._loop = Failure(), Misuse(), None
        self._executor = executor
        self._core: Any = _Core()
        self.calls = []

    def states(self, task_id: str) -> list[str]:
        """Returns the names of the states that were sent for a task, in order."""
        sent = [call.arguments["status"] for call in self.called("sendStatusUpdate")]
        return [mesos_pb2.TaskState.Name(status.state) for status in sent if status.task_id.value == task_id]


def _ids(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each if isinstance(each, str) else each.value for each in values]
