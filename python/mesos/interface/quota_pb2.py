"""The v0 messages of ``proto/mesos/quota/quota.proto``."""

from mesos import _messages as _m

_m.define("mesos/quota/quota.proto", globals())
