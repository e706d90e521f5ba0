"""``watched``: lets helpers see the callbacks of a scheduler."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mesos import _callbacks
from mesos._misuse import Misuse
from mesos.errors import ArgumentTypeError

if TYPE_CHECKING:
    from mesos import aio


class Observer:
    """What helpers see of a framework. Each method does nothing unless a helper needs it.

    A scheduler can call these methods in its callbacks itself, instead of being :func:`watched`.

    >>> class Printer(Observer):
    ...     def registered(self, driver, framework_id=None):
    ...         print("registered")
    >>> from mesos.interface import Scheduler
    >>> watched(Scheduler(), Printer()).registered(None, None, None)
    registered
    """

    def registered(self, driver: Any, framework_id: Any = None) -> None:
        """The framework has registered, or reregistered.

        :param driver: a driver of the classic API or of pymesos, or a :class:`mesos.aio.Framework`
        :param framework_id: the framework's id, if it has registered
        """

    def update(self, status: Any) -> None:
        """A status update has come."""

    async def handle(self, framework: aio.Framework, event: aio.Event) -> None:
        """Sees an event of a :class:`mesos.aio.Framework`. Give it every event."""
        # It has been imported: these are its objects.
        kinds = sys.modules["mesos.aio"]
        if isinstance(event, kinds.Subscribed):
            self.registered(framework, event.framework_id)
        elif isinstance(event, kinds.Resubscribed):
            self.registered(framework)
        elif isinstance(event, kinds.Update):
            self.update(event.status)


def watched(scheduler: Any, *helpers: Observer) -> Any:
    """Returns a scheduler for a driver whose callbacks the helpers see before ``scheduler`` does.

    >>> from mesos.helpers import Demand, Reconciliation, watched
    >>> from mesos.interface import Scheduler, mesos_pb2
    >>> from mesos.scheduler import MesosSchedulerDriver
    >>> demand, reconciliation = Demand(), Reconciliation(lambda: [])
    >>> info = mesos_pb2.FrameworkInfo(user="", name="example")
    >>> driver = MesosSchedulerDriver(watched(Scheduler(), demand, reconciliation), info, "127.0.0.1:5050")

    :param scheduler: any object with the methods of :class:`mesos.interface.Scheduler`, or a scheduler of pymesos
    :param helpers: the helpers, in the order in which they see a callback. What keeps the framework's id comes first:
        it is kept then, whatever the next one raises
    :raises ArgumentTypeError: the scheduler is None or a class, or a helper is not an :class:`Observer`
    """
    # Whether there is a loop for callbacks that are coroutine functions, the driver knows.
    _callbacks.check(scheduler, _callbacks.SCHEDULER, "scheduler", loop=True)
    # The driver does not see the methods of the scheduler.
    Misuse().near_misses(scheduler, _callbacks.near_misses(scheduler, _callbacks.SCHEDULER))
    for helper in helpers:
        if not isinstance(helper, Observer):
            raise ArgumentTypeError(f"expected a helper of mesos.helpers, such as a Demand, got {helper!r}")
    # Tests and the story of a test name a framework by the class of its scheduler.
    kind: type[_Watched] = type(type(scheduler).__name__, (_Watched,), {})
    return kind(scheduler, helpers)


class _Watched:
    """Passes callbacks on, and has helpers see some of them.

    What a callback returns is returned, because it may be a coroutine that the driver runs.
    """

    def __init__(self, scheduler: Any, helpers: tuple[Observer, ...]) -> None:
        self._scheduler = scheduler
        self._helpers = helpers

    def registered(self, driver: Any, framework_id: Any, *arguments: Any) -> Any:
        for helper in self._helpers:
            helper.registered(driver, framework_id)
        return self._passed("registered", driver, framework_id, *arguments)

    def reregistered(self, driver: Any, *arguments: Any) -> Any:
        for helper in self._helpers:
            helper.registered(driver)
        return self._passed("reregistered", driver, *arguments)

    def statusUpdate(self, driver: Any, status: Any) -> Any:
        for helper in self._helpers:
            helper.update(status)
        return self._passed("statusUpdate", driver, status)

    def _passed(self, name: str, *arguments: Any) -> Any:
        callback = getattr(self._scheduler, name, None)
        return None if callback is None else callback(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)

    def __repr__(self) -> str:
        return f"watched({self._scheduler!r}, {', '.join(type(helper).__name__ for helper in self._helpers)})"
