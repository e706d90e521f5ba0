"""``Update``: the acknowledgement of a status update."""

from __future__ import annotations

from typing import Any

from mesos.mesoshttp.core import CoreMesosObject


class Update(CoreMesosObject):
    """A status update. The client acknowledges each one when the callbacks have returned.

    >>> from mesos.mesoshttp.update import Update
    >>> update = Update("http://master:5050", "framework", "stream", {"status": {"state": "TASK_LOST"}})
    >>> update.ack()  # nothing: the master needs no acknowledgement of an update without a uuid

    :param mesosUpdate: the field ``update`` of an event, as a dict
    """

    _LOGGER = "mesoshttp.update"

    def __init__(
        self,
        mesos_url: str | None,
        frameworkId: str | None,
        streamId: str | None,
        mesosUpdate: dict[str, Any],
        requests_auth: Any = None,
        verify: bool | str = True,
    ) -> None:
        super().__init__(mesos_url, frameworkId, streamId, requests_auth, verify)
        self.mesosUpdate = mesosUpdate

    def ack(self) -> None:
        """Acknowledges the update: the agent does not send it again.

        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        status = self.mesosUpdate["status"]
        if "uuid" not in status:
            self.logger.debug("Mesos:Ack:Skip")
            return
        self.logger.debug("Mesos:Update:Status:%s:%s", status["task_id"]["value"], status["state"])
        self._send("ACKNOWLEDGE", {name: status[name] for name in ("agent_id", "task_id", "uuid")})
