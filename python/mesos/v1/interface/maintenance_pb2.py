"""The v1 messages of ``proto/mesos/v1/maintenance/maintenance.proto``."""

from mesos import _messages as _m

_m.define("mesos/v1/maintenance/maintenance.proto", globals())
