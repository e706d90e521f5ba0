"""Names that Mesos' own messages had before 1.11, for frameworks that still use them.

Where a message or a value only got another name, the former one means the same. ``CommandInfo.ContainerInfo`` is gone,
and using it raises an error that says what took its place: a task that asks for a container must not run without it.
By the ``mesos.proto`` of Apache's releases from 0.20 to 1.7.
"""

from __future__ import annotations

from typing import Any, NoReturn

_CONTAINER = (
    "Mesos removed CommandInfo.container and CommandInfo.ContainerInfo in 0.27; "
    "say it in TaskInfo.container or ExecutorInfo.container, a ContainerInfo with a DockerInfo"
)


def add_former_names(namespace: dict[str, Any]) -> None:
    """Add the former names to the module that has the messages of ``mesos.proto``, given as its ``globals()``."""
    health_check, image, reasons = namespace["HealthCheck"], namespace["Image"], namespace["TaskStatus"]
    health_check.HTTP = _HealthCheckHttp(health_check.HTTP, health_check.HTTPCheckInfo)  # a message until 1.1
    namespace["_HEALTHCHECK_HTTP"] = health_check.HTTPCheckInfo.DESCRIPTOR
    image.AppC = image.Appc  # 0.24
    reasons.REASON_MEMORY_LIMIT = reasons.REASON_CONTAINER_LIMITATION_MEMORY  # until 0.25
    reasons.REASON_EXECUTOR_PREEMPTED = reasons.REASON_CONTAINER_PREEMPTED  # until 0.25
    namespace["CommandInfo"].container = namespace["CommandInfo"].ContainerInfo = _Removed(_CONTAINER)


class _HealthCheckHttp(int):
    """``HealthCheck.HTTP``: a value of ``HealthCheck.Type``, and still what makes the message that had this name."""

    _message_class: Any

    def __new__(cls, number: int, message_class: Any) -> _HealthCheckHttp:
        self = super().__new__(cls, number)
        self._message_class = message_class
        return self

    def __call__(self, **keywords: Any) -> Any:
        return self._message_class(**keywords)


class _Removed:
    """What is left of a message and its field: whatever is done with it says what took its place.

    No property that raises: protobuf puts a text of its own in the place of an ``AttributeError``.
    """

    def __init__(self, instead: str) -> None:
        object.__setattr__(self, "_instead", instead)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(self._instead)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(self._instead)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise AttributeError(self._instead)
