"""The program ``mesos-executor``, which runs one command task for an agent.

It imports little, because one is started for every task.
"""

from __future__ import annotations

import os
import sys

from mesos import _core
from mesos.errors import ArgumentValueError, MesosError


def main() -> None:
    """Runs the task of the agent that started this process. Ignores its command-line flags, which agents pass."""
    variables = dict(os.environ)
    os.environ.pop("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", None)
    try:
        _core.run_command_executor(variables)
    except ArgumentValueError as error:
        sys.exit(f"mesos-executor: {error}; only an agent can start this program")
    except MesosError as error:
        sys.exit(f"mesos-executor: {error}")
