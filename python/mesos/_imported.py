"""Imports the modules that the core imports by name when it needs them.

Packers such as PyInstaller follow only the import statements of Python code. ``tests/python/test_exits.py`` checks that
the list is complete.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import traceback

from mesos import _callbacks, _exit, _failures, _logging, _text, errors
from mesos.interface import mesos_pb2

__all__ = [
    "_callbacks",
    "_exit",
    "_failures",
    "_logging",
    "_text",
    "contextvars",
    "errors",
    "logging",
    "mesos_pb2",
    "sys",
    "traceback",
]
