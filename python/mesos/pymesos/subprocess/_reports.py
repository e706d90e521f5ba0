"""What an executor reports of a child, as JSON. Unlike a pickle, it cannot run code in the process that reads it."""

from __future__ import annotations

import builtins
import dataclasses
import json
import subprocess
import traceback
from typing import Any

from mesos.errors import MesosError

_MOST_TEXT = 8000


class StartError(MesosError, RuntimeError):
    """The child was not started: its task was lost or refused, or it took too long."""


@dataclasses.dataclass(frozen=True)
class Report:
    """One of these: the child runs, it was not started, it has ended."""

    error: BaseException | None = None
    """Why it was not started."""
    returncode: int | None = None
    """How it ended."""
    written: dict[int, int] = dataclasses.field(default_factory=dict)
    """How many bytes it had written when it ended, by its descriptors."""

    def encode(self) -> bytes:
        """Returns the report as one line."""
        error = _error_as_dict(self.error) if self.error is not None else None
        written = list(self.written.items())
        return json.dumps({"error": error, "returncode": self.returncode, "written": written}).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Report:
        """Returns the report in a line.

        :raises ValueError: it is none
        """
        try:
            found = json.loads(line)
            error = _error_from_dict(found["error"]) if found["error"] is not None else None
            return cls(error, found["returncode"], dict(found["written"]))
        except (LookupError, TypeError, AttributeError) as wrong:
            raise ValueError(f"this is not a report: {line!r}") from wrong


def _error_as_dict(error: BaseException) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": type(error).__name__, "text": str(error)[:_MOST_TEXT]}
    if isinstance(error, OSError):
        name = error.filename
        fields["os"] = [error.errno, error.strerror, str(name) if name is not None else None]
    fields["traceback"] = "".join(traceback.format_exception(error))[-_MOST_TEXT:]
    return fields


def _error_from_dict(fields: dict[str, Any]) -> BaseException:
    """Returns an exception of the same class if it is one that ``subprocess.Popen`` raises."""
    kind, text = fields["kind"], fields["text"]
    error: BaseException
    if "os" in fields and fields["os"][0] is not None:
        number, words, name = fields["os"]
        error = OSError(number, words, name) if name is not None else OSError(number, words)
    elif kind == "SubprocessError":
        error = subprocess.SubprocessError(text)
    elif kind in ("IndexError", "OSError", "RuntimeError", "TypeError", "ValueError"):
        error = getattr(builtins, kind)(text)
    else:
        error = StartError(f"{kind}: {text}")
    error.child_traceback = fields["traceback"]  # type: ignore[attr-defined]
    return error
