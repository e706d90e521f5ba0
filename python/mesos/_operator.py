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
    from typing import Self

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
        content, named = _written(body, headers)
        return _answer(self._own().request(method, path, named, content, idle, total))

    async def request_async(
        self,
        body: Any,
        path: str = PATH,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        *,
        idle: float = 10,
        total: float | None = None,
    ) -> Answer:
        """As :meth:`request`, awaited. Cancelling it ends the request."""
        content, named = _written(body, headers)
        return _answer(await self._own().request_async(method, path, named, content, idle, total))

    def open(
        self,
        body: Any,
        path: str = PATH,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        *,
        idle: float = 10,
    ) -> Stream:
        """Begins a request whose answer is a stream of records in RecordIO. Does not wait for anything.

        :param body: as for :meth:`request`, but None for a stream of records, which :meth:`Stream.send` gives
        :param headers: such as ``Accept: application/recordio`` with ``Message-Accept: application/x-protobuf``, or,
            with a stream as body, ``Content-Type: application/recordio`` with
            ``Message-Content-Type: application/x-protobuf``
        :param idle: seconds to wait for a leading master, a connection, and the answer's beginning. With a stream as
            body, the answer has no limit, since it may come at its end
        """
        content, named = _written(body, headers)
        return Stream(self._own().open(method, path, named, None if body is None else content, idle))

    def _own(self) -> _core.Operator:
        """The core of this process, which may be a child of the one that made this object."""
        if not self._core.is_of_this_process():
            self._core = _core.Operator(self._daemon, self._shown)
        return self._core


def _written(body: Any, headers: Mapping[str, str] | None) -> tuple[bytes, list[tuple[str, str]]]:
    named = {name.title(): value for name, value in (headers or {}).items()}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        named.setdefault("Content-Type", JSON)
    return body or b"", list(named.items())


def _answer(answered: tuple[int, list[tuple[str, str]], bytes]) -> Answer:
    status, headers, body = answered
    return Answer(status, dict(headers), body)


class Stream:
    """A request and its answer, of which at least one is a stream of records in RecordIO.

    Records of the answer are read only as fast as they are asked for. Each method that waits has a twin that is
    awaited; cancelling that loses no record. :meth:`close` ends every wait, in whichever thread. It is a context
    manager, which closes it.

    >>> import json
    >>> from mesos.local import LocalCluster
    >>> with LocalCluster() as cluster:
    ...     with Operator(cluster).open({"type": "SUBSCRIBE"}, headers={"Accept": JSON}) as stream:
    ...         print(stream.answer().status, json.loads(stream.next())["type"])
    200 SUBSCRIBED
    """

    def __init__(self, core: _core.Stream) -> None:
        self._core = core

    def answer(self, timeout: float | None = None) -> Answer:
        """Waits for the answer. If its status is 200, its body is empty and the records follow; if not, it is whole.

        :param timeout: seconds to wait, or None to wait as long as :meth:`Operator.open` was told to
        :raises UnreachableError: there is no connection, or it broke
        :raises AnswerTimeoutError: there is no answer in time
        """
        return _answer(self._core.answer(timeout))

    async def answer_async(self) -> Answer:
        """As :meth:`answer`, awaited."""
        return _answer(await self._core.answer_async())

    def next(self, timeout: float | None = None) -> bytes | None:
        """Waits for the next record of the answer; returns None at its end, and if it was closed.

        :param timeout: seconds to wait, or None to wait indefinitely
        :raises UnreachableError: there is no connection, or it broke
        :raises AnswerTimeoutError: there is no record in time; it may be waited for again
        """
        while (record := self._core.take()) is None:
            if not self._core.readable(timeout):
                return None
        return record

    async def next_async(self) -> bytes | None:
        """As :meth:`next`, awaited."""
        while (record := self._core.take()) is None:
            if not await self._core.readable_async():
                return None
        return record

    def send(self, record: bytes, timeout: float | None = None) -> bool:
        """Waits until there is room for a record, and adds it to the body.

        :param timeout: seconds to wait, or None to wait indefinitely
        :returns: whether it was added; if not, the answer has come, or the connection is gone: see :meth:`answer`
        :raises AnswerTimeoutError: there was no room in time; the record was not added
        """
        return self._core.send(record, timeout)

    async def send_async(self, record: bytes) -> bool:
        """As :meth:`send`, awaited."""
        return await self._core.send_async(record)

    def end(self) -> None:
        """Ends the body. More than once has no effect."""
        self._core.end()

    def close(self) -> None:
        """Gives it up and closes the connection. More than once has no effect."""
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
