"""Checks frameworks that others wrote, and compares what is found with what running them took."""

from __future__ import annotations

import argparse
import dataclasses
import io
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos._check import check_paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesos._check import Finding

TABLES = Path(__file__).parent
CONVERSION = "2to3"
"""The code of the one finding for all that ``2to3`` converts in a file, which is no edit by hand."""


@dataclasses.dataclass(frozen=True)
class Framework:
    """A framework, as its table describes it."""

    title: str
    kind: str
    name: str
    version: str
    checked: list[str]
    edits: list[dict[str, Any]]
    real: list[dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Framework:
        table = {"edits": [], "real": [], **tomllib.loads(path.read_text())}
        return cls(path.stem, **table)

    def fetch(self, directory: Path) -> Path:
        """Returns the root of the framework's source, from PyPI or GitHub."""
        archive = self._download_from_pypi(directory) if self.kind == "pypi" else self._download_from_github()
        target = directory / self.title
        if zipfile.is_zipfile(archive):
            archive.seek(0)
            with zipfile.ZipFile(archive) as file:
                file.extractall(target)
        else:
            archive.seek(0)
            with tarfile.open(fileobj=archive) as file:
                file.extractall(target, filter="data")
        (root,) = target.iterdir()
        return root

    def _download_from_pypi(self, directory: Path) -> io.BytesIO:
        target = directory / f"{self.title}.download"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        requirement = f"{self.name}=={self.version}"
        subprocess.run([*command, "--no-build-isolation", "--dest", target, requirement], check=True)
        (path,) = target.iterdir()
        return io.BytesIO(path.read_bytes())

    def _download_from_github(self) -> io.BytesIO:
        with urllib.request.urlopen(f"https://codeload.github.com/{self.name}/tar.gz/{self.version}") as reply:
            return io.BytesIO(reply.read())


@dataclasses.dataclass
class Result:
    """How many edits were found and missed, and how many findings were no edit and nothing real."""

    found: int = 0
    missed: int = 0
    by_checker: int = 0
    findings: int = 0
    false_alarms: int = 0

    def add(self, other: Result) -> None:
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def __str__(self) -> str:
        total = self.found + self.missed
        parts = [
            f"{self.found} of {total} edits found",
            f"{self.missed} missed",
            f"{self.false_alarms} false alarms among {self.findings} findings",
        ]
        if self.by_checker:
            parts.append(f"{self.by_checker} more that only the check found")
        return ", ".join(parts)


def covers(entry: dict[str, Any], path: str, finding: Finding) -> bool:
    """Whether an entry of a table is about a finding: by its line, or by its code if the entry is about the file."""
    if entry["path"] != path:
        return False
    if entry["line"] == 0:
        return bool(entry["code"] == finding.code)
    return finding.line == entry["line"] or finding.line in entry.get("also", ())


def compare(framework: Framework, root: Path, findings: Iterable[Finding]) -> Result:
    """Returns the figures of one framework, and prints what was missed and what is a false alarm."""
    places = [(Path(finding.path).resolve().relative_to(root.resolve()).as_posix(), finding) for finding in findings]
    places = [(path, finding) for path, finding in places if finding.code != CONVERSION]
    result = Result(findings=len(places))
    for edit in framework.edits:
        found = any(covers(edit, path, finding) for path, finding in places)
        if "found_by" in edit:
            result.by_checker += 1
        elif found:
            result.found += 1
        else:
            result.missed += 1
            print(f"  missed: {edit['path']}:{edit['line']}: {edit['code']}: {edit['why']}")
    for path, finding in places:
        if not any(covers(entry, path, finding) for entry in [*framework.edits, *framework.real]):
            result.false_alarms += 1
            print(f"  false alarm: {path}:{finding.line}: {finding.code}: {finding.message}")
    return result


def main() -> None:
    frameworks = {path.stem: Framework.read(path) for path in sorted(TABLES.glob("*.toml"))}
    parser = argparse.ArgumentParser(prog="python -m tests.check", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(frameworks)}; all of them if none is named")
    parser.add_argument("--sources", type=Path, help="a directory with each framework's source, instead of the network")
    options = parser.parse_args()
    if unknown := set(options.names) - set(frameworks):
        parser.error(f"there is no framework named {', '.join(sorted(unknown))}")
    total = Result()
    with tempfile.TemporaryDirectory() as directory:
        for name in options.names or frameworks:
            framework = frameworks[name]
            root = options.sources / name if options.sources else framework.fetch(Path(directory))
            print(f"{framework.name} {framework.version}:")
            result = compare(framework, root, check_paths([root / path for path in framework.checked]))
            print(f"  {result}", flush=True)
            total.add(result)
    print(f"all: {total}")


if __name__ == "__main__":
    main()
