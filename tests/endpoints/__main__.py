"""Prints how many fields differ at each endpoint, and which."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.apache_mesos import install
from tests.endpoints import compare
from tests.endpoints.clusters import embedded, real


def main() -> int:
    """Play the state on both; 1 if there are differences that nothing explains."""
    root = Path(__file__).resolve().parents[2]
    home = install(Path(os.environ.get("REMESOS_APACHE_MESOS", root / ".apache-mesos")))
    with tempfile.TemporaryDirectory() as work, real(home, Path(work)) as address:
        expected = compare.seen_at(address)
    with embedded() as address:
        ours = compare.seen_at(address)
    left = 0
    for path in expected:
        found = compare.differences(expected[path], ours[path], path)
        strange = [line for line in found if not any(one.covers(line) for one in compare.EXEMPTIONS)]
        left += len(strange)
        print(f"{path:<60} {len(found) - len(strange):>4} on purpose {len(strange):>4} differ", *strange, sep="\n  ")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
