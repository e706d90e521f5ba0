"""How scheduler drivers are shown: by what they know themselves, also with a master elsewhere."""

from __future__ import annotations

from typing import NamedTuple, Self

from mesos import _core
from mesos._display import _html
from mesos._display._html import Displayed, Html
from mesos._display._overview import of_tasks
from mesos.interface import mesos_pb2


class DriverSummary(NamedTuple):
    """What a driver knows of its framework."""

    kind: str
    status: str
    name: str
    framework_id: str | None
    master: str
    connected: bool
    counts: dict[str, int]

    @classmethod
    def of(cls, kind: str, core: _core.SchedulerDriver, name: str, master: str) -> Self:
        """Returns it for a driver, the name of its framework and the master that it was given."""
        framework_id, found, connected, counts = core.summary()
        return cls(
            kind,
            mesos_pb2.Status.Name(core.status()),
            name,
            framework_id,
            found or _core.redacted(master),
            connected,
            dict(counts),
        )

    def line(self) -> str:
        """Returns it in a line."""
        named = f"{self.name!r} {self.framework_id}" if self.framework_id else repr(self.name)
        master = f"{'connected to' if self.connected else 'not connected to'} {self.master}"
        counts = [of_tasks(self.counts)] if self.framework_id else []
        return f"<{self.kind} {', '.join([self.status, named, master, *counts])}>"

    def html(self) -> Html:
        """Returns it as HTML."""
        values = (
            ("state", self.status),
            ("framework", self.name),
            ("id", self.framework_id or "not registered yet"),
            ("master", f"{self.master}{'' if self.connected else ' (not connected)'}"),
            ("tasks", _html.states(self.counts)),
        )
        return _html.titled(self.kind, _html.pairs(values))


class DisplayedDriver(Displayed):
    """A driver of a framework, which is shown by what it knows."""

    _core: _core.SchedulerDriver
    _master: str

    def _kind(self) -> str:
        return type(self).__name__

    def _name_of_framework(self) -> str:
        raise NotImplementedError

    def _summary(self) -> DriverSummary:
        return DriverSummary.of(self._kind(), self._core, self._name_of_framework(), self._master)

    def _html(self) -> Html:
        return self._summary().html()

    def __repr__(self) -> str:
        try:
            return self._summary().line()
        except AttributeError:
            # It could not be created.
            return f"<{self._kind()}>"
