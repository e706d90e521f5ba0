"""How calls are described once and made by two clients, one of which waits and one of which is awaited."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeAlias, TypeVar, overload

from mesos.operator._transport import AsyncTransport, Transport

_Transport: TypeAlias = Transport[Any, Any]
_AsyncTransport: TypeAlias = AsyncTransport[Any, Any]
P = ParamSpec("P")
T = TypeVar("T")


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


class call(Generic[P, T]):  # noqa: N801  (a decorator)
    """Makes a method of both clients from one that returns a :class:`Call`.

    The method's name is that of the type of the call. Its parameters are those of both clients' methods, and its
    :class:`Call` says what they return: ``T`` or a coroutine of ``T``.
    """

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> None:
        name = describe.__name__.upper()
        signature = inspect.signature(describe)
        result = signature.return_annotation.removeprefix("Call[").removesuffix("]")

        def wait(client: _Transport, *args: P.args, **kwargs: P.kwargs) -> T:
            return client._make(name, describe(client, *args, **kwargs))

        async def awaited(client: _AsyncTransport, *args: P.args, **kwargs: P.kwargs) -> T:
            return await client._make(name, describe(client, *args, **kwargs))

        self.__doc__ = describe.__doc__
        self._wait, self._awaited = wait, awaited
        function: Any
        for function in (wait, awaited):
            functools.update_wrapper(function, describe)
            function.__annotations__ = {**describe.__annotations__, "return": result}
            function.__signature__ = signature.replace(return_annotation=result)

    @overload
    def __get__(self, client: _Transport, owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: _AsyncTransport, owner: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: None, owner: type[_Transport]) -> Callable[Concatenate[Any, P], T]: ...
    @overload
    def __get__(
        self, client: None, owner: type[_AsyncTransport]
    ) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]: ...
    def __get__(self, client: object, owner: type) -> Any:
        function: Any = self._awaited if issubclass(owner, AsyncTransport) else self._wait
        return function.__get__(client, owner)
