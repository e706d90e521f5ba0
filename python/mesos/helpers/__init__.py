"""What schedulers are often made of, each usable alone.

The page "Helpers for schedulers" of the documentation shows them.
"""

from mesos.helpers._amounts import Ranges
from mesos.helpers._attributes import Condition, Field, attribute, hostname, region, zone
from mesos.helpers._matching import Launch, Matching, Placement, Wish, match
from mesos.helpers._resources import NotContainedError, Resources
from mesos.helpers._spreading import Spread, group_by, max_per, unique

__all__ = [
    "Condition",
    "Field",
    "Launch",
    "Matching",
    "NotContainedError",
    "Placement",
    "Ranges",
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
    "zone",
]
