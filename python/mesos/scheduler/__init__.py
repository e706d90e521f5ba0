"""The scheduler driver, under its name since Mesos 1.0."""

from mesos._cells import running_drivers
from mesos.scheduler._driver import MesosSchedulerDriver

__all__ = ["MesosSchedulerDriver", "running_drivers"]
