"""Runs a program against a cluster, in a process of its own."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos import _program
from mesos.errors import ArgumentValueError
from mesos.testing._clock import SkippingClock, clock_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class ScriptError(Exception):
    """Stands for an exception of a program whose class this process does not have; the message begins with its name."""


@dataclass(frozen=True)
class ScriptResult:
    """How a program ended."""

    exit_status: int
    """Its exit status, negative if a signal ended it."""
    stdout: str
    """What it wrote to its standard output."""
    stderr: str
    """What it wrote to its standard error."""
    exception: BaseException | None
    """The first exception that it did not handle: of its main thread, of another thread, or of a callback, which aborts
    the driver but does not change the exit status. Its traceback is a note. A ``SystemExit`` is an exit status."""

    def check(self) -> ScriptResult:
        """Returns this result if the program ended with status 0 and without an exception.

        :raises AssertionError: it did not; the message has its output, and the cause is its exception
        """
        if self.exit_status or self.exception is not None:
            raise AssertionError(
                f"the program ended with exit status {self.exit_status}\n{self._output()}"
            ) from self.exception
        return self

    def _output(self) -> str:
        return f"stdout:\n{self.stdout}\nstderr:\n{self.stderr}"


class ScriptRunner:
    """Runs programs as they are against a cluster, whatever master they name.

    >>> from mesos.local import LocalCluster
    >>> with LocalCluster() as cluster:
    ...     ScriptRunner(cluster).run("-m", "this").exit_status
    0

    :param cluster: a :class:`mesos.local.LocalCluster`, or the address of a master
    :raises ArgumentValueError: the cluster's clock skips time, which processes cannot follow
    """

    def __init__(self, cluster: Any) -> None:
        if isinstance(clock_of(cluster), SkippingClock):
            raise ArgumentValueError("expected a cluster in real time as cluster: a program has a clock of its own")
        self._address = str(getattr(cluster, "address", cluster))

    def run(
        self,
        script: str | os.PathLike[str],
        *arguments: str | os.PathLike[str],
        timeout: float = 60,
        input: str | None = None,  # noqa: A002  (as in subprocess)
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> ScriptResult:
        """Runs a program until it ends. What it has started in its process group ends with it.

        :param script: a Python file, a directory or archive with ``__main__.py``, or ``-m``, with a module's name as
            the first argument
        :param timeout: how many seconds it may take
        :param input: text for its standard input, which is empty otherwise
        :param env: variables for its environment, besides those of this process
        :param cwd: the directory that it runs in
        :raises ArgumentValueError: there is no such file
        :raises AssertionError: it did not end in time; the message has its output
        """
        words = [os.fspath(argument) for argument in arguments]
        is_module = script == "-m"
        # The file's name is relative to this directory, not to cwd.
        name = words.pop(0) if is_module and words else os.path.abspath(script)
        if not is_module:
            _program.command(name, is_module, words)  # raises if there is none
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory) / "exception"
            # By its path, because importing this package would import modules that the program configures first.
            child = Path(__file__).with_name("_child.py")
            command = [sys.executable, str(child), str(report), "m" if is_module else "", name, *words]
            environment = {**os.environ, **(env or {}), "REMESOS_MASTER": self._address}
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=environment,
                start_new_session=True,
                text=True,
                errors="replace",
            )
            try:
                stdout, stderr = process.communicate(input or "", timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                stdout, stderr = process.communicate()
                raise AssertionError(
                    f"{name} did not end within {timeout:g} seconds\nstdout:\n{stdout}\nstderr:\n{stderr}"
                ) from None
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            exception = _exception(report)
        return ScriptResult(process.returncode, stdout, stderr, exception)


def _exception(report: Path) -> BaseException | None:
    """Returns the exception that the child reported."""
    if not report.exists():
        return None
    name, message, shown, pickled = pickle.loads(report.read_bytes())
    try:
        exception = pickle.loads(pickled) if pickled else None
    except Exception:  # a class that only the program has, or that cannot be made from its arguments
        exception = None
    if not isinstance(exception, BaseException):
        exception = ScriptError(f"{name}: {message}")
    exception.add_note(shown)
    return exception
