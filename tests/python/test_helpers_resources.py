"""The algebra of resources: its laws, its text, what it finds. ``test_helpers_compared.py`` asks masters."""

from __future__ import annotations

import copy
import doctest
import importlib
import json
import pickle
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, given, settings
from mesos.errors import ArgumentTypeError, ArgumentValueError, NotContainedError
from mesos.helpers import Ranges, Resources
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from mesos.testing import fake_offer
from mesos.v1.interface import mesos_pb2 as v1

same = settings(max_examples=100, derandomize=True, deadline=None, database=None, phases=[Phase.generate])

SCALAR = mesos_pb2.Value.SCALAR
PLAIN: list[dict[str, Any]] = [
    {},
    {"reservations": [{"type": "STATIC", "role": "web"}]},
    {"reservations": [{"type": "DYNAMIC", "role": "web", "principal": "p"}]},
    {"reservations": [{"type": "DYNAMIC", "role": "a"}, {"type": "DYNAMIC", "role": "a/b"}]},
    {"revocable": {}},
    {"allocation_info": {"role": "web"}},
    {"provider_id": {"value": "provider"}},
]
DISKS: list[dict[str, Any]] = [
    {"disk": {"source": {"type": "PATH", "path": {"root": "/path"}}}},
    {"disk": {"source": {"type": "MOUNT", "mount": {"root": "/mount"}}}},
    {"disk": {"source": {"type": "RAW", "id": "raw"}}},
    {"disk": {"persistence": {"id": "v1"}, "volume": {"container_path": "v", "mode": "RW"}}},
    {"disk": {"persistence": {"id": "v2"}, "volume": {"container_path": "v", "mode": "RW"}}, "shared": {}},
]


def resource(name: str, amount: object, /, **fields: Any) -> mesos_pb2.Resource:
    """A resource of whatever kind."""
    (message,) = Resources({name: amount}).messages()
    message.MergeFrom(mesos_pb2.Resource(**fields))
    return message


@st.composite
def resources(draw: st.DrawFn) -> mesos_pb2.Resource:
    name = draw(st.sampled_from(["cpus", "mem", "disk", "ports", "tags"]))
    fields = draw(st.sampled_from([*PLAIN, *DISKS] if name == "disk" else PLAIN))
    if name == "ports":
        amount: object = draw(st.sets(st.integers(0, 30), min_size=1))
    elif name == "tags":
        amount = draw(st.sets(st.sampled_from("abcd"), min_size=1))
    else:
        amount = draw(st.integers(1, 3000)) / 1000
    return resource(name, amount, **fields)


some = st.lists(resources(), max_size=6).map(Resources)


@given(some, some, some)
@same
def test_laws(a: Resources, b: Resources, c: Resources) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a <= a + b
    assert b in a + b
    assert a + Resources() == a == Resources() + a == Resources(a.messages()) == Resources(list(a))
    assert a.without(a) == Resources() == a - a
    assert not a - a
    assert (a <= b and b <= a) == (a == b)
    assert (a < b) == (a <= b and a != b)
    assert a.without(b) <= a
    if b <= a:
        assert (a - b) + b == a
    if a == b:
        assert hash(a) == hash(b)
    assert hash(a + b) == hash(b + a)
    assert a.reserved() + a.unreserved() == a == a.revocable() + a.non_revocable() == a.shared() + a.non_shared()
    assert Resources(a.messages(v1.Resource)) == a
    assert a.unallocated().allocated("x").unallocated() == a.unallocated()


@given(some, some)
@same
def test_what_is_added_can_be_taken_away(a: Resources, b: Resources) -> None:
    # Numbers and items that both have are there once in the sum.
    b = b.named("cpus", "mem", "disk")
    assert (a + b) - b == a


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=50))
@same
def test_there_is_no_dust(thousandths: list[int]) -> None:
    total = sum((Resources(cpus=each / 1000) for each in thousandths), Resources())
    assert total.cpus == sum(thousandths) / 1000
    for each in thousandths:
        total -= Resources(cpus=each / 1000)
    assert not total


