"""The framework under test with each of the APIs of schedulers: ``classic``, ``pymesos`` and ``aio``."""

from __future__ import annotations

import asyncio
import base64
import functools
import threading
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict
from mesos import aio, pymesos
from mesos.helpers import Reconciliation, watched
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
from mesos.v1.interface import mesos_pb2 as v1

if TYPE_CHECKING:
    from tests.chaos.load import Load

INFO = {"user": "", "name": "chaos", "checkpoint": True, "failover_timeout": 3600.0}
INFO["capabilities"] = [{"type": "PARTITION_AWARE"}]
NO_FILTER = {"refuse_seconds": 0.0}


def cpus(resources: Any) -> float:
    return sum(each.scalar.value for each in resources if each.name == "cpus")


class Face:
    """A framework that passes what it is told to its load, and what that asks for to its driver."""

    def __init__(self, load: Load, master: str) -> None:
        self.load, self.master = load, master
        self.reconciliation = Reconciliation(load.known, shortest=0.5, longest=2, every=None)

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def is_running(self) -> bool:
        raise NotImplementedError

    def run(self, what: Any, *arguments: Any) -> None:
        """Have this called where the driver may be called."""
        what(*arguments)

    def told(self, status: Any, agent_id: Any, kinds: Any) -> None:
        reason = kinds.TaskStatus.Reason.Name(status.reason) if status.HasField("reason") else None
        source = kinds.TaskStatus.Source.Name(status.source) if status.HasField("source") else None
        named = {"agent": agent_id.value, "uuid": status.uuid.hex() or None, "source": source, "reason": reason}
        state = kinds.TaskState.Name(status.state)
        self.load.updated(status.task_id.value, state, message=status.message, **named)


class Classic(Scheduler, Face):
    def __init__(self, load: Load, master: str) -> None:
        Face.__init__(self, load, master)
        scheduler = watched(self, self.reconciliation)
        self.driver = MesosSchedulerDriver(scheduler, ParseDict(INFO, mesos_pb2.FrameworkInfo()), master)

    def start(self) -> None:
        self.driver.start()

    def stop(self) -> None:
        self.driver.stop()
        self.driver.join()

    def is_running(self) -> bool:
        return bool(self.driver.join(timeout=0) == mesos_pb2.DRIVER_RUNNING)

    def launch(self, offer_id: str, agent_id: str, tasks: list[dict[str, Any]]) -> None:
        made = [ParseDict({**task, "slave_id": {"value": agent_id}}, mesos_pb2.TaskInfo()) for task in tasks]
        self.driver.launchTasks(mesos_pb2.OfferID(value=offer_id), made, mesos_pb2.Filters(**NO_FILTER))

    def decline(self, offer_id: str) -> None:
        self.driver.declineOffer(mesos_pb2.OfferID(value=offer_id), mesos_pb2.Filters(**NO_FILTER))

    def kill(self, task_id: str) -> None:
        self.driver.killTask(mesos_pb2.TaskID(value=task_id))

    def registered(self, driver: Any, frameworkId: Any, masterInfo: Any) -> None:
        self.load.note("registered", framework=frameworkId.value, master=masterInfo.id)

    def reregistered(self, driver: Any, masterInfo: Any) -> None:
        self.load.note("reregistered", master=masterInfo.id)

    def disconnected(self, driver: Any) -> None:
        self.load.note("disconnected")

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        self.load.note("offered", offers=[offer.id.value for offer in offers])
        for offer in offers:
            self.load.offered(self, offer.id.value, offer.slave_id.value, cpus(offer.resources))

    def offerRescinded(self, driver: Any, offerId: Any) -> None:
        self.load.note("rescinded", offer=offerId.value)

    def statusUpdate(self, driver: Any, status: Any) -> None:
        self.told(status, status.slave_id, mesos_pb2)

    def error(self, driver: Any, message: str) -> None:
        self.load.note("error", message=message)


