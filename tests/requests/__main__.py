"""Prints the table of differences between the real and the embedded master.

``python -m tests.requests`` sends every request to both; names or parts of names send these, ``--table operator`` those
to one API. ``--embedded`` compares with what is recorded, without the real Mesos. ``--record`` writes down anew what
the real Mesos answers, ``--verbose`` prints every answer of it.
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
from tests.requests import RECORDED, Answer, Request, recorded, tables
from tests.requests.play import play

Answers = dict[str, dict[str, Answer]]
Cluster = ApacheMesos | LocalCluster
INTERVAL = "50ms"


def answers(chosen: dict[str, list[Request]], names: tuple[str, ...]) -> dict[str, Answers]:
    """The answers of the real and of the embedded cluster."""
    os.environ["MESOS_ALLOCATION_INTERVAL"] = INTERVAL
    found: dict[str, Answers] = {}

    def play_on(name: str, cluster: Cluster) -> None:
        with cluster:
            found[name] = play(cluster, chosen, timed=name)

    with tempfile.TemporaryDirectory() as directory:
        clusters = {name: cluster(name, Path(directory)) for name in names}
        threads = [threading.Thread(target=play_on, args=item) for item in clusters.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return found


def cluster(name: str, directory: Path) -> Cluster:
    """The real or the embedded cluster."""
    if name == "embedded":
        return LocalCluster(agents=2, resources=RESOURCES)
    home = install(apache_mesos_home())
    return ApacheMesos(home, directory / "real", agents=2, flags={"MESOS_ALLOCATION_INTERVAL": INTERVAL})


def write_down(real: Answers, requests: dict[str, list[Request]]) -> None:
    """Keep what the real Mesos answered, in the order of the tables."""
    before = recorded()
    RECORDED.mkdir(exist_ok=True)
    for api, found in real.items():
        known = {**before.get(api, {}), **found}
        kept = {request.name: known[request.name] for request in requests[api] if request.name in known}
        (RECORDED / f"{api}.json").write_text(json.dumps(kept, indent=1) + "\n")


def show(api: str, requests: list[Request], real: dict[str, Answer], embedded: dict[str, Answer]) -> tuple[int, int]:
    """Print what differs; how many requests do on purpose, and how many without a reason."""
    different = deliberate = 0
    for request in requests:
        lines = request.differences(real, embedded[request.name])
        if lines:
            different += 1
            print(f"DIFFERENT  {api}: {request.name}", *lines, sep="\n    ")
        elif request.deliberate:
            deliberate += 1
            print(f"on purpose {api}: {request.name}\n    {request.deliberate.why}")
    return deliberate, different


def print_table(counts: dict[str, tuple[int, int, int]]) -> None:
    """Print how many requests are the same, API by API."""
    total = tuple(map(sum, zip(*counts.values(), strict=True)))
    print(f"{'API':<10} {'requests':>9} {'equal':>7} {'on purpose':>11} {'different':>10}  differ in 100")
    for api, (requests, deliberate, different) in {**counts, "all": total}.items():
        differ = deliberate + different
        share = 100 * differ / max(requests, 1)
        print(f"{api:<10} {requests:>9} {requests - differ:>7} {deliberate:>11} {different:>10} {share:>14.1f}")


def main() -> None:
    known = tables()
    parser = argparse.ArgumentParser(prog="python -m tests.requests", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of requests' names")
    parser.add_argument("--table", action="append", choices=list(known), help="only this one; may be given again")
    parser.add_argument("--embedded", action="store_true", help="compare with what is recorded")
    parser.add_argument("--record", action="store_true", help="write down what the real Mesos answers")
    parser.add_argument("--verbose", action="store_true", help="print every answer of the real Mesos")
    options = parser.parse_args()
    chosen = {
        api: [r for r in requests if not options.names or any(name in r.name for name in options.names)]
        for api, requests in known.items()
        if not options.table or api in options.table
    }
    found = answers(chosen, ("embedded",) if options.embedded else ("real", "embedded"))
    real = found.get("real") or recorded()
    if options.verbose:
        print(json.dumps({api: real[api] for api in chosen}, indent=1))
    if options.record:
        write_down(real, known)
    differ = {api: show(api, chosen[api], real[api], found["embedded"][api]) for api in chosen}
    print_table({api: (len(chosen[api]), *differ[api]) for api in chosen})
    sys.exit(1 if any(different for _, different in differ.values()) else 0)


if __name__ == "__main__":
    main()
