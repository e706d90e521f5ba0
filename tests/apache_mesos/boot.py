# Python 2.7. Runs the real Apache Mesos master and agents in this process until it is told to end.
#
# libmesos' own "local" mode starts them when a driver is made; a framework registers once, so that the master is known
# to be there, and leaves again.
import ctypes
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


def serve_master_at_the_root():
    """What the program mesos-master does first: /state is /master/state (process::initialize with a delegate)."""
    library = ctypes.CDLL(os.path.join(os.path.dirname(mesos.scheduler.__file__), "_scheduler.so"))
    initialize = getattr(
        library,
        "_ZN7process10initializeERK6OptionINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEES9_S9_",
    )
    initialize.restype = ctypes.c_bool
    delegate, nothing = OptionString.some(b"master"), OptionString.none()
    initialize(ctypes.byref(delegate), ctypes.byref(nothing), ctypes.byref(nothing))


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
    boot = Boot()
    driver = mesos.scheduler.MesosSchedulerDriver(boot, *framework())
    driver.start()
    if not boot.up.wait(REGISTER_SECONDS):
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
