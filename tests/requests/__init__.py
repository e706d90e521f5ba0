"""Requests to the APIs of schedulers and executors, held against what the real Mesos answers.

A :class:`Request` of a table (:mod:`tests.requests.scheduler`, :mod:`tests.requests.executor`) is sent to a master in a
scene of its own: a framework that has subscribed, one that holds an offer, or an executor of a task. Its
:class:`Answer` is the status, the headers that Mesos sets, the body and what comes on the event streams because of it,
with everything that differs from run to run replaced by a name. ``recorded.json`` has the real master's answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).resolve().parent / "recorded"
Answer = dict[str, Any]


@dataclass(frozen=True)
class Deliberate:
    """A difference on purpose.

    :param why: the reason
    :param answer: the parts of the answer that differ, with the embedded cluster's values
    :param paths: where else it differs, if that depends on the machine or is long
    """

    why: str
    answer: Answer = field(default_factory=dict)
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """A request, with ``@framework`` and other names for the ids of its scene.

    :param name: unique in its table
    :param call: the call, as JSON; text or bytes are sent as they are
    :param form: how the call is written, ``json`` or ``protobuf``
    :param scene: which of the table's scenes it is sent in
    :param headers: headers beside ``Host``, ``Content-Type`` and ``Content-Length``; the value ``None`` leaves one out
    :param version: of HTTP
    :param encode: changes the body
    :param again: whether the request is sent a second time on its connection, to see whether that is kept
    :param acknowledged: whether the agent acknowledges an update of the request
    :param then: reads that show what the request changed, if anything
    :param whole: whether what is of the build, flags and metrics are compared too
    :param deliberate: the difference that the embedded cluster has on purpose, from :mod:`tests.requests.deliberate`
    """

    name: str
    call: Any = None
    form: str = "json"
    scene: str = "framework"
    method: str = "POST"
    path: str = ""
    headers: dict[str, str | None] = field(default_factory=dict)
    version: str = "HTTP/1.1"
    again: bool = False
    encode: Any = None
    acknowledged: bool = False
    then: tuple[dict[str, Any], ...] = ()
    whole: bool = False
    deliberate: Deliberate | None = None

    def expected(self, recorded: dict[str, Answer]) -> Answer:
        """What the embedded cluster has to answer."""
        answer = recorded[self.name]
        if self.deliberate is None:
            return answer
        crashed = self.deliberate.answer and answer["status"] == "the master crashes"
        return {**({} if crashed else answer), **self.deliberate.answer}

    def differences(self, recorded: dict[str, Answer], answer: Answer) -> list[str]:
        """Where an answer of the embedded cluster is not what it has to be, a line each."""
        paths = self.deliberate.paths if self.deliberate else ()
        found = differences(self.expected(recorded), answer)
        return [line for line in found if not line.startswith(paths)] if paths else found


def recorded() -> dict[str, dict[str, Answer]]:
    """The real master's answers, by API and by the names of requests."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))}


def differences(expected: Answer, answer: Answer) -> list[str]:
    """The parts in which an answer is not as expected, a line each."""
    parts = sorted({*expected, *answer})
    return [line for part in parts for line in unequal(part, expected.get(part, ABSENT), answer.get(part, ABSENT))]


def unequal(path: str, expected: Any, found: Any) -> list[str]:
    """What differs within a part: values, and the order of an object's members but for headers."""
    if type(expected) is not type(found):
        return [line(path, expected, found)]
    if isinstance(expected, dict):
        names = [*expected, *(name for name in found if name not in expected)]
        lines = [
            one
            for name in names
            for one in unequal(f"{path}.{name}", expected.get(name, ABSENT), found.get(name, ABSENT))
        ]
        if not lines and list(expected) != list(found) and path != "headers":
            return [line(f"{path}, in its order", list(expected), list(found))]
        return lines
    if isinstance(expected, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [one for at, (item, other) in pairs for one in unequal(f"{path}[{at}]", item, other)]
    return [] if expected == found else [line(path, expected, found)]


ABSENT = "(nothing)"


def line(path: str, expected: Any, found: Any) -> str:
    """How a difference is shown."""
    return f"{path}: expected {json.dumps(expected)}\n{'':{len(path)}}       but got {json.dumps(found)}"


def tables() -> dict[str, list[Request]]:
    """Every request, by API."""
    from tests.requests import agent, endpoints, executor, operator, scheduler
    from tests.requests.deliberate import DELIBERATE

    found = {
        "scheduler": scheduler.requests(),
        "executor": executor.requests(),
        "operator": operator.requests(),
        "agent": agent.requests(),
        "endpoints": endpoints.requests(),
    }
    for api, requests in found.items():
        names = [request.name for request in requests]
        assert len(names) == len(set(names)), {name for name in names if names.count(name) > 1}
        assert set(DELIBERATE.get(api, ())) <= set(names), set(DELIBERATE[api]) - set(names)
    return {
        api: [replace(request, deliberate=DELIBERATE.get(api, {}).get(request.name)) for request in requests]
        for api, requests in found.items()
    }
