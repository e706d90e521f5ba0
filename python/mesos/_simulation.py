"""Tasks of an embedded cluster that are described instead of run."""

from __future__ import annotations

import signal as signals
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from numbers import Real
from typing import Any, TypeAlias

from mesos import _core
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.interface import mesos_pb2

_Seconds: TypeAlias = "float | timedelta"


@dataclass(frozen=True)
class Run:
    """How a simulated task goes.

    No process is started for it, and no directory is made unless it writes something. Its agent and its executor report
    what they would report of a real task. Times are in seconds on the cluster's clock, as numbers or timedelta.

    >>> Run(seconds=30, exit_status=1, stderr="out of memory")
    Run(seconds=30, exit_status=1, stderr='out of memory')

    :param seconds: how long the task runs; if None, until it is killed
    :param exit_status: the exit status of its command; 0 is TASK_FINISHED, any other TASK_FAILED
    :param signal: the signal that ends the command, such as ``signal.SIGSEGV``, instead of an exit status
    :param stdout: what it writes to its sandbox's ``stdout`` when it starts
    :param stderr: the same for ``stderr``
    :param statuses: further updates that its executor sends: pairs of the time since the start and a
        ``mesos_pb2.TaskStatus`` or the name of a state. A terminal state ends the task
    :param error: if it is not None, the container cannot be started, for this reason
    :param start_seconds: how long the container takes to start
    :param stop_seconds: how long the command takes to end when it is killed; if None, it ignores SIGTERM and ends with
        SIGKILL after its grace period
    :param healthy: what health checks find: a bool, or pairs of the time since the start and what they find from then
        on
    :param check: what the general check finds: an exit status, an HTTP status, or 0 if a TCP connection can be made; an
        int, or pairs as for ``healthy``
    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: the value of an argument is not valid
    """

    seconds: _Seconds | None = 0
    exit_status: int = 0
    signal: int | None = None
    stdout: str = ""
    stderr: str = ""
    statuses: Sequence[tuple[_Seconds, mesos_pb2.TaskStatus | str]] = ()
    error: str | None = field(default=None, kw_only=True)
    start_seconds: _Seconds = field(default=0, kw_only=True)
    stop_seconds: _Seconds | None = field(default=0, kw_only=True)
    healthy: bool | Sequence[tuple[_Seconds, bool]] = field(default=True, kw_only=True)
    check: int | Sequence[tuple[_Seconds, int]] = field(default=0, kw_only=True)
    _core: _core.Run = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        core = _core.Run(
            error=None if self.error is None else _text("error", self.error),
            start=_time("start_seconds", self.start_seconds),
            seconds=None if self.seconds is None else _time("seconds", self.seconds),
            exit_status=_whole("exit_status", self.exit_status, 255),
            signal=None if self.signal is None else _signal(self.signal),
            stdout=_text("stdout", self.stdout),
            stderr=_text("stderr", self.stderr),
            statuses=[(after, _status(status)) for after, status in _timed("statuses", self.statuses)],
            health=[(after, _switch(found)) for after, found in _constant_or_timed("healthy", self.healthy, bool)],
            checks=[
                (after, _whole("check", found, 999)) for after, found in _constant_or_timed("check", self.check, int)
            ],
            stop=None if self.stop_seconds is None else _time("stop_seconds", self.stop_seconds),
        )
        object.__setattr__(self, "_core", core)

    def __repr__(self) -> str:
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name, attribute in self.__dataclass_fields__.items()
            if attribute.repr and getattr(self, name) != attribute.default
        ]
        return f"Run({', '.join(shown)})"


Simulate: TypeAlias = "Run | Callable[[mesos_pb2.TaskInfo], Run | None]"


