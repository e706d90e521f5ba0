"""What waits for a framework is bounded by bytes, and small things do not keep large ones in memory."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

from mesos.v1.interface import mesos_pb2, scheduler_pb2

from tests.python.stub import Stub

MEGABYTE = 1 << 20
FRAMEWORK = """
import sys
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver

def megabytes(which):
    # Not ru_maxrss: a process inherits that of the one that started it.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) >> 10 for line in status if line.startswith(which))

class S(Scheduler):
    got = 0

    def registered(self, driver, *_):
        print("registered", flush=True)
        if sys.argv[2] == "slow":
            sys.stdin.readline()
            print(megabytes("VmHWM"), flush=True)

    def frameworkMessage(self, driver, executor, slave, message):
        self.got += 1
        if self.got == int(sys.argv[3]):
            print("all", flush=True)

    def resourceOffers(self, driver, offers):
        self.got += len(offers)
        if self.got == int(sys.argv[3]):
            print(megabytes("VmRSS"), flush=True)

MesosSchedulerDriver(S(), mesos_pb2.FrameworkInfo(user="", name="bounds"), sys.argv[1]).run()
"""


def start(stub: Stub, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FRAMEWORK, stub.address, *arguments]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert line(child) == "registered"
    return child


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def event(kind: str) -> Any:
    return scheduler_pb2.Event(type=scheduler_pb2.Event.Type.Value(kind))


def test_a_slow_framework_is_sent_large_messages_and_holds_the_master_back() -> None:
    """A hundred messages of 8 MB wait: 64 MB of them in the framework, and the rest at the master."""
    large = event("MESSAGE")
    large.message.agent_id.value, large.message.executor_id.value = "a", "e"
    large.message.data = bytes(8 * MEGABYTE)
    with Stub() as stub, start(stub, "slow", "100") as child:
        sent: list[None] = []
        sending = threading.Thread(target=lambda: [sent.append(stub.send(large)) for _ in range(100)])
        sending.start()
        before = -1
        while sending.is_alive() and (len(sent) < 8 or len(sent) > before):
            before = len(sent)
            sending.join(1)
        assert sending.is_alive(), "the master is held back"
        assert child.stdin is not None
        child.stdin.write("go on\n")
        child.stdin.flush()
        assert int(line(child)) < 150, "64 MB, a message that is being read, and the interpreter"
        assert line(child) == "all"
        sending.join()
        child.kill()


def test_unanswered_offers_do_not_keep_the_events_that_they_came_in() -> None:
    offers = event("OFFERS")
    offers.offers.offers.add(agent_id={"value": "a"}, framework_id={"value": "f"}, hostname="h")
    offers.offers.offers[0].attributes.add(name="large", type=mesos_pb2.Value.TEXT).text.value = "x" * MEGABYTE
    with Stub() as stub, start(stub, "quick", "300") as child:
        for number in range(300):
            offers.offers.offers[0].id.value = f"offer-{number}"
            stub.send(offers)
        assert int(line(child)) < 150
        child.kill()
