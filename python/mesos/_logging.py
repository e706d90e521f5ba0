"""Hands the level of the logger ``mesos`` to the core, which then makes no record that nobody wants."""

from __future__ import annotations

import logging

from mesos import _core

log = logging.getLogger("mesos")


def set_level() -> None:
    """Take the logger's level as it is now."""
    _core.set_log_level(min(log.getEffectiveLevel(), logging.CRITICAL))