def test_scalars_have_three_decimals() -> None:
    assert Resources(cpus=0.1) + Resources(cpus=0.2) == Resources(cpus=0.3)
    left = Resources(cpus=1)
    for _ in range(10):
        left -= Resources(cpus=0.1)
    assert (bool(left), left.cpus, list(left)) == (False, 0.0, [])
    # As llround does, away from zero.
    assert Resources(cpus=0.0625).cpus == 0.063
    assert Resources(cpus=1.0004) == Resources(cpus=1)
    assert not Resources(cpus=1).contains(Resources(cpus=1.001))
    assert [each.scalar.value for each in Resources(cpus=3) - Resources(cpus=0.7)] == [2.3]


@pytest.mark.parametrize("api", [mesos_pb2, v1])
def test_what_resources_are_made_of(api: Any) -> None:
    expected = Resources("cpus:1;mem:64;ports:[1-2]")
    offer, task, executor = api.Offer(), api.TaskInfo(), api.ExecutorInfo()
    offer.resources.extend(expected.messages(api.Resource))
    assert Resources(offer) == Resources(offer.resources) == Resources(list(offer.resources)) == expected
    assert {type(each) for each in Resources(offer) + "cpus:1"} == {api.Resource}
    assert {type(each) for each in "cpus:1" + Resources(offer)} == {api.Resource}
    assert Resources(offer.resources[0]) == Resources(cpus=1)
    task.resources.extend(Resources(offer))
    executor.resources.extend(Resources("cpus:0.1").messages(api.Resource))
    assert Resources(task) == expected
    task.executor.CopyFrom(executor)
    assert (Resources(task), Resources(task.resources)) == (expected + "cpus:0.1", expected)
    assert Resources(api.TaskGroupInfo(tasks=[task, task])) == expected + expected + "cpus:0.2"
    in_json = json.dumps([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}])
    assert Resources(in_json) == Resources(json.loads(in_json)) == Resources({"cpus": 1}) == Resources(cpus=1)


def test_messages_of_both_apis_are_equal() -> None:
    kinds = [resource("disk", 5, **fields) for fields in DISKS]
    others = [v1.Resource.FromString(each.SerializeToString()) for each in kinds]
    assert Resources(kinds) == Resources(others)
    assert [each.SerializeToString() for each in Resources(kinds)] == [each.SerializeToString() for each in others]


