"""What schedulers are often made of, each usable alone.

The page "Helpers for schedulers" of the documentation shows them.
"""

from mesos.helpers._algebra._amounts import Ranges
from mesos.helpers._algebra._resources import Resources
from mesos.helpers._attributes import Condition, Field, attribute, hostname, region, zone
from mesos.helpers._demand import Demand
from mesos.helpers._file import FrameworkIdFile
from mesos.helpers._framework_id import FrameworkIdStore
from mesos.helpers._matching import Launch, Matching, Placement, Wish, match
from mesos.helpers._observer import Observer, watched
from mesos.helpers._reconciliation import Reconciliation
from mesos.helpers._spreading import Spread, group_by, max_per, unique
from mesos.helpers._zookeeper import FrameworkIdZooKeeper

__all__ = [
    "Condition",
    "Demand",
    "Field",
    "FrameworkIdFile",
    "FrameworkIdStore",
    "FrameworkIdZooKeeper",
    "Launch",
    "Matching",
    "Observer",
    "Placement",
    "Ranges",
    "Reconciliation",
    "Resources",
    "Spread",
    "Wish",
    "attribute",
    "group_by",
    "hostname",
    "match",
    "max_per",
    "region",
    "unique",
    "watched",
    "zone",
]
