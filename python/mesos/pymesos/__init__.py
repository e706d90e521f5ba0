"""The API of pymesos 0.3.15 on the drivers of remesos: messages are dicts.

``import mesos.pymesos as pymesos`` is the only change to a framework. The distribution in ``compat/pymesos`` provides
the name ``pymesos`` for frameworks that are not to be changed.
"""

from mesos.pymesos.executor import MesosExecutorDriver
from mesos.pymesos.interface import Executor, OperatorMaster, Scheduler
from mesos.pymesos.operator_v1 import MesosOperatorAgentDriver, MesosOperatorMasterDriver
from mesos.pymesos.scheduler import MesosSchedulerDriver
from mesos.pymesos.utils import decode_data, encode_data

__VERSION__ = "0.3.15"

__all__ = [
    "Executor",
    "MesosExecutorDriver",
    "MesosOperatorAgentDriver",
    "MesosOperatorMasterDriver",
    "MesosSchedulerDriver",
    "OperatorMaster",
    "Scheduler",
    "decode_data",
    "encode_data",
]
