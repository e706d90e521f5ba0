"""``Reconciliation``: asks the master for the states of tasks until each has been answered."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mesos import _arguments
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.helpers._link import Link, is_v1, speaks_dicts
from mesos.helpers._observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FACTOR = 2


class ReconciliationStep(NamedTuple):
    """What :class:`ReconciliationState` wants done."""

    ask: list[dict[str, str]]
    """The tasks of each call: their ids, with those of their agents or empty text. No tasks mean all of them."""
    begins: bool
    """Whether it is time to begin anew, for which the tasks have to be told."""
    due: float | None
    """When to ask again; None if nothing is to be sent until something changes."""


@dataclass
class ReconciliationState:
    """Which tasks are unanswered, and when to ask next. Does no IO and has no clock.

    :param shortest: the seconds after the first round
    :param longest: the seconds after later rounds, at most
    :param every: the seconds from the end of one reconciliation to the beginning of the next; None for no other one
    :param implicit: whether the end asks for all tasks that the master knows
    :param chance: returns a number from 0 to 1
    """

    shortest: float
    longest: float
    every: float | None = None
    implicit: bool = False
    chance: Callable[[], float] = random.random
    unanswered: dict[str, str] = field(default_factory=dict)
    """The ids of the tasks that have not been answered, with those of their agents or empty text."""
    is_running: bool = False
    is_complete: bool = False
    """Whether every task has been answered since the last beginning."""
    _new: dict[str, str] = field(default_factory=dict)
    _wait: float = 0
    _due: float | None = None

    def begin(self, now: float, tasks: Mapping[str, str]) -> None:
        """Begins anew with these tasks."""
        self.unanswered, self._new = dict(tasks), {}
        self.is_running, self.is_complete = True, False
        self._wait, self._due = self.shortest, now

    def join(self, now: float, tasks: Mapping[str, str]) -> None:
        """Begins if none is running. Otherwise adds the tasks, which are asked for at once, to the one that is."""
        if not self.is_running:
            return self.begin(now, tasks)
        self._new |= {task: agent for task, agent in tasks.items() if task not in self.unanswered}
        self.unanswered |= self._new
        return None

    def answered(self, task: str) -> None:
        """The state of a task was told."""
        self.unanswered.pop(task, None)
        self._new.pop(task, None)

    def poll(self, now: float) -> ReconciliationStep:
        """Returns what to ask now. It counts as asked."""
        if self.is_running and not self.unanswered:
            return self._end(now)
        if self._due is not None and now >= self._due:
            if not self.is_running:
                # If nothing begins, because the tasks cannot be told, it is time again later.
                self._due = now + (self.every or 0)
                return ReconciliationStep([], True, self._due)
            self._new = {}
            # Half of the wait is left to chance, so that frameworks that lost the same master do not ask together.
            self._due = now + self._wait * (1 + self.chance()) / 2
            self._wait = min(self._wait * _FACTOR, self.longest)
            return ReconciliationStep([dict(self.unanswered)], False, self._due)
        new, self._new = self._new, {}
        return ReconciliationStep([new] if new else [], False, self._due)

    def _end(self, now: float) -> ReconciliationStep:
        self.is_running, self.is_complete = False, True
        self._due = None if self.every is None else now + self.every
        return ReconciliationStep([{}] if self.implicit else [], False, self._due)


class Reconciliation(Observer):
    """Asks the master for the states of the framework's tasks until each has been answered.

    What the framework believes of its tasks and what the master knows differ after either has failed, because messages
    are lost. Each registration and reregistration therefore begins a reconciliation: the tasks are asked for in rounds,
    until there was a status update for each. A master that was just elected answers for an agent's tasks when the agent
    has reregistered, which may take ten minutes, so the time between rounds doubles, up to a limit, and half of it is
    left to chance. The answers are status updates as any other, with the reason REASON_RECONCILIATION.

    Methods may be called by many threads. Follows ``docs/reconciliation.md`` of Mesos.

    >>> from mesos.interface import Scheduler, mesos_pb2
    >>> from mesos.scheduler import MesosSchedulerDriver
    >>> from mesos.helpers import watched
    >>> from mesos.local import LocalCluster
    >>> class Printer(Scheduler):
    ...     def statusUpdate(self, driver, status):
    ...         print(status.task_id.value, mesos_pb2.TaskState.Name(status.state), reconciliation.unanswered)
    ...         driver.stop()
    >>> reconciliation = Reconciliation(lambda: ["a-task-of-yesterday"])
    >>> info = mesos_pb2.FrameworkInfo(user="", name="example")
    >>> with LocalCluster() as cluster:
    ...     status = MesosSchedulerDriver(watched(Printer(), reconciliation), info, cluster).run()
    a-task-of-yesterday TASK_LOST frozenset()

    :param tasks: returns the tasks that have not ended as far as the framework knows: their ids, messages or dicts that
        have a ``task_id`` (and the agent's id, with which the master answers sooner), or a mapping from their ids to
        those of their agents. Called on the thread of the callback, or on that of a timer
    :param shortest: the seconds between the first and the second round
    :param longest: the seconds between two rounds, at most
    :param every: the seconds after which all tasks are asked for again, when each has been answered; None for not at
        all. Mesos recommends fifteen minutes
    :param implicit: whether the master is also asked for the tasks that the framework does not know, each time that
        each of its own has been answered
    """

    def __init__(
        self,
        tasks: Callable[[], Iterable[Any]],
        *,
        shortest: float = 2.0,
        longest: float = 300.0,
        every: float | None = 900.0,
        implicit: bool = False,
    ) -> None:
        if not callable(tasks):
            raise ArgumentTypeError(f"expected a function that returns tasks as tasks, got {tasks!r}")
        least, most = _arguments.finite_seconds(shortest, "shortest"), _arguments.finite_seconds(longest, "longest")
        if not 0 < least <= most:
            raise ArgumentValueError(f"expected 0 < shortest <= longest, got {shortest!r} and {longest!r}")
        again = None if every is None else _arguments.finite_seconds(every, "every")
        if again == 0:
            raise ArgumentValueError("expected more than 0 seconds as every, or None, got 0")
        self._tasks = tasks
        self._state = ReconciliationState(least, most, again, bool(implicit))
        self._changed = threading.Condition(threading.RLock())
        self._link: Link | None = None
        self._form: Callable[[str, str], Any] = _classic

    @property
    def unanswered(self) -> frozenset[str]:
        """The ids of the tasks that have not been answered since the reconciliation began."""
        with self._changed:
            return frozenset(self._state.unanswered)

    @property
    def is_complete(self) -> bool:
        """Whether every task has been answered since the last registration or reregistration."""
        with self._changed:
            return self._state.is_complete

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until every task has been answered. Not for callbacks, which the answers wait for.

        :param timeout: real seconds to wait, or None to wait indefinitely
        :returns: whether every task has been answered
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._state.is_complete, timeout)

    def reconcile(self) -> None:
        """Begins a reconciliation, as when the framework suspects that it was not told something. If one is running,
        this joins it: only tasks that it does not ask for are added. Does nothing before the framework is registered.
        """
        self._begin(anew=False)

    def registered(self, driver: Any, framework_id: Any = None) -> None:
        """The framework has registered or reregistered: begins anew.

        :func:`mesos.helpers.watched` calls this, and so does :meth:`handle`.
        """
        with self._changed:
            if self._link is None or not self._link.is_of(driver):
                self._link = Link(driver, self._wake)
                self._form = _dict if speaks_dicts(driver) else _v1 if is_v1(driver) else _classic
            if framework_id is not None:
                # Another one for each framework, and the same in each run of a cluster whose time skips.
                self._state.chance = random.Random(_text(framework_id)).random
        self._begin(anew=True)

    def update(self, status: Any) -> None:
        """A status update has come, whatever its reason.

        :func:`mesos.helpers.watched` calls this, and so does :meth:`handle`.

        :param status: a ``TaskStatus``, or a dict of pymesos
        """
        task, _ = _ids(status)
        with self._changed:
            self._state.answered(task)
        self._wake()

    def _begin(self, anew: bool) -> None:
        # Without the lock, because it is the framework's function.
        tasks = _known(self._tasks())
        with self._changed:
            if self._link is None:
                return
            change = self._state.begin if anew else self._state.join
            change(self._link.now(), tasks)
        self._wake()

    def _wake(self) -> None:
        with self._changed:
            link = self._link
            if link is None or not link.is_running():
                return
            step = self._state.poll(link.now())
            for asked in step.ask:
                link.reconcile([self._form(task, agent) for task, agent in asked.items()])
            link.wake_at(step.due)
            if self._state.is_complete:
                self._changed.notify_all()
        if step.begins:
            self._begin(anew=True)


def _known(tasks: Any) -> dict[str, str]:
    if isinstance(tasks, Mapping):
        tasks = [{"task_id": task, "agent_id": agent} for task, agent in tasks.items()]
    return dict(_ids(task) for task in tasks)


def _ids(task: Any) -> tuple[str, str]:
    """Returns the ids of a task and of its agent, which may be empty.

    :raises ArgumentTypeError: it is no task
    """
    if isinstance(task, str):
        return str(task), ""
    if isinstance(task, Mapping):
        named: Any = task.get("task_id")
        agent: Any = task.get("agent_id")
    else:
        # An id has a value, and everything else the id of a task.
        named = getattr(task, "task_id", task)
        agent = getattr(task, "slave_id", None) or getattr(task, "agent_id", None)
    found = _text(named)
    if not found:
        raise ArgumentTypeError(f"expected the id of a task, or a message or dict that has one, got {task!r}")
    return found, _text(agent)


def _text(value: Any) -> str:
    """Returns the text of an id, which may be a message, a dict or text. Anything else is empty."""
    if not isinstance(value, str):
        value = value.get("value") if isinstance(value, Mapping) else getattr(value, "value", None)
    return str(value) if isinstance(value, str) else ""


def _classic(task: str, agent: str) -> Any:
    from mesos.interface import mesos_pb2

    status = mesos_pb2.TaskStatus(task_id={"value": task}, state=mesos_pb2.TASK_STAGING)
    if agent:
        status.slave_id.value = agent
    return status


def _v1(task: str, agent: str) -> Any:
    from mesos.v1.interface import mesos_pb2

    status = mesos_pb2.TaskStatus(task_id={"value": task}, state=mesos_pb2.TASK_STAGING)
    if agent:
        status.agent_id.value = agent
    return status


def _dict(task: str, agent: str) -> Any:
    found: dict[str, Any] = {"task_id": {"value": task}}
    return {**found, "agent_id": {"value": agent}} if agent else found
