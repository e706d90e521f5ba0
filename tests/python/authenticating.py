"""Ways to register with a master that wants authentication: one for each API."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from mesos import aio, pymesos
from mesos._dicts import DictDriver
from mesos.errors import DriverAbortedError
from mesos.futures import MesosPoolExecutor
from mesos.testing import Mesos

from tests.python.support import WAIT_SECONDS, Recorder, framework, running

if TYPE_CHECKING:
    from collections.abc import Callable


class Told:
    """What a face told: that it was registered, or an error."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._what: list[str] = []

    def tell(self, what: str) -> None:
        with self._changed:
            self._what.append(what)
            self._changed.notify_all()

    def wait(self) -> str:
        with self._changed:
            assert self._changed.wait_for(lambda: self._what, WAIT_SECONDS)
            return self._what[0]


def classic(master: str, **arguments: Any) -> str:
    scheduler = Recorder()
    told = Told()
    scheduler.on = {
        "registered": lambda *_: told.tell("registered"),
        "error": lambda _, message: told.tell(message),
    }
    with running(master, scheduler, **arguments):
        return told.wait()


def with_asyncio(master: str, **arguments: Any) -> str:
    async def main() -> str:
        async with aio.Framework("test", master, **arguments) as subscribed:
            async for event in subscribed:
                if isinstance(event, aio.Subscribed):
                    return "registered"
        return "no event"

    try:
        return asyncio.run(asyncio.wait_for(main(), WAIT_SECONDS))
    except DriverAbortedError as error:
        return str(error)


def with_dicts(master: str, **arguments: Any) -> str:
    told = Told()

    class Receiver:
        def event(self, event: dict[str, Any]) -> None:
            if event["type"] == "SUBSCRIBED":
                told.tell("registered")
            elif event["type"] == "ERROR":
                told.tell(event["error"]["message"])

        def disconnected(self) -> None: ...

    driver = DictDriver(Receiver(), {"user": "", "name": "test"}, master, **arguments)
    driver.start()
    try:
        return told.wait()
    finally:
        driver.stop()
        with contextlib.suppress(DriverAbortedError):
            driver.join()


def with_pymesos(master: str, **arguments: Any) -> str:
    told = Told()

    class Scheduler(pymesos.Scheduler):
        def registered(self, driver: Any, framework_id: Any, master_info: Any) -> None:
            told.tell("registered")

        def error(self, driver: Any, message: Any) -> None:
            told.tell(str(message))

    driver = pymesos.MesosSchedulerDriver(Scheduler(), {"user": "", "name": "test"}, master, **arguments)
    driver.start()
    try:
        return told.wait()
    finally:
        driver.stop()
        driver.join()


def with_futures(master: str, **arguments: Any) -> str:
    with MesosPoolExecutor(master, max_workers=1, **arguments) as pool:
        try:
            assert pool.submit(abs, -1).result(WAIT_SECONDS) == 1
        except DriverAbortedError as error:
            return str(error)
    return "registered"


def with_testing(master: str, **arguments: Any) -> str:
    """A test's framework, on a cluster that is not the test's own."""
    told = Told()
    scheduler = Recorder(registered=lambda *_: told.tell("registered"), error=lambda _, message: told.tell(message))
    try:
        with Mesos(master) as mesos:
            mesos.start(scheduler, framework(), **arguments)
            return told.wait()
    except DriverAbortedError as error:
        return "\n".join([str(error), *error.__notes__])


# Each returns "registered", or what it is told instead.
FACES: list[Callable[..., str]] = [classic, with_asyncio, with_dicts, with_pymesos, with_futures, with_testing]


def operating(master: str, **arguments: Any) -> str:
    """An operator's request and subscription."""
    told = Told()

    class Operator(pymesos.OperatorMaster):
        def agentAdded(self, event: Any) -> None: ...

    driver = pymesos.MesosOperatorMasterDriver(master, Operator(), **arguments)
    driver.on_subscribed = lambda info: told.tell("registered")  # type: ignore[method-assign]
    try:
        assert driver.getHealth()["get_health"] == {"healthy": True}
    except RuntimeError as error:
        told.tell(str(error))
    driver.start()
    try:
        if told.wait() == "registered":
            driver.stop()
        driver.join()
    except DriverAbortedError as error:
        return f"{told.wait()}, {error}"
    return told.wait()
