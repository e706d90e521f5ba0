# Python 2.7 and 3. What a participant is made of: about.py

import contextlib
import sys

from usage import report

made = {"python": sys.version.split()[0]}
try:
    import google.protobuf
    from google.protobuf.internal import api_implementation

    made["protobuf"] = google.protobuf.__version__
    made["protobuf_implementation"] = api_implementation.Type()
except ImportError:
    pass
try:
    from mesos import _core

    made["extension"] = _core.__file__
    made["debug_build"] = getattr(_core, "DEBUG_BUILD", None)
except ImportError:
    pass
try:
    from importlib import metadata

    for name in ("pymesos", "distributed"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            made[name] = metadata.version(name)
except ImportError:
    pass
report(**made)
