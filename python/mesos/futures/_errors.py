"""The exceptions of calls and pools."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor

from mesos.errors import MesosError


class PoolBrokenError(MesosError, BrokenExecutor):
    """The pool cannot run calls: no worker starts, or the initializer raised an exception, which is the cause."""


class WorkerLostError(MesosError, BrokenExecutor):
    """The process that ran the call ended, as often as the call was to be tried. Other calls are not affected."""


class CallError(MesosError, RuntimeError):
    """The call raised an exception, or returned a result, that cannot be passed from its process to this one."""


class RemoteTraceback(Exception):
    """The ``__cause__`` of an exception that a call raised: the traceback in its process, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'
