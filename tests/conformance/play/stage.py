# Python 2.7 and 3. What a scenario plays on: drivers whose calls and callbacks are written down as a trace.
#
# A trace has sections, so that what comes in no order of its own does not make two traces differ: a driver's calls, and
# its callbacks. If a scenario's tasks are told of by several processes, or each by a stream of updates that waits for its
# own acknowledgements, or beside framework messages, which may overtake updates, it is marked with `apart`, and each
# task's updates are a section of their own.

from __future__ import print_function

import json
import os
import re
import sys
import threading
import time
import uuid

try:
    from http.client import HTTPConnection
    from queue import Empty, Queue
except ImportError:  # Python 2.7
    from httplib import HTTPConnection
    from Queue import Empty, Queue

from mesos.interface import Scheduler, mesos_pb2

if os.environ.get("CONFORMANCE_DRIVER") == "dicts":
    from dicts import MesosSchedulerDriver
else:
    from mesos.scheduler import MesosSchedulerDriver

WAIT_SECONDS = 14
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
CALLBACKS = [
    "registered",
    "reregistered",
    "disconnected",
    "resourceOffers",
    "offerRescinded",
    "statusUpdate",
    "frameworkMessage",
    "slaveLost",
    "executorLost",
    "error",
]
# What differs from run to run by nature: only that it is there is written down.
TEXT = type(b"".decode())
PRESENT = {"uuid", "timestamp", "executor_pid", "container_id", "ip_address", "unreachable_time", "version"}
SCENARIOS = []


def scenario(function=None, **needs):
    """Marks a scenario.

    apart: updates of its tasks come in no order, neither among themselves nor beside other callbacks; own: it changes the cluster, so it gets one of its own; flags: MESOS_* variables of that cluster; zookeeper: the
    master is found through one; lanes: where it can be played, with the reason in `because`.
    """

    def mark(function):
        SCENARIOS.append((function, needs))
        return function

    return mark(function) if function else mark


class TimedOut(Exception):
    pass


