"""The list of differences on purpose in ``docs/embedded-cluster.md``, which is made from :mod:`tests.requests.deliberate`.

``python -m tests.requests.listed`` writes it there.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.requests import tables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "embedded-cluster.md"
BEGIN, END = "<!-- differences: begin -->\n", "<!-- differences: end -->\n"
SHOWN = {
    "scheduler": "schedulers' API",
    "executor": "executors' API",
    "operator": "master's operator API",
    "agent": "agents' operator API",
    "endpoints": "endpoints",
}


def written() -> str:
    """The list: how many requests there are of each API, and why some are answered otherwise."""
    found = tables()
    counts = [
        f"| {SHOWN[api]} | {len(requests):,} | {sum(bool(request.deliberate) for request in requests)} |"
        for api, requests in found.items()
    ]
    reasons: dict[str, list[str]] = {}
    for api, requests in found.items():
        for request in requests:
            if request.deliberate:
                reasons.setdefault(request.deliberate.why, []).append(f"{SHOWN[api]}: {request.name}")
    lines = [f"- {why}\n    {'; '.join(names)}\n" for why, names in reasons.items()]
    head = ["| what | requests | answered otherwise on purpose |", "|---|---|---|", *counts]
    return "\n".join([*head, "", *lines])


def in_page(page: str) -> str:
    """The list that a page has."""
    match = re.search(f"{re.escape(BEGIN)}(.*){re.escape(END)}", page, re.DOTALL)
    assert match is not None, f"no list of differences in {PAGE}"
    return match[1]


def main() -> None:
    page = PAGE.read_text()
    PAGE.write_text(page.replace(f"{BEGIN}{in_page(page)}{END}", f"{BEGIN}{written()}{END}"))


if __name__ == "__main__":
    main()
