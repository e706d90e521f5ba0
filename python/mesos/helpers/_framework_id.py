"""``FrameworkIdStore``: the id with which the next scheduler of a framework takes its tasks over."""

from __future__ import annotations

import asyncio
import copy
import logging
import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from mesos import _misuse
from mesos.errors import (
    ArgumentTypeError,
    DriverAbortedError,
    FrameworkRemovedError,
    MesosError,
    MesosWarning,
)
from mesos.helpers._link import is_v1, speaks_dicts
from mesos.helpers._observer import Observer
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Self

    from mesos import aio
    from mesos.operator import MasterClient

F = TypeVar("F")
_LOG = logging.getLogger("mesos")


class FrameworkIdStore(Observer):
    """Keeps the id of a framework, for the next scheduler of the framework.

    A scheduler that subscribes with the id of a framework that is disconnected, and not for longer than its
    ``failover_timeout``, takes over the framework and its tasks. This base class is for stores of your own, which
    define :meth:`load`, :meth:`save` and :meth:`forget`, as :class:`FrameworkIdFile` and :class:`FrameworkIdZooKeeper`
    do.

    >>> class Memory(FrameworkIdStore):
    ...     kept = None
    ...     def load(self):
    ...         return self.kept
    ...     def save(self, framework_id):
    ...         self.kept = framework_id
    ...     def forget(self):
    ...         self.kept = None
    >>> store = Memory()
    >>> store.registered(None, mesos_pb2.FrameworkID(value="framework-1"))
    >>> store.fill(mesos_pb2.FrameworkInfo(user="", name="example", failover_timeout=3600)).id.value
    'framework-1'
    """

    _has_subscribed = False

    def load(self) -> str | None:
        """Returns the id, or None if there is none.

        :raises FrameworkIdError: it cannot be read
        """
        raise NotImplementedError

    def save(self, framework_id: str) -> None:
        """Keeps an id.

        :raises FrameworkIdError: it cannot be written
        """
        raise NotImplementedError

    def forget(self) -> None:
        """Keeps no id any more.

        :raises FrameworkIdError: it cannot be removed
        """
        raise NotImplementedError

    def close(self) -> None:
        """Lets other processes use the id."""

    def __enter__(self) -> Self:
        """Reads the id once, which tells at once if it cannot be used."""
        try:
            self.load()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the store."""
        self.close()

    def fill(self, framework: F) -> F:
        """Returns a copy of a framework's info that has the id that is kept, if one is.

        Warns (:class:`mesos.errors.MesosWarning`) if ``failover_timeout`` is 0, as it is by default: the master then
        removes a framework as soon as it is disconnected, so that its id is of no use.

        :param framework: a ``FrameworkInfo`` of the classic or the v1 API, or a dict of pymesos
        :raises FrameworkIdError: the id cannot be read
        """
        filled = copy.deepcopy(framework)
        kept = self.load()
        if isinstance(filled, Mapping):
            # pymesos has a timeout of its own.
            timeout = filled.get("failover_timeout", 1)
            if kept is not None:
                filled["id"] = {"value": kept}  # type: ignore[index]
        elif hasattr(filled, "failover_timeout"):
            timeout = filled.failover_timeout
            if kept is not None:
                filled.id.value = kept  # type: ignore[attr-defined]
        else:
            raise ArgumentTypeError(f"expected a FrameworkInfo as framework, got {framework!r}")
        if not timeout:
            warnings.warn(
                "the framework's failover_timeout is 0: the master removes the framework as soon as its scheduler is "
                "disconnected, and the id that is kept is of no use; set it to how many seconds a restart may take",
                MesosWarning,
                stacklevel=_misuse._depth_of_caller(),
            )
        return filled

    def registered(self, driver: Any, framework_id: Any = None) -> None:
        """The framework has registered: keeps its id.

        :func:`mesos.helpers.watched` calls this, and so does :meth:`handle`.

        :raises FrameworkIdError: it cannot be written
        """
        self._has_subscribed = True
        if framework_id is None:
            return
        value = framework_id.get("value") if isinstance(framework_id, Mapping) else framework_id
        self.save(str(getattr(value, "value", value)))

    async def handle(self, framework: aio.Framework, event: aio.Event) -> None:
        """Sees an event of a :class:`mesos.aio.Framework`. Give it every event.

        :raises FrameworkIdError: the id cannot be written
        """
        kinds = sys.modules["mesos.aio"]
        if isinstance(event, kinds.Subscribed | kinds.Resubscribed):
            # It may wait for a disk or for ZooKeeper.
            await asyncio.to_thread(self.registered, framework, getattr(event, "framework_id", None))

    @overload
    def stop(self, driver: aio.Framework, failover: bool = False) -> Awaitable[None]: ...

    @overload
    def stop(self, driver: Any, failover: bool = False) -> Any: ...

    def stop(self, driver: Any, failover: bool = False) -> Any:
        """Stops a driver, and forgets the id, unless another scheduler is to take the framework over.

        A driver may as well be stopped by its own method: the master then tells the next scheduler that the framework
        was removed. See :meth:`run`.

        :param driver: a driver of the classic API or of pymesos, or a :class:`mesos.aio.Framework`, for which the call
            has to be awaited
        :param failover: as for the driver's own method
        :returns: what the driver's own method returns
        """
        if is_v1(driver):
            return self._stop(driver, failover)
        returned = driver.stop(failover)
        if not failover:
            self.forget()
        return returned

    async def _stop(self, framework: aio.Framework, failover: bool) -> None:
        await framework.stop(failover=failover)
        if not failover:
            await asyncio.to_thread(self.forget)

    def forget_if_removed(self, driver: Any) -> bool:
        """Asks the driver's master whether it has removed the framework, and forgets the id if so.

        An error tells only text, which the same master words in another way tomorrow. So this asks: a master refuses a
        framework as removed if and only if it has it among its completed ones. The framework of a driver that was
        refused because another scheduler took its place, or for its role or its principal, is not. Waits for the
        answer; use ``await asyncio.to_thread(store.forget_if_removed, framework)`` in coroutines.

        :param driver: a driver of the classic API or of pymesos, or a :class:`mesos.aio.Framework`
        :returns: whether there is an id, and the framework with it was removed
        :raises UnreachableError: there is no connection to the master
        :raises AnswerTimeoutError: the master has not answered in time
        :raises RequestRefusedError: the master does not tell
        :raises FrameworkIdError: the id cannot be read or removed
        """
        kept = self.load()
        if kept is None or kept not in _completed(driver):
            return False
        self.forget()
        return True

    def run(self, framework: F, make_driver: Callable[[F], Any], *, renew: bool = False) -> Any:
        """Runs a driver to its end, and keeps the id as long as the framework exists.

        If the master refuses the id because the framework was removed, as it is when its ``failover_timeout`` has
        passed, the id is forgotten.

        >>> import tempfile
        >>> from mesos.interface import Scheduler
        >>> from mesos.scheduler import MesosSchedulerDriver
        >>> from mesos.helpers import FrameworkIdFile, watched
        >>> from mesos.local import LocalCluster
        >>> class Stopping(Scheduler):
        ...     def registered(self, driver, framework_id, master_info):
        ...         driver.stop(failover=True)
        >>> info = mesos_pb2.FrameworkInfo(user="", name="example", failover_timeout=3600)
        >>> with tempfile.TemporaryDirectory() as folder, LocalCluster() as cluster:
        ...     with FrameworkIdFile(f"{folder}/framework.id") as store:
        ...         def make_driver(info):
        ...             return MesosSchedulerDriver(watched(Stopping(), store), info, cluster)
        ...         status = store.run(info, make_driver)
        ...         store.load() is None
        False

        :param framework: the framework's info, which is filled with :meth:`fill`
        :param make_driver: returns the driver for an info. Its scheduler has to be :func:`mesos.helpers.watched` by
            this store, or to call :meth:`registered`
        :param renew: whether the framework is registered as a new one if it was removed while no scheduler was there.
            One that is removed while it is subscribed was torn down on purpose, and is not
        :returns: the driver's status
        :raises FrameworkRemovedError: the framework was removed; the next one is new
        :raises DriverAbortedError: the driver was aborted with another error
        :raises BaseException: what a callback raised
        """
        while True:
            self._has_subscribed = False
            driver = make_driver(self.fill(framework))
            try:
                status = driver.run(check=True)
            except DriverAbortedError as error:
                if not self._was_removed(driver):
                    raise
                if self._has_subscribed or not renew:
                    raise FrameworkRemovedError(str(error)) from error
                _LOG.warning("The master has removed the framework; registering as a new one")
                continue
            if status == mesos_pb2.DRIVER_STOPPED:
                self._was_removed(driver)
            return status

    def _was_removed(self, driver: Any) -> bool:
        try:
            return self.forget_if_removed(driver)
        except MesosError as error:
            _LOG.warning(
                "Keeping the framework's id, because the master does not tell whether it is removed: %s", error
            )
            return False


def _completed(driver: Any) -> set[str]:
    """Returns the ids of the frameworks that the master of a driver has removed."""
    found = _client_of(driver).get_frameworks().completed_frameworks
    return {each.framework_info.id.value for each in found}


def _client_of(driver: Any) -> MasterClient:
    """Returns a client of the master of a driver, which authenticates as the driver does."""
    from mesos.operator import MasterClient
    from mesos.v1.interface import mesos_pb2 as v1

    if speaks_dicts(driver):
        from mesos.pymesos._addresses import address

        master, pair = address(driver.master_uri, 5050), driver._credential
    else:
        master, pair = driver._master if driver._cluster is None else driver._cluster, driver._pair
    credential = None if pair is None else v1.Credential(principal=pair[0], secret=pair[1])
    return MasterClient(master, credential=credential, authentication=driver._authentication)
