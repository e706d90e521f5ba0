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
    code, message = (reason.code, None) if isinstance(reason.code, int | None) else (1, reason.code)
    try:
        if message is not None:
            print(message, file=sys.stderr)
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    finally:
        # The main thread waits for this.
        os._exit((code or 0) & 0xFF)
