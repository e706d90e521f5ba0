"""What tfmesos2 calls of TensorFlow: a server that leaves a mark and waits until it is killed. tfmesos only imports it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class _Server:
    def __init__(self, *definition: Any, **options: Any) -> None:
        mark = Path(os.environ["REMESOS_TEST_DIRECTORY"], f"started-{options['job_name']}")
        mark.write_text(json.dumps(definition[0]))

    def join(self) -> None:
        signal.pause()


def _as_it_is(cluster: dict[str, list[str]]) -> dict[str, list[str]]:
    return cluster


train = SimpleNamespace(ClusterSpec=_as_it_is, Server=_Server)
distribute = SimpleNamespace(Server=_Server)
config = SimpleNamespace(list_logical_devices=list, list_physical_devices=list)
compat = SimpleNamespace(v1=SimpleNamespace(ConfigProto=SimpleNamespace))
