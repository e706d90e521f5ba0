# The floor: what the same work takes in Python alone, without a driver: floor.py KIND N
#
# task: build the TaskInfo of tasks_classic.py, serialize it, parse one TaskStatus, and call an empty function.
# update: parse the TaskStatus, and call flood_classic.py's callback. offer: the same, with 50 offers a callback.

import sys
from pathlib import Path

from flood_classic import Counter
from mesos.interface import mesos_pb2
from tasks_classic import Workload
from usage import cpu_seconds, report

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from benches.figures.flood_master import OFFERS_PER_EVENT, offer, update


def nothing(_, status):
    pass


def tasks(number):
    workload = Workload(number, f"exec {sys.executable} {Path(__file__).with_name('noop_executor.py')}")
    offered = mesos_pb2.Offer.FromString(offer(0).SerializeToString())
    updates = [update(n).SerializeToString() for n in range(number)]
    begun = cpu_seconds()
    for data in updates:
        workload.task(offered).SerializeToString()
        nothing(None, mesos_pb2.TaskStatus.FromString(data))
    return cpu_seconds() - begun


def updates(number):
    counter, made = Counter(), [update(n).SerializeToString() for n in range(number)]
    begun = cpu_seconds()
    for data in made:
        counter.statusUpdate(None, mesos_pb2.TaskStatus.FromString(data))
    return cpu_seconds() - begun


def offers(number):
    counter, made = Counter(), [offer(n).SerializeToString() for n in range(number)]
    batches = [made[n : n + OFFERS_PER_EVENT] for n in range(0, number, OFFERS_PER_EVENT)]
    begun = cpu_seconds()
    for batch in batches:
        counter.resourceOffers(None, [mesos_pb2.Offer.FromString(data) for data in batch])
    return cpu_seconds() - begun


KINDS = {"task": tasks, "update": updates, "offer": offers}


def main(kind, number):
    report(cpu_us=KINDS[kind](int(number)) * 1e6 / int(number))


if __name__ == "__main__":
    main(*sys.argv[1:])
