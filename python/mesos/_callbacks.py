"""Looks at the callbacks of a scheduler or an executor before a driver takes it, and at what a callback returned.

Only looks: attributes are found statically, so no property, no ``__getattr__`` and no mock is asked for anything.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import Any

from mesos.errors import ArgumentTypeError
from mesos.interface import Executor, Scheduler

_PLAIN = "the classic drivers call plain functions and await nothing"


def names(interface: type) -> list[str]:
    """The callbacks of :class:`mesos.interface.Scheduler` or :class:`mesos.interface.Executor`."""
    return [name for name, value in vars(interface).items() if inspect.isfunction(value)]


SCHEDULER = names(Scheduler)
EXECUTOR = names(Executor)


def check(target: Any, callbacks: list[str], argument: str) -> None:
    """Refuse what can never work as a scheduler or an executor.

    :param argument: the argument's name, ``scheduler`` or ``executor``
    :raises ArgumentTypeError: None; a class, unless it is meant as one; an object with an asynchronous callback
    """
    if target is None:
        raise ArgumentTypeError(f"expected an object with callbacks as {argument}, got None")
    if isinstance(target, type) and _lacks_an_instance(target, callbacks):
        name = target.__name__
        raise ArgumentTypeError(
            f"expected an instance as {argument}, got the class {name}: its callbacks need one. Say {name}()"
        )
    for callback in callbacks:
        kind = _asynchronous(inspect.getattr_static(target, callback, None))
        if kind is not None:
            of = target.__name__ if isinstance(target, type) else type(target).__name__
            raise ArgumentTypeError(
                f"expected a plain function as the callback {callback} of {of}, got {kind}: {_PLAIN}"
            )


def check_returned(callback: str, returned: Any) -> None:
    """Refuse what a callback returned, if its body has not run yet. A coroutine is closed, so it does not warn.

    :raises ArgumentTypeError: a coroutine, a generator or an asynchronous generator
    """
    if inspect.iscoroutine(returned):
        kind = "coroutine"
    elif inspect.isgenerator(returned):
        kind = "generator"
    elif inspect.isasyncgen(returned):
        kind = "asynchronous generator"
    else:
        return
    if not inspect.isasyncgen(returned):
        # Its own code may run here, if it was begun.
        with contextlib.suppress(Exception):
            returned.close()
    raise ArgumentTypeError(
        f"expected the callback {callback} to return when its work is done, got the {kind} {returned.__qualname__}: "
        f"{_PLAIN}"
    )


def _lacks_an_instance(cls: type, callbacks: list[str]) -> bool:
    """Whether every callback that a class has is a function that wants an instance."""
    for callback in callbacks:
        if hasattr(type(cls), callback):
            return False
        if not inspect.isfunction(inspect.getattr_static(cls, callback, _function)):
            return False
    return not hasattr(type(cls), "__getattr__")


def _function() -> None:
    """Stands for a callback that is not there."""


def _asynchronous(value: Any) -> str | None:
    """What a callback is, if calling it would only make a coroutine or a generator."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    while isinstance(value, functools.partial | functools.partialmethod):
        value = value.func
    if not inspect.isroutine(value) and not isinstance(value, type):
        value = inspect.getattr_static(type(value), "__call__", None)
    if inspect.iscoroutinefunction(value):
        return "a coroutine function (async def)"
    if inspect.isasyncgenfunction(value):
        return "an asynchronous generator function"
    if inspect.isgeneratorfunction(value):
        return "a generator function (it has a yield)"
    return None
