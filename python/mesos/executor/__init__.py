"""The executor driver, under the name that Mesos 1.0 gave it."""

from mesos.executor._driver import MesosExecutorDriver

__all__ = ["MesosExecutorDriver"]
