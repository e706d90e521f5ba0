"""Runs a program as ``python`` does, and reports the first exception that it does not handle. For ``ScriptRunner``."""

from __future__ import annotations

import contextlib
import os
import pickle
import runpy
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType


class Report:
    """The file that tells the first exception."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._told = threading.Lock()
        self._callbacks: set[int] = set()

    def tell(self, error: BaseException) -> None:
        """Writes the exception, unless there was one before."""
        if not self._told.acquire(blocking=False):
            return
        pickled = b""
        # One whose class is the program's own, or that has no pickle, is reported by name.
        with contextlib.suppress(Exception):
            pickled = b"" if type(error).__module__ == "__main__" else pickle.dumps(error)
        shown = "".join(traceback.format_exception(type(error), error, own_part(error.__traceback__)))
        waiting = Path(f"{self._path}.new")
        waiting.write_bytes(pickle.dumps((type(error).__name__, str(error), shown, pickled)))
        waiting.rename(self._path)

    def of_callback(self, _: Any, error: BaseException) -> None:
        """Tells the exception of a callback, which the driver has printed and tells the hook of threads next."""
        self._callbacks.add(id(error))
        self.tell(error)

    def of_thread(self, arguments: threading.ExceptHookArgs) -> None:
        """Tells the exception of a thread, and prints it as Python does."""
        if arguments.exc_value is None or id(arguments.exc_value) in self._callbacks:
            return
        self.tell(arguments.exc_value)
        threading.__excepthook__(arguments)

    def of_main_thread(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """Tells the exception of the program, and prints it as Python does."""
        self.tell(error)
        own = own_part(traceback)
        sys.__excepthook__(kind, error.with_traceback(own), own)


def own_part(traceback: TracebackType | None) -> TracebackType | None:
    """Returns the part of a traceback that is the program's own."""
    part = traceback
    while part is not None and part.tb_frame.f_code.co_filename.startswith((__file__, "<frozen ")):
        part = part.tb_next
    return part or traceback


def main() -> None:
    """Runs the program of the command line: where to report, whether it is a module, its name, its arguments."""
    path, is_module, name, *arguments = sys.argv[1:]
    # It imports nothing that reads the environment.
    from mesos import _failures

    report = Report(path)
    _failures.WATCHERS.append(report.of_callback)
    threading.excepthook, sys.excepthook = report.of_thread, report.of_main_thread
    sys.argv = [name, *arguments]
    if not sys.flags.safe_path:
        del sys.path[0]  # this file's directory
        if is_module or os.path.isfile(name):
            sys.path.insert(0, os.getcwd() if is_module else os.path.dirname(name))
    if is_module:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        # Adds directories and archives to the path itself.
        runpy.run_path(name, run_name="__main__")


if __name__ == "__main__":
    main()
