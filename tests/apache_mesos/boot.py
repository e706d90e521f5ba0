# Python 2.7. Runs the real Apache Mesos master and agents in this process until it is told to end.
#
# libmesos' own "local" mode starts them when a driver is made; a framework registers once, so that the master is known
# to be there, and leaves again.
#
# With BOOT_FOLLOWS, which has the JSON of a MasterInfo, the master is a follower of that one until SIGUSR1 elects it.
import ctypes
import json
import os
import signal
import sys
import threading

import mesos.interface
import mesos.scheduler
from mesos.interface import mesos_pb2

REGISTER_SECONDS = 60


class OptionString(ctypes.Structure):
    """Option<std::string> as this build has it in memory; texts up to 15 bytes lie inside."""

    _fields_ = [
        ("state", ctypes.c_int),
        ("pointer", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("buffer", ctypes.c_char * 16),
    ]

    @classmethod
    def some(cls, text):
        option = cls(0, None, len(text), text)
        option.pointer = ctypes.addressof(option) + cls.buffer.offset
        return option

    @classmethod
    def none(cls):
        return cls(1, None, 0, b"")


LIBRARY = ctypes.CDLL(os.path.join(os.path.dirname(mesos.scheduler.__file__), "_scheduler.so"))


def serve_master_at_the_root():
    """What the program mesos-master does first: /state is /master/state (process::initialize with a delegate)."""
    initialize = getattr(
        LIBRARY,
        "_ZN7process10initializeERK6OptionINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEES9_S9_",
    )
    initialize.restype = ctypes.c_bool
    delegate, nothing = OptionString.some(b"master"), OptionString.none()
    initialize(ctypes.byref(delegate), ctypes.byref(nothing), ctypes.byref(nothing))


class OptionMasterInfo(ctypes.Structure):
    """Option<MasterInfo>, with more room than a MasterInfo takes."""

    _fields_ = [("state", ctypes.c_int), ("value", ctypes.c_uint64 * 256)]

    def at(self):
        return ctypes.c_void_p(ctypes.addressof(self) + OptionMasterInfo.value.offset)


class Election(object):
    """Tells this process' master who leads.

    In "local" mode a master is appointed once, as soon as it exists, by a function that this replaces in memory until it
    is called.
    """

    JUMP = b"\x48\xb8%s\xff\xe0"  # movabs rax, address; jmp rax
    PAGE = 4096
    ALL_RIGHTS = 7

    def __init__(self, leader):
        self.leader, self.own = OptionMasterInfo(), OptionMasterInfo()
        LIBRARY._ZN5mesos10MasterInfoC1Ev(self.leader.at())
        written = mesos_pb2.MasterInfo(**leader).SerializeToString()
        LIBRARY._ZN6google8protobuf11MessageLite14ParseFromArrayEPKvi(self.leader.at(), written, len(written))
        self.appoint = LIBRARY._ZN5mesos6master8detector24StandaloneMasterDetector7appointERK6OptionINS_10MasterInfoEE
        self.appoint.restype = None
        self.detector = None
        self.entry = ctypes.cast(self.appoint, ctypes.c_void_p).value
        self.hook = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(self.appointed)
        page = self.entry // self.PAGE * self.PAGE
        if ctypes.CDLL(None).mprotect(ctypes.c_void_p(page), 2 * self.PAGE, self.ALL_RIGHTS) != 0:
            raise OSError("mprotect")
        address = ctypes.string_at(ctypes.byref(ctypes.cast(self.hook, ctypes.c_void_p)), 8)
        jump = self.JUMP % address
        self.original = ctypes.string_at(self.entry, len(jump))
        ctypes.memmove(self.entry, jump, len(jump))

    def appointed(self, detector, master):
        ctypes.memmove(self.entry, self.original, len(self.original))
        self.detector = ctypes.c_void_p(detector)
        LIBRARY._ZN5mesos10MasterInfoC1ERKS0_(self.own.at(), ctypes.c_void_p(master + OptionMasterInfo.value.offset))
        self.appoint(self.detector, ctypes.byref(self.leader))

    def lead(self):
        self.appoint(self.detector, ctypes.byref(self.own))


class Boot(mesos.interface.Scheduler):
    def __init__(self):
        self.up = threading.Event()

    def registered(self, driver, framework_id, master_info):
        self.up.set()

    def resourceOffers(self, driver, offers):
        for offer in offers:
            driver.declineOffer(offer.id)

    def error(self, driver, message):
        sys.stderr.write("boot framework: %s\n" % message)
        os._exit(1)


def framework():
    info = mesos_pb2.FrameworkInfo(user="", name="boot")
    if "BOOT_PRINCIPAL" not in os.environ:
        return [info, "local", 1]
    info.principal = os.environ["BOOT_PRINCIPAL"]
    return [info, "local", 1, mesos_pb2.Credential(principal=info.principal, secret=os.environ["BOOT_SECRET"])]


def main():
    serve_master_at_the_root()
    follows = os.environ.get("BOOT_FOLLOWS")
    election = follows and Election(json.loads(follows))
    boot = Boot()
    driver = mesos.scheduler.MesosSchedulerDriver(boot, *framework())
    driver.start()
    if election:
        signal.signal(signal.SIGUSR1, lambda *_: election.lead())
    elif not boot.up.wait(REGISTER_SECONDS):
        sys.stderr.write("the master did not take a framework\n")
        os._exit(1)
    driver.stop()
    driver.join()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    while True:  # the cluster lives as long as the driver object does
        signal.pause()


main()
