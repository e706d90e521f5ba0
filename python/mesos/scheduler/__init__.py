"""The scheduler driver, under its name since Mesos 1.0."""

from mesos.scheduler._driver import MesosSchedulerDriver

__all__ = ["MesosSchedulerDriver"]
