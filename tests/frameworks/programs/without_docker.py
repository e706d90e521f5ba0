"""The provider's executor for agents without Docker: tasks run without the containers that it gives to all of them."""

from __future__ import annotations

from typing import Any

from avmesos.offers import Offer
from avmesos_airflow_provider.executors.mesos_executor import MesosExecutor

_accept = Offer.accept


def _accept_without_containers(self: Offer, operations: list[dict[str, Any]], *arguments: Any, **options: Any) -> Any:
    plain = [{name: value for name, value in task.items() if name != "container"} for task in operations]
    return _accept(self, plain, *arguments, **options)


Offer.accept = _accept_without_containers


class PlainMesosExecutor(MesosExecutor):
    """The executor, of which nothing else is changed."""
