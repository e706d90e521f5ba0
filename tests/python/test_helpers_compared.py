"""The algebra of resources against what masters compute: after random tasks and operations, the next offer and ``/state``
are what it says, and a task that does not fit is the one that the master refuses.
"""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from mesos.errors import NotContainedError
from mesos.helpers import Ranges, Resources
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster, Run

from tests.apache_mesos import ApacheMesos
from tests.python.support import WAIT_SECONDS, capable, filters, framework, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# The same examples in each run. A failure is shown as it was found: to look for a simpler one may take minutes.
SAME = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

OVER = {
    mesos_pb2.TASK_ERROR,
    mesos_pb2.TASK_KILLED,
    mesos_pb2.TASK_FAILED,
    mesos_pb2.TASK_LOST,
    mesos_pb2.TASK_FINISHED,
}
MODERN = ("MULTI_ROLE", "RESERVATION_REFINEMENT", "SHARED_RESOURCES")
# Offers are made of whatever is left.
LEAST = "cpus:0.001|mem:0.001|disk:0.001|ports:1|slots:0.001|tags:1"
STATIC = mesos_pb2.Resource.ReservationInfo.STATIC


class Witness(Scheduler):
    """What a master says last: of tasks their states, of agents their offers."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.states: dict[str, int] = {}
        self.messages: dict[str, str] = {}
        self.offers: dict[str, Any] = {}

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        with self.changed:
            self.offers.update({offer.id.value: offer for offer in offers})
            self.changed.notify_all()

    def offerRescinded(self, driver: Any, offerId: Any) -> None:
        with self.changed:
            self.offers.pop(offerId.value, None)

    def statusUpdate(self, driver: Any, status: Any) -> None:
        with self.changed:
            self.states[status.task_id.value] = status.state
            self.messages[status.task_id.value] = status.message
            self.changed.notify_all()


def by_name(resources: Resources) -> dict[str, Any]:
    """The amounts, whoever they belong to."""
    return {name: resources[name] for name in resources.names}


class World:
    """A framework on a master, which asks what the algebra has computed."""

    numbers = iter(range(10**6))

    def __init__(
        self, url: str, driver: Any, scheduler: Witness, until: Callable[[Callable[[], object]], None]
    ) -> None:
        self.url, self.driver, self.scheduler, self.until = url, driver, scheduler, until

    def offer(self, agent: str | None = None) -> mesos_pb2.Offer:
        """Waits for the offer of an agent. It stands until it is used."""

        def of_agent() -> list[mesos_pb2.Offer]:
            with self.scheduler.changed:
                return [o for o in self.scheduler.offers.values() if agent in (None, o.slave_id.value)]

        self.until(of_agent)
        return of_agent()[0]

    def use(self, offer: mesos_pb2.Offer, *operations: mesos_pb2.Offer.Operation) -> None:
        """Accepts an offer."""
        self.scheduler.offers.pop(offer.id.value, None)
        self.driver.acceptOffers([offer.id], operations, filters(0))

    def accept(self, offer: mesos_pb2.Offer, *operations: mesos_pb2.Offer.Operation) -> mesos_pb2.Offer:
        """Accepts an offer, and returns the next one of its agent."""
        self.use(offer, *operations)
        return self.offer(offer.slave_id.value)

    def kill(self, tasks: list[mesos_pb2.TaskInfo]) -> None:
        states = self.scheduler.states
        self.until(lambda: all(states.get(task.task_id.value) == mesos_pb2.TASK_RUNNING for task in tasks))
        for task in tasks:
            self.driver.killTask(task.task_id)
        self.until(lambda: all(states[task.task_id.value] in OVER for task in tasks))

    def decline_until(self, offer: mesos_pb2.Offer, total: Resources) -> mesos_pb2.Offer:
        """Returns the first offer of all that there is."""
        for _ in range(20):
            if Resources(offer) == total:
                break
            self.scheduler.offers.pop(offer.id.value, None)
            self.driver.declineOffer(offer.id, filters(0))
            offer = self.offer(offer.slave_id.value)
        assert Resources(offer) == total
        return offer

    def used(self, agent: str) -> dict[str, Any]:
        """What ``/state`` says is used, whoever it belongs to."""
        with urllib.request.urlopen(f"{self.url}/state", timeout=WAIT_SECONDS) as response:
            state = json.load(response)
        (found,) = (each for each in state["slaves"] if each["id"] == agent)
        amounts = {name: value for name, value in found["used_resources"].items() if value not in ("", "[]", "{}")}
        return by_name(Resources(amounts))

    def task(self, offer: mesos_pb2.Offer, resources: Resources) -> mesos_pb2.TaskInfo:
        task = mesos_pb2.TaskInfo(name="t", resources=resources)
        task.task_id.value = f"t{next(self.numbers)}"
        task.slave_id.value = offer.slave_id.value
        task.command.value = "exec sleep 1000"
        task.kill_policy.grace_period.nanoseconds = 0
        return task


def info(modern: bool) -> mesos_pb2.FrameworkInfo:
    if modern:
        return framework(roles=["web"], principal="p", capabilities=capable(*MODERN))
    return framework(role="web", principal="p")


@contextlib.contextmanager
def embedded_world(modern: bool) -> Iterator[tuple[World, LocalCluster]]:
    empty = {"agents": 1, "resources": "cpus:0;mem:0;disk:0;ports:[]", "min_allocatable_resources": LEAST}
    with LocalCluster(**empty, time="skip", simulate=Run(None)) as cluster:
        scheduler = Witness()
        with running(cluster, scheduler, info(modern)) as driver:
            yield World(cluster.url, driver, scheduler, lambda true: cluster.run_until(true, 60)), cluster


# Amounts of agents, as their flag has them.
scalars = st.integers(1, 9000).map(lambda number: f"{number / 1000:g}")
ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), min_size=1, max_size=4).map(
    lambda pairs: "[" + ",".join(f"{begin}-{begin + more}" for begin, more in pairs) + "]"
)
sets = st.sets(st.sampled_from("abcdef"), min_size=1, max_size=4).map(lambda items: "{" + ",".join(sorted(items)) + "}")
owners = st.sampled_from(["", "(web)"])
OF_NAME = {"cpus": scalars, "mem": scalars, "disk": scalars, "ports": ranges, "slots": scalars, "tags": sets}


@st.composite
def flags(draw: st.DrawFn) -> str:
    """The flag of an agent, which says all that agents would add."""
    parts = [f"{name}:{draw(OF_NAME[name])}" for name in ("cpus", "mem", "disk", "ports")]
    more = draw(st.lists(st.tuples(st.sampled_from(sorted(OF_NAME)), owners), max_size=4))
    return ";".join([*parts, *(f"{name}{owner}:{draw(OF_NAME[name])}" for name, owner in more)])


@st.composite
def part_of(draw: st.DrawFn, message: Any, fits: bool) -> Any:
    """A part of a resource, or at times a little more than there is."""
    part = type(message)()
    part.CopyFrom(message)
    if fits and message.disk.source.type == mesos_pb2.Resource.DiskInfo.Source.MOUNT:
        return part  # as a whole
    if message.HasField("scalar"):
        most = round(message.scalar.value * 1000)
        # All of it, or the least more than that, more often than chance would have it.
        edge = st.just(most if fits else most + 1)
        part.scalar.value = draw(edge | st.integers(1, most if fits else most + most // 3 + 1)) / 1000
    elif message.HasField("ranges"):
        numbers = list(Ranges((each.begin, each.end) for each in message.ranges.range))
        chosen = draw(st.sets(st.sampled_from(numbers if fits else [*numbers, max(numbers) + 1]), min_size=1))
        part.ranges.CopyFrom(next(iter(Resources(ports=sorted(chosen)))).ranges)
    else:
        items = [*sorted(message.set.item), *([] if fits else ["z"])]
        part.set.item[:] = draw(st.lists(st.sampled_from(items), min_size=1, unique=True))
    return part


def as_text(message: Any) -> str:
    return str(Resources(message))


@st.composite
def parts_of(draw: st.DrawFn, resources: Resources, fits: bool) -> Resources:
    """Parts of some resources."""
    # The real master's order differs from run to run, and examples do not.
    messages = sorted(resources.unallocated().messages(), key=as_text)
    messages = draw(st.lists(st.sampled_from(messages), min_size=1, max_size=4, unique_by=as_text))
    parts = Resources([draw(part_of(message, fits)) for message in messages])
    allocated = resources.messages()[0].allocation_info.role
    return parts.allocated(allocated) if allocated else parts


def launch(tasks: list[mesos_pb2.TaskInfo]) -> mesos_pb2.Offer.Operation:
    return mesos_pb2.Offer.Operation(type="LAUNCH", launch={"task_infos": tasks})


def check_launches(world: World, offer: mesos_pb2.Offer, data: st.DataObject, most: int) -> None:
    """Launches tasks, of which some do not fit, and compares what the master makes of it with the algebra."""
    total = left = Resources(offer)
    tasks = []
    for _ in range(data.draw(st.integers(1, most))):
        fits = data.draw(st.booleans())
        wanted = data.draw(parts_of(left, fits))
        if fits:
            # Whoever these are reserved for.
            wanted = left.find(wanted.without_reservations()) or Resources()
            assert wanted
        task = world.task(offer, wanted)
        tasks.append(task)
        assert not fits or left.contains(task)
        left = left.without(task) if left.contains(task) else left
        if not left:
            break
    used = compare(world, offer, tasks)
    assert used + left == total
    world.decline_until(world.offer(offer.slave_id.value), total)


def compare(world: World, offer: mesos_pb2.Offer, tasks: list[mesos_pb2.TaskInfo]) -> Resources:
    """Launches tasks, compares what becomes of them with the algebra, and ends them. Returns what they used."""
    left, fitting, refused = Resources(offer), [], []
    for task in tasks:
        assert left.contains(task) == (Resources(task) <= left)
        if left.contains(task):
            fitting.append(task)
            left = left.after(task)
        else:
            refused.append(task)
            with pytest.raises(NotContainedError):
                left.after(task)
    world.use(offer, launch(tasks))
    states = world.scheduler.states
    world.until(lambda: all(task.task_id.value in states for task in tasks))
    assert all(states[task.task_id.value] == mesos_pb2.TASK_ERROR for task in refused)
    assert all("more than available" in world.scheduler.messages[task.task_id.value] for task in refused)
    if left:
        offer = world.offer(offer.slave_id.value)
        assert Resources(offer) == left
    used = sum(map(Resources, fitting), Resources())
    # A shared volume is there once.
    assert world.used(offer.slave_id.value) == by_name(used)
    world.kill(fitting)
    return used


@pytest.mark.parametrize("modern", [False, True])
def test_what_the_embedded_master_computes(modern: bool) -> None:
    with embedded_world(modern) as (world, cluster):

        @given(st.data())
        @settings(SAME, max_examples=30)
        def check(data: st.DataObject) -> None:
            flag = data.draw(flags())
            agent = cluster.add_agent(flag)
            offer = world.offer(agent.id)
            assert Resources(offer).unallocated() == Resources(flag)
            check_launches(world, offer, data, most=3)
            agent.remove()

        check()


def change(name: str, resources: Resources) -> mesos_pb2.Offer.Operation:
    """An operation on resources."""
    field = name.lower()
    kind = "volumes" if name in ("CREATE", "DESTROY") else "resources"
    return mesos_pb2.Offer.Operation(type=name, **{field: {kind: resources}})


def volume(disk: mesos_pb2.Resource, shared: bool) -> mesos_pb2.Resource:
    """The same disk as a persistent volume."""
    disk.disk.persistence.id = f"v{next(World.numbers)}"
    disk.disk.persistence.principal = "p"
    disk.disk.volume.container_path, disk.disk.volume.mode = "data", mesos_pb2.Volume.RW
    if shared:
        disk.shared.SetInParent()
    return disk


def half(disk: mesos_pb2.Resource) -> mesos_pb2.Resource:
    part = type(disk).FromString(disk.SerializeToString())
    part.scalar.value = max(0.001, round(disk.scalar.value / 2, 3))
    return part


def check_operations(world: World, offer: mesos_pb2.Offer, data: st.DataObject, sharing: bool) -> None:
    """Reserves, makes volumes, uses them, and undoes all of it, and compares what the master makes of it."""
    total = Resources(offer)
    plain = total.unreserved().filter(lambda each: not each.HasField("disk"))
    chosen = data.draw(parts_of(plain, True)) + data.draw(parts_of(plain.named("disk"), True))
    chosen = chosen if chosen <= plain else plain.named("disk")
    reserved = chosen.reserve("web", "p", {"why": "test"} if data.draw(st.booleans()) else None)
    disks = reserved.named("disk").messages()
    volumes = [volume(disk, sharing and data.draw(st.booleans())) for disk in disks]
    operations = [change("RESERVE", reserved), *(change("CREATE", Resources(each)) for each in volumes)]
    offer = world.accept(offer, *operations)
    assert Resources(offer) == total.after(*operations)
    # The second task takes the volume too, and the third a half of it.
    rest = Resources(offer).named("mem").messages()[:1]
    tasks = [world.task(offer, Resources([*more, each])) for each in volumes for more in (rest, [])]
    tasks += [world.task(offer, Resources(half(each))) for each in volumes]
    compare(world, offer, tasks)
    offer = world.decline_until(world.offer(offer.slave_id.value), total.after(*operations))
    undo = [*(change("DESTROY", Resources(each)) for each in volumes), change("UNRESERVE", reserved)]
    assert Resources(offer).after(*undo) == total
    offer = world.accept(offer, *undo)
    assert Resources(offer) == total


@pytest.mark.parametrize("modern", [False, True])
def test_operations(modern: bool) -> None:
    with embedded_world(modern) as (world, cluster):

        @given(st.data())
        @settings(SAME, max_examples=15)
        def check(data: st.DataObject) -> None:
            agent = cluster.add_agent(data.draw(flags()))
            check_operations(world, world.offer(agent.id), data, sharing=modern)
            agent.remove()

        check()


REAL = [
    *({"name": name, "type": "SCALAR", "scalar": {"value": 4}} for name in ("cpus", "mem", "disk")),
    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}, "role": "web"},
    {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 10, "end": 19}, {"begin": 30, "end": 39}]}},
    {"name": "tags", "type": "SET", "set": {"item": ["a", "b", "c"]}},
]


def disk_source(kind: str, root: str) -> dict[str, Any]:
    source = {"type": kind, kind.lower(): {"root": root}}
    return {"name": "disk", "type": "SCALAR", "scalar": {"value": 5}, "disk": {"source": source}}


@pytest.fixture(scope="module")
def real(apache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheMesos]:
    work = tmp_path_factory.mktemp("real")
    # Nothing is written there: no volumes are made of these.
    disks = [disk_source("PATH", str(work)), disk_source("MOUNT", "/proc")]
    flags = {"MESOS_RESOURCES": json.dumps([*REAL, *disks]), "MESOS_MIN_ALLOCATABLE_RESOURCES": LEAST}
    with ApacheMesos(apache_home, work / "work", flags=flags) as mesos:
        yield mesos


@contextlib.contextmanager
def real_world(mesos: ApacheMesos, modern: bool) -> Iterator[World]:
    scheduler = Witness()

    def until(true: Callable[[], object]) -> None:
        with scheduler.changed:
            assert scheduler.changed.wait_for(true, WAIT_SECONDS)

    with running(mesos.address, scheduler, info(modern)) as driver:
        yield World(f"http://{mesos.address}", driver, scheduler, until)


@pytest.mark.parametrize("modern", [False, True])
def test_what_the_real_master_computes(real: ApacheMesos, modern: bool) -> None:
    with real_world(real, modern) as world:

        @given(st.data())
        @settings(SAME, max_examples=4)
        def check(data: st.DataObject) -> None:
            check_launches(world, world.offer(), data, most=2)

        @given(st.data())
        @settings(SAME, max_examples=2)
        def check_more(data: st.DataObject) -> None:
            check_operations(world, world.offer(), data, sharing=modern)

        check()
        check_more()


def check_shared(world: World, offer: mesos_pb2.Offer) -> None:
    """Check that a shared volume is there for each task, and that no task can have a part of it."""
    total = Resources(offer)
    (disk,) = reserved = (total.find(disk=2) or Resources()).reserve("web", "p")
    shared = volume(disk, shared=True)
    offer = world.accept(offer, change("RESERVE", reserved), change("CREATE", Resources(shared)))
    memory = Resources(offer).find(mem=0.5) or []
    tasks = [world.task(offer, Resources([*memory, each])) for each in (shared, shared, half(shared))]
    used = compare(world, offer, tasks)
    assert (used.mem, used.disk) == (1.0, 2.0)
    assert str(used.named("disk")).endswith("<SHARED>:2<2>")
    made = Resources(offer)
    offer = world.decline_until(world.offer(offer.slave_id.value), made)
    offer = world.accept(offer, change("DESTROY", Resources(shared)), change("UNRESERVE", reserved))
    assert Resources(offer) == total


def test_a_shared_volume_is_there_for_each_task_of_the_real_master(real: ApacheMesos) -> None:
    with real_world(real, modern=True) as world:
        check_shared(world, world.offer())


def test_a_shared_volume_is_there_for_each_task_of_the_embedded_master() -> None:
    with embedded_world(modern=True) as (world, cluster):
        check_shared(world, world.offer(cluster.add_agent("cpus:4;mem:4;disk:4;ports:[10-19]").id))
