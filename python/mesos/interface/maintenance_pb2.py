"""The v0 messages of ``proto/mesos/maintenance/maintenance.proto``."""

from mesos import _messages as _m

_m.define("mesos/maintenance/maintenance.proto", globals())
