"""Shows the output of an embedded cluster's tasks. Reads files of sandboxes in bounded parts.

A task controls its sandbox: its files may be replaced by anything, and may grow faster than they can be shown.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import math
import os
import re
import stat
import time
from typing import TYPE_CHECKING, Protocol

from mesos._console import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mesos._console import Console
    from mesos._signals import Stop
    from mesos.local import LocalCluster

POLL_SECONDS = 0.1
"""How often the tasks' output is read."""
HURRY_SECONDS = 0.2
"""How long to wait for a slow reader when the command is about to end."""

_END_SECONDS = 1.0
"""How long to wait for tasks that are about to end."""
_LOOK_BYTES = 64 * 1024
_BEHIND_BYTES = 1024 * 1024
"""If a file has more unread bytes than this, part of it is left out."""
_LINE_CHARACTERS = 8192
_ID_SHOWN = 8
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Writer(Protocol):
    """Where output goes: a console, or streams."""

    def say(self, text: str) -> None:
        """Writes a message of ours, as a line."""

    def write(self, text: str, error: bool) -> None:
        """Writes text to standard output or to standard error."""

    def has_room(self) -> bool:
        """Returns whether more should be written."""


class Output:
    """Shows tasks' output as it is written. Each line is prefixed with its task, or the executor that tasks share."""

    def __init__(self, cluster: LocalCluster, console: Writer) -> None:
        self._cluster, self._console = cluster, console
        self._tails: dict[Path, list[_Tail]] = {}
        self._turn = 0
        self.states: dict[tuple[str, Path], str] = {}
        """The last state of each task, by its id and sandbox."""

    def show(self, last: bool = False) -> bool:
        """Shows some of the new output. Returns whether there was room to look at every file.

        :param last: show only what the files contain now, so that repeated calls come to an end
        """
        over: dict[Path, bool] = {}
        for task in self._cluster.tasks:
            self.states[task.id, task.sandbox] = task.state
            # An executor that tasks share may receive another task as long as it runs.
            over[task.sandbox] = last or (task.id == _owner(task.sandbox) and _is_terminal(task.state))
        tails = [(tail, over[sandbox]) for sandbox in over for tail in self._tails_of(sandbox) if not tail.done]
        # Begin with another file each time, so that busy files do not starve the others.
        begin = self._turn % max(1, len(tails))
        for tail, is_last in tails[begin:] + tails[:begin]:
            while self._console.has_room() and tail.show(is_last):
                pass
            if not self._console.has_room():
                return False
            self._turn += 1
        return True

    def show_last(self, console: Console, stop: Stop | None) -> None:
        """Shows the output that tasks write while they end. Waits for tasks at most a second.

        :param console: what this was made with
        :param stop: ends this early; if None, does not wait for a slow reader
        """
        until = time.monotonic() + _END_SECONDS
        self.show()
        while not all(map(_is_terminal, self.states.values())) and time.monotonic() < until:
            if console.wait(POLL_SECONDS, stop):
                break
            self.show()
        until = time.monotonic() + HURRY_SECONDS if stop is None else math.inf
        while not self.show(last=True) and console.drain(stop, until - time.monotonic()):
            pass
        for tails in self._tails.values():
            for tail in tails:
                tail.say_what_was_left_out()

    def _tails_of(self, sandbox: Path) -> list[_Tail]:
        if sandbox not in self._tails:
            mark = f"[{_short(_owner(sandbox))}]"
            self._tails[sandbox] = [_Tail(sandbox, name, mark, self._console) for name in ("stdout", "stderr")]
        return self._tails[sandbox]


