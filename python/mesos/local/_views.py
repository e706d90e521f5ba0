"""Agents, frameworks, tasks and offers of an embedded cluster, as they were when somebody looked."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mesos import _arguments
from mesos._display import _html as html
from mesos._display._history import History
from mesos._display._html import Displayed, Html
from mesos._display._overview import framework_state
from mesos._faults import AgentFaults, FrameworkFaults, OfferFaults, TaskFaults
from mesos.errors import ArgumentValueError, ClusterError, ConditionTimeoutError, TaskStateError, TaskTimeoutError
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from mesos.local._cluster import LocalCluster

TERMINAL = frozenset(
    f"TASK_{name}" for name in ("FINISHED", "FAILED", "KILLED", "LOST", "ERROR", "DROPPED", "GONE", "GONE_BY_OPERATOR")
)


_STATES = frozenset(mesos_pb2.TaskState.DESCRIPTOR.values_by_name)
_SHOWN = 500
"""So many characters of the end of a failed task's stderr are in an error."""


def _resources(text: str) -> dict[str, float | str]:
    amounts = json.loads(text)
    first = {name: amounts.pop(name) for name in ("cpus", "mem", "disk", "gpus")}
    return {**first, **amounts}


def _shown(resources: dict[str, float | str]) -> str:
    """Returns resources as Mesos' flags have them."""
    texts = {
        name: f"{amount:.3f}".rstrip("0").rstrip(".") if isinstance(amount, float) else amount
        for name, amount in resources.items()
    }
    return ";".join(f"{name}:{text}" for name, text in texts.items() if text != "0")


def _number(resources: dict[str, float | str], name: str) -> float:
    amount = resources.get(name, 0.0)
    return amount if isinstance(amount, int | float) else 0.0


class _View(Displayed):
    """What somebody saw of a part of a cluster. Its methods ask the cluster again."""

    def __init__(self, cluster: LocalCluster, seen: tuple[Any, ...]) -> None:
        self._cluster = cluster
        self._take(seen)

    def _take(self, seen: tuple[Any, ...]) -> None:
        raise NotImplementedError

    def _look(self) -> tuple[Any, ...] | None:
        raise NotImplementedError

    def _key(self) -> tuple[str, ...]:
        raise NotImplementedError

    def refresh(self) -> Self:
        """Looks again. What is no longer there keeps its last values. Returns itself."""
        seen = self._look()
        if seen is not None:
            self._take(seen)
        return self

    def history(self) -> History:
        """Returns the records of :meth:`LocalCluster.history` that are about it."""
        ids = self._ids()
        records = self._cluster.history()
        return History((each for each in records if all(each[name] == ids[name] for name in ids)), self._cluster)

    def _ids(self) -> dict[str, str]:
        raise NotImplementedError

    @staticmethod
    def _columns() -> tuple[str, ...]:
        raise NotImplementedError

    def _row(self) -> tuple[object, ...]:
        raise NotImplementedError

    def _html(self) -> Html:
        return html.titled(type(self).__name__, html.pairs(zip(self._columns(), self._row(), strict=True)))

    def __eq__(self, other: object) -> bool:
        """Whether both are of the same thing, whenever they were seen."""
        if not isinstance(other, type(self)):
            return NotImplemented
        return self._cluster is other._cluster and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))


