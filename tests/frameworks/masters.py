"""The masters that frameworks run on, and what they say of a framework when it has ended.

They want a credential. The embedded one takes frameworks of its own user without.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos.local import LocalCluster

from tests.apache_mesos import ALLOCATION_INTERVAL, ApacheMesos, install, wants_credential
from tests.python.conftest import RESOURCES, apache_mesos_home

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENTS = 2


@dataclass(frozen=True)
class Master:
    """A cluster that runs."""

    address: str
    work: Path
    """A directory for the run."""
    has_containers: bool
    """Whether tasks in Docker containers run."""
    principal: str
    secret: str

    def authentication(self) -> dict[str, str]:
        """The variable that tells the credential to programs that cannot be told it otherwise."""
        path = self.work / "credential.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"principal": self.principal, "secret": self.secret}))
        return {"REMESOS_AUTHENTICATION": str(path)}

    def framework(self, name: str) -> dict[str, Any]:
        """What the master says of the framework of this name, active or completed."""
        with urllib.request.urlopen(f"http://{self.address}/state", timeout=10) as response:
            state = json.load(response)
        known = [each for each in state["frameworks"] + state["completed_frameworks"] if each["name"] == name]
        assert len(known) == 1, f"{len(known)} frameworks are named {name}"
        found: dict[str, Any] = known[0]
        return found

    def ends(self, name: str) -> Counter[str]:
        """The states in which the framework's tasks ended. The framework itself has to have ended."""
        framework = self.framework(name)
        assert not framework["active"], f"{name} did not unregister"
        assert framework["tasks"] == []
        return Counter(task["state"] for task in framework["completed_tasks"])


@contextlib.contextmanager
def embedded(work: Path, principal: str) -> Iterator[Master]:
    """The embedded cluster, which runs the command of a Docker container without its image."""
    secret = secrets.token_hex()
    with LocalCluster(
        agents=AGENTS,
        resources=RESOURCES,
        work_dir=str(work / "cluster"),
        containers="ignore-image",
        allocation_interval=ALLOCATION_INTERVAL,
        authenticate_http_frameworks=True,
        credentials={principal: secret},
    ) as cluster:
        yield Master(cluster.address, work, True, principal, secret)


@contextlib.contextmanager
def real(work: Path, principal: str) -> Iterator[Master]:
    """The real Mesos, whose agents have no Docker."""
    secret = secrets.token_hex()
    flags = wants_credential(work / "credentials", principal, secret)
    with ApacheMesos(install(apache_mesos_home()), work / "cluster", agents=AGENTS, flags=flags) as cluster:
        yield Master(cluster.address, work, False, principal, secret)


MASTERS = {"embedded": embedded, "real": real}
