"""The program ``mesos-executor``: runs one command task for an agent. Imports little: one is started for every task."""

from __future__ import annotations

import os
import sys

from mesos import _core
from mesos.errors import ArgumentValueError, MesosError


def main() -> None:
    """Run the task of the agent that started this process. Its flags are an agent's own and do not matter here."""
    variables = dict(os.environ)
    os.environ.pop("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", None)
    try:
        _core.run_command_executor(variables)
    except ArgumentValueError as error:
        sys.exit(f"mesos-executor: {error}; it is started by an agent, not by hand")
    except MesosError as error:
        sys.exit(f"mesos-executor: {error}")
