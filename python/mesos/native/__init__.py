"""The drivers, under the name that they had from Mesos 0.20 on."""

from mesos.executor import MesosExecutorDriver
from mesos.scheduler import MesosSchedulerDriver

__all__ = ["MesosExecutorDriver", "MesosSchedulerDriver"]
