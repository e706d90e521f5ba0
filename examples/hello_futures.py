#!/usr/bin/env python3
"""The hello-world with futures: calls a function on the cluster as if it were a pool of processes."""

import os
import sys

from mesos.futures import MesosPoolExecutor


def hello(name: str) -> str:
    return f"hello {name} from process {os.getpid()}"


def main(master: str) -> None:
    with MesosPoolExecutor(master, cpus=0.5, mem=64) as pool:
        for line in pool.map(hello, ["alice", "bob", "carol"]):
            print(line)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "local")
