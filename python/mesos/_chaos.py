"""Random faults from a seed, whose story can be printed and replayed."""

from __future__ import annotations

import ast
import functools
import random
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from mesos.errors import ArgumentValueError, ClusterError

if TYPE_CHECKING:
    from types import TracebackType

    from mesos.local import LocalAgent, LocalCluster

__all__ = ["FAULTS", "Chaos", "Step"]

_GONE = ("gone", "killed", "removed")


class Step(NamedTuple):
    """A fault at some time."""

    after: float
    """How many seconds after the beginning."""
    kind: str
    """``cluster``, ``agent``, ``framework``, ``task`` or ``offer``."""
    key: tuple[str, ...]
    """Which one: an agent's path such as ``slave(1)``, a framework's name, a task's id, or, for an offer, the name of
    its framework and the path of its agent."""
    fault: str
    """The name of the method."""
    arguments: dict[str, Any]
    """Its arguments."""

    def __str__(self) -> str:
        key = f"[{', '.join(map(repr, self.key))}]" if self.key else ""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.after:10.3f}  {self.kind}{key}.{self.fault}({arguments})"

    @classmethod
    def parse(cls, line: str) -> Step:
        """Reads a line of a story.

        :raises ArgumentValueError: it is not one
        """
        after, _, rest = line.strip().partition(" ")
        try:
            call = ast.parse(rest.strip(), mode="eval").body
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                raise SyntaxError
            place: ast.expr = call.func.value
            key: tuple[Any, ...] = ()
            if isinstance(place, ast.Subscript):
                keys = ast.literal_eval(place.slice)
                place, key = place.value, keys if isinstance(keys, tuple) else (keys,)
            if not isinstance(place, ast.Name):
                raise SyntaxError
            arguments = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
            return cls(float(after), place.id, tuple(map(str, key)), call.func.attr, arguments)
        except (SyntaxError, ValueError):
            raise ArgumentValueError(f"{line!r} is not a line of a story") from None


class _Choice(NamedTuple):
    """A fault that may be chosen."""

    arguments: Callable[[random.Random], dict[str, Any]] = lambda _: {}
    mended_by: str | None = None
    """The method that mends it."""
    mended_after: tuple[float, float] = (1.0, 120.0)
    """The fewest and the most seconds that it lasts."""
    is_default: bool = True


def _memory(chance: random.Random) -> dict[str, Any]:
    return {"memory": chance.random() < 0.8}


def _updates(chance: random.Random) -> dict[str, Any]:
    return {"delay": round(chance.uniform(0, 2), 3), "duplicate": 0.2, "lose": 0.2}


_CHOICES = {
    "agent.deactivate": _Choice(mended_by="reactivate"),
    "agent.disconnect": _Choice(mended_by="reconnect"),
    "agent.exhaust_disk": _Choice(mended_by="free_disk"),
    "agent.mark_gone": _Choice(is_default=False),
    "agent.restart": _Choice(_memory),
    "cluster.restart_master": _Choice(_memory),
    "cluster.updates": _Choice(_updates, mended_by="updates", mended_after=(1.0, 30.0)),
    "framework.disconnect": _Choice(),
    "framework.refuse": _Choice(lambda chance: {"seconds": round(chance.uniform(1, 30), 3)}),
    "offer.rescind": _Choice(),
    "task.kill_executor": _Choice(),
    "task.kill_process": _Choice(),
}
FAULTS = tuple(name for name, choice in _CHOICES.items() if choice.is_default)
"""The faults that chaos chooses from, unless it is told others."""


