"""The messages' name from before Mesos 0.20: everything of :mod:`mesos.interface.mesos_pb2`, private names included."""

from mesos.interface import mesos_pb2 as _mesos_pb2

globals().update({name: value for name, value in vars(_mesos_pb2).items() if not name.startswith("__")})