def test_amounts_by_name() -> None:
    made = Resources(cpus=2, ports=[31000, (31001, 31005), range(31010, 31012)], tags={"b", "a"}, slots="3", mem=0)
    assert str(made) == "cpus:2; ports:[31000-31005, 31010-31011]; tags:{a, b}; slots:3"
    assert made.names == ("cpus", "ports", "tags", "slots")
    assert (made.cpus, made.mem, made.gpus, made["slots"], made["tags"]) == (2.0, 0.0, 0.0, 3.0, {"a", "b"})
    assert (made.get("nothing"), made.get("nothing", 5), Resources().ports) == (None, 5, [])
    with pytest.raises(KeyError, match="nothing"):
        made["nothing"]
    ports = made.ports
    assert (ports[0], ports[-1], ports[5:7], len(ports)) == (31000, 31011, [31005, 31010], 8)
    assert (31005 in ports, 31006 in ports, "x" in ports) == (True, False, False)
    assert ports == Ranges("[31000-31005,31010-31011]") == [*range(31000, 31006), 31010, 31011]
    assert (ports.pairs, str(ports)) == (((31000, 31005), (31010, 31011)), "[31000-31005, 31010-31011]")
    for index in (8, -9):
        with pytest.raises(IndexError):
            ports[index]


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Resources(cpus=-1), ArgumentValueError, "cpus, got -1"),
        (lambda: Resources(cpus=0.0001), ArgumentValueError, "from 0.001 as cpus"),
        (lambda: Resources(cpus=float("nan")), ArgumentValueError, "cpus, got nan"),
        (lambda: Resources(cpus=True), ArgumentTypeError, "cpus, got True"),
        (lambda: Resources(cpus=None), ArgumentTypeError, "cpus, got None"),
        (lambda: Resources(ports=2), ArgumentValueError, r"find\(ports=2\)"),
        (lambda: Resources(ports=[(5, 4)]), ArgumentValueError, r"got \(5, 4\)"),
        (lambda: Resources(tags=[object()]), ArgumentTypeError, "as tags, got"),
        (lambda: Resources(5), ArgumentTypeError, "got int"),
        (lambda: Resources([5]), ArgumentTypeError, "got int"),
        (lambda: Resources(None), ArgumentTypeError, "got NoneType"),
        (lambda: Resources(cpus=1) - Resources(cpus=1).find(cpus=2), ArgumentTypeError, "got NoneType"),
        (lambda: Resources(cpus=1).find(None), ArgumentTypeError, "got NoneType"),
        (lambda: Resources(b"cpus:1"), ArgumentTypeError, "got bytes"),
        (lambda: Resources(cpus=1).reserve("*"), ArgumentValueError, "cannot be reserved"),
        (lambda: Resources(mesos_pb2.OfferID()), ArgumentTypeError, "got OfferID"),
        (lambda: Resources("cpus:1", mem=1), ArgumentTypeError, "not several"),
        (lambda: Resources({"": 1}), ArgumentValueError, "names of resources"),
        (lambda: Resources([{"name": "cpus"}]), ArgumentValueError, "Missing required fields: type"),
        (lambda: Ranges("5"), ArgumentValueError, "expected ranges"),
    ],
)
def test_what_resources_are_not_made_of(make: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (mesos_pb2.Resource(name="cpus", type=SCALAR, scalar={"value": -1}), "'cpus:-1' is invalid: Invalid scalar"),
        (mesos_pb2.Resource(name="cpus", type=SCALAR), "'cpus:0' is invalid: Invalid scalar resource"),
        (mesos_pb2.Resource(name="cpus", type="TEXT"), "Unsupported resource type"),
        (mesos_pb2.Resource(name="cpus", type="SET", set={"item": ["a", "a"]}), "duplicated elements"),
        (mesos_pb2.Resource(type=SCALAR), "Empty resource name"),
        (mesos_pb2.Resource(name="p", type="RANGES", ranges={"range": [{"begin": 2, "end": 1}]}), "begin > end"),
        (
            mesos_pb2.Resource(
                name="p", type="RANGES", ranges={"range": [{"begin": 1, "end": 5}, {"begin": 5, "end": 6}]}
            ),
            r"'p:\[1-5, 5-6\]' is invalid: Invalid ranges resource: overlapping ranges",
        ),
        (resource("cpus", 1, disk={}), "DiskInfo should not be set for cpus resource"),
        (resource("cpus", 1, shared={}), "Resource cpus cannot be shared"),
        (resource("disk", 1, shared={}), "Only persistent volumes can be shared"),
        (resource("cpus", 1, reservation={}), "cannot be dynamically reserved"),
        (resource("cpus", 1, reservations=[{"role": "r"}]), "ReservationInfo.type' field must be set"),
        (resource("cpus", 1, reservations=[{"type": "STATIC", "role": "*"}]), "cannot be reserved"),
    ],
)
def test_messages_that_are_not_valid(message: mesos_pb2.Resource, why: str) -> None:
    with pytest.raises(ArgumentValueError, match=why):
        Resources([message])


GOOD = [
    "",
    " ; ",
    "cpus:4;mem:512;ports:[31000-32000]",
    "cpus(r/s):1;cpus:2;cpus(*):1;mem:1;disk:1;ports:[5-6,1-3,4-4]",
    " cpus : 1e1 ; tags:{ a , b };ports:[ 1 - 2 ];x:.5;y:[];z:{};q:+1.",
    '[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 4}, "role": "r"}]',
    '[{"name": "mem", "type": "SCALAR", "scalar": {"value": 1}, "reservations": [{"type": "STATIC", "role": "s"}]}]',
]
BAD = [
    *("cpus", "cpus:x", "ports:[2-1]", "cpus(role:2", "cpus(a b):1", ":1", "cpus:-1", "cpus:inf", "cpus:nan"),
    *("mem:1e300", "mem:1000000000000;mem:1", "cpus:1;cpus:[1-2]", "disks:{a,a}", "ports:[1]", "ports:[a-b]", "x:"),
    *(
        "cpus():1",
        "cpus(/a):1",
        "cpus(a/):1",
        "cpus(a//b):1",
        "cpus(a/../b):1",
        "cpus(-a):1",
        "cpus:1_0",
        "cpus:\u0663",
    ),
    *("ports:[1-18446744073709551616]", "[{}]", "[1]", '[{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}]'),
    '[{"name":"cpus","type":"SCALAR","scalar":{"value":4},"role":"r","reservation":{}}]',
    '[{"name":"cpus","type":"SCALAR","scalar":{"value":4},"revocable":{}}]',
    '[{"name":"disk","type":"SCALAR","scalar":{"value":4},"role":"r","disk":{"persistence":{"id":"x"}}}]',
]


