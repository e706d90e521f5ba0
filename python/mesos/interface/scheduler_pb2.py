"""The v0 messages of ``proto/mesos/scheduler/scheduler.proto``."""

from mesos import _messages as _m

_m.define("mesos/scheduler/scheduler.proto", globals())
