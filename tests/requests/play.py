"""Sends tables of requests to a cluster."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING

from tests.apache_mesos import ApacheMesos
from tests.requests.agent_stage import AgentStage
from tests.requests.scenes import EndpointStage, OperatorStage
from tests.requests.stage import ExecutorStage, SchedulerStage, Stage

if TYPE_CHECKING:
    from mesos.local import LocalCluster

    from tests.requests import Answer, Request

    Answers = dict[str, dict[str, Answer]]

STAGES: dict[str, type[Stage]] = {"scheduler": SchedulerStage, "executor": ExecutorStage, "agent": AgentStage}
SCENES: dict[str, type[OperatorStage]] = {"operator": OperatorStage, "endpoints": EndpointStage}


def play(cluster: ApacheMesos | LocalCluster, chosen: dict[str, list[Request]], timed: str = "") -> Answers:
    """The answers of a cluster that runs, by API and name. A real one that crashes of a request is started again.

    :param timed: the name under which to print how long it took, if any
    """
    answers: Answers = {}
    for api, requests in chosen.items():
        begun = time.monotonic()
        answers[api] = play_table(cluster, api, requests)
        if timed:
            lasted = time.monotonic() - begun
            print(f"{timed}: {len(requests)} requests to the {api} API in {lasted:.1f} s", file=sys.stderr)
    return answers


def play_table(cluster: ApacheMesos | LocalCluster, api: str, requests: list[Request]) -> dict[str, Answer]:
    """The answers to the requests of one table, by name."""
    answers: dict[str, Answer] = {}
    stage = stage_of(cluster, api)
    for request in requests:
        try:
            answers[request.name] = stage.play(request)
        except (AssertionError, OSError, KeyError, ValueError) as error:
            answers[request.name] = {"failed": repr(error)}
            if isinstance(cluster, ApacheMesos) and not serves(cluster):
                answers[request.name] = {"status": "the master crashes"}
                cluster.kill()
                cluster.start()
                stage = stage_of(cluster, api)
    stage.close()
    if api in SCENES:
        renewed(cluster)
    return answers


def stage_of(cluster: ApacheMesos | LocalCluster, api: str) -> Stage:
    """What plays the requests of a table on a cluster."""
    if api in STAGES:
        return STAGES[api](cluster.address)
    return SCENES[api](cluster.address, lambda: renewed(cluster))


def renewed(cluster: ApacheMesos | LocalCluster) -> str:
    """Makes a cluster as it was at its start; its address."""
    if isinstance(cluster, ApacheMesos):
        cluster.kill()
        shutil.rmtree(cluster.work_dir, ignore_errors=True)
        cluster.start()
    else:
        cluster.reset()
    return cluster.address


def serves(cluster: ApacheMesos) -> bool:
    """Whether a cluster still answers; its process may take a while to end of a crash."""
    try:
        return bool(cluster.get("/version"))
    except OSError:
        return False
