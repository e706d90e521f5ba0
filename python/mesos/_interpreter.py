"""Refuses interpreters that the extension does not run on."""

from __future__ import annotations

import sysconfig

if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise ImportError(
        "remesos does not run on free-threaded Python, such as python3.13t: use the build of Python that has the GIL"
    )
