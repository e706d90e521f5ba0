"""The messages of ``mesos.proto``, created on import; the stub next to this file lists them. Part of remesos."""

from mesos._former import add_former_names as _add_former_names
from mesos._messages import define as _define

_define("mesos.proto", globals())
_add_former_names(globals())