class PyMesos(pymesos.Scheduler, Face):
    def __init__(self, load: Load, master: str) -> None:
        Face.__init__(self, load, master)
        self.driver = pymesos.MesosSchedulerDriver(watched(self, self.reconciliation), dict(INFO), master)

    def start(self) -> None:
        self.driver.start()

    def stop(self) -> None:
        self.driver.stop()
        self.driver.join()

    def is_running(self) -> bool:
        return not self.driver.aborted

    def launch(self, offer_id: str, agent_id: str, tasks: list[dict[str, Any]]) -> None:
        made = [{**task, "agent_id": {"value": agent_id}} for task in tasks]
        self.driver.launchTasks({"value": offer_id}, made, NO_FILTER)

    def decline(self, offer_id: str) -> None:
        self.driver.declineOffer({"value": offer_id}, NO_FILTER)

    def kill(self, task_id: str) -> None:
        self.driver.killTask({"value": task_id})

    def registered(self, driver: Any, framework_id: Any, master_info: Any) -> None:
        self.load.note("registered", framework=framework_id["value"], master=master_info["id"])

    def reregistered(self, driver: Any, master_info: Any) -> None:
        self.load.note("reregistered", master=master_info["id"])

    def disconnected(self, driver: Any) -> None:
        self.load.note("disconnected")

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        self.load.note("offered", offers=[offer["id"]["value"] for offer in offers])
        for offer in offers:
            here = sum(each["scalar"]["value"] for each in offer["resources"] if each["name"] == "cpus")
            self.load.offered(self, offer["id"]["value"], offer["agent_id"]["value"], here)

    def offerRescinded(self, driver: Any, offer_id: Any) -> None:
        self.load.note("rescinded", offer=offer_id["value"])

    def statusUpdate(self, driver: Any, status: Any) -> None:
        uuid = base64.b64decode(status["uuid"]).hex() if "uuid" in status else None
        named = {"agent": status.get("agent_id", {}).get("value", ""), "uuid": uuid}
        told = {name: status.get(name, "") for name in ("source", "reason", "message")}
        self.load.updated(status["task_id"]["value"], status["state"], **named, **told)

    def error(self, driver: Any, message: Any) -> None:
        self.load.note("error", message=str(message))


class Asynchronous(Face):
    def __init__(self, load: Load, master: str) -> None:
        Face.__init__(self, load, master)
        self.loop = asyncio.new_event_loop()
        self.framework = aio.Framework(ParseDict(INFO, v1.FrameworkInfo()), master)
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.main(),))

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.framework.stop(), self.loop)
        self.thread.join()

    def is_running(self) -> bool:
        return self.thread.is_alive()

    def run(self, what: Any, *arguments: Any) -> None:
        self.loop.call_soon_threadsafe(functools.partial(what, *arguments))

    def launch(self, offer_id: str, agent_id: str, tasks: list[dict[str, Any]]) -> None:
        made = [ParseDict({**task, "agent_id": {"value": agent_id}}, v1.TaskInfo()) for task in tasks]
        self.send(self.framework.launch(offer_id, made, filters=v1.Filters(**NO_FILTER)))

    def decline(self, offer_id: str) -> None:
        self.send(self.framework.decline(offer_id, filters=v1.Filters(**NO_FILTER)))

    def kill(self, task_id: str) -> None:
        self.send(self.framework.kill(task_id))

    def send(self, call: Any) -> None:
        """Makes a call, which waits for nothing."""
        try:
            call.send(None)
        except StopIteration:
            return

    async def main(self) -> None:
        async with self.framework:
            async for event in self.framework:
                await self.reconciliation.handle(self.framework, event)
                self.event(event)

    def event(self, event: aio.Event) -> None:
        match event:
            case aio.Subscribed(framework_id, master_info):
                self.load.note("registered", framework=framework_id.value, master=master_info.id)
            case aio.Resubscribed(master_info):
                self.load.note("reregistered", master=master_info.id)
            case aio.Disconnected():
                self.load.note("disconnected")
            case aio.Rescinded(offer_id):
                self.load.note("rescinded", offer=offer_id.value)
            case aio.Update(status):
                self.told(status, status.agent_id, v1)
            case aio.Offers(offers):
                self.load.note("offered", offers=[offer.id.value for offer in offers])
                for offer in offers:
                    self.load.offered(self, offer.id.value, offer.agent_id.value, cpus(offer.resources))


FACES = {"classic": Classic, "pymesos": PyMesos, "aio": Asynchronous}
