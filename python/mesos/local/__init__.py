"""The embedded cluster: a master, its agents and a web page in this process, for one machine."""

from mesos._simulation import Run
from mesos.local._cluster import LocalCluster
from mesos.local._views import LocalAgent, LocalFramework, LocalOffer, LocalTask

__all__ = ["LocalAgent", "LocalCluster", "LocalFramework", "LocalOffer", "LocalTask", "Run"]
