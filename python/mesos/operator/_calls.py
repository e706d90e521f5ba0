"""How calls are described once and made by two clients, one of which waits and one of which is awaited."""

from __future__ import annotations

import functools
import inspect
import math
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar, overload

from mesos.operator import _fields
from mesos.operator._transport import AsyncTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

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

        @functools.wraps(describe)
        def wait(client: Transport, *args: P.args, **kwargs: P.kwargs) -> T:
            return client._make(name, describe(client, *args, **kwargs))

        @functools.wraps(describe)
        async def awaited(client: AsyncTransport, *args: P.args, **kwargs: P.kwargs) -> T:
            return await client._make(name, describe(client, *args, **kwargs))

        self.__doc__ = describe.__doc__
        signature = inspect.signature(describe)
        result = signature.return_annotation.removeprefix("Call[").removesuffix("]")
        for function in (wait, awaited):
            function.__signature__ = signature.replace(return_annotation=result)  # type: ignore[attr-defined]
            function.__annotations__["return"] = result
        self._wait, self._awaited = wait, awaited

    @overload
    def __get__(self, client: Transport, owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncTransport, owner: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: None, owner: type[Transport]) -> Callable[Concatenate[Any, P], T]: ...
    @overload
    def __get__(
        self, client: None, owner: type[AsyncTransport]
    ) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]: ...
    def __get__(self, client: object, owner: type) -> Any:
        function = self._awaited if issubclass(owner, AsyncTransport) else self._wait
        return function.__get__(client, owner)
