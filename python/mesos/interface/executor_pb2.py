"""The v0 messages of ``proto/mesos/executor/executor.proto``."""

from mesos import _messages as _m

_m.define("mesos/executor/executor.proto", globals())
