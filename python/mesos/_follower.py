"""Shows the output of the tasks of the cluster that ``master="local"`` starts, as libmesos does."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import sys
import threading
import weakref
from typing import TYPE_CHECKING

from mesos._output import POLL_SECONDS, Output

if TYPE_CHECKING:
    from mesos.local import LocalCluster

_LONGEST_SECONDS = 5.0
"""How long the end of the output may take."""


class _Streams:
    """Writes to ``sys.stdout`` and ``sys.stderr``, whatever they are: a notebook has its own."""

    def __init__(self) -> None:
        self._broken = False

    def write(self, text: str, error: bool) -> None:
        stream = sys.stderr if error else sys.stdout
        if stream is None or self._broken:
            return
        try:
            stream.write(text)
            stream.flush()
        except UnicodeEncodeError:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        except (OSError, ValueError):  # closed, or its reader is gone
            self._broken = True

    def say(self, text: str) -> None:
        self.write(f"remesos: {text}\n", error=True)

    def has_room(self) -> bool:
        return not self._broken


class Follower:
    """Shows output on a thread of its own until :meth:`end`, or until the cluster is gone."""

    def __init__(self, cluster: LocalCluster) -> None:
        # The cluster ends with its driver, not with this.
        self._streams = _Streams()
        self._output = Output(weakref.proxy(cluster), self._streams)
        self._ended = threading.Event()
        # So that a notebook shows the output below the cell that started this.
        self._context = contextvars.copy_context()
        self._thread = threading.Thread(target=self._context.run, args=(self._run,), name="mesos-output", daemon=True)
        self._thread.start()
        atexit.register(self.end)

    def _run(self) -> None:
        with contextlib.suppress(ReferenceError):
            while not self._ended.wait(POLL_SECONDS):
                self._output.show()
        atexit.unregister(self.end)

    def end(self) -> None:
        """Shows what the tasks have written until now, and ends."""
        if self._ended.is_set() or threading.current_thread() is self._thread:
            return
        self._ended.set()
        self._thread.join(_LONGEST_SECONDS)
        if not self._thread.is_alive():
            self._context.run(self._show_rest)

    def _show_rest(self) -> None:
        with contextlib.suppress(ReferenceError):
            while self._streams.has_room() and not self._output.show(last=True):
                pass
