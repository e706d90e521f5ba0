"""``CoreMesosObject``: what sends calls for a framework."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mesos.mesoshttp import _running

if TYPE_CHECKING:
    from collections.abc import Mapping


class CoreMesosObject:
    """The base class of what sends calls, which the client of this process does that is registered as the framework.

    >>> from mesos.mesoshttp.core import CoreMesosObject
    >>> CoreMesosObject("http://master:5050", "framework", "stream").frameworkId
    'framework'

    :param mesos_url: the URL of the master
    :param frameworkId: the framework's id
    :param streamId: the id of the subscription, the header ``Mesos-Stream-Id``
    :param requests_auth: as the client has it
    :param verify: as the client has it
    """

    _LOGGER = "mesoshttp.core"

    def __init__(
        self,
        mesos_url: str | None,
        frameworkId: str | None,
        streamId: str | None,
        requests_auth: Any = None,
        verify: bool | str = True,
    ) -> None:
        self.logger = logging.getLogger(self._LOGGER)
        self.mesos_url = mesos_url
        self.streamId = streamId
        self.frameworkId = frameworkId
        self.requests_auth = requests_auth
        self.verify = verify

    def _send(self, kind: str, field: dict[str, Any] | None = None) -> None:
        send(self.frameworkId, kind, field)


def send(framework_id: str | None, kind: str, field: dict[str, Any] | None = None) -> None:
    """Sends a call of a framework. Does not wait for the master's answer.

    :raises MesosException: no client of this process is registered as the framework, it is not connected to a master,
        or the call is not one that Mesos takes
    """
    call: dict[str, Any] = {"type": kind}
    if field is not None:
        call[kind.lower()] = field
    _running.subscription_of(framework_id).call(call)


def named(value: Any) -> Any:
    """Returns an id as the message that holds it: the text of an id may be given alone."""
    return {"value": value} if isinstance(value, str) else value


def filters(logger: logging.Logger, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the field ``filters`` of a call, if the options have one; in CamelCase, or as Mesos writes it.

    >>> import logging
    >>> filters(logging.getLogger(), {"Filters": {"RefuseSeconds": 120.0}})
    {'filters': {'refuse_seconds': 120.0}}
    """
    found: Any = None
    for name, value in (options or {}).items():
        if name.lower() == "filters":
            found = value
        else:
            logger.warning("Ignoring the option '%s': expected 'filters'", name)
    return {"filters": {_snake(name): value for name, value in found.items()}} if found else {}


def _snake(name: str) -> str:
    """Returns ``refuse_seconds`` for ``RefuseSeconds``."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).removeprefix("_")


def launch(agent_id: str, tasks: Any) -> dict[str, Any]:
    """Returns the operation that launches tasks. Those that name no agent are launched at this one."""
    known = [task if "agent_id" in task else {**task, "agent_id": {"value": agent_id}} for task in tasks]
    return {"type": "LAUNCH", "launch": {"task_infos": known}}
