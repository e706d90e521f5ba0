"""The v0 messages of ``proto/mesos/resource_provider/resource_provider.proto``."""

from mesos import _messages as _m

_m.define("mesos/resource_provider/resource_provider.proto", globals())
