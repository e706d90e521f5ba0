"""The v1 messages of ``proto/mesos/v1/scheduler/scheduler.proto``."""

from mesos import _messages as _m

_m.define("mesos/v1/scheduler/scheduler.proto", globals())
