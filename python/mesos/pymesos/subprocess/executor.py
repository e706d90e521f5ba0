"""``ProcExecutor``: runs the children of a process, each as a task. ``python -m mesos.pymesos.subprocess.executor``."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
import pickle
import resource
import signal
import struct
import subprocess
import termios
import threading
from typing import TYPE_CHECKING, Any

from mesos.pymesos.executor import MesosExecutorDriver
from mesos.pymesos.interface import Executor
from mesos.pymesos.subprocess._child import CONTROL
from mesos.pymesos.subprocess._connections import connect
from mesos.pymesos.subprocess._loop import READ, Copy, Loop, Stream
from mesos.pymesos.subprocess._reports import Report
from mesos.pymesos.utils import decode_data, encode_data

if TYPE_CHECKING:
    from mesos.pymesos.subprocess._connections import Keys

logger = logging.getLogger(__name__)
_FILES_OF_A_CHILD = 8
"""Its connections and pipes, and what tells its end."""
_OTHER_FILES = 64


class Running:
    """A child that runs, with its connections to the process whose child it is. For the loop's thread.

    :param streams: the connections
    """

    def __init__(self, loop: Loop, process: subprocess.Popen[bytes], streams: dict[int, Stream]) -> None:
        self._loop, self._process = loop, process
        self._control = streams[CONTROL]
        self.death = Stream(os.pidfd_open(process.pid))
        self._copies: dict[int, Copy] = {}
        loop.watch(self._control, READ, self._receive_signals)
        for fd, pipe in enumerate((process.stdin, process.stdout, process.stderr)):
            if pipe is not None:
                end = Stream.own(os.dup(pipe.fileno()))
                pipe.close()
                ends = (streams[fd], end) if fd == 0 else (end, streams[fd])
                self._copies[fd] = Copy(loop, *ends)

    def _receive_signals(self) -> None:
        """Receives signals. The end of the connection is the end of the child, whoever ended it."""
        try:
            numbers = self._control.read()
        except OSError:
            numbers = b""
        if numbers == b"":
            self._loop.close(self._control)
            self.kill()
        for number in numbers or b"":
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill(self) -> None:
        """Kills the child and what it has started, unless that has left its session."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> Report:
        """Reaps the child, which has ended. What it has written is still copied."""
        returncode = self._process.wait()
        self._loop.close(self.death)
        if 0 in self._copies:
            self._copies[0].stop()
        written = {fd: copy.read + _unread(copy.source) for fd, copy in self._copies.items() if fd}
        report = Report(returncode=returncode, written=written)
        self.send(report)
        with contextlib.suppress(OSError):
            # A signal that was sent too late. To close a connection with unread bytes resets it.
            self._control.read()
        self._loop.close(self._control)
        return report

    def send(self, report: Report) -> None:
        """Sends a report. If that fails, the task's status has it."""
        with contextlib.suppress(OSError):
            self._control.write(report.encode())