class Chaos:
    """Faults that happen to a cluster by themselves. It ends with :meth:`stop`, or as a context manager."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._begun = cluster.time()
        self._lock = threading.RLock()
        self._steps: list[Step] = []
        self._failed: dict[int, str] = {}
        self._open: dict[tuple[str, tuple[str, ...], str], Step] = {}
        self._calls: list[Any] = []
        self._over = threading.Event()
        self._waiting = 0

    @property
    def steps(self) -> list[Step]:
        """What happened up to now."""
        with self._lock:
            return list(self._steps)

    @property
    def is_over(self) -> bool:
        """Whether nothing happens any more: it was stopped, or all of the story has been replayed."""
        return self._over.is_set()

    def story(self) -> str:
        """Returns what happened up to now, a line a fault, for people and for ``LocalCluster.replay``."""
        with self._lock:
            lines = [
                f"{step}  # {self._failed[number]}" if number in self._failed else str(step)
                for number, step in enumerate(self._steps)
            ]
        return "\n".join(lines)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until nothing happens any more, so many real seconds at most. Returns whether that is so."""
        return self._over.wait(timeout)

    def stop(self) -> None:
        """Ends it, and mends what is broken: networks, disks, deactivated agents. Has no effect if it is over."""
        with self._lock:
            if self._over.is_set():
                return
            self._over.set()
            for call in self._calls:
                call.cancel()
            for mending in list(self._open.values()):
                self._perform(mending)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def begin(self, seed: int, rate: float, faults: Iterable[str]) -> Self:
        """Lets random faults happen, so many a second on average."""
        chance, names = random.Random(seed), sorted(faults)

        def happen() -> None:
            with self._lock:
                if not self._over.is_set():
                    self._happen(chance, names)
                    self._later(_milliseconds(chance.expovariate(rate)), happen)

        self._later(_milliseconds(chance.expovariate(rate)), happen)
        return self

    def replay(self, steps: Iterable[Step]) -> Self:
        """Lets these faults happen, each at its time."""
        all_steps = list(steps)
        self._waiting = len(all_steps)
        for step in all_steps:
            self._later(step.after, functools.partial(self._replay, step))
        if not all_steps:
            self._over.set()
        return self

    def _replay(self, step: Step) -> None:
        with self._lock:
            if self._over.is_set():
                return
            self._perform(step)
            self._waiting -= 1
            if not self._waiting:
                self._over.set()

    def _later(self, seconds: float, function: Callable[[], object]) -> None:
        self._calls.append(self._cluster.call_later(seconds, function))
        del self._calls[:-1000]

    def _happen(self, chance: random.Random, names: list[str]) -> None:
        targets = {name: self._targets(*name.split(".")) for name in names}
        possible = [name for name in names if targets[name]]
        if not possible:
            return
        name = chance.choice(possible)
        kind, fault = name.split(".")
        key = chance.choice(targets[name])
        choice = _CHOICES[name]
        self._perform(Step(0.0, kind, key, fault, choice.arguments(chance)))
        if name == "framework.refuse":
            # It is felt by a framework that subscribes.
            self._perform(Step(0.0, kind, key, "disconnect", {}))
        if choice.mended_by is None:
            return
        seconds = _milliseconds(chance.uniform(*choice.mended_after))
        mending = Step(0.0, kind, key, choice.mended_by, {})
        place = (kind, key, choice.mended_by)
        self._open[place] = mending

        def mend() -> None:
            with self._lock:
                if self._open.get(place) is mending and not self._over.is_set():
                    self._perform(mending)

        self._later(seconds, mend)

    def _now(self) -> float:
        return round(self._cluster.time() - self._begun, 3)

    def _targets(self, kind: str, fault: str) -> list[tuple[str, ...]]:
        """Returns what a fault can happen to, in an order that does not depend on chance."""
        cluster = self._cluster
        mended_by = _CHOICES[f"{kind}.{fault}"].mended_by
        if kind == "cluster":
            found: Iterable[tuple[str, ...]] = [()]
        elif kind == "agent":
            found = [(agent.path,) for agent in cluster.agents if agent.state not in _GONE]
        elif kind == "framework":
            found = [(each.name,) for each in cluster.frameworks if each.connected]
        elif kind == "task":
            found = [(task.id,) for task in cluster.tasks if task.state == "TASK_RUNNING"]
        else:
            names = {framework.id: framework.name for framework in cluster.frameworks}
            paths = {agent.id: agent.path for agent in cluster.agents}
            found = [(names.get(o.framework_id, ""), paths.get(o.agent_id, "")) for o in cluster.offers]
        return sorted({key for key in found if (kind, key, mended_by or "") not in self._open})

    def _perform(self, step: Step) -> None:
        step = step._replace(after=self._now())
        self._open.pop((step.kind, step.key, step.fault), None)
        self._steps.append(step)
        try:
            self._do(step)
        except (ClusterError, LookupError) as error:
            self._failed[len(self._steps) - 1] = f"not possible: {error}"

    def _do(self, step: Step) -> None:
        target = self._find(step)
        if step.fault == "updates":
            self._cluster._disturb_updates(**step.arguments)
            return
        getattr(target, step.fault)(**step.arguments)

    def _find(self, step: Step) -> Any:
        cluster, key = self._cluster, step.key
        if step.kind == "cluster":
            return cluster
        if step.kind == "agent":
            return _agent(cluster, key[0])
        if step.kind == "framework":
            return cluster.framework(key[0])
        if step.kind == "task":
            return cluster.task(key[0])
        framework, agent = cluster.framework(key[0]), _agent(cluster, key[1])
        offers = [o for o in cluster.offers if (o.framework_id, o.agent_id) == (framework.id, agent.id)]
        if not offers:
            raise LookupError("no such offer")
        return offers[0]


def _milliseconds(seconds: float) -> float:
    """Rounds a time, so that a story that is printed loses nothing."""
    return round(seconds, 3)


def _agent(cluster: LocalCluster, path: str) -> LocalAgent:
    found = [agent for agent in cluster.agents if agent.path == path and agent.state not in _GONE]
    if not found:
        raise LookupError(f"no agent '{path}'")
    return found[0]


def chaos(cluster: LocalCluster, seed: int, rate: float, faults: Iterable[str] | None) -> Chaos:
    """Begins chaos. See ``LocalCluster.chaos``."""
    if not rate > 0:
        raise ArgumentValueError(f"rate={rate!r}: expected a number of faults a second, more than 0")
    names = FAULTS if faults is None else tuple(faults)
    unknown = [name for name in names if name not in _CHOICES]
    if unknown or not names:
        raise ArgumentValueError(f"faults={list(names)!r}: expected some of {', '.join(_CHOICES)}")
    return Chaos(cluster).begin(seed, rate, names)


def replay(cluster: LocalCluster, story: Chaos | str | Iterable[Step]) -> Chaos:
    """Lets a story happen again. See ``LocalCluster.replay``."""
    if isinstance(story, Chaos):
        steps: Iterable[Step] = story.steps
    elif isinstance(story, str):
        steps = [Step.parse(line) for line in story.splitlines() if line.strip()]
    else:
        steps = story
    return Chaos(cluster).replay(steps)
