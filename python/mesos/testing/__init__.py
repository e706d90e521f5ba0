"""Tests of frameworks: clusters that fail a test, drivers that record, messages that are made up.

For pytest, the fixtures ``mesos``, ``mesos_cluster`` and ``mesos_time`` are there once the package is installed. For
unittest there is :class:`MesosTestCase`, and for everything else :class:`Mesos`. The page "Test a framework" of the
documentation shows them.
"""

from mesos.local import Run
from mesos.testing._fakes import fake_offer, fake_update
from mesos.testing._framework import Callback, Framework
from mesos.testing._mesos import Mesos
from mesos.testing._real import RealCluster
from mesos.testing._recording import Call, RecordingDriver, RecordingExecutorDriver
from mesos.testing._script import ScriptError, ScriptResult, ScriptRunner
from mesos.testing._unittest import MesosTestCase

__all__ = [
    "Call",
    "Callback",
    "Framework",
    "Mesos",
    "MesosTestCase",
    "RealCluster",
    "RecordingDriver",
    "RecordingExecutorDriver",
    "Run",
    "ScriptError",
    "ScriptResult",
    "ScriptRunner",
    "fake_offer",
    "fake_update",
]