class Simulation:
    """Asks a callable how tasks go, on the cluster's thread, and keeps its exceptions."""

    def __init__(self, describe: Callable[[mesos_pb2.TaskInfo], Run | None]) -> None:
        self._describe = describe
        self.errors: list[BaseException] = []

    def __call__(self, tasks: list[bytes]) -> list[_core.Run | None]:
        return [self._run(mesos_pb2.TaskInfo.FromString(task)) for task in tasks]

    def _run(self, task: mesos_pb2.TaskInfo) -> _core.Run | None:
        try:
            run = self._describe(task)
            if run is not None and not isinstance(run, Run):
                raise ArgumentTypeError(f"expected a mesos.local.Run or None from simulate, got {run!r}")
        except BaseException as error:
            self._report(error)
            return Run(error=f"simulate raised {type(error).__name__}: {error}")._core
        return None if run is None else run._core

    def _report(self, error: BaseException) -> None:
        self.errors.append(error)
        arguments = (type(error), error, error.__traceback__, threading.current_thread())
        threading.excepthook(threading.ExceptHookArgs(arguments))


def simulation(simulate: Any) -> Run | Simulation | None:
    """Returns what the core asks how tasks go.

    :raises ArgumentTypeError: it is neither a ``Run`` nor callable
    """
    if simulate is None or isinstance(simulate, Run):
        return simulate
    if callable(simulate):
        return Simulation(simulate)
    raise ArgumentTypeError(f"expected a Run, or a callable that returns one or None, as simulate, got {simulate!r}")


def to_core(simulation: Run | Simulation | None) -> _core.Run | Simulation | None:
    """Returns the same in the form that the core takes."""
    return simulation._core if isinstance(simulation, Run) else simulation


def _time(name: str, value: Any) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise ArgumentTypeError(f"expected a number of seconds or a timedelta as {name}, got {value!r}")
    number = float(seconds)
    if not 0 <= number < float("inf"):
        raise ArgumentValueError(f"expected a finite number from 0 as {name}, got {value!r}")
    return number


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ArgumentTypeError(f"expected a str as {name}, got {value!r}")
    return value


def _whole(name: str, value: Any, largest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentTypeError(f"expected an int as {name}, got {value!r}")
    if not 0 <= value <= largest:
        raise ArgumentValueError(f"expected 0 to {largest} as {name}, got {value!r}")
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ArgumentTypeError(f"expected a bool as healthy, got {value!r}")
    return value


def _signal(value: Any) -> tuple[int, str]:
    number = _whole("signal", value, signals.NSIG - 1)
    return number, signals.strsignal(number) or str(number)


def _status(value: Any) -> bytes:
    if isinstance(value, str):
        if value not in mesos_pb2.TaskState.keys():  # noqa: SIM118
            raise ArgumentValueError(f"expected the name of a state such as 'TASK_RUNNING' in statuses, got {value!r}")
        return mesos_pb2.TaskStatus(state=mesos_pb2.TaskState.Value(value)).SerializePartialToString()
    if not isinstance(value, mesos_pb2.TaskStatus):
        raise ArgumentTypeError(f"expected a TaskStatus or the name of a state in statuses, got {value!r}")
    if not value.HasField("state"):
        raise ArgumentValueError("expected a state in each TaskStatus of statuses")
    return value.SerializePartialToString()


def _constant_or_timed(name: str, value: Any, kind: type) -> list[tuple[float, Any]]:
    return [(0.0, value)] if isinstance(value, kind) else _timed(name, value)


def _timed(name: str, pairs: Any) -> list[tuple[float, Any]]:
    """Pairs of a time and something, in the order of the times."""
    if not isinstance(pairs, Iterable) or isinstance(pairs, (str, bytes)):
        raise ArgumentTypeError(f"expected pairs of a time and a value as {name}, got {pairs!r}")
    timed = []
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ArgumentTypeError(f"expected pairs of a time and a value as {name}, got {pair!r} among them")
        timed.append((_time(f"each time in {name}", pair[0]), pair[1]))
    return sorted(timed, key=lambda pair: pair[0])
