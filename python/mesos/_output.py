"""The output of an embedded cluster's tasks, as ``remesos run`` shows it. Reads files of sandboxes, in bounded parts.

A task owns its sandbox: what is found there may have become anything, and grow faster than it can be shown.
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
from typing import TYPE_CHECKING

from mesos._console import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mesos._console import Console
    from mesos._signals import Stop
    from mesos.local import LocalCluster

POLL_SECONDS = 0.1
"""How often the tasks' output is looked at."""
HURRY_SECONDS = 0.2
"""How long a reader that does not keep up is waited for once it is time to end."""

_END_SECONDS = 1.0
"""How long tasks that are about to end are waited for."""
_LOOK_BYTES = 64 * 1024
_BEHIND_BYTES = 1024 * 1024
"""If there is more than this to show of one file, part of it is left out."""
_LINE_CHARACTERS = 8192
_ID_SHOWN = 8
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Output:
    """The tasks' output, shown as it comes: each line marked with its task, or with the executor that tasks share."""

    def __init__(self, cluster: LocalCluster, console: Console) -> None:
        self._cluster, self._console = cluster, console
        self._tails: dict[Path, list[_Tail]] = {}
        self._turn = 0
        self.states: dict[tuple[str, Path], str] = {}
        """The last state of each task, by its id and sandbox."""

    def show(self, last: bool = False) -> bool:
        """Show a part of what came; with ``last``, of what is there now. Whether all was looked at."""
        over: dict[Path, bool] = {}
        for task in self._cluster.tasks():
            self.states[task.id, task.sandbox] = task.state
            # An executor that tasks share may get another as long as it lives.
            over[task.sandbox] = last or (task.id == _owner(task.sandbox) and _is_terminal(task.state))
        tails = [(tail, over[sandbox]) for sandbox in over for tail in self._tails_of(sandbox) if not tail.done]
        # Every file gets its turn, also if the first ones take all the room there is.
        begin = self._turn % max(1, len(tails))
        for tail, is_last in tails[begin:] + tails[:begin]:
            while self._console.has_room() and tail.show(is_last):
                pass
            if not self._console.has_room():
                return False
            self._turn += 1
        return True

    def show_last(self, stop: Stop | None) -> None:
        """Show what comes while the tasks end, with their framework; one that it left behind is not waited for.

        :param stop: ends this early; if None, a reader that does not keep up is not waited for
        """
        until = time.monotonic() + _END_SECONDS
        self.show()
        while not all(map(_is_terminal, self.states.values())) and time.monotonic() < until:
            if self._console.wait(POLL_SECONDS, stop):
                break
            self.show()
        until = time.monotonic() + HURRY_SECONDS if stop is None else math.inf
        while not self.show(last=True) and self._console.drain(stop, until - time.monotonic()):
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
    """One file of a sandbox, read on from where the last look ended."""

    def __init__(self, sandbox: Path, name: str, mark: str, console: Console) -> None:
        self._sandbox, self._name, self._mark, self._console = sandbox, name, visible(mark), console
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
        self._at = self._left_out = 0
        self._end: int | None = None
        self._rest = ""
        self._refused = False
        self.done = False

    def show(self, last: bool) -> bool:
        """Show what came, a bounded part; with ``last``, until where it ends now. Whether there is more of that."""
        try:
            data, more = self._read(last)
        except OSError:  # not there yet, or the cluster is gone
            data, more = b"", False
        self.done = last and not more
        self._print(self._decoder.decode(data, final=self.done))
        if self.done:
            self.say_what_was_left_out()
        return last and more

    def say_what_was_left_out(self) -> None:
        """Say, once, how much was left out, if anything was."""
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
            if size < self._at:  # emptied by the task
                self._at = 0
            gap = size - self._at > _BEHIND_BYTES
            if gap:
                self._leave_out(size - _LOOK_BYTES)
            data = os.pread(file, min(_LOOK_BYTES, size - self._at), self._at)
        self._at += len(data)
        if gap:  # go on with a whole line
            begin = data.find(b"\n") + 1
            self._left_out += begin
            data = data[begin:]
        return data, bool(data) and self._at < size

    def _leave_out(self, until: int) -> None:
        if not self._left_out:
            path = visible(str(self._sandbox / self._name))
            self._console.say(
                f"{self._mark} {self._name} grows too fast to be shown; parts are left out of what {path} has"
            )
        self._print(self._decoder.decode(b"", final=True) + "\n" if self._rest else "")
        self._decoder.reset()
        self._left_out += until - self._at
        self._at = until

    def _refuse(self) -> None:
        if not self._refused:
            self._console.say(f"{self._mark} {self._name} is no regular file and is not shown")
        self._refused = True

    def _print(self, text: str) -> None:
        """Print what is whole lines by now, and what is too long to wait for the end of its line."""
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
    """A descriptor of a regular file; None if it is something else, whose opening may block or have effects.

    :raises OSError: it is not there
    """
    directory = os.open(sandbox, _OPEN_FLAGS | os.O_DIRECTORY)
    file = None
    try:
        if stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            file = os.open(name, _OPEN_FLAGS, dir_fd=directory)
        # It may have become something else in between.
        yield file if file is not None and stat.S_ISREG(os.fstat(file).st_mode) else None
    finally:
        os.close(directory)
        if file is not None:
            os.close(file)


def _owner(sandbox: Path) -> str:
    """Whose sandbox it is: ``.../executors/ID/runs/CONTAINER``, where a command task's executor has its name, or, for a
    task of a group, ``.../tasks/ID`` below that.
    """
    return sandbox.parent.parent.name if sandbox.parent.name == "runs" else sandbox.name


def _short(name: str) -> str:
    return name if len(name) <= _ID_SHOWN + 1 else f"{name[:_ID_SHOWN]}…"


def _is_terminal(state: str) -> bool:
    return state not in ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")
