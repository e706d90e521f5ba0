"""What operations make of an offer's resources. Follows ``src/common/resources_utils.cpp``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.helpers._algebra import _amounts, _entries, _kinds
from mesos.helpers._algebra._kinds import Entry

#: What an operation takes, and what it makes of this.
Conversion: TypeAlias = tuple[list[Entry], list[Entry]]


def conversions(change: Any, role: str | None, executors: set[str]) -> Iterator[Conversion]:
    """Returns what a task or an operation takes, and what it makes of this.

    :param role: the role that resources without one are allocated to, as the master sets it
    :param executors: the ids of executors that run already; those that this starts are added
    :raises ArgumentTypeError: the change is neither a task nor an operation
    :raises ArgumentValueError: the operation does not change resources in a way that is known beforehand
    """
    name = change.DESCRIPTOR.name if hasattr(change, "DESCRIPTOR") else type(change).__name__
    if name == "TaskInfo":
        yield _launched([change], None, executors, role)
    elif name == "TaskGroupInfo":
        yield _launched(change.tasks, None, executors, role)
    elif name == "Operation":
        yield from _operation(change, role, executors)
    else:
        raise ArgumentTypeError(f"expected a TaskInfo or an Offer.Operation, got {name}")


def _operation(operation: Any, role: str | None, executors: set[str]) -> Iterator[Conversion]:
    types = type(operation).Type
    name = types.Name(operation.type)
    if name == "LAUNCH":
        yield _launched(operation.launch.task_infos, None, executors, role)
    elif name == "LAUNCH_GROUP":
        group = operation.launch_group
        yield _launched(group.task_group.tasks, group.executor, executors, role)
    elif name == "RESERVE":
        made = _read(operation.reserve.resources, role)
        source = (
            _read(operation.reserve.source, role) if "source" in operation.reserve.DESCRIPTOR.fields_by_name else []
        )
        yield source or _all(made, _kinds.pop), made
    elif name == "UNRESERVE":
        taken = _read(operation.unreserve.resources, role)
        yield taken, _all(taken, _kinds.pop)
    elif name == "CREATE":
        made = _read(operation.create.volumes, role)
        yield _all(made, _kinds.strip), made
    elif name == "DESTROY":
        taken = _read(operation.destroy.volumes, role)
        yield taken, _all(taken, _kinds.strip)
    elif name == "GROW_VOLUME":
        (volume,) = _read([operation.grow_volume.volume], role)
        addition = _read([operation.grow_volume.addition], role)
        yield [volume, *addition], [volume._replace(amount=volume.amount + addition[0].amount)]
    elif name == "SHRINK_VOLUME":
        (volume,) = _read([operation.shrink_volume.volume], role)
        less = _amounts.thousandths(operation.shrink_volume.subtract.value)
        freed = Entry(_kinds.changed(volume.kind, _kinds.strip), less)
        yield [volume], [volume._replace(amount=volume.amount - less), freed]
    else:
        raise ArgumentValueError(f"expected an operation whose outcome is known beforehand, got {name}")


def _launched(tasks: Iterable[Any], executor: Any, executors: set[str], role: str | None) -> Conversion:
    """Returns what tasks and the executors that they start take. Shared volumes have to be there, and stay."""
    taken: list[Entry] = []
    started = [] if executor is None else [executor]
    for task in tasks:
        taken += _read(task.resources, role)
        if task.HasField("executor"):
            started.append(task.executor)
    for each in started:
        if each.executor_id.value not in executors:
            executors.add(each.executor_id.value)
            taken += _read(each.resources, role)
    shared = {(entry.kind.key, entry.amount): entry for entry in taken if entry.kind.shared}.values()
    return [*(entry for entry in taken if not entry.kind.shared), *shared], list(shared)


def _read(messages: Iterable[Any], role: str | None) -> list[Entry]:
    entries, _ = _entries.read(messages)
    if role is None:
        return entries
    return [
        entry if entry.kind.allocated is not None else entry._replace(kind=_allocated(entry, role)) for entry in entries
    ]


def _allocated(entry: Entry, role: str) -> _kinds.Kind:
    return _kinds.changed(entry.kind, _kinds.allocate, role)


def _all(entries: list[Entry], change: Callable[[Any], None]) -> list[Entry]:
    return [entry._replace(kind=_kinds.changed(entry.kind, change)) for entry in entries]
