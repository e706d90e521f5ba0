"""Plays a scenario on a master, and writes down who was offered what, and when.

Time is told in batch allocations. A stage finds out when the master makes them, takes the steps of a scenario in the
middle between two, and waits one interval after each. What comes before the middle of the next interval came at once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.allocation.client import CAPABILITIES, Framework, Offer, Seen, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.allocation.masters import Master

INTERVAL = 1.0
# Where a step begins between two batch allocations.
PHASE = 0.35
SETTLED = 0.45
# How much later than foreseen a batch allocation may be.
DRIFT = 0.15
# How much later than asked this process may wake up for its observations to mean something.
LATE = 0.1
WHEN = {0: "at once: ", 1: "at the next batch: "}


@dataclass(frozen=True)
class Scenario:
    """A function that plays on a stage, and the clusters that it needs."""

    name: str
    play: Callable[[Stage], None]
    flags: tuple[tuple[str, str], ...]
    agents: int
    fresh: bool
    alike: bool
    shuffled: bool
    metronome: str

    @property
    def cluster(self) -> tuple[tuple[tuple[str, str], ...], int]:
        """What scenarios that can share a cluster have in common."""
        return self.flags, self.agents


class Stage:
    """One play of a scenario on one master."""

    def __init__(self, master: Master, scenario: Scenario) -> None:
        self.master = master
        self.trace: list[str] = []
        self.frameworks: list[Framework] = []
        self._scenario = scenario
        self._agents: dict[str, int] = {}
        self._told: dict[int, int] = {}
        self._batch = 0.0
        self.disturbed = False

    def perform(self) -> list[str]:
        """Plays; the trace. ``disturbed`` says whether the machine was too busy for it to mean something."""
        try:
            self._find_batch()
            self._scenario.play(self)
        except Exception as error:  # the trace differs from there on
            self.say(f"it could not go on: {error!r}")
        finally:
            self._leave()
        return self.trace

    def framework(self, name: str, *roles: str, with_: tuple[str, ...] = (), **fields: Any) -> Framework:
        """A framework that subscribes; it is refused only if the trace says so."""
        made = self.prepared(name, *roles, with_=with_, **fields)
        self.connect(made)
        return made

    def prepared(
        self, name: str, *roles: str, with_: tuple[str, ...] = (), only: tuple[str, ...] = CAPABILITIES, **fields: Any
    ) -> Framework:
        """A framework that does not subscribe yet."""
        made = Framework(self.master, name, roles, (*only, *with_), **fields)
        self.frameworks.append(made)
        return made

    def connect(self, framework: Framework) -> None:
        status, words = framework.connect()
        if status != 200 or words:
            self.say(f"{framework.name} is refused: {status} {words}")

    def operate(self, kind: str, **body: Any) -> None:
        """An operator's call; the trace has what it is answered unless that is 200 or 202."""
        status, words = post(self.master, "/api/v1", {"type": kind, **body})
        if status not in (200, 202):
            self.say(f"{kind}: {status} {words}")

    def ask(self, kind: str, **body: Any) -> Any:
        """What an operator's call is answered."""
        status, words = post(self.master, "/api/v1", {"type": kind, **body})
        if status != 200:
            self.say(f"{kind}: {status} {words}")
            return {}
        return json.loads(words)

    def tell(self, told: Any) -> None:
        """Writes JSON into the trace, with everything in order."""
        self.trace += json.dumps(in_order(told), indent=1, sort_keys=True).splitlines()

    def say(self, line: str) -> None:
        self.trace.append(line)

    def step(self, title: str, intervals: int = 1, timed: bool = True) -> None:
        """What came of what was done: everything until so many batch allocations have been.

        :param timed: whether the trace has the time of each event; not if what was done takes its time
        """
        self.say(title)
        if self._scenario.alike:
            self._agents.clear()
        if not timed:
            self._skip_batches()
        begin = self._batch + PHASE * INTERVAL
        self._sleep_until(begin + intervals * INTERVAL)
        buckets: dict[int, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        for framework in self.frameworks:
            for seen in self._new(framework):
                bucket = max(0, int((seen.at - begin) / INTERVAL + 1 - SETTLED)) if timed else 0
                buckets[bucket].append((framework.name, seen.event))
                if timed and bucket and seen.event["type"] == "OFFERS":
                    self._correct(seen.at - bucket * INTERVAL)
        self._batch += intervals * INTERVAL
        for bucket, events in sorted(buckets.items()):
            when = WHEN.get(bucket, f"at batch {bucket}: ") if timed else ""
            for name, event in events:
                self.trace += [f"  {when}{name} {line}" for line in self._lines(event)]

    def _correct(self, batch: float) -> None:
        """Follows the batch allocations, each of which takes place an interval after the one before has ended."""
        if abs(batch - self._batch) < DRIFT * INTERVAL:
            self._batch = batch

    def quiet(self, intervals: int = 1) -> None:
        """Lets batch allocations pass without a word."""
        self._sleep_until(self._batch + (intervals + PHASE) * INTERVAL)
        self._batch += intervals * INTERVAL
        for framework in self.frameworks:
            self._new(framework)

    def agent(self, offer: Offer) -> int:
        """The number of an agent, in the order of appearance in the trace."""
        return self._agents[offer.agent_id["value"]]

    def _new(self, framework: Framework) -> list[Seen]:
        with framework.changed:
            told = self._told.get(id(framework), 0)
            self._told[id(framework)] = len(framework.seen)
            return framework.seen[told:]

    def _lines(self, event: dict[str, Any]) -> list[str]:
        kind = event["type"]
        if kind == "OFFERS":
            return [f"is offered {self._offers([Offer(offer) for offer in event['offers']['offers']])}"]
        if kind == "RESCIND":
            offer = event["offer"]
            return [f"loses the offer of {self._offer(offer) if offer else 'what it does not have'}"]
        if kind == "INVERSE_OFFERS":
            offers = event["inverse_offers"]["inverse_offers"]
            return [f"is asked for {', '.join(sorted(self._name(offer['agent_id']) for offer in offers))}"]
        if kind == "RESCIND_INVERSE_OFFER":
            offer = event["offer"]
            return [f"is no longer asked for {self._name(offer['agent_id']) if offer else 'what it does not know'}"]
        if kind == "UPDATE":
            status = event["update"]["status"]
            known = f"{status['task_id']['value']} is {status['state']}"
            return [known] if status["state"] not in ("TASK_STARTING", "TASK_RUNNING") else []
        if kind == "UPDATE_OPERATION_STATUS":
            status = event["update_operation_status"]["status"]
            return [f"{status.get('operation_id', {}).get('value')} is {status['state']}"]
        if kind == "FAILURE":
            failure = event["failure"]
            return [] if "executor_id" in failure else [f"loses {self._name(failure['agent_id'])}"]
        if kind == "ERROR":
            return [f"is told: {event['error']['message']}"]
        return [] if kind in ("HEARTBEAT", "MESSAGE") else [{"CLOSED": "is disconnected"}.get(kind, kind)]

    def _offers(self, offers: list[Offer]) -> str:
        """Offers of one event. Their order is not Mesos': they come from a hash table."""
        new = [offer for offer in offers if offer.agent_id["value"] not in self._agents]
        for offer in sorted(new, key=self._described):
            self._name(offer.agent_id)
        return "; ".join(sorted(self._offer(offer) for offer in offers))

    def _offer(self, offer: Offer) -> str:
        return f"{self._name(offer.agent_id)} {self._described(offer)}"

    def _described(self, offer: Offer) -> str:
        return described(offer, self._scenario.shuffled)

    def _name(self, agent_id: dict[str, str]) -> str:
        return f"agent {self._agents.setdefault(agent_id['value'], len(self._agents) + 1)}"

    def _find_batch(self) -> None:
        """Learns when batch allocations are, from a framework that is offered again what it declines."""
        metronome = Framework(self.master, "metronome", (self._scenario.metronome,), (*CAPABILITIES, "GPU_RESOURCES"))
        status, words = metronome.connect()
        assert status == 200, words
        metronome.wait_for_offers()
        metronome.decline()
        metronome.wait_for_offers()
        self._batch = metronome.seen[-1].at
        metronome.call("TEARDOWN")
        self._sleep_until(self._batch + PHASE * INTERVAL)

    def _skip_batches(self) -> None:
        """Begins anew, at the last batch allocation that has been."""
        passed = int((self.master.now() - self._batch) / INTERVAL)
        self._batch += passed * INTERVAL

    def _sleep_until(self, moment: float) -> None:
        self.master.sleep_until(moment)
        if self.master.now() > moment + LATE * INTERVAL:
            self.disturbed = True

    def _leave(self) -> None:
        for framework in self.frameworks:
            if framework.framework_id is not None:
                post(self.master, "/api/v1", {"type": "TEARDOWN", "teardown": {"framework_id": framework.framework_id}})
                framework.disconnect()


def in_order(told: Any) -> Any:
    """JSON whose lists are sorted."""
    if isinstance(told, dict):
        return {key: in_order(value) for key, value in told.items()}
    if isinstance(told, list):
        return sorted((in_order(one) for one in told), key=lambda one: json.dumps(one, sort_keys=True))
    return told


def described(offer: Offer, shuffled: bool = False) -> str:
    """What an offer has, in the order in which it has it unless that is random."""
    role = f"[{offer.role}] " if offer.role else ""
    extra = " (unavailable)" if "unavailability" in offer.whole else ""
    resources = [resource(one, offer.role) for one in offer.resources]
    return role + " ".join(sorted(resources) if shuffled else resources) + extra


def resource(one: dict[str, Any], role: str = "") -> str:
    """A resource in one word, such as ``cpus(static:a|dynamic:a/b:by-me):2``."""
    name: str = one["name"]
    held = [_reservation(each) for each in one.get("reservations", [])]
    if one.get("role", "*") != "*":
        held.append(f"role:{one['role']}" + (",dynamic" if "reservation" in one else ""))
    if held:
        name += f"({'|'.join(held)})"
    allocated = one.get("allocation_info", {}).get("role", "")
    if allocated != role:
        name += f"@{allocated}"
    if "persistence" in one.get("disk", {}):
        name += f"{{{one['disk']['persistence']['id']}}}"
    name += "".join(f"<{flag}>" for flag in ("shared", "revocable") if flag in one)
    if one["type"] == "SCALAR":
        return f"{name}:{one['scalar']['value']:.10g}"
    if one["type"] == "RANGES":
        return f"{name}:[{','.join(_range(each) for each in one['ranges']['range'])}]"
    return f"{name}:{{{','.join(one['set']['item'])}}}"


def _range(one: dict[str, int]) -> str:
    return f"{one['begin']}-{one['end']}"


def _reservation(one: dict[str, Any]) -> str:
    return f"{one['type'].lower()}:{one['role']}" + (f":by-{one['principal']}" if "principal" in one else "")
