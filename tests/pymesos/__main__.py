"""Runs pymesos' own tests against ``compat/pymesos``, on this Python, and prints how many passed.

Tests of the two methods with which pymesos writes its HTTP requests must fail, and no others: the driver here writes
its requests in Rust. ``--repository`` names another place to fetch pymesos from.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "https://github.com/douban/pymesos"
COMMIT = "047c7bac8ca98772f63192aed063148fdf399b55"
"""Of version 0.3.15."""
LEFT_OUT = {
    f"{module}::{test}": method
    for module in ("test_executor", "test_operator", "test_scheduler")
    for test, method in (("test_gen_request", "gen_request"), ("test_send", "_get_conn"))
}
"""The tests that fail, and the method that each needs."""
# The tests import this, for gen_request; its C code does not compile on Python 3.11.
HTTP_PARSER = "class HttpParser:\n    pass\n"


def fetch(repository: str, into: Path) -> None:
    """Unpacks pymesos' tests."""
    subprocess.run(["git", "init", "--quiet", "--bare", into / "git"], check=True)
    git = ["git", "-C", str(into / "git")]
    subprocess.run([*git, "fetch", "--quiet", "--depth", "1", repository, COMMIT], check=True)
    packed = subprocess.run([*git, "archive", COMMIT, "tests"], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(into, filter="data")


def run(folder: Path) -> ElementTree.Element:
    """Runs the tests; what pytest reports."""
    package = folder / "http_parser"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "http.py").write_text(HTTP_PARSER)
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "--continue-on-collection-errors", f"--junitxml={report}", "tests"]
    places = [str(folder), str(ROOT / "compat" / "pymesos"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=False)
    return ElementTree.parse(report).getroot()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.pymesos", description=__doc__)
    parser.add_argument("--repository", default=REPOSITORY)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="remesos-pymesos-") as made:
        fetch(options.repository, Path(made))
        cases = list(run(Path(made)).iter("testcase"))
    failed = set()
    for case in cases:
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        wrong = [part for kind in ("failure", "error") for part in case.iter(kind)]
        if wrong:
            failed.add(name)
            why = f"needs {LEFT_OUT[name]}" if name in LEFT_OUT else wrong[0].get("message", "").splitlines()[0]
            print(f"{name}: {'left out' if name in LEFT_OUT else 'FAILED'}: {why}")
    unexpected = failed ^ LEFT_OUT.keys()
    print(f"Python {sys.version.split()[0]}: {len(cases) - len(failed)} of {len(cases)} tests of pymesos passed")
    if unexpected:
        sys.exit(f"these should not have failed, or should have: {', '.join(sorted(unexpected))}")


main()
