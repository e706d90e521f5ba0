"""Sends tables of requests to a cluster."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tests.apache_mesos import ApacheMesos
from tests.requests.agent_stage import AGENT_STAGES
from tests.requests.stage import STAGES

if TYPE_CHECKING:
    from mesos.local import LocalCluster

    from tests.requests import Answer, Request

    Answers = dict[str, dict[str, Answer]]


def play(cluster: ApacheMesos | LocalCluster, chosen: dict[str, list[Request]], timed: str = "") -> Answers:
    """The answers of a cluster that runs, by API and name. A real one that crashes of a request is started again.

    :param timed: the name under which to print how long it took, if any
    """
    answers: Answers = {}
    stages = {**STAGES, **AGENT_STAGES}
    for api, requests in chosen.items():
        begun, stage, answers[api] = time.monotonic(), stages[api](cluster.address), {}
        for request in requests:
            try:
                answers[api][request.name] = stage.play(request)
            except (AssertionError, OSError, KeyError, ValueError) as error:
                answers[api][request.name] = {"failed": repr(error)}
                if isinstance(cluster, ApacheMesos) and not serves(cluster):
                    answers[api][request.name] = {"status": "the master crashes"}
                    cluster.kill()
                    cluster.start()
                    stage = stages[api](cluster.address)
        if timed:
            lasted = time.monotonic() - begun
            print(f"{timed}: {len(requests)} requests to the {api} API in {lasted:.1f} s", file=sys.stderr)
    return answers


def serves(cluster: ApacheMesos) -> bool:
    """Whether a cluster still answers; its process may take a while to end of a crash."""
    try:
        return bool(cluster.get("/version"))
    except OSError:
        return False
