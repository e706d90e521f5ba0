"""Ends the process from a callback's thread, as ``sys.exit`` in a callback asks."""

from __future__ import annotations

import atexit
import os
import sys
from typing import NoReturn


def leave(reason: SystemExit) -> NoReturn:
    """End the process with the code that a ``SystemExit`` carries, after the exit handlers and with output flushed.

    ``sys.exit`` would end only the thread it is called on, and this is not the main thread.
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
