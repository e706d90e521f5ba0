"""Tasks that are matched to offers, and launched on both masters."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio, helpers
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.helpers import Field, Resources, Wish, attribute, group_by, hostname, match, max_per, region, unique, zone
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.testing import fake_offer
from mesos.v1.interface import mesos_pb2 as v1

from tests.python.support import Recorder, filters, running

if TYPE_CHECKING:
    from mesos.helpers import Matching

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bin_packing.py"


def offers(*hosts: str, **fields: Any) -> list[mesos_pb2.Offer]:
    return [fake_offer(**{"cpus": 1, "mem": 128, **fields}, hostname=host, agent_id=host) for host in hosts]


def where(matching: Matching) -> dict[str, list[Any]]:
    """The tasks of each host."""
    return {launch.offer.hostname: launch.tasks for launch in matching}


def new_task(name: str, resources: Any, executor: Any = None, api: Any = mesos_pb2) -> Any:
    task = api.TaskInfo(name=name, task_id={"value": name})
    task.resources.extend(Resources(resources).messages(api.Resource))
    if executor is not None:
        task.executor.executor_id.value = "executor"
        task.executor.resources.extend(Resources(executor).messages(api.Resource))
    else:
        task.command.value = "exit 0"
    return task


class TestFits:
    def test_first_fit(self) -> None:
        matching = match(offers("a", "b", "c"), [Wish(n, cpus=c) for n, c in (("1", 0.6), ("2", 0.6), ("3", 0.4))])
        assert where(matching) == {"a": ["1", "3"], "b": ["2"]}
        assert [launch.left.cpus for launch in matching] == [0.0, 0.4]
        assert ([offer.hostname for offer in matching.unused], matching.unmatched) == (["c"], [])

    def test_best_fit(self) -> None:
        made = [*offers("big", cpus=4, mem=1024), *offers("small", "small-too")]
        assert where(match(made, [Wish(1, cpus=1), Wish(2, cpus=2)], fit="best")) == {"big": [2], "small": [1]}

    def test_wishes_that_do_not_fit_are_told(self) -> None:
        too_large, fits = Wish("1", cpus=2), Wish("2", cpus=1)
        matching = match(offers("a"), [too_large, fits])
        assert (matching.unmatched, where(matching)) == ([too_large], {"a": ["2"]})
        assert match([], [fits]).unmatched == [fits]

    def test_resources_of_one_offer_are_given_once(self) -> None:
        made = offers("a", ports="[1-3]")
        matching = match(made, [Wish(n, ports=2) for n in "12"])
        ((placement,),) = (launch.placements for launch in matching)
        assert (placement.resources.ports, placement.wish.task) == ([1, 2], "1")
        assert [wish.task for wish in matching.unmatched] == ["2"]

    @pytest.mark.parametrize("api", [mesos_pb2, v1])
    def test_tasks_are_filled_in(self, api: Any) -> None:
        made = [api.Offer.FromString(offer.SerializeToString()) for offer in offers("a", role="web")]
        wish = new_task("t", "cpus:0.5;mem:32", api=api)
        wish.labels.labels.add(key="k", value="v")
        matching = match(made, [wish])
        (launch,) = matching
        (task,) = launch.tasks
        assert (task.slave_id if api is mesos_pb2 else task.agent_id).value == "a"
        assert Resources(task) == Resources("cpus:0.5;mem:32").allocated("web")
        assert launch.left == Resources(made[0]).after(task)
        assert task.labels == wish.labels
        assert not (wish.slave_id if api is mesos_pb2 else wish.agent_id).value, "it is the caller's"
        assert launch.placements[0].wish is wish

    def test_a_role_takes_only_its_offers(self) -> None:
        made = [*offers("a", role="db"), *offers("b", role="web")]
        assert where(match(made, [Wish(1, cpus=1, role="web")])) == {"b": [1]}

    def test_shared_volumes_stay(self) -> None:
        (offer,) = offers("a")
        disk = offer.resources.add(name="disk", type=mesos_pb2.Value.SCALAR, shared={})
        disk.scalar.value, disk.disk.persistence.id = 5, "v"
        wishes = [Wish(n, resources=[disk, *Resources(cpus=0.5)]) for n in "12"]
        (launch,) = match([offer], wishes)
        assert (launch.tasks, launch.left.named("disk")) == (["1", "2"], Resources(disk))


class TestExecutors:
    def test_an_executor_is_started_once(self) -> None:
        made = offers("a", role="web", cpus=2)
        (launch,) = match(made, [new_task(str(n), "cpus:0.5", executor="cpus:0.9") for n in range(3)])
        first, second = launch.tasks
        assert first.executor == second.executor
        assert Resources(first) == Resources("cpus:1.4").allocated("web")
        assert launch.left.cpus == 0.1

    def test_an_executor_that_runs_needs_nothing(self) -> None:
        (offer,) = offers("a")
        offer.executor_ids.add(value="executor")
        wish = new_task("1", "cpus:1", executor="cpus:0.5")
        (launch,) = match([offer], [wish])
        assert launch.tasks[0].executor == wish.executor

    def test_an_executor_for_which_there_is_no_room(self) -> None:
        wish = new_task("1", "cpus:1", executor="cpus:0.5")
        assert match(offers("a"), [wish]).unmatched == [wish]


class TestConditions:
    offer = fake_offer(
        hostname="host-1",
        attributes={"rack": "a-1", "level": 3.5, "ids": "[1-5]"},
    )
    offer.attributes.add(name="tags", type=mesos_pb2.Value.SET).set.item.extend(["x", "y"])
    offer.attributes.add(name="rack", type=mesos_pb2.Value.TEXT).text.value = "b"
    offer.domain.fault_domain.region.name, offer.domain.fault_domain.zone.name = "eu", "eu-1"

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            (attribute("rack") == "a-1", True),
            (attribute("rack") == "b", True),
            (attribute("rack") == "c", False),
            (attribute("rack") != "b", False),
            (attribute("rack") != "c", True),
            (attribute("rack").like("a-[0-9]"), True),
            (attribute("rack").like("a"), False),
            (attribute("rack").unlike("a.*"), False),
            (attribute("rack").is_in(["c", "b"]), True),
            (attribute("level") == 3.5, True),
            (attribute("level") == 3.5004, True),
            (attribute("level") == "3.5", False),
            (attribute("level").like("3.5"), True),
            (attribute("level") > 3.5, False),
            (attribute("level") >= 3.5, True),
            (attribute("level") < 4, True),
            (attribute("level") <= 3, False),
            (attribute("rack") > 3, False),
            (attribute("ids").has(5), True),
            (attribute("ids").has(6), False),
            (attribute("ids").like(r"\[1-5\]"), True),
            (attribute("tags") == {"y", "x"}, True),
            (attribute("tags").has("x"), True),
            (attribute("tags").like("{x, y}"), True),
            (attribute("none").exists(), False),
            (attribute("none") == "", False),
            (attribute("none") != "a", True),
            (attribute("none").unlike(".*"), True),
            (attribute("none").like(".*"), False),
            (hostname == "host-1", True),
            (hostname.like("host-.*") & (region == "eu"), True),
            ((zone == "eu-2") | (region == "us"), False),
            (~(zone == "eu-2"), True),
            ((zone == "eu-1") & (lambda offer: offer.hostname == "host-2"), False),
        ],
    )
    def test_of_an_offer(self, condition: Any, expected: bool) -> None:
        assert condition(self.offer) is expected
        as_v1 = v1.Offer.FromString(self.offer.SerializePartialToString())
        assert condition(as_v1) is expected
        assert bool(match([self.offer], [Wish(1, cpus=1, where=condition)]).launches) is expected

    def test_values(self) -> None:
        fields = (attribute("rack"), attribute("level"), attribute("ids"), attribute("tags"), zone, attribute("none"))
        values: list[object] = ["a-1", 3.5, [1, 2, 3, 4, 5], {"x", "y"}, "eu-1", None]
        assert [field.of(self.offer) for field in fields] == values
        assert zone.of(fake_offer()) is None

    def test_misuse_is_told(self) -> None:
        with pytest.raises(ArgumentTypeError, match="combine conditions with &"):
            bool(hostname == "a")
        with pytest.raises(ArgumentTypeError, match="name of an attribute"):
            attribute(5)  # type: ignore[arg-type]
        with pytest.raises(ArgumentTypeError, match="function of an offer"):
            (hostname == "a") & "b"  # type: ignore[operator]


class TestSpreads:
    def test_unique(self) -> None:
        spread = unique(hostname, running=["b"])
        matching = match(offers("a", "b", "c", cpus=8), [Wish(n, cpus=1, where=spread) for n in range(3)])
        assert (where(matching), [wish.task for wish in matching.unmatched]) == ({"a": [0], "c": [1]}, [2])
        # Nothing is remembered.
        assert len(match(offers("a"), [Wish(1, cpus=1, where=[spread])]).launches) == 1

    def test_max_per(self) -> None:
        rack = attribute("rack")
        made = [*offers("a", "b", attributes={"rack": "1"}, cpus=8), *offers("c", cpus=8)]
        spread = max_per(rack, 3, running={"1": 1})
        matching = match(made, [Wish(n, cpus=1, where=[spread]) for n in range(3)])
        assert (where(matching), len(matching.unmatched)) == ({"a": [0, 1]}, 1)

    def test_group_by(self) -> None:
        rack = attribute("rack")
        made = [offers(name, attributes={"rack": name}, cpus=8)[0] for name in "abc"]
        spread = group_by(rack, running=["a", "a", "b"])
        matching = match(made, [Wish(n, cpus=1, where=[spread]) for n in range(6)])
        assert where(matching) == {"a": [3], "b": [1, 4], "c": [0, 2, 5]}

    def test_group_by_waits_for_groups_that_are_not_seen(self) -> None:
        spread = group_by(hostname, 2)
        wishes = [Wish(n, cpus=1, where=[spread]) for n in range(4)]
        assert where(match(offers("a", cpus=8), wishes)) == {"a": [0]}
        assert where(match(offers("a", "b", cpus=8), wishes)) == {"a": [0, 2], "b": [1, 3]}

    def test_groups_without_room_do_not_stop_the_others(self) -> None:
        made = [*offers("a", cpus=0.5), *offers("b", cpus=8)]
        spread = group_by(hostname)
        assert where(match(made, [Wish(n, cpus=1, where=[spread]) for n in range(2)])) == {"b": [0, 1]}

    def test_wrong_spreads(self) -> None:
        with pytest.raises(ArgumentTypeError, match="expected a field such as hostname"):
            unique("hostname")  # type: ignore[arg-type]
        with pytest.raises(ArgumentValueError, match="from 1 as groups, got 0"):
            group_by(hostname, 0)
        with pytest.raises(ArgumentValueError, match="most tasks of a value, got True"):
            max_per(hostname, True)


def test_wishes_that_are_none() -> None:
    with pytest.raises(ArgumentTypeError, match="expected a TaskInfo, or what is needed by name, got 'x'"):
        match(offers("a"), ["x"])
    with pytest.raises(ArgumentTypeError, match="conditions of an offer as where, got 5"):
        Wish(cpus=1, where=[5])  # type: ignore[list-item]
    with pytest.raises(ArgumentValueError, match="got 'worst' as fit|got 'worst'"):
        match([], [], fit="worst")


def tasks_for(agents: int) -> list[mesos_pb2.TaskInfo]:
    return [new_task(f"matched-{number}", "cpus:0.1;mem:32") for number in range(agents)]


def test_classic_tasks_run_on_both_masters(master: str) -> None:
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offered = scheduler.offers_of_agents(2)
        # Both run on one host.
        spread = unique(Field(lambda offer: [offer.slave_id.value], "agent"))
        wishes = [Wish(task, ports=1, cpus=0.1, mem=32, where=[spread]) for task in tasks_for(2)]
        matching = match(offered, wishes)
        assert [len(launch.tasks) for launch in matching] == [1, 1]
        for launch in matching:
            driver.launchTasks(launch.offer.id, launch.tasks, filters(0))
        finished = [scheduler.wait("statusUpdate", lambda s: s.state == mesos_pb2.TASK_FINISHED) for _ in range(2)]
        assert sorted(status.task_id.value for status in finished) == ["matched-0", "matched-1"]


def test_v1_tasks_run_on_both_masters(master: str) -> None:
    async def main() -> list[str]:
        async with aio.Framework("matched", master) as framework:
            waiting: list[Any] = [new_task(f"t{n}", "cpus:0.1;mem:32", api=v1) for n in range(2)]
            done: list[str] = []
            async for event in framework:
                match event:
                    case aio.Offers(offered):
                        matching = helpers.match(offered, waiting)
                        for launch in matching:
                            await framework.launch(launch.offer, launch.tasks)
                        await framework.decline(matching.unused)
                        waiting = matching.unmatched
                    case aio.Update(status) if status.state == v1.TASK_FINISHED:
                        done.append(status.task_id.value)
                        if len(done) == 2:
                            break
            return sorted(done)

    assert asyncio.run(asyncio.wait_for(main(), 30)) == ["t0", "t1"]


def test_constraints_hold_on_a_cluster_of_many_racks() -> None:
    domains = [{"fault_domain": {"region": {"name": "eu"}, "zone": {"name": f"z{n}"}}} for n in range(2)]
    agents = [
        {"hostname": f"host-{n}", "attributes": {"rack": "abc"[n % 3]}, "domain": domains[n % 2]} for n in range(6)
    ]
    scheduler = Recorder()
    amounts = "cpus:4;mem:512"
    cluster = LocalCluster(agents=agents, resources=amounts, domain=domains[0], time="skip", simulate=Run(None))
    with cluster, running(cluster, scheduler) as driver:
        cluster.run_until(lambda: len(cluster.offers) == 6)
        offered = scheduler.offers_of_agents(6)
        conditions = [zone == "z1", group_by(attribute("rack"))]
        matching = match(offered, [Wish(new_task(str(n), "cpus:1;mem:32"), where=conditions) for n in range(6)])
        for launch in matching:
            driver.launchTasks(launch.offer.id, launch.tasks)
        cluster.run_until(lambda: len(cluster.tasks) == 6)
        hosts = {agent.id: agent.hostname for agent in cluster.agents}
        assert sorted(hosts[task.agent_id] for task in cluster.tasks) == [f"host-{n}" for n in (1, 1, 3, 3, 5, 5)]


def test_the_example_packs_its_jobs(master: str) -> None:
    done = subprocess.run([sys.executable, EXAMPLE, master], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    launched = re.findall(r"Launching (\S+) with (.*)", done.stdout)
    assert [name for name, _ in launched] == ["server-1", "server-2", "batch-1", "batch-2"]
    assert [Resources(text).ports for _, text in launched] == [[31000], [31001], [], []]
    assert done.stdout.count("is in state TASK_FINISHED") == 4
    # All of them are on one agent.
    assert "4.2 of 8 CPUs of " in done.stdout
