"""What schedulers are often made of, each usable alone.

The page "Helpers for schedulers" of the documentation shows them.
"""

from mesos.helpers._amounts import Ranges
from mesos.helpers._demand import Demand
from mesos.helpers._file import FrameworkIdFile
from mesos.helpers._framework_id import FrameworkIdStore
from mesos.helpers._observer import Observer, watched
from mesos.helpers._reconciliation import Reconciliation
from mesos.helpers._resources import NotContainedError, Resources
from mesos.helpers._zookeeper import FrameworkIdZooKeeper

__all__ = [
    "Demand",
    "FrameworkIdFile",
    "FrameworkIdStore",
    "FrameworkIdZooKeeper",
    "NotContainedError",
    "Observer",
    "Ranges",
    "Reconciliation",
    "Resources",
    "watched",
]
