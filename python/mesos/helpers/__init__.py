"""What schedulers are often made of, each usable alone.

The page "Helpers for schedulers" of the documentation shows them.
"""

from mesos.helpers._amounts import Ranges
from mesos.helpers._resources import NotContainedError, Resources

__all__ = ["NotContainedError", "Ranges", "Resources"]
