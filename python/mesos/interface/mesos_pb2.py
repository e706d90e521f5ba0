"""The classic (v0) messages of Apache Mesos 1.11.0: ``proto/mesos/mesos.proto``."""

from mesos import _messages as _m

_m.define("mesos.proto", globals())
