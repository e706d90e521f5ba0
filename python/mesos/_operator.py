"""The operator API of masters and agents with dicts: requests, and a subscription to events."""

from __future__ import annotations

import atexit
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from mesos import _authentication, _core, _logging, _master
from mesos._dicts import EventDriver, Receiver
from mesos.errors import DriverTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesos.interface import mesos_pb2

atexit.register(_core.shutdown)
PATH = "/api/v1"
JSON = "application/json"
RECORDIO = "application/recordio"


class Answer(NamedTuple):
    """The answer to a request, whatever its status."""

    status: int
    headers: dict[str, str]
    """Their names are in lower case."""
    body: bytes


class Operator:
    """Sends requests to a master or an agent.

    >>> import json
    >>> from mesos.local import LocalCluster
    >>> with LocalCluster() as cluster:
    ...     operator = Operator(cluster)
    ...     answer = operator.request({"type": "GET_HEALTH"})
    >>> json.loads(answer.body)
    {'type': 'GET_HEALTH', 'get_health': {'healthy': True}}

    :param daemon: a master as for :class:`mesos.scheduler.MesosSchedulerDriver`, or an agent's ``host:port``
    :param credential: a principal and its secret, sent as HTTP Basic
    :param authentication: see :mod:`mesos.auth`
    :raises ArgumentValueError: the address is not valid
    """

    def __init__(self, daemon: Any, *, credential: tuple[str, str] | None = None, authentication: Any = None) -> None:
        _logging.set_level()
        # The core refers to it weakly.
        self._authentication = _authentication.find(authentication, credential)
        self._shown = _authentication.core(self._authentication, credential)
        self._daemon, self._cluster, _ = _master.find(daemon)
        self._core = _core.Operator(self._daemon, self._shown)

    def request(
        self,
        body: Any,
        path: str = PATH,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        *,
        idle: float = 10,
        total: float | None = None,
    ) -> Answer:
        """Sends a request, and returns the answer. A redirect to the leading master is followed. Ctrl-C interrupts it.

        :param body: bytes, or what is written as JSON; None for no body
        :param idle: seconds to wait for a leading master, a connection, the answer's beginning, and each further part
        :param total: seconds that all of it may take
        :raises UnreachableError: there is no connection, or it broke
        :raises AnswerTimeoutError: there is no answer in time
        """
        named = {name.title(): value for name, value in (headers or {}).items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            named.setdefault("Content-Type", JSON)
        if not self._core.is_of_this_process():
            self._core = _core.Operator(self._daemon, self._shown)
        status, answered, content = self._core.request(method, path, list(named.items()), body or b"", idle, total)
        return Answer(status, dict(answered), content)


class _Passing:
    def event(self, driver: Subscription, event: bytes) -> None:
        driver._target.event(json.loads(event))

    def disconnected(self, driver: Subscription) -> None:
        driver._target.disconnected()

    def error(self, driver: Subscription, text: str) -> None:
        """Whoever waits is told."""


class Subscription(EventDriver):
    """A subscription to the events of the leading master, SUBSCRIBED with the state of the cluster first.

    >>> from mesos.local import LocalCluster
    >>> class Printer:
    ...     def event(self, event):
    ...         print(event["type"])
    ...         subscription.stop()
    ...     def disconnected(self): ...
    >>> with LocalCluster() as cluster:
    ...     subscription = Subscription(Printer(), cluster)
    ...     started = subscription.start()
    ...     stopped = subscription.wait()
    SUBSCRIBED

    :param receiver: receives the events
    :param master: as for :class:`mesos.scheduler.MesosSchedulerDriver`
    :param credential: a principal and its secret, sent as HTTP Basic
    :param authentication: see :mod:`mesos.auth`
    """

    _receiver = _Passing()

    def __init__(
        self,
        receiver: Receiver,
        master: Any,
        *,
        credential: tuple[str, str] | None = None,
        authentication: Any = None,
    ) -> None:
        super().__init__(receiver)
        _logging.set_level()
        self._authentication = _authentication.find(authentication, credential)
        found, self._cluster, _ = _master.find(master)
        subscribe = json.dumps({"type": "SUBSCRIBE"}).encode()
        asked = _authentication.core(self._authentication, credential)
        self._core: _core.Subscription = _core.Subscription(found, asked, PATH, subscribe, True)

    def start(self) -> mesos_pb2.Status.ValueType:
        """Starts it, once. Does not wait for the master.

        :raises ArgumentValueError: the master's address is not valid
        """
        _logging.set_level()
        self._core.start(self)
        return self._core.status()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the subscription has ended. Ctrl-C interrupts the wait.

        :param timeout: seconds to wait, or None to wait indefinitely
        :returns: whether it has ended
        :raises Exception: what the receiver raised
        :raises DriverAbortedError: the master refused the subscription
        """
        try:
            self.join(check=True, timeout=timeout)
        except DriverTimeoutError:
            return False
        return True
