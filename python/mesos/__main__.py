"""``python -m mesos``: the same as the program ``remesos``."""

import sys

from mesos._cli import main

if __name__ == "__main__":
    sys.exit(main())
