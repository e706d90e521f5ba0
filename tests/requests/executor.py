"""The requests to the executor API."""

from __future__ import annotations

from tests.requests import Request


def requests() -> list[Request]:
    """All of them."""
    return []