class _Tail:
    """One file of a sandbox. Each read continues after the previous one."""

    def __init__(self, sandbox: Path, name: str, mark: str, console: Writer) -> None:
        self._sandbox, self._name, self._mark, self._console = sandbox, name, visible(mark), console
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
        self._at = self._left_out = 0
        self._end: int | None = None
        self._rest = ""
        self._refused = False
        self.done = False

    def show(self, last: bool) -> bool:
        """Shows a bounded part of the new output.

        :param last: show only what the file contains now
        :returns: with ``last``, whether there is more to show
        """
        try:
            data, more = self._read(last)
        except OSError:  # the file does not exist yet, or the cluster has been stopped
            data, more = b"", False
        self.done = last and not more
        self._print(self._decoder.decode(data, final=self.done))
        if self.done:
            self.say_what_was_left_out()
        return last and more

    def say_what_was_left_out(self) -> None:
        """Reports once how much was left out, if anything was."""
        if self._left_out:
            self._console.say(f"{self._mark} {self._left_out} bytes of {self._name} were left out")
            self._left_out = 0

    def _read(self, last: bool) -> tuple[bytes, bool]:
        with _opened(self._sandbox, self._name) as file:
            if file is None:
                self._refuse()
                return b"", False
            size = os.fstat(file).st_size
            if last:
                self._end = size = size if self._end is None else min(size, self._end)
            if size < self._at:  # the task truncated the file
                self._at = 0
            gap = size - self._at > _BEHIND_BYTES
            if gap:
                self._leave_out(size - _LOOK_BYTES)
            data = os.pread(file, min(_LOOK_BYTES, size - self._at), self._at)
        self._at += len(data)
        if gap:  # continue at the start of a line
            begin = data.find(b"\n") + 1
            self._left_out += begin
            data = data[begin:]
        return data, bool(data) and self._at < size

    def _leave_out(self, until: int) -> None:
        if not self._left_out:
            path = visible(str(self._sandbox / self._name))
            self._console.say(
                f"{self._mark} {self._name} grows too fast to be shown in full; {path} has what is left out"
            )
        self._print(self._decoder.decode(b"", final=True) + "\n" if self._rest else "")
        self._decoder.reset()
        self._left_out += until - self._at
        self._at = until

    def _refuse(self) -> None:
        if not self._refused:
            self._console.say(f"{self._mark} {self._name} is not a regular file and is not shown")
        self._refused = True

    def _print(self, text: str) -> None:
        """Prints the complete lines, and an incomplete one if it has become too long."""
        whole, end, self._rest = (self._rest + text).rpartition("\n")
        text = whole + end
        if self._rest and (self.done or len(self._rest) > _LINE_CHARACTERS):
            text, self._rest = f"{text}{self._rest}\n", ""
        if text:
            parted = re.sub(f"(.{{{_LINE_CHARACTERS}}})(?=.)", r"\1\n", visible(text[:-1]))
            marked = parted.replace("\n", f"\n{self._mark} ")
            self._console.write(f"{self._mark} {marked}\n", error=self._name == "stderr")


@contextlib.contextmanager
def _opened(sandbox: Path, name: str) -> Iterator[int | None]:
    """Opens a regular file. Gives None for anything else, which could block when opened or have side effects.

    :raises OSError: the file does not exist
    """
    directory = os.open(sandbox, _OPEN_FLAGS | os.O_DIRECTORY)
    file = None
    try:
        if stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            file = os.open(name, _OPEN_FLAGS, dir_fd=directory)
        # The file may have been replaced since stat().
        yield file if file is not None and stat.S_ISREG(os.fstat(file).st_mode) else None
    finally:
        os.close(directory)
        if file is not None:
            os.close(file)


def _owner(sandbox: Path) -> str:
    """Returns the id of the executor or task that a sandbox belongs to.

    An executor's sandbox is ``.../executors/ID/runs/CONTAINER``; the executor of a command task has the task's id. The
    sandbox of a group's task is ``tasks/ID`` in the executor's.
    """
    return sandbox.parent.parent.name if sandbox.parent.name == "runs" else sandbox.name


def _short(name: str) -> str:
    return name if len(name) <= _ID_SHOWN + 1 else f"{name[:_ID_SHOWN]}…"


def _is_terminal(state: str) -> bool:
    return state not in ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")
