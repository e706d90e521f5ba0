"""The v0 messages of ``proto/mesos/allocator/allocator.proto``."""

from mesos import _messages as _m

_m.define("mesos/allocator/allocator.proto", globals())
