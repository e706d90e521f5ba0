"""Every code block of the documents is executed, or says why not; every link leads to a file.

A comment above a block says what is special about it:

- ``<!-- output -->``: what the Python block before it prints
- ``<!-- run: as an executor -->``: a program that an agent starts
- ``<!-- run: with pytest -->``: a file of tests
- ``<!-- file: NAME -->``: a file that the blocks below it import
- ``<!-- not run: REASON -->``
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.support import Recorder, executor, running, task_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})
REPOSITORY = "https://github.com/remesos/remesos/blob/main/"
RAW = "https://raw.githubusercontent.com/remesos/remesos/main/"
DIRECTIVE = re.compile(r"<!-- (output|not run|run|file)(?:: (.+?))? -->")


@dataclass
class Block:
    """A code block, and what the comment above it says."""

    page: Path
    line: int
    language: str
    text: str
    kind: str
    detail: str
    files: dict[str, str]
    output: str | None = None

    def write(self, directory: Path, name: str) -> Path:
        """Writes the block, and the files that it imports."""
        for file, text in self.files.items():
            (directory / file).write_text(text)
        path = directory / name
        path.write_text(self.text)
        return path

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The code blocks of a page, each with its output."""
    last: Block | None = None
    kind = detail = ""
    files: dict[str, str] = {}
    for token in MarkdownIt().enable("table").parse(page.read_text()):
        if token.type in ("fence", "code_block") and token.info != "mermaid":
            block = Block(page, (token.map or [0])[0] + 1, token.info, token.content, kind, detail, dict(files))
            if kind == "file":
                files[detail] = block.text
                compile(block.text, str(block), "exec")
            if kind == "output":
                assert last is not None, f"{block} has no program above it"
                last.output = block.text
                yield last
                last = None
            else:
                if last is not None:
                    yield last
                last = block
        said = DIRECTIVE.fullmatch(token.content.strip()) if token.type == "html_block" else None
        kind, detail = (said[1], said[2] or "") if said else ("", "")
    if last is not None:
        yield last


BLOCKS = [block for page in PAGES for block in blocks(page)]


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == ""], ids=str)
def test_a_block_runs_and_prints_what_the_page_shows(block: Block, tmp_path: Path) -> None:
    assert block.language == "python", f"{block} is not Python: it needs a comment that says why it is not run"
    program = block.write(tmp_path, "program.py")
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    if block.output is not None:
        # When a task's output is shown among the program's own is a matter of time.
        assert re.sub(r"^\[[^\]]+\] .*\n", "", done.stdout, flags=re.M) == block.output


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.detail == "with pytest"], ids=str)
def test_a_block_passes_with_pytest(block: Block, tmp_path: Path) -> None:
    tests = block.write(tmp_path, "test_block.py")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--rootdir",
        tmp_path,
        "--strict-markers",
        "-p",
        "no:cacheprovider",
        tests,
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.detail == "as an executor"], ids=str)
def test_a_block_runs_as_an_executor(block: Block, tmp_path: Path, embedded: LocalCluster) -> None:
    program = block.write(tmp_path, "program.py")
    made = executor()
    made.command.value = f"exec {sys.executable} {program}"
    scheduler = Recorder()
    with running(embedded.address, scheduler) as driver:
        offer = scheduler.offer()
        task = task_of(offer, made)
        driver.launchTasks(offer.id, [task])
        scheduler.state(task.task_id.value, mesos_pb2.TASK_FINISHED)


def test_blocks_that_are_not_run_say_why() -> None:
    assert [str(block) for block in BLOCKS if block.kind == "not run" and len(block.detail.split()) < 3] == []


def test_blocks_are_run_in_known_ways() -> None:
    known = {"as an executor", "with pytest"}
    assert [str(block) for block in BLOCKS if block.kind == "run" and block.detail not in known] == []


def test_the_pages_have_blocks() -> None:
    assert {"README.md", "first-steps.md"} <= {block.page.name for block in BLOCKS if block.kind == ""}
    for page in PAGES:
        outputs = page.read_text().count("\n<!-- output -->\n")
        assert len([block for block in BLOCKS if block.page == page and block.output is not None]) == outputs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.S)
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target = link.partition("#")[0]
        for base in (REPOSITORY, RAW):
            if target.startswith(base):
                target = f"/{target.removeprefix(base)}"
        if target and not re.match(r"https?:|mailto:", target):
            path = ROOT / target[1:] if target.startswith("/") else page.parent / target
            missing += [] if path.exists() else [link]
    assert missing == []


def test_the_links_of_the_landing_page_are_absolute() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
