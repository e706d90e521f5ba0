"""CPU per status update with its acknowledgement, and per offer, through dicts: ``mesos.pymesos`` beside pymesos,
from a master that sends as fast as they take them; and what the conversion of a message takes beside protobuf's own.

pymesos 0.3.15 installs up to Python 3.10: ``--pymesos`` names a Python that has it. What counts are the ratios.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import flood
from google.protobuf.json_format import MessageToDict
from mesos import _core

CLIENT = str(Path(__file__).with_name("dicts_client.py"))


def measure(python: str, kind: str, number: int) -> float:
    """Microseconds of CPU of a scheduler's process for each, acknowledgements included."""
    command = [sys.executable, flood.__file__, "--serve", kind, "--number", str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as master:
        assert master.stdout is not None
        address = f"127.0.0.1:{int(master.stdout.readline())}"
        client = subprocess.run([python, CLIENT, address, str(number)], stdout=subprocess.PIPE, text=True, check=True)
        master.kill()
    return float(client.stdout)


def conversion(kind: str, number: int) -> tuple[float, float]:
    """Microseconds to make a dict of a message's bytes, here and with protobuf's own ``json_format``."""
    made = (flood.update if kind == "update" else flood.offer)(0)
    name, data = made.DESCRIPTOR.full_name, made.SerializeToString()
    begin = time.perf_counter()
    for _ in range(number):
        _core.to_dict(name, data)
    middle = time.perf_counter()
    for _ in range(number):
        MessageToDict(type(made).FromString(data), preserving_proto_field_name=True)
    return (middle - begin) * 1e6 / number, (time.perf_counter() - middle) * 1e6 / number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=20000)
    parser.add_argument("--pymesos", metavar="PYTHON", help="a Python in which pymesos 0.3.15 is installed")
    options = parser.parse_args()
    print(f"{'CPU per':10}{'remesos (us)':>16}{'pymesos (us)':>16}{'ratio':>10}")
    for kind in ("update", "offer"):
        ours = measure(sys.executable, kind, options.number)
        if options.pymesos is None:
            print(f"{kind:10}{ours:16.2f}{'-':>16}{'-':>10}")
            continue
        theirs = measure(options.pymesos, kind, options.number)
        print(f"{kind:10}{ours:16.2f}{theirs:16.2f}{ours / theirs:10.2f}")
    print(f"{'dict of':10}{'remesos (us)':>16}{'protobuf (us)':>16}{'ratio':>10}")
    for kind in ("update", "offer"):
        ours, theirs = conversion(kind, options.number)
        print(f"{kind:10}{ours:16.2f}{theirs:16.2f}{ours / theirs:10.2f}")


if __name__ == "__main__":
    main()
