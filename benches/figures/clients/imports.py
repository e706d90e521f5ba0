# Python 2.7 and 3. How long it takes to import modules: imports.py MODULE...

import importlib
import sys
import time

from usage import cpu_seconds, report


def main(modules):
    wall, cpu = time.time(), cpu_seconds()
    for module in modules:
        importlib.import_module(module)
    report(cpu_s=cpu_seconds() - cpu, wall_s=time.time() - wall)


if __name__ == "__main__":
    main(sys.argv[1:])
