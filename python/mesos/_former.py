"""Former names of messages and values of Mesos before 1.11, for frameworks that still use them.

If a message or a value was renamed, its former name is an alias. ``CommandInfo.ContainerInfo`` was removed; using it
raises an error that names the replacement, because a task that asks for a container must not run without one.
Follows ``mesos.proto`` of Apache's releases from 0.20 to 1.7.
"""

from __future__ import annotations

from typing import Any, NoReturn

_CONTAINER = (
    "Mesos removed CommandInfo.container and CommandInfo.ContainerInfo in 0.27; "
    "use TaskInfo.container or ExecutorInfo.container, a ContainerInfo with a DockerInfo"
)


def add_former_names(namespace: dict[str, Any]) -> None:
    """Adds the former names to the module with the messages of ``mesos.proto``, given as its ``globals()``."""
    health_check, image, reasons = namespace["HealthCheck"], namespace["Image"], namespace["TaskStatus"]
    health_check.HTTP = _HealthCheckHttp(health_check.HTTP, health_check.HTTPCheckInfo)  # a message until 1.1
    namespace["_HEALTHCHECK_HTTP"] = health_check.HTTPCheckInfo.DESCRIPTOR
    image.AppC = image.Appc  # 0.24
    reasons.REASON_MEMORY_LIMIT = reasons.REASON_CONTAINER_LIMITATION_MEMORY  # until 0.25
    reasons.REASON_EXECUTOR_PREEMPTED = reasons.REASON_CONTAINER_PREEMPTED  # until 0.25
    namespace["CommandInfo"].container = namespace["CommandInfo"].ContainerInfo = _Removed(_CONTAINER)


class _HealthCheckHttp(int):
    """``HealthCheck.HTTP``: a value of ``HealthCheck.Type`` that, when called, creates the message of the same name."""

    _message_class: Any

    def __new__(cls, number: int, message_class: Any) -> _HealthCheckHttp:
        self = super().__new__(cls, number)
        self._message_class = message_class
        return self

    def __call__(self, **keywords: Any) -> Any:
        return self._message_class(**keywords)


class _Removed:
    """Stands for a removed message and its field. Every use of it raises an error that names the replacement.

    A property that raises would not do, because protobuf replaces the text of an ``AttributeError`` with its own.
    """

    def __init__(self, instead: str) -> None:
        object.__setattr__(self, "_instead", instead)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(self._instead)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(self._instead)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise AttributeError(self._instead)
