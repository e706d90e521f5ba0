"""What a check finds."""

from __future__ import annotations

import dataclasses

WILL = "will not run"
MAY = "may not run"


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """A place that does not run, or may not run, and the remedy. Lines and columns begin with 1."""

    path: str
    line: int
    column: int
    code: str
    severity: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.message}"
