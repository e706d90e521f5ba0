"""The v1 messages of ``proto/mesos/v1/resource_provider/resource_provider.proto``."""

from mesos import _messages as _m

_m.define("mesos/v1/resource_provider/resource_provider.proto", globals())
