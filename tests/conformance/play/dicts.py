# Python 3. The classic driver's interface on `mesos.pymesos`, whose messages are dicts: what lane d and e play with.
#
# What pymesos says in other ways is translated here: calls return None, and whether the driver runs is an attribute. Dicts
# are made and read by protobuf's own JSON, so that they are checked by something else than the code that is played.

import base64
import signal

from google.protobuf.json_format import MessageToDict, ParseDict
from mesos import pymesos
from mesos.interface import mesos_pb2
from mesos.v1.interface import mesos_pb2 as v1

NAMES = {"SlaveID": "AgentID", "SlaveInfo": "AgentInfo"}


def to_dict(message):
    """A classic message as a dict of the v1 API, where 64 bits of integers are text."""
    kind = NAMES.get(message.DESCRIPTOR.name, message.DESCRIPTOR.name)
    named = v1.Offer.Operation if kind == "Operation" else getattr(v1, kind)
    return MessageToDict(named.FromString(message.SerializeToString()), preserving_proto_field_name=True)


def from_dict(message, kind):
    """The classic message of this kind."""
    made = ParseDict(message, getattr(v1, NAMES.get(kind, kind))())
    without_defaults(made)
    return getattr(mesos_pb2, kind).FromString(made.SerializeToString())


def without_defaults(message):
    """Clears what the master's JSON adds to a message: the fields whose defaults the proto files name. The master itself
    sets a resource's role, also to its default.
    """
    for field, value in message.ListFields():
        if field.message_type is not None:
            is_one = hasattr(value, "ListFields")
            for inner in [value] if is_one else value:
                without_defaults(inner)
        elif field.has_default_value and field.name != "role" and value == field.default_value:
            message.ClearField(field.name)


class Translator(pymesos.Scheduler):
    """Makes a classic scheduler's callbacks."""

    def __init__(self, target, classic):
        self.target, self.classic = target, classic
        self.is_known = False

    def registered(self, driver, framework_id, master):
        self.is_known = True
        master = from_dict(master, "MasterInfo")
        self.target.registered(self.classic, from_dict(framework_id, "FrameworkID"), master)

    def reregistered(self, driver, master):
        # pymesos registers a framework that has its id already; the classic driver only calls it so the second time.
        if not self.is_known:
            return self.registered(driver, {"value": driver.framework_id}, master)
        return self.target.reregistered(self.classic, from_dict(master, "MasterInfo"))

    def disconnected(self, driver):
        self.target.disconnected(self.classic)

    def resourceOffers(self, driver, offers):
        self.target.resourceOffers(self.classic, [from_dict(offer, "Offer") for offer in offers])

    def offerRescinded(self, driver, offer_id):
        self.target.offerRescinded(self.classic, from_dict(offer_id, "OfferID"))

    def statusUpdate(self, driver, status):
        self.target.statusUpdate(self.classic, from_dict(status, "TaskStatus"))

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        ids = from_dict(executor_id, "ExecutorID"), from_dict(agent_id, "SlaveID")
        self.target.frameworkMessage(self.classic, *ids, base64.b64decode(message))

    def slaveLost(self, driver, agent_id):
        self.target.slaveLost(self.classic, from_dict(agent_id, "SlaveID"))

    def executorLost(self, driver, executor_id, agent_id, status):
        ids = from_dict(executor_id, "ExecutorID"), from_dict(agent_id, "SlaveID")
        self.target.executorLost(self.classic, *ids, status)

    def error(self, driver, message):
        self.classic.status = mesos_pb2.DRIVER_ABORTED
        self.target.error(self.classic, message)


class MesosSchedulerDriver:
    """The classic driver's calls, each by the call of pymesos of the same name."""

    def __init__(self, scheduler, framework, master, implicit=1, credential=None, suppressed=()):
        if suppressed:
            raise NotImplementedError("pymesos cannot suppress roles from the start")
        pair = {} if credential is None else {"principal": credential.principal, "secret": credential.secret}
        self.status = mesos_pb2.DRIVER_NOT_STARTED
        self.native = pymesos.MesosSchedulerDriver(
            Translator(scheduler, self), to_dict(framework), master, implicit_acknowledgements=bool(implicit), **pair
        )
        # What a callback raises would be raised in the main thread too.
        signal.signal(signal.SIGINT, lambda *_: None)

    def _now(self):
        if self.status == mesos_pb2.DRIVER_RUNNING and self.native.aborted:
            self.status = mesos_pb2.DRIVER_ABORTED
        return self.status

    def start(self):
        if self._now() == mesos_pb2.DRIVER_NOT_STARTED:
            self.status = mesos_pb2.DRIVER_RUNNING
            self.native.start()
        return self.status

    def stop(self, failover=False):
        was = self._now()
        if was in (mesos_pb2.DRIVER_RUNNING, mesos_pb2.DRIVER_ABORTED):
            self.status = mesos_pb2.DRIVER_STOPPED
            self.native.stop(failover)
        return was if was == mesos_pb2.DRIVER_ABORTED else self.status

    def abort(self):
        if self._now() == mesos_pb2.DRIVER_RUNNING:
            self.status = mesos_pb2.DRIVER_ABORTED
            self.native.abort()
        return self.status

    def join(self):
        if self._now() != mesos_pb2.DRIVER_NOT_STARTED:
            try:
                self.native.join()
            except Exception:  # what a callback raised: the classic driver tells of it by its status
                self.status = mesos_pb2.DRIVER_ABORTED
        return self._now()

    def run(self):
        started = self.start()
        return self.join() if started == mesos_pb2.DRIVER_RUNNING else started

    def _ids(self, offers):
        return to_dict(offers) if hasattr(offers, "ListFields") else [to_dict(each) for each in offers]

    def _call(self, call, *arguments):
        if self._now() == mesos_pb2.DRIVER_RUNNING:
            call(*arguments)
        return self._now()

    def launchTasks(self, offers, tasks, filters=None):
        tasks = [to_dict(task) for task in tasks]
        return self._call(self.native.launchTasks, self._ids(offers), tasks, filters and to_dict(filters))

    def acceptOffers(self, offers, operations, filters=None):
        operations = [to_dict(operation) for operation in operations]
        return self._call(self.native.acceptOffers, self._ids(offers), operations, filters and to_dict(filters))

    def declineOffer(self, offer, filters=None):
        return self._call(self.native.declineOffer, self._ids(offer), filters and to_dict(filters))

    def killTask(self, task_id):
        return self._call(self.native.killTask, to_dict(task_id))

    def reviveOffers(self, roles=()):
        return self._call(self.native.reviveOffers, roles)

    def suppressOffers(self, roles=()):
        return self._call(self.native.suppressOffers, roles)

    def requestResources(self, requests):
        return self._call(self.native.requestResources, [to_dict(request) for request in requests])

    def reconcileTasks(self, statuses):
        return self._call(self.native.reconcileTasks, [to_dict(status) for status in statuses])

    def acknowledgeStatusUpdate(self, status):
        return self._call(self.native.acknowledgeStatusUpdate, to_dict(status))

    def sendFrameworkMessage(self, executor_id, agent_id, data):
        data = pymesos.encode_data(data.encode() if isinstance(data, str) else bytes(data))
        return self._call(self.native.sendFrameworkMessage, to_dict(executor_id), to_dict(agent_id), data)
