"""Runs frameworks that others wrote on the embedded cluster and on the real Mesos, and prints what came of it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.frameworks import airflow, tfmesos, tfmesos2, toil
from tests.frameworks.environments import ROOT, build_wheel
from tests.frameworks.masters import MASTERS

FRAMEWORKS = {"toil": toil, "airflow": airflow, "tfmesos2": tfmesos2, "tfmesos": tfmesos}


def play(name: str, programs: Path, kind: str, *, keep: bool) -> bool:
    """Runs one framework on one master, and returns whether it did what it has to."""
    work = Path(tempfile.mkdtemp(prefix=f"{name}-{kind}-"))
    try:
        framework = FRAMEWORKS[name]
        with MASTERS[kind](work, framework.PRINCIPAL) as master:
            print(f"{name}, {kind}: {framework.run(programs, master)}", flush=True)
    except (AssertionError, OSError, subprocess.SubprocessError):
        traceback.print_exc()
        print(f"{name}, {kind}: FAILED, see {work}", flush=True)
        return False
    if not keep:
        shutil.rmtree(work)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.frameworks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(FRAMEWORKS)}; all of them if none is named")
    parser.add_argument("--masters", nargs="+", choices=MASTERS, default=list(MASTERS))
    parser.add_argument("--python", default=sys.executable, help="the Python of the frameworks' environments")
    parser.add_argument("--environments", type=Path, default=ROOT / "target" / "frameworks", help="where these are")
    parser.add_argument("--remesos", help="what pip installs as remesos; a wheel of the working tree if not given")
    parser.add_argument("--keep", action="store_true", help="keep sandboxes and logs")
    options = parser.parse_args()
    if unknown := set(options.names) - set(FRAMEWORKS):
        parser.error(f"there is no framework named {', '.join(sorted(unknown))}")
    remesos = options.remesos or build_wheel(options.environments)
    fine = True
    for name in options.names or FRAMEWORKS:
        programs = FRAMEWORKS[name].ENVIRONMENT.make(options.environments / name, options.python, remesos)
        for kind in options.masters:
            fine &= play(name, programs, kind, keep=options.keep)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
