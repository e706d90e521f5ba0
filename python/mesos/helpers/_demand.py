"""``Demand``: asks for offers when there is something to launch, and for none when there is not."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mesos import _arguments
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.helpers._link import Link
from mesos.helpers._observer import Observer

if TYPE_CHECKING:
    from collections.abc import Iterable


class DemandStep(NamedTuple):
    """What :class:`DemandState` wants done."""

    suppress: list[str | None]
    revive: list[str | None]
    """The roles of a call. None is all roles."""
    due: float | None
    """When to ask again; None if nothing is to be sent until something changes."""


@dataclass
class _Role:
    wanted: int | frozenset[Any] = 0
    is_revived: bool | None = None
    """What the master was told last. None if that may be lost."""
    has_grown: bool = False
    """Whether more is wanted than at the last REVIVE, so that offers that were declined may be wanted now."""

    def want(self, wanted: int | frozenset[Any]) -> None:
        if isinstance(wanted, frozenset) and isinstance(self.wanted, frozenset):
            grows = bool(wanted - self.wanted)
        elif isinstance(wanted, int) and isinstance(self.wanted, int):
            grows = wanted > self.wanted
        else:
            grows = True
        self.has_grown = bool(wanted) and (self.has_grown or grows)
        self.wanted = wanted

    def is_told(self) -> bool:
        return self.is_revived is bool(self.wanted) and not self.has_grown


class DemandState:
    """Which roles want offers, and what the master was told. Does no IO and has no clock.

    :param roles: the roles; None for one demand that is that of all roles of the framework
    :param interval: the seconds between two calls
    """

    def __init__(self, roles: Iterable[str] | None, interval: float) -> None:
        self._has_roles = roles is not None
        self._roles: dict[str | None, _Role] = {role: _Role() for role in ([None] if roles is None else roles)}
        self._interval = interval
        self._last: float | None = None

    def wanted(self) -> dict[str | None, int | frozenset[Any]]:
        """Returns what each role wants."""
        return {name: role.wanted for name, role in self._roles.items()}

    def want(self, name: str | None, wanted: int | frozenset[Any]) -> None:
        """Notes what a role wants from now on."""
        self._role(name).want(wanted)

    def renew(self, name: str | None) -> None:
        """Has a role revived again. Without a name, every role that wants offers."""
        for role in self._roles.values() if name is None else [self._role(name)]:
            role.has_grown = bool(role.wanted)

    def registered(self) -> None:
        """The framework has registered or reregistered: nothing that was told before counts."""
        self._last = None
        for role in self._roles.values():
            role.is_revived = None

    def poll(self, now: float) -> DemandStep:
        """Returns what to send now. It counts as sent."""
        untold = {name: role for name, role in self._roles.items() if not role.is_told()}
        if not untold:
            return DemandStep([], [], None)
        if self._last is not None and now < self._last + self._interval:
            return DemandStep([], [], self._last + self._interval)
        self._last = now
        for role in untold.values():
            role.is_revived, role.has_grown = bool(role.wanted), False
        suppress = [name for name, role in untold.items() if not role.wanted]
        return DemandStep(suppress, [name for name, role in untold.items() if role.wanted], None)

    def _role(self, name: str | None) -> _Role:
        if name is None and self._has_roles:
            raise ArgumentValueError(f"expected one of the roles {self._names()} as role, got None")
        if name is not None and not self._has_roles:
            raise ArgumentValueError(
                f"expected no role, got {name!r}: this demand is that of all roles; use Demand(roles=[...]) for each"
            )
        return self._roles.setdefault(name, _Role())

    def _names(self) -> str:
        return ", ".join(repr(name) for name in self._roles)


class Demand(Observer):
    """Sends REVIVE and SUPPRESS when they are needed, given what the framework wants.

    A framework that wants nothing should suppress its offers, because the master offers to one framework after another,
    and one that is to launch tasks should revive them, because a declined offer is filtered, perhaps for hours. This
    sends

    - REVIVE if offers are wanted that were not, or more than before
    - SUPPRESS if none are wanted any more
    - at most one of each in an ``interval``: the first at once, and then what is still needed at its end
    - both anew when the framework registers or reregisters, because another master, or one that another scheduler of
      the framework was connected with, may have been told otherwise

    Methods may be called by many threads. Nothing is sent before the framework is registered.

    >>> from mesos.interface import Scheduler, mesos_pb2
    >>> from mesos.scheduler import MesosSchedulerDriver
    >>> from mesos.helpers import watched
    >>> from mesos.local import LocalCluster
    >>> class Launcher(Scheduler):
    ...     def resourceOffers(self, driver, offers):
    ...         print("offered")
    ...         demand.set(0)
    ...         driver.stop()
    >>> demand = Demand()
    >>> demand.set(3)
    >>> info = mesos_pb2.FrameworkInfo(user="", name="example")
    >>> with LocalCluster() as cluster:
    ...     status = MesosSchedulerDriver(watched(Launcher(), demand), info, cluster).run()
    offered

    :param roles: the roles of the framework, each with a demand of its own. If None, there is one, for all roles
    :param interval: the seconds between two calls
    """

    def __init__(self, roles: Iterable[str] | None = None, *, interval: float = 5.0) -> None:
        if isinstance(roles, str | bytes):
            raise ArgumentTypeError(f"expected an iterable of roles as roles, got {roles!r}")
        self._state = DemandState(roles, _arguments.finite_seconds(interval, "interval"))
        self._lock = threading.RLock()
        self._link: Link | None = None

    def set(self, wanted: int | bool | Collection[Any], role: str | None = None) -> None:
        """Says what is wanted from now on.

        :param wanted: how many tasks wait for an offer, or whether any do, or the ids of those that do. With ids, one
            that is new is seen even if another one has gone, and offers that were declined before are asked for again
        :param role: the role, if this has roles
        :raises ArgumentTypeError: ``wanted`` is neither a number nor a collection of ids
        :raises ArgumentValueError: ``wanted`` is negative, or a role is given to a demand without roles, or none to one
            with roles
        """
        noted = _noted(wanted)
        with self._lock:
            self._state.want(role, noted)
            self._act()

    def renew(self, role: str | None = None) -> None:
        """Asks for offers that were declined, although nothing more is wanted: what was too small may do now.

        :param role: the role; if None, every role that wants offers
        """
        with self._lock:
            self._state.renew(role)
            self._act()

    @property
    def suppressed_roles(self) -> list[str]:
        """The roles that want no offers now, for the ``suppressedRoles`` of a driver, which is then made no offer
        before it has registered.
        """
        with self._lock:
            return sorted(name for name, wanted in self._state.wanted().items() if name is not None and not wanted)

    def registered(self, driver: Any, framework_id: Any = None) -> None:
        """The framework has registered or reregistered: sends what is needed.

        :func:`mesos.helpers.watched` calls this, and so does :meth:`handle`.
        """
        with self._lock:
            if self._link is None or not self._link.is_of(driver):
                self._link = Link(driver, self._act)
            self._state.registered()
            self._act()

    def _act(self) -> None:
        with self._lock:
            link = self._link
            if link is None or not link.is_running():
                return
            step = self._state.poll(link.now())
            # In one lock with the decision, so that calls of several threads stay in order.
            if step.suppress:
                link.suppress(_named(step.suppress))
            if step.revive:
                link.revive(_named(step.revive))
            link.wake_at(step.due)


def _named(roles: list[str | None]) -> list[str] | None:
    names = sorted(role for role in roles if role is not None)
    return names or None


def _noted(wanted: Any) -> int | frozenset[Any]:
    if isinstance(wanted, int):
        if wanted < 0:
            raise ArgumentValueError(f"expected a number from 0 as wanted, got {wanted!r}")
        return int(wanted)
    if isinstance(wanted, Collection) and not isinstance(wanted, str | bytes):
        return frozenset(wanted)
    raise ArgumentTypeError(f"expected a number, a bool or a collection of ids as wanted, got {wanted!r}")
