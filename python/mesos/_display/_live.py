"""``LocalCluster.show``: a view of a cluster in a notebook that follows it."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesos._display._overview import Overview
    from mesos.local import LocalCluster

_PERIOD = 0.5
"""Seconds between two looks at the cluster."""


def notebook() -> Any:
    """Returns the shell of the notebook in whose kernel this is, or None."""
    ipython = sys.modules.get("IPython")
    shell = getattr(ipython, "get_ipython", lambda: None)()
    return shell if getattr(shell, "kernel", None) is not None else None


class Live:
    """A view of a cluster in one output of a notebook, which it replaces when the cluster has changed.

    It does not keep the cluster: it ends with it, and the last state stays in the output.
    """

    def __init__(self, cluster: LocalCluster, seen: Overview, shell: Any) -> None:
        from IPython.display import display

        self._cluster = weakref.ref(cluster, lambda _: self._ended.set())
        self._seen = seen
        self._shell = shell
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._over = False
        self._skips = cluster._core.time().skips()
        self._looked = time.monotonic()
        self._shown = _bundle(seen)
        self._handle: Any = display(self._shown, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        # What a cell did is in its output when it ends, whatever the thread has seen of it.
        shell.events.register("post_run_cell", self._after_cell)
        self._thread = threading.Thread(target=self._run, name="mesos-show", daemon=True)
        # Before the interpreter goes, with which no thread may ask the core.
        atexit.register(self.end)
        self._thread.start()

    def moved(self) -> None:
        """Looks again if it is time to. Called when a time that skips stands still, because a look at any other moment
        could change the order of what happens.
        """
        if self._skips and time.monotonic() - self._looked >= _PERIOD:
            self._update()

    def end(self) -> None:
        """Shows the last state and ends the view."""
        self._update()
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(None if self._skips else _PERIOD):
            self._update()
        with self._lock:
            self._over = True
            if self._cluster() is None:
                self._replace(self._seen.as_stopped())
        atexit.unregister(self.end)
        with contextlib.suppress(ValueError):
            self._shell.events.unregister("post_run_cell", self._after_cell)

    def _after_cell(self, *_: object) -> None:
        self._update()

    def _update(self) -> None:
        with self._lock:
            cluster = self._cluster()
            seen = None if cluster is None or self._over else cluster._overview()
            if seen is None:
                return
            self._looked = time.monotonic()
            self._seen = seen
            self._replace(seen)
            if seen.stopped:
                self._over = True
                self._ended.set()

    def _replace(self, seen: Overview) -> None:
        bundle = _bundle(seen)
        if bundle != self._shown:
            self._shown = bundle
            try:
                self._handle.update(bundle, raw=True)
            except Exception:
                # The kernel ends.
                self._ended.set()


def _bundle(seen: Overview) -> dict[str, str]:
    return {"text/html": str(seen.html()), "text/plain": seen.text()}
