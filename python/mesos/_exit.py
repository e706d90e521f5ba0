"""Ends the process from a callback's thread, for ``sys.exit`` in a callback."""

from __future__ import annotations

import atexit
import os
import sys
from typing import NoReturn


def leave(reason: SystemExit) -> NoReturn:
    """Runs the exit handlers, flushes the standard files, and ends the process with the code of a ``SystemExit``.

    ``sys.exit`` would end only the current thread, which is not the main thread.
    """
    code = reason.code
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit((code or 0) & 0xFF)
