"""The messages under their name until Mesos 0.19: all names of :mod:`mesos.interface.mesos_pb2`, also private ones."""

from mesos.interface import mesos_pb2 as _mesos_pb2

globals().update({name: value for name, value in vars(_mesos_pb2).items() if not name.startswith("__")})
