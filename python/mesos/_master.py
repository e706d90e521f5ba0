"""Finds the master that a driver was given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from mesos import _arguments, _core, _logging

if TYPE_CHECKING:
    from mesos._follower import Follower
    from mesos.local import LocalCluster


class Master(NamedTuple):
    """A master, and what comes with it if it is embedded."""

    address: str
    cluster: LocalCluster | None
    follower: Follower | None
    """Shows the output of the tasks of a cluster that was started for the framework."""


def with_scheme(address: str) -> str:
    """Returns an address that has a path as a URL, with the scheme that clusters of this environment speak."""
    if "/" not in address or "://" in address:
        return address
    scheme = "https" if os.environ.get("LIBPROCESS_SSL_ENABLED") in ("1", "true") else "http"
    return f"{scheme}://{address}"


def find(master: Any) -> Master:
    """Returns the master that is meant.

    :raises ArgumentTypeError: ``master`` is neither text nor a cluster
    :raises ClusterError: the master is ``local`` and its cluster could not be started
    """
    cluster = master if isinstance(getattr(master, "_core", None), _core.LocalCluster) else None
    # An embedded cluster, or the real one of a test.
    if not isinstance(master, str | bytes):
        master = getattr(master, "address", master)
    override = _arguments.text(os.environ.get("REMESOS_MASTER", ""), "REMESOS_MASTER")
    # A script that reads its master with os.getenv passes None if the variable is not set.
    if master is not None or not override:
        master = _arguments.text(master, "master")
    if override and override != master:
        shown = [_core.redacted(str(each)) for each in (override, master)]
        _logging.log.warning("Using the master %s, from REMESOS_MASTER, instead of %s", *shown)
        master, cluster = override, None
    follower = None
    if master in ("local", "localquiet"):
        from mesos import _options
        from mesos._follower import Follower
        from mesos.local import LocalCluster

        cluster = LocalCluster._with({"keep": _options.kept()})
        follower = None if master == "localquiet" else Follower(cluster)
        master = cluster.address
    return Master(master, cluster, follower)
