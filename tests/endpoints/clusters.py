"""A real cluster and an embedded one with the same flags."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mesos.local import LocalCluster

from tests.apache_mesos import ApacheMesos
from tests.endpoints.scene import AGENTS, FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

LAUNCHER = Path(__file__).resolve().parent.parent / "apache_mesos" / "launcher"


@contextlib.contextmanager
def real(home: Path, work: Path) -> Iterator[str]:
    """The real Mesos, whose agents run command tasks with our program, which checks their health; its address."""
    launcher = work / "launcher"
    launcher.mkdir(parents=True)
    (launcher / "mesos-containerizer").symlink_to(LAUNCHER / "mesos-containerizer")
    program = shutil.which("mesos-executor", path=str(Path(sys.executable).parent))
    assert program is not None
    (launcher / "mesos-executor").symlink_to(program)
    flags = {**FLAGS, "MESOS_LAUNCHER_DIR": str(launcher)}
    with ApacheMesos(home, work / "work", agents=AGENTS, flags=flags) as cluster:
        yield cluster.address


@contextlib.contextmanager
def embedded() -> Iterator[str]:
    """An embedded cluster that offers what tasks give back with the next batch, as the real one; its address."""
    before = {name: os.environ.get(name) for name in FLAGS}
    os.environ.update(FLAGS)
    try:
        cluster = LocalCluster(agents=AGENTS, allocation_interval=0.2, allocate_on_recovery=False)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    with cluster:
        yield cluster.address