class Stage(object):
    """Where a scenario is played: the master, and the trace."""

    def __init__(self, master, address, apart):
        self.master, self.address, self.apart = master, address, apart
        self.drivers = []
        self.agent = None
        self.unique = str(uuid.uuid4())
        self._seen = {}
        self._lock = threading.RLock()

    def driver(self, framework, *arguments, **settings):
        """A driver that writes everything down; `on` are functions to run in callbacks, by name."""
        name = settings.pop("name", "driver" if not self.drivers else "driver %d" % (len(self.drivers) + 1))
        driver = Driver(self, name, framework, settings.pop("master", self.master), arguments, **settings)
        self.drivers.append(driver)
        return driver

    def write(self, section, text):
        """Puts a line into the trace."""
        with self._lock:
            print(json.dumps([section, self.neutral(text)]))
            sys.stdout.flush()

    def note(self, text):
        """Writes down a fact that the scenario found out."""
        self.write("notes", text)

    def neutral(self, text):
        """The text without what differs from run to run: the ids of frameworks, agents, offers."""
        text = re.sub(UUID + r"-S\d+", self._number("agent"), text)
        text = re.sub(UUID + r"-O\d+", "an offer", text)
        text = re.sub(UUID + r"-\d{4}", self._number("framework"), text)
        text = re.sub(UUID, "a uuid", text)
        text = re.sub("x{20,}", "x...", text)
        return re.sub(r"127\.0\.0\.1:\d+", "the master", text)

    def _number(self, kind):
        seen = self._seen.setdefault(kind, [])

        def numbered(match):
            if match.group() not in seen:
                seen.append(match.group())
            return "%s %d" % (kind, seen.index(match.group()) + 1)

        return numbered

    def demand(self, what):
        """Has whoever plays this do something with the cluster, and waits until it is done."""
        print(json.dumps({"demand": what}))
        sys.stdout.flush()
        if sys.stdin.readline().strip() != "done":
            raise RuntimeError("the demand '%s' was not met" % what)

    def post(self, path, body, kind="application/json"):
        """A request to the master; the HTTP status."""
        connection = HTTPConnection(self.address)
        connection.request("POST", path, body, {"Content-Type": kind, "Accept": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status

    def operate(self, call):
        """An operator's call to /api/v1; the HTTP status."""
        return self.post("/api/v1", json.dumps(call))

    def state(self):
        """What /state says."""
        connection = HTTPConnection(self.address)
        connection.request("GET", "/state")
        return json.loads(connection.getresponse().read().decode())

    def framework_state(self, driver):
        """The framework, as /state has it among those that are not completed, or None."""
        return ([f for f in self.state()["frameworks"] if f["id"] == driver.framework_id] or [None])[0]

    def until(self, what, condition):
        """Waits until a condition holds that nothing tells of."""
        end = time.time() + WAIT_SECONDS
        while not condition():
            if time.time() > end:
                self.note("not seen: " + what)
                raise TimedOut(what)
            time.sleep(0.02)

    def close(self):
        """Stops what still runs; none of it is written down."""
        for driver in self.drivers:
            driver.silent = True
            driver.native.stop()


class Recording(Scheduler):
    """Hands every callback to its driver's record."""

    def __init__(self, driver):
        self.driver = driver


def _callback(name):
    def method(self, driver, *arguments):
        self.driver.heard(name, arguments)

    method.__name__ = name
    return method


for _name in CALLBACKS:
    setattr(Recording, _name, _callback(_name))


class Driver(object):
    """A driver: its calls are written down, and its callbacks."""

    def __init__(self, stage, name, framework, master, arguments, on=None, scheduler=None):
        self.stage, self.name, self.on = stage, name, on or {}
        self.silent = False
        self.framework_id = None
        self.main = threading.current_thread()
        self.events = Queue()
        self.offers = []
        self.passed = []
        # Tasks of whose messages only the first line is written down.
        self.short = set()
        self.scheduler = scheduler or Recording(self)
        self.native = MesosSchedulerDriver(self.scheduler, framework, master, *arguments)

    def __getattr__(self, call):
        method = getattr(self.native, call)

        def written(*arguments, **keywords):
            return self.attempt(call, lambda: method(*arguments, **keywords))

        return written

    def attempt(self, call, function):
        """Calls it and writes down what it returned or raised."""
        here = threading.current_thread() is self.main
        section = "%s: %s" % (self.name, "calls" if here else "calls in callbacks")
        try:
            returned = function()
        except Exception as error:
            kinds = [kind for kind in (TypeError, UnicodeError, OverflowError) if isinstance(error, kind)]
            self.write(section, "%s raises %s" % (call, (kinds or [Exception])[0].__name__))
            return None
        known = isinstance(returned, int) and returned in mesos_pb2.Status.values()
        self.write(section, "%s -> %s" % (call, mesos_pb2.Status.Name(returned) if known else repr(returned)))
        return returned

    def write(self, section, text):
        if not self.silent:
            self.stage.write(section, text)

    def heard(self, callback, arguments):
        """Writes a callback down, runs what the scenario wants in it, and lets waiters know."""
        if callback == "registered":
            self.framework_id = arguments[0].value
        if callback == "statusUpdate" and self.stage.apart:
            self.write("%s: task %s" % (self.name, arguments[0].task_id.value), self.shown(arguments[0], {"task_id"}))
        elif callback == "statusUpdate":
            self.write("%s: callbacks" % self.name, "statusUpdate(%s)" % self.shown(arguments[0]))
        elif callback not in ("resourceOffers", "offerRescinded"):
            self.write("%s: callbacks" % self.name, "%s(%s)" % (callback, ", ".join(map(argument, arguments))))
        self.events.put((callback, arguments))
        if callback in self.on:
            self.on[callback](self, *arguments)

    def shown(self, status, without=()):
        """An update, on a line."""
        if status.task_id.value in self.short:
            status = mesos_pb2.TaskStatus.FromString(status.SerializeToString())
            status.message = status.message.split("\n")[0]
        return show(status, without)

    def begin(self):
        """Starts, and waits until registered."""
        self.start()
        return self.wait("registered")

    def end(self):
        """Stops, and joins."""
        self.stop()
        self.join()

    def wait(self, callback, where=lambda *_: True, seconds=WAIT_SECONDS):
        """Waits for a callback whose arguments satisfy `where`; its arguments."""
        end = time.time() + seconds
        while True:
            try:
                heard, arguments = self.events.get(timeout=max(0.001, end - time.time()))
            except Empty:
                self.write("%s: callbacks" % self.name, "not seen: " + callback)
                raise TimedOut(callback)
            if heard == "resourceOffers":
                self.offers.extend(arguments[0])
            elif heard == "offerRescinded":
                self.offers = [offer for offer in self.offers if offer.id != arguments[0]]
            if heard == callback and where(*arguments):
                return arguments
            if heard == "statusUpdate":
                self.passed.append(arguments[0])

    def listen(self, done):
        """Hands every callback to a function until it says that this is enough."""
        end = time.time() + WAIT_SECONDS
        while True:
            try:
                if done(*self.events.get(timeout=max(0.001, end - time.time()))):
                    return
            except Empty:
                self.write("%s: callbacks" % self.name, "not seen: all that was awaited")
                raise TimedOut(done.__name__)

    def pass_by(self, callback, seconds):
        """Whether such a callback comes within so many seconds."""
        end = time.time() + seconds
        while time.time() < end:
            try:
                heard, arguments = self.events.get(timeout=max(0.001, end - time.time()))
            except Empty:
                return False
            if heard == "resourceOffers":
                self.offers.extend(arguments[0])
            if heard == callback:
                return True
        return False

    def offer(self, where=lambda offer: True, any_agent=False):
        """Waits for an offer that satisfies `where`, of the agent that was offered first; each comes once."""
        while True:
            for offer in self.offers:
                if where(offer) and (any_agent or self.stage.agent in (None, offer.slave_id.value)):
                    self.offers.remove(offer)
                    self.stage.agent = self.stage.agent or offer.slave_id.value
                    return offer
            self.wait("resourceOffers")

    def offers_of_agents(self, number):
        """Waits for offers of so many agents; one of each, that of the first agent first."""
        found = {}
        while len(found) < number:
            offer = self.offer(any_agent=True)
            found[offer.slave_id.value] = offer
        return [found[agent] for agent in sorted(found, key=lambda agent: (agent != self.stage.agent, agent))]

    def state(self, task, state):
        """Waits until a task is reported in a state; the status."""
        number = mesos_pb2.TaskState.Value(state)
        for status in self.passed:
            if status.task_id.value == task and status.state == number:
                self.passed.remove(status)
                return status
        return self.wait("statusUpdate", lambda s: s.task_id.value == task and s.state == number)[0]

    def settle(self):
        """Gives all offers back until none come any more, for some seconds at most."""
        end = time.time() + 5
        while time.time() < end and (self.offers or self.pass_by("resourceOffers", 1)):
            for offer in self.offers:
                self.native.declineOffer(offer.id, mesos_pb2.Filters(refuse_seconds=0))
            self.offers = []

    def note(self, text):
        """Writes down a fact that the scenario found out of this driver."""
        self.write("%s: notes" % self.name, text)

    def note_executors(self, offer):
        """Writes down which executors an offer tells of, whose order is that of a hash table."""
        self.note("executors: %s" % ", ".join(sorted(e.value for e in offer.executor_ids)))

    def show_offer(self, text, offer):
        """Writes an offer down."""
        self.write("%s: offers" % self.name, "%s: %s" % (text, show(offer, {"id", "url", "hostname"})))


def argument(value):
    """A callback's argument, on a line."""
    if isinstance(value, mesos_pb2.MasterInfo):
        return "MasterInfo with %s" % " ".join(sorted(f.name for f, _ in value.ListFields()))
    if hasattr(value, "ListFields"):
        return show(value)
    if isinstance(value, bytes) and not isinstance(value, str):
        return repr(value)[1:]
    return repr(value) if not isinstance(value, int) else str(value)


def show(message, without=()):
    """A message on a line."""
    shown = [(f, v) for f, v in message.ListFields() if f.name not in without]
    return " ".join("%s=%s" % (f.name, field(f, v)) for f, v in shown)


def field(descriptor, value):
    if not isinstance(value, (TEXT, bytes)) and hasattr(value, "__len__"):
        items = [single(descriptor, item) for item in value]
        return "[%s]" % ", ".join(items)
    return single(descriptor, value)


def single(descriptor, value):
    if descriptor.name in PRESENT:
        return "*"
    if hasattr(value, "ListFields"):
        only = value.ListFields()
        if len(only) == 1 and only[0][0].name == "value":
            return field(*only[0])
        return "{%s}" % show(value)
    if descriptor.enum_type is not None:
        return descriptor.enum_type.values_by_number[value].name
    if isinstance(value, bytes) and not isinstance(value, str):
        return repr(value)[1:]
    if isinstance(value, float):
        return "%g" % value
    return repr(value) if isinstance(value, bytes) else "%s" % value


def play(master, address, name):
    """Plays one scenario on this master, whose HTTP address is the other; the process ends with it."""
    function, needs = dict((f.__name__, (f, needs)) for f, needs in SCENARIOS)[name]
    stage = Stage(master, address, needs.get("apart", False))
    try:
        function(stage)
    except TimedOut:
        pass
    stage.close()
    sys.stdout.flush()
    # Apache's library ends its threads in no order; nothing of the trace is left to write.
    os._exit(0)
