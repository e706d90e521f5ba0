"""Hands the level of the logger ``mesos`` to the core, which then makes no record that nobody wants."""

from __future__ import annotations

import logging

from mesos import _core

log = logging.getLogger("mesos")


def set_level() -> None:
    """Take the logger's level as it is now."""
    _core.set_log_level(min(log.getEffectiveLevel(), logging.CRITICAL))


def free_handlers() -> None:
    """Give a new lock to each handler whose lock is held, for the interpreter's exit.

    A handler that does not return holds its lock, which ``logging`` would wait for without end.
    """
    logger: logging.Logger | None = log
    while logger is not None:
        for handler in logger.handlers:
            lock = handler.lock
            if lock is not None and not lock.acquire(timeout=0.1):
                handler.createLock()
            elif lock is not None:
                lock.release()
        logger = logger.parent
