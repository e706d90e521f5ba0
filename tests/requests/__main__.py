"""Prints the table of differences between the real and the embedded master.

``python -m tests.requests`` sends every request to both; names or parts of names send these. ``--record`` writes down
anew what the real master answers, ``--verbose`` prints every answer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
from pathlib import Path

from mesos.local import LocalCluster

from tests.apache_mesos import ApacheMesos, install
from tests.python.conftest import RESOURCES, apache_mesos_home
from tests.requests import RECORDED, Answer, Request, differences, tables
from tests.requests.play import play

Answers = dict[str, dict[str, Answer]]
Cluster = ApacheMesos | LocalCluster


def both(chosen: dict[str, list[Request]]) -> tuple[Answers, Answers]:
    """The answers of the real and of the embedded cluster."""
    os.environ["MESOS_ALLOCATION_INTERVAL"] = "50ms"
    found: dict[str, Answers] = {}

    def play_on(name: str, cluster: Cluster) -> None:
        with cluster:
            found[name] = play(cluster, chosen, timed=name)

    home = install(apache_mesos_home())
    with tempfile.TemporaryDirectory() as directory:
        flags = {"MESOS_ALLOCATION_INTERVAL": "50ms"}
        clusters: dict[str, Cluster] = {
            "real": ApacheMesos(home, Path(directory) / "real", agents=2, flags=flags),
            "embedded": LocalCluster(agents=2, resources=RESOURCES),
        }
        threads = [threading.Thread(target=play_on, args=item) for item in clusters.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return found["real"], found["embedded"]


def show(api: str, requests: list[Request], real: dict[str, Answer], embedded: dict[str, Answer]) -> int:
    """Print what differs; how many requests do without a reason."""
    different = deliberate = 0
    for request in requests:
        lines = differences(request.expected(real), embedded[request.name])
        if lines:
            different += 1
            print(f"DIFFERENT  {api}: {request.name}", *lines, sep="\n    ")
        elif request.deliberate:
            deliberate += 1
            print(f"on purpose {api}: {request.name}\n    {request.deliberate.why}")
    same = len(requests) - different - deliberate
    print(f"{len(requests)} requests to the {api} API: {same} the same, {deliberate} on purpose, {different} different")
    return different


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.requests", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of requests' names")
    parser.add_argument("--table", help="send the requests of this table alone")
    parser.add_argument("--record", action="store_true", help="write down what the real master answers")
    parser.add_argument("--verbose", action="store_true", help="print every answer of the real master")
    options = parser.parse_args()
    chosen = {
        api: [r for r in requests if not options.names or any(name in r.name for name in options.names)]
        for api, requests in tables().items()
        if options.table in (None, api)
    }
    real, embedded = both(chosen)
    if options.verbose:
        print(json.dumps(real, indent=1))
    if options.record:
        before = json.loads(RECORDED.read_text())
        kept = before | {
            api: {**before.get(api, {}), **answers} if options.names else answers for api, answers in real.items()
        }
        RECORDED.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    sys.exit(1 if sum(show(api, chosen[api], real[api], embedded[api]) for api in chosen) else 0)


if __name__ == "__main__":
    main()
