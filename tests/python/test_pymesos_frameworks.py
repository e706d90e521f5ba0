"""What frameworks that others wrote rely on in pymesos' API; ``tests/frameworks`` runs them themselves."""

from __future__ import annotations

from typing import Any

import pytest
from mesos.pymesos import MesosSchedulerDriver, Scheduler


class Beats:
    def __init__(self) -> None:
        self.seen: list[Any] = []


class Today(Beats, Scheduler):
    def processHeartBeat(self, driver: MesosSchedulerDriver) -> None:
        self.seen.append(driver)


class UntilPymesos0310(Beats):
    def processHeartBeat(self) -> None:
        self.seen.append(None)


@pytest.mark.parametrize("kind", [Today, UntilPymesos0310])
def test_a_heartbeat_is_told_with_and_without_the_driver(kind: type[Beats]) -> None:
    scheduler = kind()
    driver = MesosSchedulerDriver(scheduler, {"user": "", "name": "beats"}, "127.0.0.1:1")
    driver.on_event({"type": "HEARTBEAT"})
    assert scheduler.seen == [driver if kind is Today else None]


def test_a_scheduler_without_heartbeats_needs_none() -> None:
    driver = MesosSchedulerDriver(object(), {"user": "", "name": "beats"}, "127.0.0.1:1")
    driver.on_event({"type": "HEARTBEAT"})
