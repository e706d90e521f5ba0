"""``MesosExecutorDriver``: the calls of an executor as dicts, and its events as callbacks with dicts."""

from __future__ import annotations

import os
import time
import uuid
from typing import TYPE_CHECKING, Any

from mesos._dicts import DictExecutorDriver
from mesos.pymesos.process import Process
from mesos.pymesos.utils import DAY, decode_data, dict_class, encode_data, parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATH = "/api/v1/executor"


class MesosExecutorDriver(Process):
    """Connects an executor to the agent that started this process, with the API of pymesos 0.3.15.

    Messages are dicts, with the names of the v1 API; bytes in them are in base64.

    >>> from mesos.pymesos import Executor, MesosExecutorDriver
    >>> MesosExecutorDriver(Executor())  # which no agent has started
    Traceback (most recent call last):
    KeyError: 'MESOS_AGENT_ENDPOINT'

    :param executor: receives the callbacks; see :class:`mesos.pymesos.Executor`
    :param use_addict: whether callbacks receive ``addict.Dict``, whose members are attributes too
    :param timeout: seconds; see :class:`mesos.pymesos.process.Process`
    :param http_timeout: seconds to wait for the answer to a request that is no call; calls do not wait
    :raises ImportError: addict is wanted, and not installed
    :raises KeyError: a variable that an agent sets is missing
    """

    def __init__(self, executor: Any, use_addict: bool = False, timeout: float = DAY, http_timeout: float = 10) -> None:
        variables = os.environ
        super().__init__(master=variables["MESOS_AGENT_ENDPOINT"], timeout=timeout)
        self.framework_id = {"value": variables["MESOS_FRAMEWORK_ID"]}
        self.executor_id = {"value": variables["MESOS_EXECUTOR_ID"]}
        grace = variables.get("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD")
        self.grace_shutdown_period = parse_duration(grace) if grace else 0.0
        self.checkpoint = variables.get("MESOS_CHECKPOINT") == "1"
        self.local = bool(variables.get("MESOS_LOCAL"))
        self.executor = executor
        self.framework_info: dict[str, Any] | None = None
        self.executor_info: dict[str, Any] | None = None
        self.tasks: dict[str, Any] = {}
        """Tasks of which no update was acknowledged, by their ids."""
        self.updates: dict[uuid.UUID, Any] = {}
        """Updates by their uuids, which an acknowledgement removes. The driver does not add those that it sends: the
        core keeps them until they are acknowledged.
        """
        self._dict_cls = dict_class(use_addict)
        self._request_timeout = http_timeout

    def _new_driver(self) -> DictExecutorDriver:
        return DictExecutorDriver(self)

    def _can_send(self) -> bool:
        """An update is kept until the agent is connected again."""
        return not self.aborted

    def on_close(self) -> None:
        self._call_back(self.executor, "disconnected")

    def on_subscribed(self, info: dict[str, Any]) -> None:
        agent_info = self._dict_cls(info["agent_info"])
        if self.executor_info is None or self.framework_info is None:
            self.executor_info, self.framework_info = info["executor_info"], info["framework_info"]
            infos = (self._dict_cls(self.executor_info), self._dict_cls(self.framework_info))
            self._call_back(self.executor, "registered", *infos, agent_info)
        else:
            self._call_back(self.executor, "reregistered", agent_info)

    def on_launch(self, event: dict[str, Any]) -> None:
        task = event["task"]
        self.tasks[task["task_id"]["value"]] = task
        self._call_back(self.executor, "launchTask", self._dict_cls(task))

    def on_launch_group(self, event: dict[str, Any]) -> None:
        tasks = event["task_group"]["tasks"]
        self.tasks.update((task["task_id"]["value"], task) for task in tasks)
        self._call_back(self.executor, "launchTaskGroup", [self._dict_cls(task) for task in tasks])

    def on_kill(self, event: dict[str, Any]) -> None:
        self._call_back(self.executor, "killTask", self._dict_cls(event["task_id"]))

    def on_acknowledged(self, event: dict[str, Any]) -> None:
        self.updates.pop(uuid.UUID(bytes=decode_data(event["uuid"])), None)
        self.tasks.pop(event["task_id"]["value"], None)

    def on_message(self, event: dict[str, Any]) -> None:
        self._call_back(self.executor, "frameworkMessage", event["data"])

    def on_error(self, event: dict[str, Any]) -> None:
        self._call_back(self.executor, "error", event["message"])

    def on_shutdown(self) -> None:
        """The executor is to end. After the grace period the driver kills this process and its children."""
        self._call_back(self.executor, "shutdown")
        self.abort()

    def _send(
        self, body: Any, path: str = _PATH, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> Any:
        """Sends a call. Every call of the driver goes through here.

        Another path or method is a request to the agent, whose answer is waited for.

        :param body: a v1 executor ``Call`` of type UPDATE or MESSAGE, for which the headers have no effect; of other
            requests, see :class:`MesosOperatorDaemonDriver`
        :returns: an empty dict for a call, because the agent's answer to it is empty, and the JSON of another answer
        :raises RuntimeError: the driver does not run, the call is not one that Mesos takes, or the agent refused the
            request
        :raises MesosError: there is no answer to a request
        """
        if (path, method) == (_PATH, "POST"):
            return self._post(body)
        if not self._can_send():
            raise RuntimeError("Not connected yet")
        return self._ask(self.master, body, path, method, headers)

    def sendStatusUpdate(self, status: Any) -> None:
        """Sends a task's status. It is kept, and sent again if necessary, until the agent acknowledges it.

        ``uuid``, ``timestamp`` and ``source`` are set in the status if it does not have them.

        :param status: a v1 ``TaskStatus``
        """
        status.setdefault("timestamp", int(time.time()))
        status.setdefault("uuid", encode_data(uuid.uuid4().bytes))
        status.setdefault("source", "SOURCE_EXECUTOR")
        self._call("UPDATE", {"status": status})

    def sendFrameworkMessage(self, data: str) -> None:
        """Sends bytes, which are in base64 here, to the scheduler. Delivery is best effort."""
        self._call("MESSAGE", {"data": data})

    def _call(self, kind: str, field: dict[str, Any]) -> None:
        ids = {"executor_id": self.executor_id, "framework_id": self.framework_id}
        self._send({"type": kind, **ids, kind.lower(): field})
