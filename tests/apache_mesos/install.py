"""Lays out the real Apache Mesos 1.11.0, from its own packages on PyPI, under a folder: ``install.py FOLDER``.

Needs Python 2.7 (also found through pyenv), and the system libraries libsvn, libapr and libsasl2, which are installed
with apt if this runs as root.
"""

from __future__ import annotations

import ctypes.util
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

LIBRARIES = {"svn_delta-1": "libsvn1", "apr-1": "libapr1", "sasl2": "libsasl2-2"}
PACKAGES = [*LIBRARIES.values(), "libsasl2-modules"]
# The egg links to OpenSSL 1.0.2, which comes inside this old wheel.
OPENSSL_WHEEL = "psycopg2-binary==2.7.7"


class InstallError(Exception):
    """Mesos cannot be laid out here; says what is missing."""


def install(home: Path) -> Path:
    """Lay Mesos out under ``home`` if it is not there yet.

    :raises InstallError: Python 2.7 or a system library is missing
    """
    if (home / ".complete").exists():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    # Several processes that run tests may want it at the same time.
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return home if (home / ".complete").exists() else lay_out(home)


def lay_out(home: Path) -> Path:
    python = find_python("2.7")
    if python is None:
        raise InstallError("Python 2.7 is needed to run Apache's own build of Mesos, and none was found")
    install_libraries()
    shutil.rmtree(home, ignore_errors=True)
    eggs, site, lib = (home / name for name in ("eggs", "site", "lib"))
    for folder in (eggs, site, lib):
        folder.mkdir(parents=True)
    (home / "python2.7").write_text(python + "\n")
    fetch_eggs(python, eggs)
    run([python, "-m", "pip", "install", "-q", "--no-warn-script-location", "--target", str(site), "protobuf==3.17.3"])
    unpack_eggs(eggs, site)
    rename_curl_version(site / "mesos" / "scheduler" / "_scheduler.so")
    unpack_openssl(eggs, lib)
    check = "import mesos.interface, mesos.scheduler; from mesos.interface import mesos_pb2"
    run([python, "-c", check], {**os.environ, "LD_LIBRARY_PATH": str(lib), "PYTHONPATH": str(site)})
    (home / ".complete").touch()
    return home


def find_python(version: str) -> str | None:
    """The path of a Python of this version that runs: on the PATH, or pyenv's."""
    name = f"python{version}"
    pyenvs = Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")
    for candidate in filter(None, [shutil.which(name), *sorted(map(str, pyenvs))]):
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def install_libraries() -> None:
    missing = [package for library, package in LIBRARIES.items() if ctypes.util.find_library(library) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise InstallError(f"Apache's build of Mesos needs system libraries: install {' '.join(PACKAGES)}")
    run(["apt-get", "update", "-qq"])
    run(["apt-get", "install", "-y", "-qq", *PACKAGES])


def fetch_eggs(python: str, eggs: Path) -> None:
    easy_install = [python, "-m", "easy_install", "--quiet", "--multi-version", "--exclude-scripts"]
    where = ["--always-copy", "--install-dir", str(eggs)]
    for package in ("mesos.scheduler==1.11.0", "mesos.interface==1.11.0"):
        kind = "--zip-ok" if package.startswith("mesos.scheduler") else "--always-unzip"
        run([*easy_install, "--no-deps", kind, *where, package], {**os.environ, "PYTHONPATH": str(eggs)})


def unpack_eggs(eggs: Path, site: Path) -> None:
    for egg in eggs.glob("mesos.*.egg"):
        if egg.is_dir():
            shutil.copytree(egg / "mesos", site / "mesos", dirs_exist_ok=True)
        else:
            with zipfile.ZipFile(egg) as archive:
                archive.extractall(site)
    for namespace in ("mesos", "google"):
        extended = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
        (site / namespace / "__init__.py").write_text(extended)


def rename_curl_version(library: Path) -> None:
    """The egg wants libcurl's symbols under the version name of an older Debian: give it today's.

    The name stands in the string table, and its hash in the entries that need it (the System V ELF hash).
    """
    old, new = b"CURL_OPENSSL_3", b"CURL_OPENSSL_4"
    image = bytearray(library.read_bytes())
    at = image.index(old + b"\0")
    image[at : at + len(old)] = new
    at = image.find(elf_hash(old))
    while at >= 0:
        flags, other = struct.unpack_from("<HH", image, at + 4)
        if at % 4 == 0 and flags == 0 and 0 < other < 256:  # an Elf64_Vernaux
            image[at : at + 4] = elf_hash(new)
        at = image.find(elf_hash(old), at + 4)
    library.write_bytes(image)


def elf_hash(name: bytes) -> bytes:
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return struct.pack("<I", value)


def unpack_openssl(eggs: Path, lib: Path) -> None:
    download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
    target = ["--python-version", "27", "--implementation", "cp", "--abi", "cp27mu", "--platform", "manylinux1_x86_64"]
    run([*download, *target, "-d", str(eggs), OPENSSL_WHEEL])
    with zipfile.ZipFile(next(eggs.glob("psycopg2*.whl"))) as wheel:
        for name in wheel.namelist():
            if "/.libs/" in name:
                (lib / Path(name).name).write_bytes(wheel.read(name))
    for name in ("ssl", "crypto"):
        (lib / f"lib{name}.so.1.0.0").symlink_to(next(lib.glob(f"lib{name}-*")).name)


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallError(f"'{' '.join(command)}' failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    try:
        print(install(Path(sys.argv[1]).resolve()))
    except InstallError as error:
        sys.exit(str(error))
