"""Passes the level of the logger ``mesos`` to the core, so that the core creates only records that are enabled.

``logging`` clears a cache of every logger when any level changes, also with ``logging.disable``. The logger ``mesos``
gets a cache that notices this, so that a change takes effect at once and a disabled record costs nothing.
"""

from __future__ import annotations

import logging

from mesos import _core

log = logging.getLogger("mesos")


def set_level() -> None:
    """Passes the logger's current level to the core."""
    wanted = max(log.getEffectiveLevel(), log.manager.disable + 1)
    _core.set_log_level(max(0, min(wanted, logging.CRITICAL)))


def free_handlers() -> None:
    """Gives a new lock to each handler whose lock is held. Called when the interpreter exits.

    A handler that never returns keeps its lock, and ``logging`` would wait for it indefinitely.
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


class _Watched(dict[int, bool]):
    """A logger's cache of enabled levels that passes the level to the core whenever it is cleared."""

    def clear(self) -> None:
        super().clear()
        set_level()


# If a Python version has no such cache, the level is still read when a driver or a cluster is created or started.
if hasattr(log, "_cache"):
    log._cache = _Watched(log._cache)
