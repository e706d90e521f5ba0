"""``Registration``: a client while it is in ``register``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mesos.errors import MesosError
from mesos.mesoshttp import _running
from mesos.mesoshttp._subscription import Subscription
from mesos.mesoshttp.exception import MesosException
from mesos.mesoshttp.offers import Offer
from mesos.mesoshttp.update import Update

if TYPE_CHECKING:
    from mesos.mesoshttp.client import MesosClient

_LOOK = 0.05
"""``stop`` and ``disconnect`` are plain attributes, and looked at this often, in seconds."""


class Registration:
    """Keeps the client's framework registered, and calls its callbacks."""

    def __init__(self, client: MesosClient) -> None:
        self._client = client
        self._addresses = addresses(client.mesos_urls)
        self._subscription: Subscription | None = None
        self._registered = False
        self._connected = False
        self._attempts = 0
        self._since = 0.0
        """Since when this attempt lasts, or when the last event was handled."""

    def run(self) -> bool:
        """Returns when the client is stopped or disconnected, or gives up.

        :returns: whether it was registered, and ended because it was told to
        """
        try:
            if not self._addresses:
                self._client.logger.error("Mesos:Subscribe:Error: mesos_urls is empty")
                return False
            return self._subscribe() and self._listen()
        finally:
            self._leave()

    def _leave(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            _running.remove(subscription)
            # A framework that has no id yet would stay at the master, and nobody would know of it.
            subscription.leave(failover=bool(self._client.frameworkId) and not self._client.stop)

    def _subscribe(self) -> bool:
        """Starts to subscribe at the next address; false if it cannot be used."""
        client = self._client
        self._leave()
        self._since = time.monotonic()
        address = self._addresses[self._attempts % len(self._addresses)]
        try:
            subscription = Subscription(client._framework(), address, client._driver_options())
            subscription.start()
        except MesosError as error:
            client.logger.error("Mesos:Subscribe:Error: %s", error)
            return False
        client.logger.info("try to register")
        self._subscription = subscription
        return True

    def _listen(self) -> bool:
        client = self._client
        while (subscription := self._subscription) is not None and not (client.stop or client.disconnect):
            event = subscription.next(_LOOK)
            if event is not None:
                try:
                    self._take(subscription, event)
                finally:
                    subscription.handled()
                    self._since = time.monotonic()
            elif subscription.error is not None:
                client.logger.error("Mesos:Error:%s", subscription.error)
                client._call_back(client.ERROR, subscription.error)
                return False
            elif not subscription.running:
                # The driver's tearDown() was called, or the embedded cluster that it is of has ended.
                break
            elif not self._is_in_time():
                return False
        return self._registered

    def _is_in_time(self) -> bool:
        """Ends an attempt, or a connection, that lasts too long; false if that was the last attempt."""
        client = self._client
        lasts = time.monotonic() - self._since
        if self._connected:
            timeout = client._silence()
            if timeout is None or lasts < timeout:
                return True
            client.logger.error("http connection timeout: no event for %s seconds", timeout)
            self._lost()
            return self._subscribe()
        if lasts < client.WAIT_TIME:
            return True
        self._attempts += 1
        if self._attempts >= client.max_reconnect * len(self._addresses):
            client.logger.error("All connection tries failed")
            return False
        client.logger.error("Failed to register, retrying...")
        self._since += client.WAIT_TIME
        return len(self._addresses) == 1 or self._subscribe()

    def _take(self, subscription: Subscription, event: dict[str, Any]) -> None:
        client, kind = self._client, event["type"]
        client.logger.debug("Mesos:Event:%s", kind)
        client.logger.debug("Mesos:Message:%s", event)
        if kind == "SUBSCRIBED":
            self._subscribed(subscription, event["subscribed"])
        elif kind == client.DISCONNECTED:
            self._lost()
        elif kind == client.OFFERS:
            offers = [self._made(Offer, offer) for offer in event["offers"]["offers"]]
            client._call_back(kind, offers)
        elif kind == client.UPDATE:
            # Before the callbacks may change what they receive.
            update = self._made(Update, {"status": dict(event["update"]["status"])})
            client._call_back(kind, event["update"])
            self._acknowledge(update)
        elif kind == client.HEARTBEAT:
            client._call_back(kind, kind)
        else:
            client._call_back(kind, event[kind.lower()])

    def _made(self, of: Any, message: dict[str, Any]) -> Any:
        client = self._client
        return of(client.mesos_url, client.frameworkId, client.streamId, message, client.requests_auth, client.verify)

    def _acknowledge(self, update: Update) -> None:
        try:
            update.ack()
        except MesosException as error:
            # It comes again, if the framework still exists.
            self._client.logger.debug("Mesos:Ack:%s", error)

    def _subscribed(self, subscription: Subscription, subscribed: dict[str, Any]) -> None:
        client = self._client
        self._registered = self._connected = True
        self._attempts = 0
        client.frameworkId = subscribed["framework_id"]["value"]
        client.master_info = subscribed.get("master_info", client.master_info)
        client.mesos_url, client.streamId = subscription.connection or (client.mesos_url, client.streamId)
        client.logger.info("Mesos:Subscribe:Framework-Id:%s", client.frameworkId)
        _running.add(client.frameworkId, subscription)
        if client.disconnected:
            client.disconnected = False
            client._call_back(client.RECONNECTED, "mesos master reconnected")
        driver = client.get_driver()
        driver.mesos_url, driver.frameworkId, driver.streamId = client.mesos_url, client.frameworkId, client.streamId
        client._call_back(client.SUBSCRIBED, driver)

    def _lost(self) -> None:
        client = self._client
        client.logger.error("http connection error: the connection to the master is lost")
        self._connected = False
        client.disconnected = True
        client._call_back(client.DISCONNECTED, "mesos master disconnected")


def addresses(urls: Any) -> list[Any]:
    """Returns the masters that are to be tried in turn: all plain addresses together, and each ZooKeeper.

    >>> addresses(["https://a:5050", "b:5050", "zk://c:2181/mesos"])
    ['https://a:5050,https://b:5050', 'zk://c:2181/mesos']

    :param urls: text, a list of it, or an embedded cluster
    """
    if not isinstance(urls, str | list | tuple | set | frozenset):
        return [urls]
    given = [urls] if isinstance(urls, str) else list(urls)
    found: list[Any] = []
    scheme = ""
    for each in given:
        if not isinstance(each, str) or each.startswith(("zk://", "file://")):
            found.append(each)
            continue
        for url in map(_without_user, each.split(",")):
            # Requests would refuse one without a scheme: it is meant as the one before it.
            scheme = f"{urlsplit(url).scheme}://" if "://" in url else scheme
            full = url if "://" in url else f"{scheme}{url}"
            if found and _is_plain(found[-1]):
                found[-1] += f",{full}"
            else:
                found.append(full)
    return found


def _is_plain(address: Any) -> bool:
    return isinstance(address, str) and not address.startswith(("zk://", "file://"))


def _without_user(url: str) -> str:
    """Returns the URL without ``principal:secret@``, which :func:`credential_of` returns."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    return url.strip().replace(user + at, "", 1) if at else url.strip()


def credential_of(urls: Any) -> tuple[str, str] | None:
    """Returns the first principal and secret of URLs such as ``http://principal:secret@master:5050``.

    >>> credential_of(["http://a:5050", "http://alice:s%40@b:5050"])
    ('alice', 's@')
    """
    for url in [urls] if isinstance(urls, str) else urls if isinstance(urls, list | tuple) else []:
        if isinstance(url, str) and url.startswith(("http://", "https://")):
            parts = urlsplit(url)
            if parts.username and parts.password is not None:
                return unquote(parts.username), unquote(parts.password)
    return None