class ProcExecutor(Executor):
    """Runs a child for each task, and reports how it ends."""

    def __init__(self) -> None:
        self._loop = Loop(__name__)
        self.procs: dict[str, Running | None] = {}
        """The children by their tasks' ids. None while a child is being started."""
        self._lock = threading.Lock()
        self._limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        """How many files this process might open at first, and each child may."""

    # Callbacks, on the driver's thread.

    def launchTask(self, driver: MesosExecutorDriver, task: Any) -> None:
        with self._lock:
            self.procs[task["task_id"]["value"]] = None
        # Connecting may take long if the process cannot be reached. Children would inherit the signals that the loop's
        # thread has blocked.
        threading.Thread(target=self._launch, args=(driver, task), daemon=True).start()

    def killTask(self, driver: MesosExecutorDriver, task_id: Any) -> None:
        self._loop.call(functools.partial(self._kill, task_id["value"]))

    def shutdown(self, driver: MesosExecutorDriver) -> None:
        self._loop.call(self._kill_all)

    def run(self, driver: MesosExecutorDriver) -> None:
        """Runs children until the driver ends."""
        try:
            driver.run()
        finally:
            self._loop.call(self._kill_all)
            self._loop.stop()

    # On a thread for each launch.

    def _launch(self, driver: MesosExecutorDriver, task: Any) -> None:
        task_id = task["task_id"]["value"]
        address, keys, order = pickle.loads(decode_data(task["data"]))
        try:
            self._raise_limit()
            streams = _connections(address, keys)
        except OSError as error:
            self._forget(task_id)
            place = ":".join(map(str, address))
            self._update(driver, task_id, "TASK_FAILED", message=f"not connected with its process at {place}: {error}")
            return
        try:
            process = _start(*pickle.loads(order))
            self._lower_limit(process.pid)
        except Exception as error:
            self._fail(driver, task_id, streams, error)
            return
        self._loop.call(lambda: self._adopt(driver, task_id, process, streams))

    def _fail(self, driver: MesosExecutorDriver, task_id: str, streams: dict[int, Stream], error: Exception) -> None:
        """Reports that a child could not be started."""
        self._forget(task_id)
        report = Report(error=error)
        with contextlib.suppress(OSError):
            streams[CONTROL].write(report.encode())
        self._update(driver, task_id, "TASK_FAILED", report, f"{type(error).__name__}: {error}")
        for stream in streams.values():
            self._loop.call(functools.partial(self._loop.close, stream))

    def _raise_limit(self) -> None:
        """Lets this process open as many files as its children take. It is not raised before, because a child has the
        limit of this process for the moment until it gets its own.
        """
        with self._lock:
            needed = _OTHER_FILES + _FILES_OF_A_CHILD * len(self.procs)
        if needed > self._limit[0]:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self._limit[1], self._limit[1]))

    def _lower_limit(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, self._limit)

    # On the loop's thread.

    def _adopt(
        self, driver: MesosExecutorDriver, task_id: str, process: subprocess.Popen[bytes], streams: dict[int, Stream]
    ) -> None:
        try:
            running = Running(self._loop, process, streams)
        except OSError as error:
            process.kill()
            process.wait()
            self._fail(driver, task_id, streams, error)
            return
        self._loop.watch(running.death, READ, lambda: self._ended(driver, task_id, running))
        with self._lock:
            is_killed = task_id not in self.procs
            self.procs[task_id] = running
        if is_killed:
            running.kill()
        running.send(Report())
        self._update(driver, task_id, "TASK_RUNNING")

    def _ended(self, driver: MesosExecutorDriver, task_id: str, running: Running) -> None:
        report = running.end()
        self._forget(task_id)
        assert report.returncode is not None
        self._update(driver, task_id, "TASK_KILLED" if report.returncode < 0 else "TASK_FINISHED", report)

    def _kill(self, task_id: str) -> None:
        with self._lock:
            running = self.procs.get(task_id)
            if running is None:
                # It is killed when it has been started.
                self.procs.pop(task_id, None)
        if running is not None:
            running.kill()

    def _kill_all(self) -> None:
        for task_id in list(self.procs):
            self._kill(task_id)

    def _forget(self, task_id: str) -> None:
        with self._lock:
            self.procs.pop(task_id, None)

    def _update(
        self, driver: MesosExecutorDriver, task_id: str, state: str, report: Report | None = None, message: str = ""
    ) -> None:
        status: dict[str, Any] = {"task_id": {"value": task_id}, "state": state}
        if message:
            status["message"] = message
        if report is not None:
            status["data"] = encode_data(report.encode())
        # The driver may have been stopped.
        with contextlib.suppress(RuntimeError):
            driver.sendStatusUpdate(status)


def _connections(address: tuple[str, int], keys: dict[int, Keys]) -> dict[int, Stream]:
    streams: dict[int, Stream] = {}
    try:
        for fd, each in keys.items():
            streams[fd] = connect(address, each)
    except BaseException:
        for stream in streams.values():
            stream.close()
        raise
    return streams


def _start(options: dict[str, Any], kinds: list[str], preexec_fn: bytes | None) -> subprocess.Popen[bytes]:
    files = {"copied": subprocess.PIPE, "null": subprocess.DEVNULL, "stdout": subprocess.STDOUT}
    stdin, stdout, stderr = (files[kind] for kind in kinds)
    return subprocess.Popen(
        **options,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        bufsize=0,
        preexec_fn=pickle.loads(preexec_fn) if preexec_fn is not None else None,
        start_new_session=True,
    )


def _unread(pipe: Stream) -> int:
    """Returns how many bytes wait in a pipe."""
    if pipe.fileno() < 0:
        return 0
    number: int = struct.unpack("i", fcntl.ioctl(pipe.fileno(), termios.FIONREAD, b"\0" * 4))[0]
    return number


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.WARNING)
    # Unlike a signal that is ignored, one with a handler does what it always does in children.
    signal.signal(signal.SIGINT, lambda *_: None)
    executor = ProcExecutor()
    executor.run(MesosExecutorDriver(executor))
