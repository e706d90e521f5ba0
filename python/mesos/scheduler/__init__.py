"""The scheduler driver, under the name that Mesos 1.0 gave it."""

from mesos.scheduler._driver import MesosSchedulerDriver

__all__ = ["MesosSchedulerDriver"]