@pytest.mark.parametrize("text", BAD)
def test_the_text_has_the_errors_of_an_agent(text: str) -> None:
    with pytest.raises(ArgumentValueError) as ours:
        Resources(text)
    with pytest.raises(ArgumentValueError) as theirs:
        LocalCluster(resources=text)
    assert f"resources: {ours.value}" == str(theirs.value)


@pytest.mark.parametrize("text", ["[", "{}", "[] x"])
def test_json_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ArgumentValueError, match="expected an array of resources in JSON: "):
        Resources(text)


def test_what_is_written_can_be_read() -> None:
    for text in GOOD:
        made = Resources(text)
        assert Resources(list(made)) == made
        if not made.reserved():
            assert Resources(str(made)) == made
            assert eval(repr(made)) == made


def test_resources_are_written_as_mesos_does() -> None:
    volume = {"disk": {"persistence": {"id": "v"}, "volume": {"container_path": "p", "mode": "RW"}}, "shared": {}}
    labels = {"labels": [{"key": "k", "value": "v"}, {"key": "only"}]}
    reserved = {"reservations": [{"type": "DYNAMIC", "role": "r", "principal": "p", "labels": labels}]}
    made = Resources(
        [
            resource("cpus", 0.5, allocation_info={"role": "r"}, revocable={}),
            resource("disk", 5, **reserved, **volume),
            resource("disk", 5, **DISKS[1]),
            resource("disk", 5, disk={"source": {"type": "RAW", "id": "i", "vendor": "v", "profile": "f"}}),
        ]
    )
    assert str(made).split("; ") == [
        "cpus(allocated: r){REV}:0.5",
        "disk(reservations: [(DYNAMIC,r,p,{k: v, only})])[v:p]<SHARED>:5",
        "disk[MOUNT:/mount]:5",
        "disk[RAW(v,i,f)]:5",
    ]


def test_what_is_not_contained_is_named() -> None:
    total = Resources("cpus:1;mem:64").allocated("web")
    with pytest.raises(NotContainedError, match=r"these are not: cpus:2$") as raised:
        Resources("cpus:1;mem:64") - "cpus:2;mem:5"
    assert raised.value.missing == Resources(cpus=2)
    with pytest.raises(NotContainedError, match=r"allocated\(\) and unallocated\(\) change"):
        total - "cpus:1"
    assert not total.contains("cpus:1")
    assert total.unallocated() >= Resources(cpus=1)
    assert total - Resources(cpus=1).allocated("web") == Resources(mem=64).allocated("web")
    assert total.without("cpus:1") == total
    assert {Resources(cpus=1): "hashable"}[Resources(cpus=0.5) + "cpus:0.5"] == "hashable"
    assert (Resources(cpus=1) == 5) is False


def test_disks_that_are_used_as_a_whole() -> None:
    mount = resource("disk", 5, **DISKS[1])
    both = Resources([mount, mount])
    assert [each.scalar.value for each in both] == [5, 5]
    part = resource("disk", 4, **DISKS[1])
    assert not Resources(mount).contains(part)
    assert Resources(mount).without(part) == Resources(mount)
    path = resource("disk", 5, **DISKS[0])
    assert len(Resources([path, path])) == 1
    volume, other = (resource("disk", 5, **DISKS[3]) for _ in range(2))
    other.disk.volume.container_path = "elsewhere"
    assert Resources(volume) == Resources(other)
    assert not Resources(volume).contains([volume, other])
    assert Resources([volume, volume]).contains([volume, other])
    assert Resources([volume]).persistent_volumes() == Resources(volume)


def test_resources_are_copied_and_pickled() -> None:
    for fields in [*PLAIN, *DISKS]:
        made = Resources([resource("disk", 5, **fields), resource("ports", [1, 2])])
        for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert other == made
            assert made - other == Resources()
            assert Resources(other.dicts()) == made


def test_shared_volumes_are_counted() -> None:
    shared = resource("disk", 5, **DISKS[4])
    twice = Resources([shared, shared])
    assert (len(twice), twice.disk, str(twice)) == (1, 5.0, "disk[v2:v]<SHARED>:5<2>")
    assert (twice - shared == Resources(shared), twice - twice) == (True, Resources())
    assert not Resources(shared).contains(twice)
    task = mesos_pb2.TaskInfo(resources=[shared, resource("cpus", 1)])
    assert Resources([shared, resource("cpus", 2)]).after(task, task) == Resources(shared)


