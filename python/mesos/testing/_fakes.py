"""Messages as a master sends them, for unit tests of callbacks."""

from __future__ import annotations

import itertools
import re
import uuid
from typing import TYPE_CHECKING, Any

from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.interface import mesos_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

_numbers = itertools.count(1)
_RANGES = re.compile(r"\[\s*\d+\s*-\s*\d+\s*(,\s*\d+\s*-\s*\d+\s*)*\]")
_SET = re.compile(r"\{[^{}]*\}")
_EXECUTOR = {"TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED"}


def fake_offer(
    cpus: float = 1,
    mem: float = 256,
    disk: float = 0,
    ports: str | None = None,
    *,
    resources: Mapping[str, float | str] | None = None,
    attributes: Mapping[str, float | str] | None = None,
    role: str = "*",
    offer_id: str | None = None,
    agent_id: str = "agent-1",
    framework_id: str = "framework-1",
    hostname: str = "localhost",
) -> mesos_pb2.Offer:
    """Returns an offer as a master sends it.

    >>> offer = fake_offer(cpus=2, ports="[31000-31009]", attributes={"rack": "a"})
    >>> [resource.name for resource in offer.resources]
    ['cpus', 'mem', 'ports']

    :param cpus: the number of CPUs; 0 leaves them out, as it does for ``mem`` and ``disk``
    :param mem: the memory in MB
    :param disk: the disk in MB
    :param ports: the ports as ranges, such as ``[31000-31009]``
    :param resources: more resources by name: numbers, ranges such as ``[1-5,7-9]`` or sets such as ``{a,b}``
    :param attributes: the agent's attributes by name: numbers, ranges, or other text
    :param role: the role that the resources are allocated to
    :param offer_id: the offer's id; if None, one that no other offer of this process has
    :raises ArgumentTypeError: the value of a resource or an attribute is neither a number nor text
    :raises ArgumentValueError: a resource is text but neither ranges nor a set
    """
    offer = mesos_pb2.Offer(hostname=hostname)
    offer.id.value = f"offer-{next(_numbers)}" if offer_id is None else offer_id
    offer.framework_id.value, offer.slave_id.value = framework_id, agent_id
    offer.allocation_info.role = role
    amounts: dict[str, Any] = {"cpus": cpus, "mem": mem, "disk": disk, "ports": ports, **(resources or {})}
    for name, amount in amounts.items():
        if amount:
            _fill(offer.resources.add(name=name), amount, f"the resource {name}")
            offer.resources[-1].allocation_info.role = role
    for name, value in (attributes or {}).items():
        _fill(offer.attributes.add(name=name), value, f"the attribute {name}")
    return offer


def fake_update(
    task: str | mesos_pb2.TaskID | mesos_pb2.TaskInfo,
    state: str | int = "TASK_RUNNING",
    message: str = "",
    *,
    reason: str | int | None = None,
    source: str | int | None = None,
    agent_id: str = "agent-1",
    executor_id: str | None = None,
    healthy: bool | None = None,
    data: bytes | str | None = None,
    timestamp: float = 0.0,
) -> mesos_pb2.TaskStatus:
    """Returns a status update as a master sends it.

    >>> mesos_pb2.TaskState.Name(fake_update("task-1", "TASK_FAILED", "no disk").state)
    'TASK_FAILED'

    :param task: the task's id, or the task, which has the agent's id too
    :param state: the name or the number of a ``TaskState``
    :param reason: the name or the number of a ``TaskStatus.Reason``
    :param source: the name or the number of a ``TaskStatus.Source``; if None, the executor for states that an executor
        reports, and otherwise the master
    :param executor_id: the executor's id; if None, the task's, as for a command task
    :param timestamp: seconds since the epoch
    :raises ArgumentTypeError: a name or number has the wrong type
    :raises ArgumentValueError: there is no such state, reason or source
    """
    status = mesos_pb2.TaskStatus(message=message, timestamp=timestamp)
    if isinstance(task, mesos_pb2.TaskInfo):
        status.task_id.value = task.task_id.value
        agent_id = task.slave_id.value or agent_id
        executor_id = executor_id or task.executor.executor_id.value or None
    else:
        status.task_id.value = task if isinstance(task, str) else task.value
    status.slave_id.value = agent_id
    status.executor_id.value = status.task_id.value if executor_id is None else executor_id
    # Like a master's, it has a uuid, which is what an explicit acknowledgement needs.
    status.uuid = uuid.UUID(int=next(_numbers), version=4).bytes
    status.state = _number(mesos_pb2.TaskState, state, "state")
    name = mesos_pb2.TaskState.Name(status.state)
    if source is None:
        source = "SOURCE_EXECUTOR" if name in _EXECUTOR else "SOURCE_MASTER"
    status.source = _number(mesos_pb2.TaskStatus.Source, source, "source")
    if reason is not None:
        status.reason = _number(mesos_pb2.TaskStatus.Reason, reason, "reason")
    if healthy is not None:
        status.healthy = healthy
    if data is not None:
        status.data = data.encode() if isinstance(data, str) else data
    return status


def _fill(item: Any, value: Any, what: str) -> None:
    """Sets the type and the value of a resource or an attribute."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ArgumentTypeError(f"expected a number or text as {what}, got {type(value).__name__} {value!r}")
    if not isinstance(value, str):
        item.type, item.scalar.value = mesos_pb2.Value.SCALAR, value
    elif _RANGES.fullmatch(value):
        item.type = mesos_pb2.Value.RANGES
        for pair in value.strip("[]").split(","):
            begin, _, end = pair.partition("-")
            item.ranges.range.add(begin=int(begin), end=int(end))
    elif isinstance(item, mesos_pb2.Attribute):
        item.type, item.text.value = mesos_pb2.Value.TEXT, value
    elif _SET.fullmatch(value):
        item.type = mesos_pb2.Value.SET
        item.set.item.extend(part.strip() for part in value.strip("{}").split(","))
    else:
        raise ArgumentValueError(f"expected ranges such as '[1-5]' or a set such as '{{a,b}}' as {what}, got {value!r}")


def _number(enum: Any, value: Any, argument: str) -> Any:
    """Returns the number of an enum's value."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ArgumentTypeError(f"expected a name or a number as {argument}, got {type(value).__name__} {value!r}")
    try:
        return enum.Value(value) if isinstance(value, str) else enum.Value(enum.Name(value))
    except ValueError:
        raise ArgumentValueError(f"expected one of {', '.join(enum.keys())} as {argument}, got {value!r}") from None
