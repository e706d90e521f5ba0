"""How calls are described once and made by two clients, one of which waits and one of which is awaited."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeAlias, TypeVar, overload

from mesos.operator._transport import AsyncTransport, Transport

if TYPE_CHECKING:
    from mesos.aio._operator import AgentClient as AsyncAgentClient
    from mesos.aio._operator import ContainerOutput as AsyncContainerOutput
    from mesos.operator._clients import AgentClient
    from mesos.operator._containers import ContainerOutput

_Transport: TypeAlias = Transport[Any, Any]
_AsyncTransport: TypeAlias = AsyncTransport[Any, Any]
P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")
A = TypeVar("A")


class Call(NamedTuple, Generic[T]):
    """A call that is to be made."""

    fields: dict[str, object]
    """The arguments for the fields of the call's own message."""
    read: Callable[[Any], T]
    """Reads the result in the response."""
    takes: float = 0.0
    """The seconds that the daemon itself may take, in addition to the client's time-out."""
    within: float | None = None
    """The seconds that all of it may take."""


def told(**fields: object) -> Call[None]:
    """Returns a call that has no answer."""
    return Call(fields, lambda _: None)


class Method(Generic[P, S, A]):
    """A method of both clients: it returns ``S`` in the one that waits, and a coroutine of ``A`` in the other one."""

    def __init__(
        self,
        describe: Callable[..., Any],
        wait: Callable[Concatenate[Any, P], S],
        awaited: Callable[Concatenate[Any, P], Coroutine[Any, Any, A]],
        result: str | None = None,
    ) -> None:
        signature = inspect.signature(describe)
        shown = result or signature.return_annotation.removeprefix("Call[").removesuffix("]")
        self.__doc__ = describe.__doc__
        self._wait, self._awaited = wait, awaited
        function: Any
        for function in (wait, awaited):
            functools.update_wrapper(function, describe)
            function.__annotations__ = {**describe.__annotations__, "return": shown}
            function.__signature__ = signature.replace(return_annotation=shown)

    @overload
    def __get__(self, client: _Transport, owner: Any) -> Callable[P, S]: ...
    @overload
    def __get__(self, client: _AsyncTransport, owner: Any) -> Callable[P, Coroutine[Any, Any, A]]: ...
    @overload
    def __get__(self, client: None, owner: type[_Transport]) -> Callable[Concatenate[Any, P], S]: ...
    @overload
    def __get__(
        self, client: None, owner: type[_AsyncTransport]
    ) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, A]]: ...
    def __get__(self, client: object, owner: type) -> Any:
        function: Any = self._awaited if issubclass(owner, AsyncTransport) else self._wait
        return function.__get__(client, owner)


def call(describe: Callable[Concatenate[Any, P], Call[T]]) -> Method[P, T, T]:
    """Makes a method of both clients from one that returns a :class:`Call`.

    The method's name is that of the type of the call. Its parameters are those of both clients' methods.
    """
    name = describe.__name__.upper()

    def wait(client: _Transport, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._make(name, describe(client, *args, **kwargs))

    async def awaited(client: _AsyncTransport, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._make(name, describe(client, *args, **kwargs))

    return Method(describe, wait, awaited)


def streamed(
    describe: Callable[Concatenate[Any, P], Call[None]],
) -> Method[P, ContainerOutput, AsyncContainerOutput]:
    """As :func:`call`, for calls that are answered with a stream of what a container writes."""
    name = describe.__name__.upper()

    def wait(client: AgentClient, /, *args: P.args, **kwargs: P.kwargs) -> ContainerOutput:
        return client._begin(name, describe(client, *args, **kwargs).fields)

    async def awaited(client: AsyncAgentClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncContainerOutput:
        return await client._begin(name, describe(client, *args, **kwargs).fields)

    return Method(describe, wait, awaited, "ContainerOutput")