def test_both_forms_of_reservations_are_one() -> None:
    old = resource("cpus", 1, role="web")
    assert Resources(old) == Resources("cpus(web):1")
    assert list(Resources(old)) == [old]
    dynamic = resource("cpus", 1, role="web", reservation={"principal": "p"})
    assert Resources(dynamic) == Resources(cpus=1).reserve("web", "p")
    assert Resources(resource("cpus", 1, role="*")) == Resources(cpus=1)
    assert Resources(old).unreserve() == Resources(cpus=1)
    refined = Resources(old).reserve("web/a", labels={"k": "v"})
    assert str(refined) == "cpus(reservations: [(STATIC,web), (DYNAMIC,web/a,{k: v})]):1"
    assert (refined.unreserve(), refined.without_reservations()) == (Resources(old), Resources(cpus=1))
    with pytest.raises(ArgumentValueError, match="Role 'a//b' cannot contain two adjacent slashes"):
        refined.reserve("a//b")


def test_some_of_them() -> None:
    made = Resources("cpus(web):1;cpus(web/a):2;cpus(db):3;cpus:4;mem:5")
    assert made.reserved() == Resources("cpus(web):1;cpus(web/a):2;cpus(db):3")
    assert made.reserved("web") == Resources("cpus(web):1")
    assert made.unreserved() == Resources("cpus:4;mem:5")
    assert made.allocatable_to("web/a") == Resources("cpus(web):1;cpus(web/a):2;cpus:4;mem:5")
    assert made.named("mem") == made.filter(lambda each: each.name == "mem") == Resources(mem=5)
    assert (made.cpus, made.without_reservations()) == (10.0, Resources("cpus:10;mem:5"))
    revocable = Resources([resource("cpus", 1, revocable={}), resource("cpus", 2)])
    assert (revocable.revocable().cpus, revocable.non_revocable().cpus, revocable.cpus) == (1.0, 2.0, 3.0)


class TestFind:
    def test_what_is_reserved_comes_first(self) -> None:
        offered = Resources("cpus:4;cpus(web):1;mem:64;cpus(db):8")
        assert str(offered.find(cpus=2, role="web")) == "cpus(reservations: [(STATIC,web)]):1; cpus:1"
        assert str(offered.find("cpus(db):9")) == "cpus(reservations: [(STATIC,db)]):8; cpus:1"
        # A role's own, then what is not reserved, then whatever a framework is offered otherwise.
        assert offered.find(cpus=13, role="web") == offered.named("cpus")
        assert offered.find(cpus=13.001) is None
        assert offered.allocated("web").find(cpus=1) == Resources("cpus(web):1").allocated("web")

    def test_numbers_of_ports_and_items(self) -> None:
        offered = Resources("ports:[5-6,10-19];ports(web):[1-2];tags:{a,b,c}")
        assert offered.find(ports=3) == Resources("ports(web):[1-2];ports:[5-5]")
        assert offered.find(ports=[10, 2]) == Resources("ports(web):[2-2];ports:[10-10]")
        assert offered.find("ports:4;tags:2") == Resources("ports(web):[1-2];ports:[5-6];tags:{a,b}")
        assert offered.find(tags={"c"}) == Resources(tags={"c"})
        assert [offered.find(ports=15), offered.find(ports=[3]), offered.find(tags=4), offered.find(ports=1.5)] == [
            None
        ] * 4
        assert offered.find(ports=0, tags=None, cpus=0) == Resources()

    def test_what_is_found_is_of_the_offer(self) -> None:
        for api in (mesos_pb2, v1):
            offer = api.Offer.FromString(fake_offer(cpus=1, mem=64, role="web").SerializePartialToString())
            found = Resources(offer).find({"cpus": 0.5})
            assert found is not None
            task = api.TaskInfo()
            task.resources.extend(found)
            assert [each.allocation_info.role for each in task.resources] == ["web"]
            assert Resources(offer).contains(task)

    def test_a_wish_of_several_parts_finds_nothing_twice(self) -> None:
        offered = Resources("cpus:1;cpus(web):1")
        assert offered.find("cpus:1;cpus(web):1") == offered
        assert offered.find("cpus:2;cpus(web):1") is None

    def test_plain_wishes_leave_other_kinds_alone(self) -> None:
        kinds = Resources([resource("disk", 5, **fields) for fields in DISKS])
        assert kinds.find(disk=1) is None
        for each in kinds:
            assert kinds.find(each) == Resources(each)
            part = type(each).FromString(each.SerializeToString())
            part.scalar.value = 1
            divisible = each.disk.source.type == mesos_pb2.Resource.DiskInfo.Source.PATH
            assert (kinds.find(part) is not None) == divisible
        for name, amount in (("cpus", 1), ("ports", [1]), ("tags", {"a"})):
            assert Resources(resource(name, amount, provider_id={"value": "p"})).find({name: 1}) is None

    def test_what_may_be_revoked_is_taken_if_there_is_enough(self) -> None:
        offered = Resources([resource("cpus", 1, revocable={}), resource("cpus", 2)])
        assert offered.find(cpus=1) == Resources(cpus=1)
        found = offered.find(cpus=1, revocable=True)
        assert found == offered.revocable()
        # A task may not mix the two.
        assert offered.find(cpus=2, revocable=True) == Resources(cpus=2)
        assert offered.find(cpus=3, revocable=True) is None

    def test_a_volume_is_mounted_where_the_wish_says(self) -> None:
        reserved = [{"type": "DYNAMIC", "role": "web", "principal": "p"}]
        offered = Resources([resource("disk", 5, reservations=reserved, **DISKS[3]), resource("disk", 9)])
        wanted = resource("disk", 5, **DISKS[3])
        wanted.disk.volume.container_path = "elsewhere"
        (found,) = offered.find(wanted) or []
        assert (found.disk.volume.container_path, found.reservations[0].principal) == ("elsewhere", "p")

    def test_wishes_that_are_none(self) -> None:
        with pytest.raises(ArgumentTypeError, match="not several"):
            Resources(cpus=1).find("cpus:1", mem=1)
        with pytest.raises(ArgumentTypeError, match="as cpus, got b'x'"):
            Resources(cpus=1).find(cpus=b"x")


