"""Puts faults into a copy of the sources, one after another, and shows that the simulation finds each (make simulate-ghosts).

A fault is a patch in ghosts/. Arguments choose among them by parts of their names.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SEEDS = "0..5000"
# Cargo takes what it built from the copy for what it would build from here: this must not be the target of anything else.
TARGET = ROOT / "target" / "ghosts"
COMMAND = ["cargo", "test", "--quiet", "--no-default-features", "--profile", "simulation", "--test", "simulation", "--"]


def found(copy: Path, patch: Path) -> str | None:
    """Return what the simulation says of a fault: its first line; None if all that must hold holds."""
    subprocess.run(["git", "apply", str(patch)], cwd=copy, check=True)
    command = [*COMMAND[:2], "--target-dir", str(TARGET), *COMMAND[2:], "--seeds", SEEDS]
    played = subprocess.run(command, cwd=copy, text=True, stdout=subprocess.PIPE, check=False)
    subprocess.run(["git", "checkout", "--quiet", "."], cwd=copy, check=True)
    if played.returncode == 0:
        return None
    lines = [line for line in played.stdout.splitlines() if line.startswith("seed ")]
    return lines[0] if lines else f"it does not run: {played.returncode}"


def main() -> int:
    """Try all faults that are asked for; the number of those that are not found."""
    wanted = sys.argv[1:] or [""]
    patches = [patch for patch in sorted(HERE.glob("ghosts/*.patch")) if any(word in patch.name for word in wanted)]
    missed = 0
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "copy"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(copy)], cwd=ROOT, check=True)
        try:
            for patch in patches:
                said = found(copy, patch)
                missed += said is None or "does not run" in said
                print(f"{patch.stem}: {said or 'NOT FOUND'}", flush=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(copy)], cwd=ROOT, check=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
