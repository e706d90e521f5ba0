"""Matches tasks to offers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.helpers._algebra._resources import Resources, wanted_of
from mesos.helpers._spreading import Spread

_SCALARS = ("cpus", "mem", "disk", "gpus")


class Wish:
    """What is to run somewhere, and what it needs.

    >>> from mesos.helpers import attribute, hostname, unique
    >>> Wish("web-1", cpus=0.5, mem=64, ports=1, where=[attribute("rack") == "a", unique(hostname)])
    <Wish 'web-1': cpus 0.5, mem 64, ports 1>

    :param task: a TaskInfo of the classic or the v1 API, or anything else that tells the caller what this is
    :param where: conditions of the offer, which are functions of it such as ``attribute("rack") == "a"``, and how tasks
        are spread: :func:`unique`, :func:`max_per`, :func:`group_by`
    :param role: the role in which it is to run; if None, any. What is reserved for it is taken first
    :param revocable: as for :meth:`Resources.find`
    :param resources: what it needs, as :meth:`Resources.find` takes it; if this and the amounts are left out, what the
        TaskInfo says that it needs
    :param amounts: amounts by name; a number of ports means so many of them
    :raises ArgumentTypeError: a condition cannot be called, nothing says what is needed, or an amount has the wrong
        type
    :raises ArgumentValueError: an amount is not valid
    """

    __slots__ = ("_wanted", "amounts", "resources", "revocable", "role", "task", "where")

    def __init__(
        self,
        task: Any = None,
        /,
        *,
        where: Iterable[Callable[[Any], object] | Spread] = (),
        role: str | None = None,
        revocable: bool = False,
        resources: Any = None,
        **amounts: Any,
    ) -> None:
        self.task, self.role, self.revocable = task, role, revocable
        self.where = (where,) if callable(where) or isinstance(where, Spread) else tuple(where)
        for each in self.where:
            if not callable(each) and not isinstance(each, Spread):
                raise ArgumentTypeError(f"expected conditions of an offer as where, got {each!r}")
        if resources is None and not amounts:
            if not _is_task(task):
                raise ArgumentTypeError(f"expected a TaskInfo, or what is needed by name, got {task!r}")
            resources = Resources(task.resources)
        self.resources, self.amounts = resources, amounts
        self._wanted = wanted_of(() if resources is None else resources, amounts)

    def __repr__(self) -> str:
        name = self.task.task_id.value if _is_task(self.task) else self.task
        needs = ", ".join(f"{key} {value}" for key, value in self.amounts.items()) or str(self.resources)
        return f"<Wish {name!r}: {needs}>"


@dataclass(frozen=True)
class Placement:
    """A wish that has found an offer.

    >>> from mesos.testing import fake_offer
    >>> ((placement,),) = (launch.placements for launch in match([fake_offer(cpus=1)], [Wish("web-1", cpus=0.5)]))
    >>> placement.task, placement.resources.cpus
    ('web-1', 0.5)
    """

    #: The wish, or the TaskInfo, as it was passed.
    wish: Any
    #: What it gets of the offer, without its executor.
    resources: Resources
    #: A copy of its TaskInfo, with the agent's id and these resources; what else the wish has as a task, unchanged.
    task: Any


@dataclass
class Launch:
    """What to launch on an offer.

    >>> from mesos.testing import fake_offer
    >>> (launch,) = match([fake_offer(cpus=1, offer_id="offer")], [Wish("web-1", cpus=0.5)])
    >>> launch.offer.id.value, launch.tasks, launch.left.cpus
    ('offer', ['web-1'], 0.5)
    """

    #: The offer.
    offer: Any
    #: What is left of it.
    left: Resources
    #: The wishes that have found it, in their order.
    placements: list[Placement] = field(default_factory=list)

    @property
    def tasks(self) -> list[Any]:
        """The tasks to launch."""
        return [placement.task for placement in self.placements]


@dataclass(frozen=True)
class Matching:
    """Which wishes have found which offers. Iteration gives the :class:`Launch` of each offer that is used.

    >>> from mesos.testing import fake_offer
    >>> matching = match([fake_offer(cpus=1)], [Wish("web-1", cpus=2)])
    >>> matching.launches, matching.unmatched, len(matching.unused)
    ([], [<Wish 'web-1': cpus 2>], 1)
    """

    #: What to launch, on each offer that is used.
    launches: list[Launch]
    #: The wishes that have found no offer, as they were passed.
    unmatched: list[Any]
    #: The offers that are not used, to be declined.
    unused: list[Any]

    def __iter__(self) -> Iterator[Launch]:
        return iter(self.launches)


def match(offers: Iterable[Any], wishes: Iterable[Any], *, fit: str = "first") -> Matching:
    """Matches tasks to offers: each wish, in their order, to the first offer that satisfies it.

    >>> from mesos.testing import fake_offer
    >>> offers = [fake_offer(cpus=1, mem=128, hostname=name) for name in ("host-1", "host-2", "host-3")]
    >>> matching = match(offers, [Wish(name, cpus=0.6, mem=64) for name in ("web-1", "web-2")])
    >>> for launch in matching:
    ...     print(launch.offer.hostname, launch.tasks, "left:", launch.left.unallocated())
    host-1 ['web-1'] left: cpus:0.4; mem:64
    host-2 ['web-2'] left: cpus:0.4; mem:64
    >>> [offer.hostname for offer in matching.unused], matching.unmatched
    (['host-3'], [])

    If a wish has a TaskInfo with an executor, this needs the executor's resources too, unless the executor runs on the
    agent already or another task starts it there.

    :param offers: offers, of the classic or the v1 API
    :param wishes: :class:`Wish` objects, and TaskInfo messages that say in their resources what they need
    :param fit: ``"first"``, or ``"best"`` for the offer of which the least is left
    :raises ArgumentTypeError: a wish is neither a :class:`Wish` nor a TaskInfo
    :raises ArgumentValueError: there is no such fit
    """
    if fit not in ("first", "best"):
        raise ArgumentValueError(f"expected 'first' or 'best' as fit, got {fit!r}")
    matcher = _Matcher(offers, fit == "best")
    unmatched = [wish for wish in wishes if not matcher.place(wish)]
    used = [host.launch for host in matcher.hosts if host.launch.placements]
    return Matching(used, unmatched, [host.launch.offer for host in matcher.hosts if not host.launch.placements])


class _Host:
    """An offer, and what is placed on it."""

    def __init__(self, offer: Any, executors: dict[str, dict[str, Any]]) -> None:
        self.launch = Launch(offer, Resources(offer))
        self.agent = (offer.slave_id if hasattr(offer, "slave_id") else offer.agent_id).value
        # What was not found in what is left.
        self.lacks: set[Any] = set()
        # Only the ids are known of executors that run already.
        self.executors = executors.setdefault(self.agent, {each.value: None for each in offer.executor_ids})


class _Fitting(NamedTuple):
    """An offer that satisfies a wish, and what this gets for itself and for an executor that it starts."""

    host: _Host
    resources: Resources
    executor: Resources | None

    def left(self) -> Resources:
        left = _without(self.host.launch.left, self.resources)
        return left if self.executor is None else _without(left, self.executor)


class _Matcher:
    def __init__(self, offers: Iterable[Any], best: bool) -> None:
        executors: dict[str, dict[str, Any]] = {}
        self.hosts = [_Host(offer, executors) for offer in offers]
        self._best = best
        # What all offers have, for shares of it.
        self._totals = {name: sum(getattr(host.launch.left, name) for host in self.hosts) for name in _SCALARS}
        self._placed: dict[Spread, Counter[Any]] = {}

    def place(self, given: Any) -> bool:
        """Places a wish. Returns whether an offer satisfies it."""
        wish = given if isinstance(given, Wish) else Wish(given)
        spreads = [each for each in wish.where if isinstance(each, Spread)]
        fitting: Iterable[_Fitting] = self._fitting(wish)
        if spreads:
            fitting = self._spread(spreads, list(fitting))
        found = min(fitting, key=self._share_left, default=None) if self._best else next(iter(fitting), None)
        if found is None:
            return False
        self._take(given, wish, found)
        for spread in spreads:
            self._placed[spread][spread.field.of(found.host.launch.offer)] += 1
        return True

    def _fitting(self, wish: Wish) -> Iterator[_Fitting]:
        """Returns the offers that satisfy a wish, however its tasks are to be spread."""
        conditions = [each for each in wish.where if not isinstance(each, Spread)]
        for host in self.hosts:
            if _is_of(host.launch.offer, wish.role) and all(true(host.launch.offer) for true in conditions):
                found = self._found(host, wish)
                if found is not None:
                    yield found

    def _spread(self, spreads: list[Spread], fitting: list[_Fitting]) -> Iterator[_Fitting]:
        """Returns those of the offers that leave tasks spread."""
        for spread in spreads:
            self._placed.setdefault(spread, Counter(spread.running))
        known = {spread: [spread.field.of(each.host.launch.offer) for each in fitting] for spread in spreads}
        for each in fitting:
            offer = each.host.launch.offer
            if all(spread.allows(offer, self._placed[spread], known[spread]) for spread in spreads):
                yield each

    def _found(self, host: _Host, wish: Wish) -> _Fitting | None:
        """Returns what a wish gets of an offer, or None if it is too little."""
        left = host.launch.left
        key = (wish._wanted, wish.role, wish.revocable)
        resources = None if key in host.lacks else left._found(*key)
        if resources is None:
            host.lacks.add(key)
            return None
        if not _starts_executor(wish.task, host):
            return _Fitting(host, resources, None)
        left = _without(left, resources)
        executor = left.find(Resources(wish.task.executor), role=wish.role, revocable=wish.revocable)
        return None if executor is None else _Fitting(host, resources, executor)

    def _take(self, given: Any, wish: Wish, found: _Fitting) -> None:
        host, task = found.host, wish.task
        if _is_task(task):
            task = type(task)()
            task.CopyFrom(wish.task)
            agent = task.slave_id if hasattr(task, "slave_id") else task.agent_id
            agent.value = host.agent
            _fill(task, found.resources)
            if task.HasField("executor"):
                self._start(host, task, found.executor)
        host.launch.left = found.left()
        host.lacks.clear()
        host.launch.placements.append(Placement(given, found.resources, task))

    def _start(self, host: _Host, task: Any, resources: Resources | None) -> None:
        """Fills a task's executor, which has to be the same in all of its tasks."""
        name = task.executor.executor_id.value
        if resources is not None:
            _fill(task.executor, resources)
            host.executors[name] = task.executor
        elif host.executors[name] is not None:
            task.executor.CopyFrom(host.executors[name])

    def _share_left(self, found: _Fitting) -> float:
        """Returns how much of an offer would be left, compared with what all offers have."""
        left = found.left()
        return float(sum(getattr(left, name) / (total or 1) for name, total in self._totals.items()))


def _is_task(task: Any) -> bool:
    return hasattr(task, "DESCRIPTOR") and task.DESCRIPTOR.name == "TaskInfo"


def _starts_executor(task: Any, host: _Host) -> bool:
    """Returns whether a task has an executor that does not run yet."""
    return _is_task(task) and task.HasField("executor") and task.executor.executor_id.value not in host.executors


def _without(left: Resources, resources: Resources) -> Resources:
    """Returns what is left. Shared volumes stay, because other tasks can use them too."""
    return left.without(resources.non_shared())


def _is_of(offer: Any, role: str | None) -> bool:
    """Returns whether an offer is made to a role; to frameworks of one role, offers do not say it."""
    return role is None or not offer.HasField("allocation_info") or offer.allocation_info.role == role


def _fill(message: Any, resources: Resources) -> None:
    message_class = type(message.resources.add())
    del message.resources[:]
    message.resources.extend(resources.messages(message_class))
