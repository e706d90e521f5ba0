"""Requests to a master or an agent, and their answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mesos import _operator
from mesos.errors import MesosError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_JSON = "application/json"


class OperatorRequestError(MesosError, RuntimeError):
    """A master or an agent refused a request.

    >>> from mesos.local import LocalCluster
    >>> from mesos.pymesos import MesosOperatorMasterDriver
    >>> from mesos.pymesos.operator_v1 import OperatorRequestError
    >>> with LocalCluster() as cluster:
    ...     try:
    ...         MesosOperatorMasterDriver(cluster.address).markAgentGone("nobody")
    ...     except OperatorRequestError as error:
    ...         print(error.status)
    404
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"Failed to send request code={status}, message={body!r}")
        self.status = status
        """The HTTP status."""
        self.body = body


def ask(
    operator: _operator.Operator, body: Any, path: str, method: str, headers: Mapping[str, str] | None, seconds: float
) -> Any:
    """Sends a request, and returns the answer: its JSON, a list of dicts if it is a stream of records, or an empty dict
    if it has neither.

    :param body: written as JSON; text is sent as it is, as a stream of records, and empty text as no body
    :param seconds: to wait for a connection, the answer, and each further part of it
    :raises OperatorRequestError: the request was refused; a :class:`RuntimeError`
    :raises UnreachableError: there is no connection, or it broke; a :class:`ConnectionError`
    :raises AnswerTimeoutError: there is no answer in time; a :class:`TimeoutError`
    """
    named = dict(headers or {})
    if isinstance(body, str):
        if body:
            named.setdefault("Content-Type", _operator.RECORDIO)
            # pymesos asks for a stream here too, which an agent refuses: only the request is one.
            named = {name: value for name, value in named.items() if (name, value) != ("Accept", _operator.RECORDIO)}
        body = body.encode() or None
    # An agent refuses either one without its stream.
    for of_stream, of_messages in (("Accept", "Message-Accept"), ("Content-Type", "Message-Content-Type")):
        if named.get(of_stream) == _operator.RECORDIO:
            named.setdefault(of_messages, _JSON)
    answer = operator.request(body, path, method, named, idle=seconds)
    if not 200 <= answer.status < 300:
        raise OperatorRequestError(answer.status, answer.body)
    if answer.headers.get("content-type") == _operator.RECORDIO:
        return [json.loads(record) for record in _records(answer.body)]
    try:
        return json.loads(answer.body)
    except ValueError:
        return {}


def _records(stream: bytes) -> Iterator[bytes]:
    """Splits RecordIO; a last record that is cut off is left out."""
    while stream:
        length, newline, rest = stream.partition(b"\n")
        if not newline or len(rest) < int(length):
            return
        yield rest[: int(length)]
        stream = rest[int(length) :]
