"""The drivers, under the name that they had from Mesos 0.20 on."""

from mesos.scheduler import MesosSchedulerDriver

__all__ = ["MesosSchedulerDriver"]
