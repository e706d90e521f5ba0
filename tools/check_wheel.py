"""Checks the wheel and the source distribution in `dist/`, and runs the hello-world from the wheel on every Python.

    python tools/check_wheel.py [DIST]

Each Python from 3.11 up that is found on PATH or below `~/.pyenv` gets a virtual environment of its own, in which the
wheel is installed and no Rust can be found.
"""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.message import Message
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 6_000_000
LICENSES = {"LICENSE", "NOTICE", "THIRD-PARTY-LICENSES.txt"}
SYSTEM_PATH = "/usr/bin:/bin"
LEAST = (3, 11)


def check(condition: object, complaint: str) -> None:
    if not condition:
        sys.exit(f"check_wheel: {complaint}")


def check_wheel(wheel: Path) -> None:
    """The tag, the size, and what an index reads of it."""
    check(re.search(r"-cp311-abi3-(manylinux|musllinux)", wheel.name), f"{wheel.name} is not tagged for an index")
    check(wheel.stat().st_size <= MOST_BYTES, f"{wheel.name} has {wheel.stat().st_size} bytes, more than {MOST_BYTES}")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = email.message_from_bytes(archive.read(next(n for n in names if n.endswith(".dist-info/METADATA"))))
    licenses = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    check(licenses == LICENSES, f"the wheel has the licences {sorted(licenses)}")
    needed = {"mesos/py.typed", "mesos/_core.abi3.so", "pytest_remesos/__init__.py"}
    check(needed <= set(names), f"the wheel lacks {sorted(needed - set(names))}")
    check_metadata(metadata)


def check_metadata(metadata: Message) -> None:
    """Protobuf is the only requirement, and every link is absolute."""
    required = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    check([re.match(r"[\w-]+", each)[0] for each in required] == ["protobuf"], f"required are {required}")
    relative = [
        link for link in re.findall(r"\]\(([^)\s]+)", metadata.get_payload()) if not link.startswith("https://")
    ]
    check(not relative, f"links of the description that are not absolute: {relative}")
    check(metadata.get_all("Project-URL"), "no Project-URL")


def check_policy(wheel: Path) -> None:
    """What auditwheel finds the extension to need is no more than what the tag says."""
    shown = subprocess.run([sys.executable, "-m", "auditwheel", "show", wheel], capture_output=True, text=True)
    print(shown.stdout.strip())
    check(shown.returncode == 0, shown.stderr)
    tag = re.search(r"consistent with\s+the following platform tag:\s+\"(\w+)\"", shown.stdout)
    check(tag and tag[1] in wheel.name, f"auditwheel takes {wheel.name} for {tag and tag[1]}")


def pythons() -> list[Path]:
    """One interpreter for each version from 3.11 up."""
    folders = [Path(each) for each in os.environ["PATH"].split(":")]
    folders += (Path.home() / ".pyenv" / "versions").glob("*/bin")
    found = {}
    for path in (path for folder in folders for path in folder.glob("python3.*")):
        version = re.fullmatch(r"python3\.(\d+)", path.name)
        if version and (3, int(version[1])) >= LEAST and works(path):
            found.setdefault(path.name, path)
    return sorted(found.values(), key=lambda path: int(path.name.removeprefix("python3.")))


def works(python: Path) -> bool:
    """Whether it is an interpreter that can make virtual environments; pyenv's shims may be neither."""
    return subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode == 0


def smoke(python: Path, wheel: Path, folder: Path) -> None:
    """Install the wheel and run the hello-world, without Rust."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    bin_folder = folder / "bin"
    environment = {**os.environ, "PATH": f"{bin_folder}:{SYSTEM_PATH}"}
    install = [bin_folder / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--only-binary", ":all:", wheel], env=environment, check=True)
    # In the environment's folder, so that `import mesos` cannot find the source tree.
    command = [bin_folder / "remesos", "run", "--for", "10", ROOT / "examples" / "hello_world.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    said = done.stdout.count("hello from ")
    check(done.returncode == 0 and said, f"{python}: the hello-world failed\n{done.stdout}{done.stderr}")
    print(f"{python}: {said} tasks said hello")


def check_sdist(sdist: Path) -> None:
    """It has what its build needs and the licences."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"Cargo.lock", "build.rs", "proto/mesos/mesos.proto", "python/mesos/py.typed", *LICENSES}
    check(needed <= names, f"{sdist.name} lacks {sorted(needed - names)}")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist")
    wheels, sdists = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    check(len(wheels) == 1 and len(sdists) == 1, f"{folder} holds {[path.name for path in wheels + sdists]}")
    check_sdist(sdists[0])
    check_wheel(wheels[0])
    check_policy(wheels[0])
    if "musllinux" in wheels[0].name:
        print(f"{wheels[0].name}: fine; it is not run here, for that needs a Python that is built for musl")
        return
    found = pythons()
    check(found, "no Python from 3.11 up was found")
    for python in found:
        with tempfile.TemporaryDirectory() as home:
            smoke(python, wheels[0], Path(home))
    print(f"{wheels[0].name}: {wheels[0].stat().st_size} bytes, fine")


if __name__ == "__main__":
    main()
