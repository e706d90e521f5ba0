"""Looks at the callbacks of a scheduler or an executor before a driver takes it, and at what a callback returned.

Only looks: attributes are found statically, so no property, no ``__getattr__`` and no mock is asked for anything.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from typing import Any

from mesos import _conflicts  # noqa: F401  (tells why the classes below may be missing)
from mesos.errors import ArgumentTypeError
from mesos.interface import Executor, Scheduler

_PLAIN = "the classic drivers call plain functions and await nothing"
# One letter away from slaveLost, executorLost and reregistered, and words of their own.
_OTHER_WORDS = re.compile("(list|host|cost|last|post|loss)$|^(de|pre)registered$")


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


def near_misses(target: Any, callbacks: list[str]) -> dict[str, str]:
    """The public methods whose names are nearly a callback's that the object does not have; that callback for each.

    Nearly: but for case, underscores, and one letter too many, too few, wrong, or swapped with the next.
    """
    defined = _defined(target)
    if not {"__getattr__", "__getattribute__"}.isdisjoint(defined):
        # It may have the callback all the same.
        return {}
    missing = {_plain(callback): callback for callback in callbacks if callback not in defined}
    found = {}
    for name in defined:
        plain = _plain(name)
        callback = next((callback for near, callback in missing.items() if _is_near(plain, near)), None)
        if callback is not None and name not in callbacks and _is_meant(name, defined[name]):
            found[name] = callback
    return found


def _defined(target: Any) -> dict[str, Any]:
    """What is defined in an object, or in a class of it that is not one of ``mesos.interface``."""
    found: dict[str, Any] = {}
    for cls in reversed(type(target).__mro__):
        if cls not in (Scheduler, Executor, object):
            found.update(vars(cls))
    with contextlib.suppress(AttributeError):  # it has slots
        found.update(object.__getattribute__(target, "__dict__"))
    return {name: value for name, value in found.items() if isinstance(name, str)}


def _is_meant(name: str, value: Any) -> bool:
    """Whether this may have been meant as a callback: a public method whose name is not a word of its own."""
    is_method = isinstance(value, staticmethod | classmethod) or (callable(value) and not isinstance(value, type))
    return is_method and not name.startswith("_") and not _OTHER_WORDS.search(_plain(name))


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _is_near(name: str, callback: str) -> bool:
    if name == callback or callback == "error":
        return name == callback
    while name and callback and name[0] == callback[0]:
        name, callback = name[1:], callback[1:]
    while name and callback and name[-1] == callback[-1]:
        name, callback = name[:-1], callback[:-1]
    one_letter = max(len(name), len(callback)) == 1
    swapped = len(name) == 2 and name == callback[::-1]
    return one_letter or swapped


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
