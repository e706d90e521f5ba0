"""What the servers of tfmesos and tfmesos2 call of TensorFlow: a server that starts and waits until it is killed."""

from __future__ import annotations

import json
import signal
import sys
from types import SimpleNamespace
from typing import Any


class _Server:
    def __init__(self, *definition: Any, **options: Any) -> None:
        named = {name: options[name] for name in ("job_name", "task_index") if name in options}
        print("STARTED", json.dumps({"cluster": definition[0], **named}), file=sys.stderr, flush=True)

    def join(self) -> None:
        signal.pause()


def _as_it_is(cluster: dict[str, list[str]]) -> dict[str, list[str]]:
    return cluster


train = SimpleNamespace(ClusterSpec=_as_it_is, Server=_Server)
distribute = SimpleNamespace(Server=_Server)
config = SimpleNamespace(list_logical_devices=list, list_physical_devices=list)
compat = SimpleNamespace(v1=SimpleNamespace(ConfigProto=SimpleNamespace))
