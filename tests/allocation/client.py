"""A framework and an operator on plain HTTP: the v1 scheduler and operator APIs, in JSON."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.allocation.masters import WAIT_SECONDS, Master

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
CAPABILITIES = ("MULTI_ROLE", "RESERVATION_REFINEMENT", "PARTITION_AWARE")
TERMINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE"}
TERMINAL |= {"TASK_GONE_BY_OPERATOR"}


def post(master: Master | str, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Posts JSON; the status and the body of the answer."""
    with contextlib.closing(reached(master).connect()) as connection:
        connection.request("POST", path, json.dumps(body), {**JSON, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read().decode()


def reached(master: Master | str) -> Master:
    """A master, or the one at an address."""
    return Master(master) if isinstance(master, str) else master


def scalar(name: str, value: float, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **fields}


def amounts(text: str, **fields: Any) -> list[dict[str, Any]]:
    """Scalar resources, from text such as ``cpus:2;mem:512``."""
    parts = (part.split(":") for part in text.split(";"))
    return [scalar(name, float(value), **fields) for name, value in parts]


def reservation(role: str, kind: str = "DYNAMIC", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "role": role, **fields}


def volume(size: float, *reservations: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A persistent volume named ``v`` on reserved disk."""
    disk = {"persistence": {"id": "v"}, "volume": {"container_path": "v", "mode": "RW"}}
    return scalar("disk", size, reservations=list(reservations), disk=disk, **fields)


@dataclass
class Offer:
    """An offer that a framework got."""

    whole: dict[str, Any]

    @property
    def id(self) -> dict[str, str]:
        made: dict[str, str] = self.whole["id"]
        return made

    @property
    def agent_id(self) -> dict[str, str]:
        made: dict[str, str] = self.whole["agent_id"]
        return made

    @property
    def role(self) -> str:
        return str(self.whole.get("allocation_info", {}).get("role", ""))

    @property
    def allocation(self) -> dict[str, Any]:
        return {"allocation_info": self.whole["allocation_info"]} if "allocation_info" in self.whole else {}

    @property
    def resources(self) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = self.whole["resources"]
        return made


def task_on(offer: Offer, resources: str | list[dict[str, Any]], task: str, **fields: Any) -> dict[str, Any]:
    """A task on the agent of an offer."""
    wanted = amounts(resources, **offer.allocation) if isinstance(resources, str) else resources
    return {"name": task, "task_id": {"value": task}, "agent_id": offer.agent_id, "resources": wanted, **fields}


def launching(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}


@dataclass
class Seen:
    """An event that a framework got, and when."""

    at: float
    event: dict[str, Any]


@dataclass
class Framework:
    """A framework on a subscription of its own. It acknowledges updates; all else is up to the scenario.

    Without ``roles`` it has the single role of frameworks that know of no others.
    """

    master: Master | str
    name: str
    roles: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = CAPABILITIES
    info: dict[str, Any] = field(default_factory=dict)
    subscribe: dict[str, Any] = field(default_factory=dict)
    framework_id: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self.offers: dict[str, Offer] = {}
        self.inverse_offers: dict[str, dict[str, Any]] = {}
        self.seen: list[Seen] = []
        self.changed = threading.Condition()
        self._master = reached(self.master)
        self._states: dict[str, str] = {}
        self._stream_id = ""
        self._socket: socket.socket | None = None

    @property
    def framework_info(self) -> dict[str, Any]:
        made: dict[str, Any] = {"user": "root", "name": self.name, "failover_timeout": 60, **self.info}
        made["capabilities"] = [{"type": name} for name in self.capabilities]
        if "MULTI_ROLE" in self.capabilities:
            made["roles"] = list(self.roles or ["*"])
        elif self.roles:
            made["role"] = self.roles[0]
        if self.framework_id is not None:
            made["id"] = self.framework_id
        return made

    def connect(self) -> tuple[int, str]:
        """Subscribes; the status, and the words if it is refused."""
        connection = self._master.connect()
        self._socket = connection.sock
        call: dict[str, Any] = {"type": "SUBSCRIBE"}
        call["subscribe"] = {"framework_info": self.framework_info, **self.subscribe}
        if self.framework_id is not None:
            call["framework_id"] = self.framework_id
        connection.request("POST", "/api/v1/scheduler", json.dumps(call), JSON)
        response = connection.getresponse()
        if response.status != 200:
            with contextlib.closing(connection):
                return response.status, response.read().decode()
        self._stream_id = response.headers["Mesos-Stream-Id"]
        first = self._record(response)
        if first is not None and first["type"] == "SUBSCRIBED":
            self.framework_id = first["subscribed"]["framework_id"]
            threading.Thread(target=self._listen, args=(self._socket, connection, response), daemon=True).start()
            return 200, ""
        with contextlib.closing(connection), contextlib.closing(response):
            return 200, str(first)

    def _record(self, response: http.client.HTTPResponse) -> dict[str, Any] | None:
        line = response.readline()
        if not line:
            return None
        event: dict[str, Any] = json.loads(response.read(int(line)))
        return event

    def _listen(self, sock: Any, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._master.listen(sock)
        broken = contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException)
        with contextlib.closing(connection), contextlib.closing(response):
            with broken:
                while (event := self._record(response)) is not None:
                    self._take(event)
            self._take({"type": "CLOSED"})

    def _take(self, event: dict[str, Any]) -> None:
        at, kind = self._master.now(), event["type"]
        with self.changed:
            for offer in event.get("offers", {}).get("offers", []):
                self.offers[offer["id"]["value"]] = Offer(offer)
            for offer in event.get("inverse_offers", {}).get("inverse_offers", []):
                self.inverse_offers[offer["id"]["value"]] = offer
            if kind == "RESCIND":
                # It stays known, so that a trace can say what is rescinded.
                event["offer"] = self.offers.pop(event["rescind"]["offer_id"]["value"], None)
            if kind == "RESCIND_INVERSE_OFFER":
                known = event["rescind_inverse_offer"]["inverse_offer_id"]["value"]
                event["offer"] = self.inverse_offers.pop(known, None)
            if kind == "UPDATE":
                status = event["update"]["status"]
                self._states[status["task_id"]["value"]] = status["state"]
            self.seen.append(Seen(at, event))
            self.changed.notify_all()
        if kind == "UPDATE" and "uuid" in event["update"]["status"]:
            status = event["update"]["status"]
            known = {name: status[name] for name in ("task_id", "agent_id", "uuid")}
            with contextlib.suppress(OSError, http.client.HTTPException):  # the master is gone
                self.call("ACKNOWLEDGE", acknowledge=known)

    def call(self, kind: str, **body: Any) -> tuple[int, str]:
        """A call on this subscription."""
        call = {"type": kind, "framework_id": self.framework_id, **body}
        return post(self._master, "/api/v1/scheduler", call, {"Mesos-Stream-Id": self._stream_id})

    def disconnect(self) -> None:
        """Ends the subscription, as a framework does that fails."""
        assert self._socket is not None
        self.offers.clear()
        with contextlib.suppress(OSError):  # the master ended it
            self._socket.shutdown(socket.SHUT_RDWR)

    def held(self, role: str | None = None, agent: Offer | None = None) -> list[Offer]:
        """The offers that it has, of one role or of the agent of another offer if asked."""
        with self.changed:
            offers = list(self.offers.values())
        offers = [offer for offer in offers if role in (None, offer.role)]
        return [offer for offer in offers if agent is None or offer.agent_id == agent.agent_id]

    def drop(self, offers: list[Offer]) -> list[dict[str, str]]:
        """The ids of offers that a call is about to use."""
        with self.changed:
            for offer in offers:
                self.offers.pop(offer.id["value"], None)
        return [offer.id for offer in offers]

    def decline(self, seconds: float | None = 0, offers: list[Offer] | None = None) -> tuple[int, str]:
        """Declines these offers, or all that it has; None leaves the filter out."""
        ids = self.drop(self.held() if offers is None else offers)
        filters = {} if seconds is None else {"filters": {"refuse_seconds": seconds}}
        return self.call("DECLINE", decline={"offer_ids": ids, **filters})

    def accept(self, offers: list[Offer], *operations: dict[str, Any], seconds: float | None = 0) -> tuple[int, str]:
        filters = {} if seconds is None else {"filters": {"refuse_seconds": seconds}}
        body = {"offer_ids": self.drop(offers), "operations": list(operations), **filters}
        return self.call("ACCEPT", accept=body)

    def launch(
        self,
        offer: Offer,
        resources: str | list[dict[str, Any]] = "cpus:1;mem:64",
        task: str = "t",
        command: str = "exec sleep 1000",
        seconds: float | None = 0,
        wait: str = "TASK_RUNNING",
    ) -> None:
        """Launches a task, and waits until it is in a state."""
        made = task_on(offer, resources, task, command={"value": command})
        self.accept([offer], launching(made), seconds=seconds)
        self.wait_for(task, wait)

    def kill(self, task: str = "t") -> None:
        self.call("KILL", kill={"task_id": {"value": task}})

    def wait_for(self, task: str, state: str) -> None:
        """Waits until the task is in this state, or has ended."""
        self._wait(lambda: self._states.get(task) in {state, *TERMINAL}, lambda: f"{task} is {self._states.get(task)}")
        assert self._states[task] == state or state in TERMINAL, f"{self.name}: {task} is {self._states[task]}"

    def wait_for_offers(self, number: int = 1) -> None:
        self._wait(lambda: len(self.offers) >= number, lambda: f"it has {len(self.offers)} offers, not {number}")

    def _wait(self, condition: Callable[[], bool], otherwise: Callable[[], str]) -> None:
        assert self._master.wait(self.changed, condition), f"{self.name}: after {WAIT_SECONDS} seconds, {otherwise()}"

    def update(self, **subscribe: Any) -> tuple[int, str]:
        """UPDATE_FRAMEWORK with what the fields are now."""
        return self.call("UPDATE_FRAMEWORK", update_framework={"framework_info": self.framework_info, **subscribe})
