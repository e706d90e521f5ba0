"""The subscriptions of registered frameworks, for objects that know only the framework's id."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from mesos.mesoshttp.exception import MesosException

if TYPE_CHECKING:
    from mesos.mesoshttp._subscription import Subscription

_SUBSCRIPTIONS: weakref.WeakValueDictionary[str, Subscription] = weakref.WeakValueDictionary()


def add(framework_id: str, subscription: Subscription) -> None:
    """Has the framework's calls sent through this subscription."""
    _SUBSCRIPTIONS[framework_id] = subscription


def remove(subscription: Subscription) -> None:
    """Has no call sent through this subscription any more."""
    for framework_id in [name for name, known in _SUBSCRIPTIONS.items() if known is subscription]:
        del _SUBSCRIPTIONS[framework_id]


def subscription_of(framework_id: str | None) -> Subscription:
    """Returns the subscription of a framework.

    :raises MesosException: no client of this process is registered as it
    """
    found = None if framework_id is None else _SUBSCRIPTIONS.get(framework_id)
    if found is None:
        raise MesosException(f"no client of this process is registered as framework '{framework_id}'")
    return found
