"""The name ``mesoshttp`` for :mod:`mesos.mesoshttp`: each module here is the one of the same name there."""

from mesos._alias import alias
from mesos.mesoshttp import *  # noqa: F403
from mesos.mesoshttp import __all__  # noqa: F401

alias(__name__, "mesos.mesoshttp")
