"""The v0 messages of ``proto/mesos/agent/agent.proto``."""

from mesos import _messages as _m

_m.define("mesos/agent/agent.proto", globals())
