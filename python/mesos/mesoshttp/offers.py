"""``Offer``: what a framework answers an offer with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesos.mesoshttp.core import CoreMesosObject, filters, launch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Offer(CoreMesosObject):
    """An offer of resources.

    >>> from mesos.mesoshttp.offers import Offer
    >>> offer = Offer("http://master:5050", "framework", "stream", {"id": {"value": "offer"}})
    >>> offer.get_offer()["id"]["value"]
    'offer'

    :param mesosOffer: a v1 ``Offer`` as a dict
    """

    _LOGGER = "mesoshttp.offers"

    def __init__(
        self,
        mesos_url: str | None,
        frameworkId: str | None,
        streamId: str | None,
        mesosOffer: dict[str, Any],
        requests_auth: Any = None,
        verify: bool | str = True,
    ) -> None:
        super().__init__(mesos_url, frameworkId, streamId, requests_auth, verify)
        self.offer = mesosOffer

    def __repr__(self) -> str:
        return f"<Offer {self.offer['id']['value']}>"

    def get_offer(self) -> dict[str, Any]:
        """Returns the offer as the master sent it: a v1 ``Offer`` as a dict."""
        return self.offer

    def accept(self, operations: Sequence[Mapping[str, Any]], options: Mapping[str, Any] | None = None) -> bool:
        """Launches tasks on the offer. What they do not use is free for other frameworks.

        :param operations: v1 ``TaskInfo`` dicts; the offer's agent is filled in if they name none. If there are none,
            nothing is sent: the offer is still the framework's
        :param options: ``{"filters": {"refuse_seconds": 60}}``, or ``{"Filters": {"RefuseSeconds": 60}}``: for how long
            the rest is not offered again, in seconds; 5 by default
        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        if not operations:
            self.logger.debug("Mesos:Accept:no operation to accept")
            return True
        offer_id = self.offer["id"]
        self.logger.debug("Mesos:ACCEPT Offer ids:%s", offer_id["value"])
        tasks = launch(self.offer["agent_id"]["value"], operations)
        field = {"offer_ids": [offer_id], "operations": [tasks], **filters(self.logger, options)}
        self._send("ACCEPT", field)
        return True

    def decline(self, options: Mapping[str, Any] | None = None) -> bool | None:
        """Declines the offer.

        :param options: as for :meth:`accept`
        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        if not self.offer:
            return None
        self.logger.debug("Mesos:Decline:Offer:%s", self.offer["id"]["value"])
        self._send("DECLINE", {"offer_ids": [self.offer["id"]], **filters(self.logger, options)})
        return True
