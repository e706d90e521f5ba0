"""Checks the callbacks of a scheduler or an executor when a driver is created, and what a callback returned.

Attributes are looked up statically, so that no property, ``__getattr__`` or mock is triggered.
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

_PLAIN = "a driver calls plain functions, unless it is given loop=, an event loop in which coroutine functions run"
_GENERATORS = "a driver calls plain functions, and does not iterate over what they return"
_COROUTINE = "a coroutine function (async def)"
# These names are one letter away from slaveLost, executorLost and reregistered, but are ordinary words.
_OTHER_WORDS = re.compile("(list|host|cost|last|post|loss)$|^(de|pre)registered$")


def names(interface: type) -> list[str]:
    """Returns the names of the callbacks of :class:`mesos.interface.Scheduler` or :class:`mesos.interface.Executor`."""
    return [name for name, value in vars(interface).items() if inspect.isfunction(value)]


SCHEDULER = names(Scheduler)
EXECUTOR = names(Executor)


def check(target: Any, callbacks: list[str], argument: str, loop: Any = None) -> None:
    """Rejects an object that can never work as a scheduler or an executor.

    :param callbacks: the names of the callbacks
    :param argument: the argument's name, ``scheduler`` or ``executor``
    :param loop: the event loop that runs callbacks which are coroutine functions, if there is one
    :raises ArgumentTypeError: the object is None, is a class whose callbacks need an instance, or has an asynchronous
        callback that nothing runs
    """
    if target is None:
        raise ArgumentTypeError(f"expected an object with callbacks as {argument}, got None")
    if isinstance(target, type) and _lacks_an_instance(target, callbacks):
        name = target.__name__
        raise ArgumentTypeError(
            f"expected an instance as {argument}, got the class {name}, whose callbacks need an instance: use {name}()"
        )
    for callback in callbacks:
        kind = _asynchronous(inspect.getattr_static(target, callback, None))
        if kind is not None and not (kind == _COROUTINE and loop is not None):
            of = target.__name__ if isinstance(target, type) else type(target).__name__
            raise ArgumentTypeError(
                f"expected a plain function as the callback {callback} of {of}, got {kind}: "
                f"{_PLAIN if kind == _COROUTINE else _GENERATORS}"
            )


def take_returned(driver: Any, callback: str, returned: Any) -> None:
    """Runs the coroutine that a callback returned, in the driver's loop. Rejects any other return value that shows that
    the callback's body has not run.

    A coroutine that is rejected is closed, so that Python does not warn that it was never awaited.

    :raises ArgumentTypeError: the value is a coroutine and the driver has no loop, or it is a generator or an
        asynchronous generator
    """
    loop = getattr(driver, "_loop", None)
    if inspect.iscoroutine(returned):
        if loop is not None:
            from mesos import _coroutines

            return _coroutines.run(returned, loop, callback)
        kind = "coroutine"
    elif inspect.isgenerator(returned):
        kind = "generator"
    elif inspect.isasyncgen(returned):
        kind = "asynchronous generator"
    else:
        return None
    if not inspect.isasyncgen(returned):
        # If it was already started, closing it runs code of its own, which may raise.
        with contextlib.suppress(Exception):
            returned.close()
    raise ArgumentTypeError(
        f"expected the callback {callback} to return after its work is done, got the {kind} {returned.__qualname__}: "
        f"{_PLAIN if inspect.iscoroutine(returned) else _GENERATORS}"
    )


def near_misses(target: Any, callbacks: list[str]) -> dict[str, str]:
    """Finds public methods whose names nearly match a callback that the object does not define.

    A name nearly matches if it differs only in case, in underscores, and in one letter that is missing, added, wrong,
    or swapped with the next.

    :returns: the name of the callback for each method's name
    """
    defined = _defined(target)
    if not {"__getattr__", "__getattribute__"}.isdisjoint(defined):
        # It may still have the callback.
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
    """Returns what an object and its classes define, without the classes of ``mesos.interface``."""
    found: dict[str, Any] = {}
    for cls in reversed(type(target).__mro__):
        if cls not in (Scheduler, Executor, object):
            found.update(vars(cls))
    with contextlib.suppress(AttributeError):  # it has slots
        found.update(object.__getattribute__(target, "__dict__"))
    return {name: value for name, value in found.items() if isinstance(name, str)}


def _is_meant(name: str, value: Any) -> bool:
    """Returns whether this may have been meant as a callback: a public method whose name is not an ordinary word."""
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
    """Returns whether every callback of a class is a function that needs an instance."""
    for callback in callbacks:
        if hasattr(type(cls), callback):
            return False
        if not inspect.isfunction(inspect.getattr_static(cls, callback, _function)):
            return False
    return not hasattr(type(cls), "__getattr__")


def _function() -> None:
    """Stands for a callback that is not defined."""


def _asynchronous(value: Any) -> str | None:
    """Returns what kind of callable a callback is, if calling it would only create a coroutine or a generator."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    while isinstance(value, functools.partial | functools.partialmethod):
        value = value.func
    if not inspect.isroutine(value) and not isinstance(value, type):
        value = inspect.getattr_static(type(value), "__call__", None)
    if inspect.iscoroutinefunction(value):
        return _COROUTINE
    if inspect.isasyncgenfunction(value):
        return "an asynchronous generator function"
    if inspect.isgeneratorfunction(value):
        return "a generator function (it has a yield)"
    return None
