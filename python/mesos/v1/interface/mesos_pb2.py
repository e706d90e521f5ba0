"""The v1 messages of Apache Mesos 1.11.0: ``proto/mesos/v1/mesos.proto``."""

from mesos import _messages as _m

_m.define("mesos/v1/mesos.proto", globals())
