"""The v1 messages of ``proto/mesos/v1/allocator/allocator.proto``."""

from mesos import _messages as _m

_m.define("mesos/v1/allocator/allocator.proto", globals())
