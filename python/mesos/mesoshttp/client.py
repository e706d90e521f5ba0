"""``MesosClient``: registers a framework, and calls callbacks with what the master sends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, overload

from mesos.auth import Authentication
from mesos.mesoshttp import _driver
from mesos.mesoshttp._registration import Registration, credential_of
from mesos.mesoshttp.acs import DCOSServiceAuth, RequestsAuth, trust
from mesos.mesoshttp.core import CoreMesosObject, filters, launch, send
from mesos.mesoshttp.exception import MesosException
from mesos.mesoshttp.offers import Offer
from mesos.mesoshttp.update import Update

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["CoreMesosObject", "DCOSServiceAuth", "MesosClient", "MesosException", "Offer", "Update"]

_MESOSHTTP: dict[str, Any] = {
    "frameworkId": None,
    "frameworkName": "Mesos HTTP framework",
    "frameworkUser": "root",
    "frameworkHostname": "",
    "frameworkWebUI": "",
    "max_reconnect": 3,
    "connection_timeout": None,
}
"""The arguments after ``mesos_urls``, in their order."""
_AVMESOS = {"thread": True, **_MESOSHTTP}


class MesosClient:
    """Registers a framework and calls callbacks with what the master sends. The API of mesoshttp and avmesos 0.4.2.

    Messages are dicts, with the names of the v1 API; bytes in them are in base64.

    >>> from mesos.local import LocalCluster
    >>> from mesos.mesoshttp import MesosClient
    >>> def subscribed(driver):
    ...     print("registered")
    ...     driver.tearDown()
    >>> with LocalCluster() as cluster:
    ...     client = MesosClient([f"http://{cluster.address}"], frameworkName="example")
    ...     client.on(MesosClient.SUBSCRIBED, subscribed)
    ...     client.register()
    True
    registered
    True

    Setting ``stop`` to true, from any thread, has the master remove the framework, and :meth:`register` return.

    :param mesos_urls: URLs of masters, such as ``http://host:5050``, ``https://host/mesos`` or
        ``zk://host:2181/mesos``; the leader is found.
        ``http://principal:secret@host:5050`` has the credential in it. Or an embedded cluster
    :param frameworkId: the id of a framework that was registered before, or None
    :param frameworkUser: the user that tasks run as
    :param frameworkHostname: the scheduler's host, that the master shows; this machine's name if empty
    :param max_reconnect: :meth:`register` gives up after so many attempts in a row without success. An attempt lasts
        ``WAIT_TIME`` seconds, in which the driver tries to connect several times
    :param connection_timeout: if the master sends nothing for so many seconds, the client connects anew; of a pair, the
        second counts. The master's heartbeats come every 15 seconds; if None, five of them have to be missing
    :param thread: avmesos' second positional parameter, without an effect. If the second positional argument is a bool,
        the others are taken in the order of avmesos
    """

    WAIT_TIME: ClassVar[float] = 10

    SUBSCRIBED = "SUBSCRIBED"
    OFFERS = "OFFERS"
    ERROR = "ERROR"
    UPDATE = "UPDATE"
    FAILURE = "FAILURE"
    RESCIND = "RESCIND"
    HEARTBEAT = "HEARTBEAT"
    MESSAGE = "MESSAGE"
    INVERSE_OFFERS = "INVERSE_OFFERS"
    RESCIND_INVERSE_OFFER = "RESCIND_INVERSE_OFFER"

    DISCONNECTED = "DISCONNECTED"
    RECONNECTED = "RECONNECTED"

    _EVENTS = (
        SUBSCRIBED,
        OFFERS,
        ERROR,
        UPDATE,
        FAILURE,
        RESCIND,
        HEARTBEAT,
        MESSAGE,
        INVERSE_OFFERS,
        RESCIND_INVERSE_OFFER,
        DISCONNECTED,
        RECONNECTED,
    )

    SchedulerDriver = _driver.SchedulerDriver

    @overload
    def __init__(
        self,
        mesos_urls: Any,
        frameworkId: str | None = None,
        frameworkName: str = "Mesos HTTP framework",
        frameworkUser: str = "root",
        frameworkHostname: str = "",
        frameworkWebUI: str = "",
        max_reconnect: float = 3,
        connection_timeout: Any = None,
        *,
        thread: bool = True,
    ) -> None: ...

    @overload
    def __init__(
        self,
        mesos_urls: Any,
        thread: bool = True,
        frameworkId: str | None = None,
        frameworkName: str = "Mesos HTTP framework",
        frameworkUser: str = "root",
        frameworkHostname: str = "",
        frameworkWebUI: str = "",
        max_reconnect: float = 3,
        connection_timeout: Any = None,
    ) -> None: ...

    def __init__(self, mesos_urls: Any, *arguments: Any, **named: Any) -> None:
        given = _bind(arguments, named)
        self.frameworkId: str | None = given["frameworkId"]
        self.frameworkName: str = given["frameworkName"]
        self.frameworkHostname: str = given["frameworkHostname"]
        self.frameworkWebUI: str = given["frameworkWebUI"]
        self.frameworkRole: str | None = None
        self.frameworkUser: str = given["frameworkUser"]
        self.mesos_urls = mesos_urls
        self.mesos_url_index = 0
        self.mesos_url: str | None = None
        self.max_reconnect: float = given["max_reconnect"]
        self.connection_timeout: Any = given["connection_timeout"]
        self.thread: bool = given["thread"]
        self.driver: _driver.SchedulerDriver | None = None
        self.streamId: str | None = None
        self.logger = logging.getLogger("mesoshttp.client")
        self.stop = False
        self.disconnect = False
        self.disconnected = False
        self.callbacks: dict[str, list[Callable[[Any], Any]]] = {event: [] for event in self._EVENTS}
        self.principal: str | None = None
        self.secret: str | None = None
        self.long_pool = None
        self.failover_timeout: float | None = None
        self.checkpoint = True
        self.capabilities: list[dict[str, Any]] = []
        self.master_info: dict[str, Any] | None = None
        self.requests_auth: Any = None
        self.verify: bool | str = True
        self._registration: Registration | None = None

    def get_driver(self) -> _driver.SchedulerDriver:
        """Returns what sends the framework's calls."""
        if self.driver is None:
            self.driver = self.SchedulerDriver(
                self.mesos_url, self.frameworkId, self.streamId, self.requests_auth, self.verify
            )
        return self.driver

    def disconnect_framework(self) -> None:
        """Has :meth:`register` return, without the master removing the framework.

        Its tasks go on for the failover timeout, within which a client with the same ``frameworkId`` may register.
        """
        self.disconnect = True

    def set_role(self, role_name: str | None) -> None:
        """Sets the role that the framework receives offers for."""
        self.frameworkRole = role_name

    def setRole(self, role_name: str | None) -> None:
        """Does what :meth:`set_role` does."""
        self.set_role(role_name)

    def set_credentials(self, principal: str | None, secret: str | None) -> None:
        """Sets what the framework authenticates with, over HTTP Basic. The secret is not shown.

        ``principal`` and ``secret`` may be assigned as well.
        """
        self.principal = principal
        self.secret = secret

    def set_service_account(self, service_secret: Mapping[str, Any], verify: bool | str = True) -> None:
        """Sets the service account of DC/OS that the framework authenticates as, instead of a principal and a secret.

        :param service_secret: see :class:`mesos.mesoshttp.acs.DCOSServiceAuth`
        :param verify: whether certificates are verified, the master's and the login's; or a file with certificates of
            authorities in PEM, such as DC/OS' own
        :raises ArgumentValueError: the secret is not valid
        """
        self.requests_auth = DCOSServiceAuth(service_secret, verify)
        self.principal = self.requests_auth.principal
        self.verify = verify

    def tearDown(self) -> None:
        """Has the master remove the framework and kill its tasks, and :meth:`register` return."""
        self.stop = True

    def get_master_info(self) -> dict[str, Any] | None:
        """Returns what the master said of itself, a v1 ``MasterInfo`` as a dict; None before the first registration."""
        return self.master_info

    def on(self, eventName: str, callback: Callable[[Any], Any]) -> bool:
        """Has a callback called with each event of this name. There may be several; they are called one after another.

        | event | the callback's argument |
        |---|---|
        | ``SUBSCRIBED`` | the :class:`SchedulerDriver`; also after each reconnection |
        | ``OFFERS`` | a list of :class:`mesos.mesoshttp.offers.Offer` |
        | ``UPDATE`` | ``{"status": {...}}``; acknowledged when the callbacks have returned |
        | ``ERROR`` | text. :meth:`register` returns |
        | ``HEARTBEAT`` | ``"HEARTBEAT"`` |
        | ``DISCONNECTED``, ``RECONNECTED`` | text |
        | any other | the field of the event: a dict, such as ``{"offer_id": {...}}`` for ``RESCIND`` |

        Callbacks run in the thread that called :meth:`register`. An exception in one is logged.

        :returns: whether there is such an event
        """
        if eventName not in self._EVENTS:
            self.logger.error("No event %s", eventName)
            return False
        self.callbacks[eventName].append(callback)
        return True

    def _call_back(self, event: str, message: Any) -> bool:
        is_ok = True
        callbacks = self.callbacks.get(event)
        if not callbacks:
            self.logger.debug("No callback for %s: %s", event, message)
            return is_ok
        for callback in list(callbacks):
            try:
                self.logger.debug("Callback %s on %s", event, getattr(callback, "__name__", callback))
                callback(message)
            except Exception as error:
                is_ok = False
                self.logger.exception("Error in %s callback: %s", event, error)
        return is_ok

    def register(self) -> bool:
        """Registers the framework, and calls callbacks, until the client is stopped or disconnected.

        Ctrl-C, and what ends a callback but :class:`Exception`, is raised here; the framework is disconnected then.

        :returns: False if no master could be connected to, the connection was lost for good, or the master refused the
            framework, which ``ERROR`` tells of
        :raises MesosException: the client is registered already
        """
        if self._registration is not None:
            raise MesosException("register() is running already")
        if self.stop or self.disconnect:
            self.logger.error("All connection tries failed")
            return False
        self.driver = None
        self._registration = Registration(self)
        try:
            return self._registration.run()
        finally:
            self._registration = None

    def set_failover_timeout(self, timeout: float | None) -> None:
        """Sets for how many seconds the master keeps the framework, and its tasks, while no client is connected."""
        self.failover_timeout = timeout

    def set_checkpoint(self, do_checkpoint: bool) -> None:
        """Sets whether tasks survive a restart of their agent. They do by default."""
        self.checkpoint = do_checkpoint

    def add_capability(self, capability: str) -> None:
        """Adds a capability, such as ``GPU_RESOURCES``."""
        self.capabilities.append({"type": capability})

    def combine_offers(
        self,
        offers: Sequence[Offer],
        operations: Sequence[Mapping[str, Any]],
        options: Mapping[str, Any] | None = None,
    ) -> bool:
        """Launches tasks on several offers of one agent.

        :param operations: as for :meth:`mesos.mesoshttp.offers.Offer.accept`
        :param options: as for :meth:`mesos.mesoshttp.offers.Offer.accept`
        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        if not operations or not offers:
            self.logger.debug("Mesos:Accept:no %s to accept", "offers" if operations else "operation")
            return True
        ids = [offer.get_offer()["id"] for offer in offers]
        self.logger.debug("Mesos:COMBINE Offer ids:%s", ",".join(each["value"] for each in ids))
        tasks = launch(offers[0].get_offer()["agent_id"]["value"], operations)
        field = {"offer_ids": ids, "operations": [tasks], **filters(self.logger, options)}
        send(self.frameworkId, "ACCEPT", field)
        return True

    def _framework(self) -> dict[str, Any]:
        """Returns the v1 ``FrameworkInfo``."""
        given: dict[str, Any] = {
            "hostname": self.frameworkHostname,
            "webui_url": self.frameworkWebUI,
            "capabilities": self.capabilities,
            "failover_timeout": self.failover_timeout,
            "principal": self.principal or None,
            "id": {"value": self.frameworkId} if self.frameworkId else None,
        }
        if self.frameworkRole:
            is_multi_role = {"type": "MULTI_ROLE"} in self.capabilities
            given["roles" if is_multi_role else "role"] = [self.frameworkRole] if is_multi_role else self.frameworkRole
        info = {"user": self.frameworkUser, "name": self.frameworkName, "checkpoint": bool(self.checkpoint)}
        return {**info, **{name: value for name, value in given.items() if value}}

    def _driver_options(self) -> dict[str, Any]:
        """Returns how the driver authenticates, and whose certificates it takes."""
        ca, verify = trust(self.verify)
        options: dict[str, Any] = {"ca": ca, "verify": verify}
        auth = self.requests_auth
        if auth is None:
            given = (self.principal, self.secret) if self.principal and self.secret else None
            return {**options, "credential": given or credential_of(self.mesos_urls)}
        if isinstance(auth, tuple):
            return {**options, "credential": auth}
        return {**options, "authentication": auth if isinstance(auth, Authentication) else RequestsAuth(auth)}

    def _silence(self) -> float | None:
        """Returns for how many seconds the master may send nothing."""
        timeout = self.connection_timeout
        seconds: float | None = timeout[1] if isinstance(timeout, tuple) else timeout
        return seconds


def _bind(arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Returns the values of the constructor's parameters after the first, in the order of mesoshttp or of avmesos."""
    order = _AVMESOS if arguments and isinstance(arguments[0], bool) else _MESOSHTTP
    if len(arguments) > len(order):
        raise TypeError(f"MesosClient() takes at most {len(order) + 1} positional arguments, got {len(arguments) + 1}")
    given = dict(zip(order, arguments, strict=False))
    for name in named:
        if name not in _AVMESOS:
            raise TypeError(f"MesosClient() got an unexpected keyword argument '{name}'")
        if name in given:
            raise TypeError(f"MesosClient() got multiple values for argument '{name}'")
    return {**_AVMESOS, **given, **named}
