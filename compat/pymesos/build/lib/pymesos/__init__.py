"""The name ``pymesos`` for :mod:`mesos.pymesos`: each module here is the one of the same name there."""

from mesos._alias import alias
from mesos.pymesos import *  # noqa: F403
from mesos.pymesos import __VERSION__, __all__  # noqa: F401

alias(__name__, "mesos.pymesos")
