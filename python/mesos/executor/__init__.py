"""The executor driver, under its name since Mesos 1.0."""

from mesos.executor._driver import MesosExecutorDriver

__all__ = ["MesosExecutorDriver"]
