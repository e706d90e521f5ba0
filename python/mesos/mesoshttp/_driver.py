"""``SchedulerDriver``: the calls of a framework that are not about offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesos.mesoshttp.core import CoreMesosObject, named
from mesos.mesoshttp.exception import MesosException

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class SchedulerDriver(CoreMesosObject):
    """Sends the calls of a framework. Callbacks of ``SUBSCRIBED`` receive it; after a reconnection, it is the same one.

    Ids are text, or the messages that hold them: ``"task-1"``, ``{"value": "task-1"}``.

    >>> from mesos.mesoshttp.client import MesosClient
    >>> MesosClient.SchedulerDriver("http://master:5050", frameworkId="framework", streamId="stream").reconcile([])
    True
    """

    _LOGGER = "mesoshttp.client"
    driver: Any = None

    def tearDown(self) -> None:
        """Has the master remove the framework and kill its tasks: ``register`` returns. An error is logged."""
        try:
            self._send("TEARDOWN")
        except MesosException as error:
            self.logger.error("Mesos:Teardown:Error:%s", error)

    def suppress(self) -> None:
        """Asks for no offers until :meth:`revive`. An error is logged."""
        try:
            self._send("SUPPRESS")
        except MesosException as error:
            self.logger.error("Mesos:Suppress:Error:%s", error)

    def revive(self) -> None:
        """Asks for offers again: those of suppressed roles, and those that filters hold back.

        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        self._send("REVIVE")

    def request(self, requests: Iterable[Mapping[str, Any]]) -> None:
        """Tells the master which resources the framework needs. Mesos' built-in allocator ignores this.

        :param requests: v1 ``Request`` dicts, ``{"agent_id": ..., "resources": [...]}``
        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        self._send("REQUEST", {"requests": [_with_ids(request) for request in requests]})

    def kill(self, agent_id: str | Mapping[str, Any] | None, task_id: str | Mapping[str, Any]) -> bool:
        """Kills a task.

        :param agent_id: the task's agent, or None if it is not known
        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        self.logger.debug("Kill task %s", task_id)
        agent = {} if agent_id is None else {"agent_id": named(agent_id)}
        self._send("KILL", {"task_id": named(task_id), **agent})
        return True

    def shutdown(self, agent_id: str | Mapping[str, Any], executor_id: str | Mapping[str, Any]) -> bool:
        """Ends an executor and its tasks.

        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        self.logger.debug("Shutdown executor %s", executor_id)
        self._send("SHUTDOWN", {"executor_id": named(executor_id), "agent_id": named(agent_id)})
        return True

    def message(self, agent_id: str | Mapping[str, Any], executor_id: str | Mapping[str, Any], message: str) -> bool:
        """Sends bytes to an executor. Delivery is best effort.

        :param message: the bytes in base64
        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        self.logger.debug("Send message to executor %s", executor_id)
        self._send("MESSAGE", {"executor_id": named(executor_id), "agent_id": named(agent_id), "data": message})
        return True

    def reconcile(self, tasks: Iterable[Mapping[str, Any]]) -> bool:
        """Asks the master for the latest state of tasks, which the callbacks of ``UPDATE`` receive.

        :param tasks: dicts with ``task_id``, and ``agent_id`` if it is known. If there are none, nothing is sent
        :raises MesosException: see :class:`mesos.mesoshttp.exception.MesosException`
        """
        self.logger.debug("Reconcile %s", tasks)
        tasks = [_with_ids(task) for task in tasks]
        if tasks:
            self._send("RECONCILE", {"tasks": tasks})
        return True


def _with_ids(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: named(value) if name.endswith("_id") else value for name, value in message.items()}
