"""A master, real or embedded, and the scenes in which requests are sent to it."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import select
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.python.support import wait_until
from tests.requests import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.requests import Answer, Request

SCHEDULER = "/api/v1/scheduler"
# What Mesos itself sets. Content-Length is in the body's length.
HEADERS = (
    "Allow",
    "Connection",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Type",
    "Location",
    "Mesos-Stream-Id",
    "Transfer-Encoding",
    "WWW-Authenticate",
)
FENCE = "fence"
FENCE_DATA = base64.b64encode(FENCE.encode()).decode()
# What requests themselves say.
TIMESTAMP = 1.5
SHUTDOWN = {"type": "SHUTDOWN"}
UUIDS = {"", "AAEC", "AAECAwQFRgeICQoLDA0ODw=="}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class Framework:
    """A framework that has subscribed."""

    def __init__(self, address: str, **fields: Any) -> None:
        self._address = address
        info = {"user": "root", "name": "requests", **fields.pop("framework_info", {})}
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info, **fields}}
        self.stream = wire.post(address, SCHEDULER, call)
        self.events = self.stream.records("scheduler")
        self.id = self.wait("SUBSCRIBED")["subscribed"]["framework_id"]["value"]
        assert self.stream.response is not None
        self.stream_id = self.stream.response.headers["Mesos-Stream-Id"]

    def wait(self, kind: str) -> dict[str, Any]:
        """The next event of this type."""
        until = time.monotonic() + wire.SECONDS
        for event in self.events:
            if event["type"] == kind:
                return event
            assert time.monotonic() < until, f"not within {wire.SECONDS} s: {kind}"
        raise AssertionError(f"the stream ended before {kind}")

    def call(self, kind: str, **fields: Any) -> int | str:
        """Send a call; the response's status."""
        call = {"type": kind, "framework_id": {"value": self.id}, **fields}
        return wire.post(self._address, SCHEDULER, call, Mesos_Stream_Id=self.stream_id).finish()

    def since(self, is_fence: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """The events until one that was asked for last, or the end of the stream."""
        events = []
        for event in self.events:
            if is_fence(event):
                return events
            events.append(event)
        return [*events, {"type": "(the stream ends)"}]

    def told(self) -> list[dict[str, Any]]:
        """The events that the master has sent."""
        self.call("RECONCILE", reconcile={"tasks": [{"task_id": {"value": FENCE}}]})
        return self.since(lambda event: event["type"] == "UPDATE" and status(event)["task_id"]["value"] == FENCE)

    def acknowledge(self) -> None:
        """Acknowledge the next update."""
        update = status(self.wait("UPDATE"))
        fields = {name: update[name] for name in ("agent_id", "task_id", "uuid")}
        assert self.call("ACKNOWLEDGE", acknowledge=fields) == 202

    def leave(self) -> None:
        """Tear the framework down."""
        with contextlib.closing(self.stream):
            self.call("TEARDOWN")


def status(event: dict[str, Any]) -> dict[str, Any]:
    """The status of an UPDATE."""
    found: dict[str, Any] = event["update"]["status"]
    return found


class Stage:
    """Plays the requests of one API on one master.

    :param address: the master, as ``host:port``
    """

    api = ""
    path = ""

    def __init__(self, address: str) -> None:
        self.address = address
        with urllib.request.urlopen(f"http://{address}/state", timeout=wire.SECONDS) as response:
            self.state = json.load(response)
        self._names: dict[str, str] = {}
        self.more: dict[str, str] = {}

    def play(self, request: Request) -> Answer:
        """Send a request in its scene; what came of it."""
        self._names = {"@master": self.state["id"], "@address": self.address, **self.more}
        for agent in self.state["slaves"]:
            self._names["@agent" if "@agent" not in self._names else "@other-agent"] = agent["id"]
        scene = getattr(self, request.scene)
        with scene(request) as after:
            exchange = wire.send(self.address, self.written(request))
            try:
                answer = self.head(exchange)
                answer.update(self.rest(request, exchange, after))
            finally:
                exchange.close()
        return self.normal(answer)

    def close(self) -> None:
        """Leave what is kept between requests."""

    def written(self, request: Request) -> bytes:
        """The bytes of a request."""
        content_type = {"json": wire.JSON, "protobuf": wire.PROTOBUF}[request.form]
        body = self.body(request)
        headers = {"Host": self.address, "Content-Type": content_type, "Content-Length": str(len(body))}
        if request.version == "HTTP/1.0":
            headers = {**headers, "Connection": "close"}
        headers.update(self.own_headers())
        given = {name: value and self.filled(value) for name, value in request.headers.items()}
        path = self.filled(request.path or self.path)
        return wire.written(request.method, path, {**headers, **given}, body, request.version)

    def own_headers(self) -> dict[str, str]:
        """Headers of a scene."""
        return {}

    def body(self, request: Request) -> bytes:
        call = request.call
        if isinstance(call, dict):
            text = self.filled(json.dumps(call))
            body = text.encode() if request.form == "json" else wire.protobuf(self.api, json.loads(text))
        elif isinstance(call, bytes):
            body = call
        else:
            body = self.filled(call or "").encode()
        encode: Callable[[bytes], bytes] = request.encode or bytes
        return encode(body)

    def filled(self, text: str) -> str:
        """A text with the ids of the scene."""
        return re.sub(r"@[a-z-]+", lambda match: self._names.get(match[0], match[0]), text)

    def normal(self, answer: Answer) -> Answer:
        """An answer with names in place of the scene's ids."""
        text = json.dumps(answer)
        for name, value in sorted(self._names.items(), key=lambda item: -len(item[1])):
            text = text.replace(value, name) if len(value) > 2 else text
        text = re.sub(UUID + r"(?:-O\d+|-S\d+|-\d{4})?", "@uuid", text)
        found: Answer = json.loads(text, object_hook=self._normal_object)
        return found

    def _normal_object(self, found: dict[str, Any]) -> dict[str, Any]:
        # An agent may tell of an update before it knows the process.
        return {key: self._normal_value(key, value) for key, value in found.items() if key != "executor_pid"}

    def _normal_value(self, key: str, value: Any) -> Any:
        if key == "port" and value == int(self.address.rpartition(":")[2]):
            return "@port"
        if key in {"timestamp", "start_time"} and value != TIMESTAMP:
            return "@time"
        return "@uuid" if key == "uuid" and value not in UUIDS else value

    def head(self, exchange: wire.Exchange) -> Answer:
        if exchange.response is None:
            return {"status": exchange.status}
        headers = exchange.response.headers
        given = {name: ", ".join(headers.get_all(name) or []) for name in HEADERS if name in headers}
        return {"status": exchange.status, "headers": given}

    def rest(self, request: Request, exchange: wire.Exchange, after: Callable[[wire.Exchange], Answer]) -> Answer:
        """What comes after a head."""
        found: Answer = {}
        if not self.is_stream(exchange):
            body = exchange.body()
            if exchange.response is not None and exchange.response.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found["body"] = body.decode(errors="replace")
            if exchange.response is not None and exchange.response.headers["Content-Type"] == wire.PROTOBUF:
                found["bytes"] = body
            if request.again:
                found["again"] = self.again(request, exchange)
        return {**found, **after(exchange)}

    def is_stream(self, exchange: wire.Exchange) -> bool:
        return exchange.status == 200 and "Content-Type" in ((exchange.response and exchange.response.headers) or {})

    def again(self, request: Request, exchange: wire.Exchange) -> int | str:
        """The status of the same request, sent again on the connection, or what became of that."""
        readable, _, _ = select.select([exchange.socket], [], [], 0.1)
        with contextlib.suppress(ConnectionError):
            if readable and not exchange.socket.recv(1):
                return "closed"
            exchange.socket.sendall(self.written(request))
            response = wire.respond(exchange.socket, request.method)
            return response.status if response else "closed"
        return "closed"

    @contextlib.contextmanager
    def nobody(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """Without a framework."""
        yield self.subscription

    def subscription(self, exchange: wire.Exchange) -> Answer:
        """What comes on the stream that a request opened."""
        return {}


class SchedulerStage(Stage):
    """The scheduler API."""

    api, path = "scheduler", SCHEDULER

    def own_headers(self) -> dict[str, str]:
        return {"Mesos-Stream-Id": self._names["@stream"]} if "@stream" in self._names else {}

    def subscription(self, exchange: wire.Exchange) -> Answer:
        if not self.is_stream(exchange):
            return {}
        events = []
        assert exchange.response is not None
        for event in exchange.records(self.api):
            events.append(event)
            if event["type"] == "SUBSCRIBED":
                framework_id = event["subscribed"]["framework_id"]["value"]
                stream_id = exchange.response.headers["Mesos-Stream-Id"]
                self._names.update({"@framework": framework_id, "@stream": stream_id})
                call = {"type": "TEARDOWN", "framework_id": event["subscribed"]["framework_id"]}
                wire.post(self.address, SCHEDULER, call, Mesos_Stream_Id=stream_id).close()
                break
        else:
            events.append({"type": "(the stream ends)"})
        return {"events": events}

    @contextlib.contextmanager
    def framework(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With a framework that has suppressed its offers."""
        with self._framework(suppressed_roles=["*"]) as framework:
            yield self._told(framework)

    @contextlib.contextmanager
    def offer(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With a framework that holds an offer of each agent; ``@offer`` is of ``@agent``."""
        capabilities = [{"type": name} for name in ("MULTI_ROLE", "RESERVATION_REFINEMENT", "PARTITION_AWARE")]
        info = {"roles": ["role"], "capabilities": capabilities, "principal": "principal"}
        with self._offered(framework_info=info) as after:
            yield after

    @contextlib.contextmanager
    def old_offer(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """The same with a framework without capabilities."""
        with self._offered() as after:
            yield after

    @contextlib.contextmanager
    def _offered(self, **fields: Any) -> Iterator[Callable[[wire.Exchange], Answer]]:
        with self._framework(**fields) as framework:
            offers: dict[str, str] = {}
            while len(offers) < len(self.state["slaves"]):
                for offer in framework.wait("OFFERS")["offers"]["offers"]:
                    offers[offer["agent_id"]["value"]] = offer["id"]["value"]
            self._names["@offer"] = offers[self._names["@agent"]]
            self._names["@other-offer"] = offers[self._names["@other-agent"]]
            yield self._told(framework)

    @contextlib.contextmanager
    def _framework(self, **fields: Any) -> Iterator[Framework]:
        framework = Framework(self.address, **fields)
        self._names.update({"@framework": framework.id, "@stream": framework.stream_id})
        try:
            yield framework
        finally:
            framework.leave()

    def _told(self, framework: Framework) -> Callable[[wire.Exchange], Answer]:
        def events(exchange: wire.Exchange) -> Answer:
            own = self.subscription(exchange)
            came = [event for event in framework.told() if is_told_by_master(event)]
            return {**own, **({"told": came} if came else {})}

        return events


def is_told_by_master(event: dict[str, Any]) -> bool:
    """Whether an event is the master's own, and does not depend on when an agent says something."""
    if event["type"] == "UPDATE":
        return status(event).get("source") == "SOURCE_MASTER"
    return event["type"] not in {"FAILURE", "HEARTBEAT", "OFFERS", "UPDATE_OPERATION_STATUS"}


class ExecutorStage(Stage):
    """The executor API, with executors that this process plays: their containers only sleep."""

    api = "executor"

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.paths = {agent["id"]: agent["pid"].partition("@")[0] for agent in self.state["slaves"]}
        first = self.state["slaves"][0]
        self.path = f"/{self.paths[first['id']]}/api/v1/executor"

    def play(self, request: Request) -> Answer:
        first, second = (self.paths[agent["id"]] for agent in self.state["slaves"])
        with tempfile.TemporaryDirectory() as directory:
            self.more = {"@agent-path": first, "@other-agent-path": second, "@directory": directory}
            return super().play(request)

    @contextlib.contextmanager
    def executor(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With an executor that has subscribed."""
        with self._launched() as framework:
            stream = wire.post(self.address, self.path, self._call("SUBSCRIBE", subscribe={}))
            with contextlib.closing(stream):
                events = stream.records(self.api)
                while next(events)["type"] != "LAUNCH":
                    pass
                yield lambda exchange: self._told(framework, exchange, events, request)

    @contextlib.contextmanager
    def launched(self, request: Request) -> Iterator[Callable[[wire.Exchange], Answer]]:
        """With an executor that has not subscribed yet."""
        with self._launched() as framework:
            yield lambda exchange: self._told(framework, exchange, iter(()), request)

    @contextlib.contextmanager
    def _launched(self) -> Iterator[Framework]:
        framework = Framework(self.address)
        try:
            task = f"task-{uuid.uuid4()}"
            self._names.update({"@framework": framework.id, "@executor": f"executor-{task}", "@task": task})
            agent = self._names["@agent"]
            offer = None
            while offer is None:
                offers = framework.wait("OFFERS")["offers"]["offers"]
                offer = next((offer["id"] for offer in offers if offer["agent_id"]["value"] == agent), None)
            operations = [{"type": "LAUNCH", "launch": {"task_infos": [self._task(agent)]}}]
            framework.call("ACCEPT", accept={"offer_ids": [offer], "operations": operations})
            # An agent fails a task whose executor subscribes before its container is up.
            wait_until(self._started().exists, "the executor runs")
            yield framework
        finally:
            framework.leave()

    def _task(self, agent: str) -> dict[str, Any]:
        resources = [scalar("cpus", 0.1), scalar("mem", 32)]
        executor = {
            "type": "CUSTOM",
            "executor_id": {"value": self._names["@executor"]},
            "command": {"value": f"touch {self._started()}; exec sleep 1000"},
            "resources": resources,
        }
        return {
            "name": "task",
            "task_id": {"value": self._names["@task"]},
            "agent_id": {"value": agent},
            "executor": executor,
            "resources": resources,
        }

    def _started(self) -> Path:
        """A file that is there when the executor runs."""
        return Path(self.more["@directory"]) / self._names["@executor"]

    def _call(self, kind: str, **fields: Any) -> dict[str, Any]:
        ids = {"framework_id": {"value": self._names["@framework"]}, "executor_id": {"value": self._names["@executor"]}}
        return {"type": kind, **ids, **fields}

    def _told(
        self, framework: Framework, exchange: wire.Exchange, events: Iterator[dict[str, Any]], request: Request
    ) -> Answer:
        """What the executor and its scheduler are told until a message from each to the other has arrived."""
        own = exchange.records(self.api) if self.is_stream(exchange) else None
        answer: Answer = {}
        if request.acknowledged and exchange.status in {200, 202}:
            # Messages overtake updates.
            answer["acknowledged"] = until(is_acknowledged, own or events)
        if own:
            # So they do tasks that wait for an executor's first subscription.
            first = until(lambda event: event["type"] == "LAUNCH", own) if request.scene == "launched" else []
            answer["events"] = [*first, *self._until_message(framework, own)]
        answer["told"] = self._until_message(framework, events)
        if answer.get("events", [])[-1:] == [SHUTDOWN]:
            answer["scheduler"] = until(lambda event: event["type"] == "UPDATE", framework.events)
        else:
            answer["scheduler"] = self._scheduler_told(framework)
        return {name: came for name, came in answer.items() if came}

    def _until_message(self, framework: Framework, stream: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
        agent, executor = {"value": self._names["@agent"]}, {"value": self._names["@executor"]}
        framework.call("MESSAGE", message={"agent_id": agent, "executor_id": executor, "data": FENCE_DATA})
        return [
            event for event in until(lambda event: is_fence(event) or event == SHUTDOWN, stream) if not is_fence(event)
        ]

    def _scheduler_told(self, framework: Framework) -> list[dict[str, Any]]:
        if wire.post(self.address, self.path, self._call("MESSAGE", message={"data": FENCE_DATA})).finish() != 202:
            return []
        return [event for event in until(is_fence, framework.events) if not is_fence(event)]


def until(is_last: Callable[[dict[str, Any]], bool], stream: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of a stream that do not come by the clock, up to this one."""
    came = []
    for event in stream:
        if event["type"] not in {"HEARTBEAT", "OFFERS"}:
            came.append(event)
        if is_last(event):
            return came
    return [*came, {"type": "(the stream ends)"}]


def is_acknowledged(event: dict[str, Any]) -> bool:
    """Whether an event acknowledges the update of a request."""
    found: bool = event["type"] == "ACKNOWLEDGED" and event["acknowledged"]["uuid"] in UUIDS
    return found


def is_fence(event: dict[str, Any]) -> bool:
    """Whether an event is the message that everything before it has arrived."""
    found: bool = event["type"] == "MESSAGE" and event["message"]["data"] == FENCE_DATA
    return found


def scalar(name: str, value: float, **fields: Any) -> dict[str, Any]:
    """A scalar resource."""
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **fields}
