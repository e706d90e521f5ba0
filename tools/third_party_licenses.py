"""Writes THIRD-PARTY-LICENSES.txt: the crates that are linked into the wheel, with the texts of their licences.

    python tools/third_party_licenses.py          # write it
    python tools/third_party_licenses.py --check  # fail if it is not up to date

The crates come from `cargo tree`, for each target that wheels are built for; the texts from their published sources.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "THIRD-PARTY-LICENSES.txt"
TARGETS = [f"{machine}-unknown-linux-{libc}" for machine in ("x86_64", "aarch64") for libc in ("gnu", "musl")]
NAMES = ("LICEN", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
HEAD = """The compiled part of remesos contains the Rust crates below, each under the licence that it names. If a crate
names several, joined by OR, any of them may be chosen. The Rust standard library is under MIT OR Apache-2.0. The texts
follow the list, each with the crates that it comes from.
"""


def cargo(*arguments: str) -> str:
    return subprocess.run(["cargo", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def linked() -> set[tuple[str, str]]:
    """The names and versions of all crates that end up in the extension."""
    found = set()
    for target in TARGETS:
        edges = ("--edges", "normal,no-proc-macro", "--target", target)
        tree = cargo("tree", *edges, "--prefix", "none", "--format", "{p}")
        found |= {(name, version[1:]) for name, version, *_ in map(str.split, tree.splitlines()) if name != "remesos"}
    return found


def texts(folder: Path) -> list[str]:
    """The texts of a crate's licence files; Apache's own where it says Apache-2.0 and brings none."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name.upper().startswith(NAMES))
    found = ["\n".join(line.rstrip() for line in path.read_text().splitlines()).strip("\n") for path in files]
    return found or [(ROOT / "LICENSE").read_text().strip("\n")]


def report() -> str:
    """The whole file."""
    wanted = linked()
    packages = json.loads(cargo("metadata", "--format-version", "1"))["packages"]
    crates = {f"{p['name']} {p['version']}": p for p in packages if (p["name"], p["version"]) in wanted}
    # By the text without its spaces and case, for many crates have the same one.
    owners: dict[str, list[str]] = {}
    shown: dict[str, str] = {}
    for name in sorted(crates):
        for text in texts(Path(crates[name]["manifest_path"]).parent):
            key = "".join(text.split()).lower()
            shown.setdefault(key, text)
            if name not in owners.setdefault(key, []):
                owners[key].append(name)
    listed = [f"{name}: {crates[name]['license']}, {crates[name]['repository']}" for name in sorted(crates)]
    parts = ["\n".join([HEAD, *listed])]
    for key in sorted(owners, key=lambda key: owners[key]):
        parts.append(f"{'=' * 80}\n{', '.join(owners[key])}\n{'-' * 80}\n\n{shown[key]}")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    text = report()
    if "--check" not in sys.argv[1:]:
        OUTPUT.write_text(text)
    elif not OUTPUT.exists() or OUTPUT.read_text() != text:
        sys.exit(f"{OUTPUT.name} is not up to date: run make licenses")


if __name__ == "__main__":
    main()
