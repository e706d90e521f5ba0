"""The v0 messages of ``proto/mesos/master/master.proto``."""

from mesos import _messages as _m

_m.define("mesos/master/master.proto", globals())
