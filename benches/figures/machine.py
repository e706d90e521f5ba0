"""What the figures were measured on, and of which revision."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from benches.figures.participants import ROOT

QUIET_LOAD = 0.5
"""Up to this load average, a machine is quiet."""


def machine() -> dict[str, Any]:
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "kernel": platform.release(),
    }


def cpu_model() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def revision() -> dict[str, Any]:
    """The commit of the working tree, and whether a file of it was changed since; empty outside of a repository."""
    commit = git("rev-parse", "HEAD")
    return {"commit": commit.strip(), "changed": git("status", "--porcelain", "-uno") != ""} if commit else {}


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
