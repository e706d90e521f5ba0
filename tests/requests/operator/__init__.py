"""The requests to the master's operator API."""

from __future__ import annotations

from tests.requests import Request
from tests.requests.operator import bodies, http, maintenance, reads, resources, shares


def requests() -> list[Request]:
    """All of them, those of a scene together as far as they change nothing."""
    modules = (http, bodies, reads, resources, shares, maintenance)
    return [request for module in modules for request in module.requests()]
