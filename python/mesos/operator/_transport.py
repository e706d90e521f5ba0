"""Sends calls and reads their answers, for clients that wait and for clients that are awaited."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from mesos import _arguments, _core, _operator
from mesos.errors import ArgumentTypeError, ArgumentValueError, RequestRefusedError
from mesos.operator import _fields
from mesos.v1.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, TypeAlias

    from mesos.auth import Authentication, Header
    from mesos.operator._calls import Call

    Authenticating: TypeAlias = Authentication | Callable[[], str | Header] | str | None

C = TypeVar("C")
R = TypeVar("R")
D = TypeVar("D", bound="Daemon[Any, Any]")
S = TypeVar("S")
T = TypeVar("T")
PROTOBUF = "application/x-protobuf"
_HEADERS = {"Content-Type": PROTOBUF, "Accept": PROTOBUF}
_STREAMED = {"Content-Type": PROTOBUF, "Accept": _operator.RECORDIO, "Message-Accept": PROTOBUF}


class Daemon(Generic[C, R]):
    """A master or an agent, which is sent calls of the class ``C`` and answers with messages of the class ``R``."""

    _Call: Any
    _Response: Any
    _STREAMS: ClassVar[dict[str, str]]
    """The methods for the calls that are not answered with one message."""

    def __init__(
        self,
        address: Any,
        *,
        credential: mesos_pb2.Credential | None = None,
        authentication: Authenticating = None,
        timeout: float = 10.0,
    ) -> None:
        pair = _arguments.credential(credential, mesos_pb2.Credential, "credential")
        seconds = _arguments.seconds(timeout, "timeout")
        if seconds is None:
            raise ArgumentTypeError("expected a number of seconds as timeout, got None")
        self._timeout = seconds
        self._operator = _operator.Operator(address, credential=pair, authentication=authentication)
        self._credential, self._authentication = credential, authentication
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()

    def _beside(self, client: type[D], address: str) -> D:
        """Returns a client of another daemon of the same cluster, which authenticates as this one does."""
        return client(address, credential=self._credential, authentication=self._authentication, timeout=self._timeout)

    def _built(self, name: str, fields: dict[str, object]) -> Any:
        """Returns the call of a type."""
        call = self._Call(type=self._Call.Type.Value(name))
        if name.lower() in call.DESCRIPTOR.fields_by_name:
            inner = getattr(call, name.lower())
            _fields.fill(inner, fields)
            inner.SetInParent()
        return call

    def _checked(self, message: C) -> Any:
        """Returns a call that somebody else has built."""
        if not isinstance(message, self._Call):
            name = self._Call.DESCRIPTOR.full_name.removeprefix("mesos.v1.")
            raise ArgumentTypeError(f"expected a {name} as message, got {_arguments._shown(message)}")
        _arguments.message(message, self._Call, "message")
        instead = self._STREAMS.get(self._name(message))
        if instead is not None:
            raise ArgumentValueError(
                f"expected a call with one answer as message, got {self._name(message)}: use {instead}()"
            )
        return message

    def _name(self, call: Any) -> str:
        name: str = self._Call.Type.Name(call.type)
        return name

    def _check(self, name: str, answer: _operator.Answer, *, streamed: bool = False) -> None:
        """Checks that a call of a type was not refused.

        :param streamed: whether a stream has to follow; 202 says that a container was launched before, and has none
        :raises RequestRefusedError: it was
        """
        if not 200 <= answer.status < (201 if streamed else 300):
            raise RequestRefusedError(name, answer.status, answer.body.decode(errors="replace"))

    def _read(self, call: Any, answer: _operator.Answer) -> R:
        """Returns the message in an answer.

        :raises RequestRefusedError: the call was refused
        """
        self._check(self._name(call), answer)
        response: R = self._Response.FromString(answer.body)
        return response

    def _opened(self, name: str, fields: dict[str, object]) -> _operator.Stream:
        """Begins a call that is answered with a stream."""
        body = self._built(name, fields).SerializeToString()
        return self._operator.open(body, headers=_STREAMED, idle=self._timeout)

    def _noted(self, stream: S) -> S:
        """Returns what is to be closed with this client."""
        self._streams.add(stream)
        return stream

    def __repr__(self) -> str:
        module = type(self).__module__.partition("._")[0]
        return f"<{module}.{type(self).__name__} {_core.redacted(self._operator._daemon)}>"


class Transport(Daemon[C, R]):
    """Makes calls and waits for their answers."""

    def call(self, message: C, *, timeout: float | None = None) -> R:
        """Sends any call, and returns the response, which is empty if the call has none.

        :param timeout: the seconds that it may take in all; if None, each part of it may take the client's time-out
        :raises ArgumentTypeError: the message is not a call
        :raises ArgumentValueError: the call is not complete, or is one that is answered with a stream
        """
        return self._ask(self._checked(message), self._timeout, _arguments.seconds(timeout, "timeout"))

    def _make(self, name: str, call: Call[T]) -> T:
        built = self._built(name, call.fields)
        return call.read(self._ask(built, self._timeout + call.takes, call.within))

    def _ask(self, call: Any, idle: float, total: float | None) -> R:
        answer = self._operator.request(call.SerializeToString(), headers=_HEADERS, idle=idle, total=total)
        return self._read(call, answer)

    def close(self) -> None:
        """Ends what is streamed. Calls can still be made, which hold no connection between them."""
        for stream in list(self._streams):
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncTransport(Daemon[C, R]):
    """Makes calls whose answers are awaited."""

    async def call(self, message: C, *, timeout: float | None = None) -> R:
        """Sends any call, and returns the response, which is empty if the call has none.

        :param timeout: the seconds that it may take in all; if None, each part of it may take the client's time-out
        :raises ArgumentTypeError: the message is not a call
        :raises ArgumentValueError: the call is not complete, or is one that is answered with a stream
        """
        return await self._ask(self._checked(message), self._timeout, _arguments.seconds(timeout, "timeout"))

    async def _make(self, name: str, call: Call[T]) -> T:
        built = self._built(name, call.fields)
        return call.read(await self._ask(built, self._timeout + call.takes, call.within))

    async def _ask(self, call: Any, idle: float, total: float | None) -> R:
        body = call.SerializeToString()
        answer = await self._operator.request_async(body, headers=_HEADERS, idle=idle, total=total)
        return self._read(call, answer)

    async def close(self) -> None:
        """Ends what is streamed. Calls can still be made, which hold no connection between them."""
        for stream in list(self._streams):
            await stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