class LocalAgent(AgentFaults, _View):
    """An agent of an embedded cluster, as it was when somebody looked; :meth:`refresh` looks again."""

    id: str
    """Its id."""
    hostname: str
    """Its host name."""
    path: str
    """The last part of its URL, such as ``slave(1)``. An agent that takes the place of another one has the same."""
    resources: dict[str, float | str]
    """All its resources by name: numbers, and ranges and sets as text such as ``[31000-32000]``."""
    used: dict[str, float | str]
    """Those that tasks and executors use."""
    attributes: dict[str, float | str]
    """Its attributes by name."""
    state: str
    """``active``, or what keeps it from being offered: ``deactivated``, ``draining``, ``drained``, ``disconnected`` if
    it is about to register again, ``unreachable``, or, if the master does not have it any more, ``gone``, ``removed``
    or ``killed``."""

    def _take(self, seen: tuple[Any, ...]) -> None:
        self.id, self.hostname, self.path, resources, used, attributes, self.state = seen
        self.resources, self.used, self.attributes = _resources(resources), _resources(used), json.loads(attributes)

    def _look(self) -> tuple[Any, ...] | None:
        return next((seen for seen in self._cluster._core.agents() if seen[0] == self.id), None)

    def kill(self, *, at_once: bool = False) -> None:
        """Kill the agent's process and all its tasks, as with SIGKILL; it does not come back.

        It stands for a machine that fails. The connection to the master breaks: offers are rescinded, and tasks of
        frameworks without checkpointing are lost (``Master::exited`` in ``src/master/master.cpp``). The agent is
        unreachable when it has not answered five pings, 15 seconds apart, and the other tasks with it
        (``Master::markUnreachable``). Its :attr:`state` here is ``killed`` at once.

        :param at_once: whether the pings have already been missed, so that the agent is unreachable now
        :raises ClusterError: the cluster has no such agent
        """
        self._left(self._cluster._core.kill_agent(self.id, at_once))

    def remove(self) -> None:
        """Shut the agent down in order. Its tasks are killed, and lost to their frameworks.

        It stands for an operator who takes a machine out of the cluster: the agent unregisters (``Slave::shutdown`` in
        ``src/slave/slave.cpp``, ``Master::unregisterSlave``).

        :raises ClusterError: the cluster has no such agent
        """
        self._left(self._cluster._core.remove_agent(self.id))

    def _left(self, was_there: bool) -> None:
        if not was_there:
            raise ClusterError(f"{self._cluster._named()} has no agent {self.id!r} that runs")
        self.refresh()

    def _key(self) -> tuple[str, ...]:
        return (self.id,)

    def _ids(self) -> dict[str, str]:
        return {"agent_id": self.id}

    @staticmethod
    def _columns() -> tuple[str, ...]:
        return ("agent", "host", "state", "cpus", "mem (MB)", "disk (MB)", "gpus", "other", "attributes")

    def _row(self) -> tuple[object, ...]:
        names = ("cpus", "mem", "disk", "gpus")
        bars = (html.bar(_number(self.used, name), _number(self.resources, name)) for name in names)
        other = {name: amount for name, amount in self.resources.items() if name not in names}
        attributes = ";".join(f"{name}:{value}" for name, value in self.attributes.items())
        return (self.id, self.hostname, self.state, *bars, _shown(other), attributes)

    def __repr__(self) -> str:
        return f"<LocalAgent {self.id} on {self.hostname}, {self.state}, {_shown(self.resources)}>"


class LocalFramework(FrameworkFaults, _View):
    """A framework of an embedded cluster, as it was when somebody looked; :meth:`refresh` looks again."""

    id: str
    """Its id."""
    name: str
    """Its name."""
    roles: list[str]
    """Its roles."""
    principal: str | None
    """Its principal, if it has one."""
    connected: bool
    """Whether its scheduler is connected to the master."""
    completed: bool
    """Whether it is over: the master removed it with its tasks."""

    @property
    def active(self) -> bool:
        """Whether it may get offers: it is connected and not completed."""
        return self.connected and not self.completed

    def _take(self, seen: tuple[Any, ...]) -> None:
        self.id, self.name, self.roles, self.principal, self.connected, self.completed = seen

    def _look(self) -> tuple[Any, ...] | None:
        return next((seen for seen in self._cluster._core.frameworks() if seen[0] == self.id), None)

    def _key(self) -> tuple[str, ...]:
        return (self.id,)

    def _ids(self) -> dict[str, str]:
        return {"framework_id": self.id}

    @property
    def _state(self) -> str:
        return framework_state(self.connected, self.completed)

    @staticmethod
    def _columns() -> tuple[str, ...]:
        return ("framework", "id", "state", "roles", "principal")

    def _row(self) -> tuple[object, ...]:
        return (self.name, self.id, self._state, ", ".join(self.roles), self.principal or "")

    def __repr__(self) -> str:
        return f"<LocalFramework {self.name!r} {self.id}, {self._state}>"


class LocalOffer(OfferFaults, _View):
    """An offer that a framework has, as it was when somebody looked."""

    id: str
    """Its id."""
    framework_id: str
    """The id of the framework that has it."""
    agent_id: str
    """The id of the agent."""
    role: str
    """The role that it is for."""
    resources: dict[str, float | str]
    """Its resources by name."""

    def _take(self, seen: tuple[Any, ...]) -> None:
        self.id, self.framework_id, self.agent_id, self.role, resources = seen
        self.resources = _resources(resources)

    def _look(self) -> tuple[Any, ...] | None:
        return next((seen for seen in self._cluster._core.offers() if seen[0] == self.id), None)

    def _key(self) -> tuple[str, ...]:
        return (self.id,)

    def _ids(self) -> dict[str, str]:
        return {"offer_id": self.id}

    @staticmethod
    def _columns() -> tuple[str, ...]:
        return ("offer", "agent", "framework", "role", "resources")

    def _row(self) -> tuple[object, ...]:
        return (self.id, self.agent_id, self.framework_id, self.role, _shown(self.resources))

    def __repr__(self) -> str:
        return f"<LocalOffer {self.id} of {self.agent_id} to {self.framework_id}, {_shown(self.resources)}>"


