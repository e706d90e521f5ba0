"""A cluster that was there before the tests: the master of ``--mesos-master``."""

from __future__ import annotations

import json
import unittest
import urllib.parse
import urllib.request
from types import SimpleNamespace
from typing import Any

_SECONDS = 10


class _Absent:
    """Skips the test that asks for what only the embedded cluster has."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise unittest.SkipTest(f"needs the embedded cluster: there is no {name} of {self!r}")


class Seen(_Absent, SimpleNamespace):
    """An agent or a framework as it was when somebody looked."""


class RealCluster(_Absent):
    """A cluster that this package did not start. What it cannot do skips the test that asks for it.

    :param address: the master's address, in any form that a driver takes
    """

    def __init__(self, address: str) -> None:
        self.address = address

    @property
    def url(self) -> str:
        """The master's address as a URL."""
        if self.address.startswith(("http://", "https://")):
            return self.address
        if self.address.startswith(("zk://", "file://")) or "," in self.address:
            raise unittest.SkipTest(f"needs the master's own address instead of {self.address}")
        return f"http://{self.address}"

    @property
    def agents(self) -> list[Seen]:
        """The agents, with ``id``, ``hostname``, ``resources``, ``attributes`` and ``state``."""
        return [
            Seen(
                id=agent["id"],
                hostname=agent["hostname"],
                resources=agent["resources"],
                attributes=agent["attributes"],
                state="active" if agent["active"] else "deactivated",
            )
            for agent in self._get("/slaves")["slaves"]
        ]

    @property
    def frameworks(self) -> list[Seen]:
        """The frameworks that are not completed, with ``id``, ``name``, ``roles`` and ``active``."""
        return [
            Seen(
                id=framework["id"], name=framework["name"], roles=framework.get("roles", []), active=framework["active"]
            )
            for framework in self._get("/frameworks")["frameworks"]
        ]

    def history(self) -> list[dict[str, Any]]:
        """Returns nothing: a real master does not tell what happened."""
        return []

    def tear_down(self, framework_id: str) -> None:
        """Removes a framework with its tasks."""
        data = urllib.parse.urlencode({"frameworkId": framework_id}).encode()
        with urllib.request.urlopen(f"{self.url}/teardown", data, timeout=_SECONDS):
            pass

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=_SECONDS) as response:
            return json.load(response)

    def __repr__(self) -> str:
        return f"the cluster at {self.address}"
