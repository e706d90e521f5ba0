"""Pickles calls, with cloudpickle if it is installed."""

from __future__ import annotations

import importlib
import pickle
import traceback
from typing import Any

from mesos.futures._errors import CallError, RemoteTraceback

try:
    _cloudpickle: Any = importlib.import_module("cloudpickle")
except ImportError:
    _cloudpickle = None


def dumps_any(value: Any) -> bytes:
    """Returns a value as bytes."""
    data: bytes = (_cloudpickle or pickle).dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return data


def dumps_function(function: Any) -> bytes:
    """Returns a function as bytes.

    :raises pickle.PicklingError: the function is defined in ``__main__``, and cloudpickle is not installed
    """
    _check(function)
    return dumps_any(function)


def dumps(function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bytes:
    """Returns a call as bytes.

    :raises pickle.PicklingError: the function is defined in ``__main__``, and cloudpickle is not installed
    """
    _check(function)
    return dumps_any((function, arguments, keywords))


def _check(function: Any) -> None:
    if _cloudpickle is None and getattr(function, "__module__", None) == "__main__":
        raise pickle.PicklingError(
            f"{function!r} is defined in __main__, which workers do not have: install cloudpickle "
            "(pip install 'remesos[futures]') here and for the workers, or define it in a module"
        )


def outcome(succeeded: bool, data: bytes) -> tuple[Any, BaseException | None]:
    """Returns the result that a worker sent, or the exception, whose cause is the remote traceback."""
    if succeeded:
        try:
            return pickle.loads(data), None
        except BaseException as error:
            failure = CallError(f"the result cannot be read: {type(error).__name__}: {error}")
            failure.__cause__ = error
            return None, failure
    pickled, summary, text = pickle.loads(data)
    exception: BaseException
    try:
        loaded = pickle.loads(pickled) if pickled is not None else None
    except BaseException:
        text += "\nThe exception cannot be read here:\n" + traceback.format_exc()
        loaded = None
    exception = loaded if isinstance(loaded, BaseException) else CallError(summary)
    exception.__cause__ = RemoteTraceback(text)
    return None, exception