class LocalTask(TaskFaults, _View):
    """A task of an embedded cluster, as it was when somebody looked; :meth:`refresh` and :meth:`wait` look again."""

    id: str
    """Its id."""
    name: str
    """Its name."""
    framework: str
    """The framework's name."""
    framework_id: str
    """The framework's id."""
    agent_id: str
    """The agent's id."""
    executor_id: str
    """The id of its executor, which is its own for a command task."""
    state: str
    """The name of its state, such as ``TASK_RUNNING``: the last one that its executor reported, or, if the master does
    not reach the agent, what the master says."""
    states: list[str]
    """The states that its executor reported, in order."""
    sandbox: Path
    """Its sandbox, which contains ``stdout`` and ``stderr``."""

    @property
    def resources(self) -> dict[str, float | str]:
        """Its resources by name, without those of its executor."""
        return _resources(self._resources)

    def _take(self, seen: tuple[Any, ...]) -> None:
        key, self.name, self.framework, self.state, self.states, sandbox, self._resources = seen
        self.framework_id, self.agent_id, self.executor_id, self.id = key
        self.sandbox = Path(sandbox)

    def _look(self) -> tuple[Any, ...] | None:
        return self._cluster._core.task(self._key())

    def _key(self) -> tuple[str, str, str, str]:
        return (self.framework_id, self.agent_id, self.executor_id, self.id)

    def _ids(self) -> dict[str, str]:
        return {"framework_id": self.framework_id, "task_id": self.id}

    @property
    def is_over(self) -> bool:
        """Whether its state is terminal."""
        return self.state in TERMINAL

    def stdout(self) -> str:
        """Returns what the task has written to its standard output.

        Of a larger file these are the last 16 MiB. If the cluster has stopped and its directory was a temporary one,
        these are the last MiB, and of all tasks together the last 64 MiB. What is not UTF-8 is replaced.
        """
        return self._output("stdout")

    def stderr(self) -> str:
        """Returns what the task has written to its standard error, as :meth:`stdout` does."""
        return self._output("stderr")

    def _output(self, name: str) -> str:
        return self._cluster._core.output(str(self.sandbox / name)).decode("utf-8", "replace")

    def wait(self, state: str = "TASK_FINISHED", timeout: float = 30) -> Self:
        """Waits until the task has been in a state. Returns itself, with its values then.

        :param state: the name of a state
        :param timeout: how many seconds to wait at most; with ``time="skip"``, seconds of the cluster's time, which
            moves
        :raises TaskStateError: the task is over and has not been in the state; the message has the end of its stderr
        :raises TaskTimeoutError: the task has not been in the state after the timeout
        :raises ClusterError: the cluster has stopped
        """
        if state not in _STATES:
            raise ArgumentValueError(f"expected the name of a state, such as 'TASK_RUNNING', as state, got {state!r}")
        seconds = _arguments.seconds(timeout, "timeout")
        if seconds is None:
            raise ArgumentValueError("expected a number of seconds as timeout, got None")
        self.refresh()
        if not self._has_been(state) and not self.is_over:
            self._wait(state, seconds)
        if self._has_been(state):
            return self
        what = f"task {self.id!r} is {self.state}, not {state}"
        if self.is_over:
            error = self.stderr()[-_SHOWN:].strip()
            raise TaskStateError(f"{what}{f'; the end of its stderr: {error}' if error else ''}")
        if self._cluster.is_stopped:
            raise ClusterError(f"{what}, and the cluster has stopped")
        raise TaskTimeoutError(f"{what}, after {timeout} seconds")

    def _wait(self, state: str, seconds: float) -> None:
        if self._cluster._core.time().skips():
            with contextlib.suppress(ConditionTimeoutError):
                self._cluster.run_until(lambda: self.refresh()._has_been(state) or self.is_over, seconds)
        elif (seen := self._cluster._core.wait_for_task(self._key(), state, seconds)) is not None:
            self._take(seen)

    def _has_been(self, state: str) -> bool:
        return self.state == state or state in self.states

    @staticmethod
    def _columns() -> tuple[str, ...]:
        return ("task", "name", "framework", "agent", "state", "resources", "sandbox")

    def _row(self) -> tuple[object, ...]:
        state = html.state(self.state)
        return (self.id, self.name, self.framework, self.agent_id, state, _shown(self.resources), self.sandbox)

    def __repr__(self) -> str:
        return f"<LocalTask {self.id!r} of {self.framework!r} on {self.agent_id}, {self.state}>"
