"""``Popen``: a child process that runs as a task of a Mesos cluster."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import logging
import os
import pickle
import signal
import sys
from subprocess import DEVNULL, PIPE, STDOUT, TimeoutExpired
from typing import TYPE_CHECKING, Any

from mesos.errors import ArgumentTypeError, ArgumentValueError, DriverError
from mesos.pymesos.subprocess import scheduler
from mesos.pymesos.subprocess._child import UNKNOWN_ERROR, Child
from mesos.pymesos.subprocess._communication import Communication
from mesos.pymesos.subprocess._loop import Stream
from mesos.pymesos.subprocess._reports import StartError
from mesos.pymesos.subprocess.scheduler import CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import IO, Self

__all__ = ["CONFIG", "DEVNULL", "PIPE", "STDOUT", "UNKNOWN_ERROR", "Popen", "StartError", "TimeoutExpired"]
logger = logging.getLogger(__name__)
_STARTING_TIMEOUT = 5 * 60
"""Seconds."""
_ids = itertools.count(1)


class Popen:
    """A child process that runs as a task of a Mesos cluster, with the interface of :class:`subprocess.Popen`.

    The constructor returns when the child runs. Its standard files are copied from and to those of this process, and
    its working directory and environment are those of this process unless they are given.

    >>> from mesos.pymesos.subprocess import CONFIG, PIPE, Popen
    >>> CONFIG["master"] = "localquiet"
    >>> with Popen(["tr", "a-z", "A-Z"], stdin=PIPE, stdout=PIPE, cpus=0.1, mem=32) as child:
    ...     child.communicate(b"hello")
    (b'HELLO', None)

    :param args: the program and its arguments, or one text
    :param bufsize: of the pipes, as for :func:`open`
    :param executable: the program, instead of the first of ``args``
    :param stdin: None to read what this process reads, ``PIPE``, ``DEVNULL``, or a file
    :param stdout: ``PIPE``, ``DEVNULL``, or a file; if it is None, the output goes to that of this process
    :param stderr: as ``stdout``, or ``STDOUT``
    :param preexec_fn: called in the child before the program. It is pickled, with cloudpickle if that is installed
    :param close_fds: no file of this process but the standard files is inherited, even if this is false
    :param shell: whether ``args`` is given to the shell
    :param cwd: the working directory on the agent
    :param env: all environment variables
    :param universal_newlines: whether the pipes are text; ``text`` is the same
    :param startupinfo: has to be None
    :param creationflags: has to be 0
    :param cpus: the share of CPUs, by default ``CONFIG["default_cpus"]`` or 1
    :param mem: megabytes of memory, by default ``CONFIG["default_mem"]`` or 1024
    :param gpus: by default ``CONFIG["default_gpus"]`` or 0
    :param encoding: of the pipes, which are text if it is given
    :param errors: what happens to text that cannot be encoded or decoded; the pipes are text if it is given
    :raises OSError: the program cannot be started, as with :class:`subprocess.Popen`
    :raises StartError: the child was not started within 5 minutes, or its task was lost
    """

    def __init__(
        self,
        args: Any,
        bufsize: int = 0,
        executable: Any = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        preexec_fn: Callable[[], object] | None = None,
        close_fds: bool | None = None,
        shell: bool = False,
        cwd: Any = None,
        env: Mapping[Any, Any] | None = None,
        universal_newlines: bool | None = False,
        startupinfo: Any = None,
        creationflags: int = 0,
        cpus: float | None = None,
        mem: float | None = None,
        gpus: int | None = None,
        *,
        text: bool | None = None,
        encoding: str | None = None,
        errors: str | None = None,
    ) -> None:
        if close_fds is False:
            logger.warning("Can not support `close_fds=False`, no fds will be inherited.")
        if startupinfo is not None or creationflags != 0:
            raise ArgumentValueError("startupinfo and creationflags are only supported on Windows")
        self.args = args if isinstance(args, str | bytes | os.PathLike) else list(args)
        self.id = next(_ids)
        self.cpus = _amount(cpus, "cpus", 1.0)
        self.mem = _amount(mem, "mem", 1024.0)
        self.gpus = int(_amount(gpus, "gpus", 0.0))
        self.pid: int | None = None
        """Always None: a process of another machine has no id here."""
        self.returncode: int | None = None
        self.stdin: IO[Any] | None = None
        self.stdout: IO[Any] | None = None
        self.stderr: IO[Any] | None = None
        self._owner = os.getpid()
        self._communication: Communication | None = None
        self._text = bool(universal_newlines or text or encoding or errors)
        self._opening: dict[str, Any] = {"encoding": encoding, "errors": errors}
        self._bufsize = bufsize
        self._files: dict[int, Stream] = {}
        self._piped: set[int] = set()
        self._scheduler = scheduler.running()
        try:
            kinds = [self._open(fd, given) for fd, given in enumerate((stdin, stdout, stderr))]
            options: dict[str, Any] = {"args": self.args, "executable": executable, "shell": shell}
            options["cwd"] = os.getcwd() if cwd is None else cwd
            options["env"] = _environment() if env is None else dict(env)
            self._start(pickle.dumps((options, kinds, _pickled(preexec_fn))))
        except BaseException:
            self._close()
            raise

    def _start(self, order: bytes) -> None:
        needs = {"cpus": self.cpus, "mem": self.mem, "gpus": self.gpus}
        name = scheduler.printable(repr(self))
        child = Child(self.id, name, needs, order, self._files, self._piped, self._scheduler.door)
        self._child = child
        try:
            self._scheduler.submit(child)
            with child.changed:
                child.changed.wait_for(lambda: child.started or child.ended, _STARTING_TIMEOUT)
            if child.error is not None:
                raise child.error
            if not child.started:
                wanted = ", ".join(f"{each}:{amount:g}" for each, amount in needs.items() if amount)
                raise StartError(f"Too long to start! No agent has run it, with {wanted}, for {_STARTING_TIMEOUT} s")
        except BaseException:
            self._scheduler.cancel(child)
            raise

    def _open(self, fd: int, given: Any) -> str:
        """Opens what a standard file is copied from or to. Returns what the executor is to do with it."""
        if given == STDOUT and fd == 2:
            return "stdout"
        if given == DEVNULL:
            return "null"
        if given == PIPE:
            ends = os.pipe()
            ours, theirs = ends if fd else reversed(ends)
            self._files[fd] = Stream.own(theirs)
            self._piped.add(fd)
            setattr(self, _NAMES[fd], self._pipe(ours, "rb" if fd else "wb"))
            return "copied"
        number = _inherited(fd) if given is None else given if isinstance(given, int) else given.fileno()
        if number is None:
            return "null"
        self._files[fd] = Stream.borrow(number, os.O_WRONLY if fd else os.O_RDONLY)
        return "copied"

    def _pipe(self, fd: int, mode: str) -> IO[Any]:
        # As subprocess.Popen has them: a line at a time is for text.
        raw: IO[Any] = os.fdopen(fd, mode, -1 if self._bufsize == 1 else self._bufsize)
        if not self._text:
            return raw
        if mode == "rb":
            return io.TextIOWrapper(raw, **self._opening)
        return io.TextIOWrapper(raw, write_through=True, line_buffering=self._bufsize == 1, **self._opening)

    def __repr__(self) -> str:
        words = [self.args] if isinstance(self.args, str | bytes | os.PathLike) else self.args
        return f"{type(self).__name__}: {' '.join(os.fsdecode(each) for each in words)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()
        if kind is None or not issubclass(kind, KeyboardInterrupt):
            self.wait()

    def _close(self) -> None:
        for name in _NAMES:
            file = getattr(self, name)
            if file is not None:
                # What was not yet written is not wanted.
                with contextlib.suppress(BrokenPipeError):
                    file.close()

    def poll(self) -> int | None:
        """Returns the return code, or None if the child runs or not all of its output has been written yet.

        It is negative if a signal ended the child, and -255 if it is not known how it ended.
        """
        self._check()
        if self.returncode is None:
            self.returncode = self._child.returncode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end of the child, and of the output that goes to files of this process.

        :param timeout: seconds
        :returns: the return code
        :raises TimeoutExpired: the child has not ended
        """
        self._check()
        with self._child.changed:
            self._child.changed.wait_for(lambda: self.poll() is not None, timeout)
            if self.returncode is None:
                assert timeout is not None
                raise TimeoutExpired(self.args, timeout)
            return self.returncode

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:  # noqa: A002
        """Sends input, reads all output, and waits for the end of the child.

        :param input: bytes, or text if the pipes are text
        :param timeout: seconds
        :returns: the output and the errors; None for each that is no pipe
        :raises TimeoutExpired: the child has not ended. Another call goes on without loss
        """
        self._check()
        if self._communication is None:
            self._communication = Communication(self, input)
        elif input:
            raise ValueError("Cannot send input after starting communication")
        return self._communication.run(timeout)

    def send_signal(self, signal: int) -> None:
        """Sends a signal to the child, if it has not ended.

        :raises OSError: there is no such signal
        """
        number = int(signal)
        if number and number not in _SIGNALS:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if self.poll() is None and not self._child.ended:
            self._child.signal(number)

    def terminate(self) -> None:
        """Sends SIGTERM to the child."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL to the child."""
        self.send_signal(signal.SIGKILL)

    def cancel(self) -> None:
        """Gives the child up: it is killed with what it has started, and its return code is -255 at once.

        Does nothing if the child has ended.
        """
        if self.poll() is None:
            self._scheduler.cancel(self._child)
            self.returncode = self._child.result

    def _check(self) -> None:
        if self._owner != os.getpid():
            raise DriverError("a child belongs to the process that started it, and this is a fork of that")


_NAMES = ("stdin", "stdout", "stderr")
_SIGNALS = signal.valid_signals()


def _inherited(fd: int) -> int | None:
    """Returns the descriptor of a standard file of this process, or None if the process has none."""
    file = getattr(sys, _NAMES[fd])
    if file is None:
        return None
    try:
        number: int = file.fileno()
    except (AttributeError, OSError, ValueError):
        # Notebooks and tests have something else in its place.
        return fd
    return number


def _environment() -> dict[str, str]:
    """Returns a copy of the environment, which other threads may change meanwhile."""
    values = ((name, os.environ.get(name)) for name in list(os.environ))
    return {name: value for name, value in values if value is not None}


def _amount(given: Any, name: str, default: float) -> float:
    value = given or CONFIG.get(f"default_{name}", default)
    try:
        amount = float(value)
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"expected a number as {name}, got {value!r}") from None
    if not 0 <= amount < float("inf"):
        raise ArgumentValueError(f"expected a number of at least 0 as {name}, got {value!r}")
    return amount


def _pickled(function: Callable[[], object] | None) -> bytes | None:
    if function is None:
        return None
    # It needs most of the package.
    from mesos.futures._pickling import dumps_function

    return dumps_function(function)
