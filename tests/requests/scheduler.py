"""The requests to the scheduler API."""

from __future__ import annotations

from tests.requests import Request
from tests.requests.tables import calls, frameworks, http, json_text, launches, operations, protobuf


def requests() -> list[Request]:
    """All of them."""
    modules = (http, json_text, protobuf, calls, frameworks, launches, operations)
    return [request for module in modules for request in module.requests()]
