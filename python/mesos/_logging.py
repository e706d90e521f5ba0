"""Hands the level of the logger ``mesos`` to the core, which then makes no record that nobody wants.

``logging`` empties a cache of every logger when a level changes anywhere, also with ``logging.disable``. The logger
``mesos`` gets a cache that notices this, so that a change takes effect at once and a record that is not wanted costs
nothing.
"""

from __future__ import annotations

import logging

from mesos import _core

log = logging.getLogger("mesos")


def set_level() -> None:
    """Take the logger's level as it is now."""
    wanted = max(log.getEffectiveLevel(), log.manager.disable + 1)
    _core.set_log_level(max(0, min(wanted, logging.CRITICAL)))


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


class _Watched(dict[int, bool]):
    """A logger's cache, by level, which takes the level again when it is emptied."""

    def clear(self) -> None:
        super().clear()
        set_level()


# Without a cache by this name the level is still taken when a driver or a cluster is made or started.
if hasattr(log, "_cache"):
    log._cache = _Watched(log._cache)
