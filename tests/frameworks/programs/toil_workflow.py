"""A workflow for Toil: jobs with children and a follow-on, one that fails at first, and a service.

Its last two arguments are the directory where the failing job leaves a mark and the file for the result.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from toil.common import Toil
from toil.job import Job

SMALL: dict[str, Any] = {"cores": 0.5, "memory": "200M", "disk": "50M"}


class Greeter(Job.Service):
    """A service that is reached by what it returns, and that runs until the jobs which use it have ended."""

    def __init__(self, mark: Path) -> None:
        super().__init__(**SMALL)
        self.mark = mark

    def start(self, job: Job) -> str:
        self.mark.write_text("started")
        return "hello"

    def check(self) -> bool:
        return True

    def stop(self, job: Job) -> None:
        self.mark.write_text("stopped")


def square(job: Job, number: int) -> int:
    return number * number


def fail_once(job: Job, mark: Path) -> str:
    if not mark.exists():
        mark.touch()
        raise RuntimeError("this job fails when it runs first")
    return "retried"


def greet(job: Job, greeting: str) -> str:
    return f"{greeting} from a job"


def gather(job: Job, squares: list[int], retried: str, greeting: str) -> dict[str, Any]:
    return {"sum": sum(squares), "retried": retried, "greeting": greeting}


def root(job: Job, directory: Path) -> Any:
    squares = [job.addChildJobFn(square, number, **SMALL).rv() for number in range(1, 6)]
    retried = job.addChildJobFn(fail_once, directory / "failed", **SMALL).rv()
    serving = job.addChildJobFn(square, 1, **SMALL)
    greeting = serving.addService(Greeter(directory / "service"))
    greeted = serving.addChildJobFn(greet, greeting, **SMALL).rv()
    return job.addFollowOnJobFn(gather, squares, retried, greeted, **SMALL).rv()


def main() -> None:
    *arguments, directory, result = sys.argv[1:]
    options = Job.Runner.getDefaultArgumentParser().parse_args(arguments)
    with Toil(options) as toil:
        value = toil.start(Job.wrapJobFn(root, Path(directory), **SMALL))
    Path(result).write_text(json.dumps(value))


if __name__ == "__main__":
    main()