def test_operations_that_change_volumes() -> None:
    volume, more = resource("disk", 5, **DISKS[3]), resource("disk", 4)
    operation = mesos_pb2.Offer.Operation
    grow = operation(type="GROW_VOLUME", grow_volume={"volume": volume, "addition": resource("disk", 3)})
    shrink = operation(type="SHRINK_VOLUME", shrink_volume={"volume": volume, "subtract": {"value": 2}})
    assert Resources([volume, more]).after(grow) == Resources([resource("disk", 8, **DISKS[3]), resource("disk", 1)])
    assert Resources([volume, more]).after(shrink) == Resources([resource("disk", 3, **DISKS[3]), resource("disk", 6)])
    with pytest.raises(ArgumentValueError, match="got CREATE_DISK"):
        Resources(more).after(operation(type="CREATE_DISK"))
    with pytest.raises(ArgumentTypeError, match="got OfferID"):
        Resources(more).after(mesos_pb2.OfferID())


def test_an_executor_is_counted_once() -> None:
    task = mesos_pb2.TaskInfo(resources=Resources(cpus=1))
    task.executor.executor_id.value = "e"
    task.executor.resources.extend(Resources(cpus=0.5))
    launch = mesos_pb2.Offer.Operation(type="LAUNCH", launch={"task_infos": [task, task]})
    total = Resources(cpus=4)
    assert total.after(launch) == Resources(cpus=1.5)
    assert total.after(task, task) == Resources(cpus=1.5)
    assert total.after(task, executors=["e"]) == Resources(cpus=3)
    group = mesos_pb2.TaskGroupInfo(tasks=[mesos_pb2.TaskInfo(resources=Resources(cpus=1))])
    grouped = mesos_pb2.Offer.Operation(
        type="LAUNCH_GROUP", launch_group={"executor": task.executor, "task_group": group}
    )
    assert total.allocated("web").after(grouped) == Resources(cpus=2.5).allocated("web")
    assert total.after(group) == Resources(cpus=3)


@pytest.mark.parametrize("name", ["_algebra._amounts", "_algebra._resources", "_attributes", "_matching", "_spreading"])
def test_the_example_of_each_class_runs(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"mesos.helpers.{name}"))
    assert done.failed == 0
    assert done.attempted
