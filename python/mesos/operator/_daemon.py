"""The calls that masters and agents have in common."""

from __future__ import annotations

from mesos import _arguments
from mesos.operator._calls import Call, call, told
from mesos.v1.interface import mesos_pb2


class DaemonCalls:
    """The calls that masters and agents have in common."""

    @call
    def get_health(self) -> Call[bool]:
        """Returns whether it is healthy; one that answers is."""
        return Call({}, lambda response: response.get_health.healthy)

    @call
    def get_flags(self) -> Call[dict[str, str]]:
        """Returns the flags it was started with. One without a value is left out."""
        return Call({}, lambda response: {flag.name: flag.value for flag in response.get_flags.flags})

    @call
    def get_version(self) -> Call[mesos_pb2.VersionInfo]:
        """Returns its version."""
        return Call({}, lambda response: response.get_version.version_info)

    @call
    def get_metrics(self, timeout: float = 1.0) -> Call[dict[str, float]]:
        """Returns its metrics.

        :param timeout: the seconds it may take to measure them; metrics that take longer are left out
        """
        return Call(
            {"timeout": timeout},
            lambda response: {metric.name: metric.value for metric in response.get_metrics.metrics},
            takes=_arguments.seconds(timeout, "timeout") or 0.0,
        )

    @call
    def get_logging_level(self) -> Call[int]:
        """Returns how verbose its log is: 0 to 3."""
        return Call({}, lambda response: response.get_logging_level.level)

    @call
    def set_logging_level(self, level: int, duration: float) -> Call[None]:
        """Makes its log more verbose for a while.

        :param level: 0 to 3
        :param duration: seconds, after which the level is the former one
        """
        return told(level=level, duration=duration)

    @call
    def list_files(self, path: str) -> Call[list[mesos_pb2.FileInfo]]:
        """Returns what is in a directory that it shows, such as a sandbox at an agent."""
        return Call({"path": path}, lambda response: list(response.list_files.file_infos))
