"""The command line: ``remesos local``, ``remesos run`` and ``remesos check``, also as ``python -m mesos``."""

from __future__ import annotations

import argparse
import collections
import contextlib
import logging
import math
import os
import signal
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mesos import _core, _options, _program
from mesos._check import _report
from mesos._console import BROKEN_STATUS, Console, open_standard_files
from mesos._output import HURRY_SECONDS, POLL_SECONDS, Output
from mesos._script import Script
from mesos._signals import Stop, is_ignored, reaches_the_group
from mesos.errors import ArgumentTypeError, ArgumentValueError, MesosError
from mesos.local import LocalCluster

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_GRACE_SECONDS = 10.0
"""How long an interrupted script may take to end."""
_DEFAULT_PORT = 5050
_USAGE_STATUS = 2


_EPILOG = (
    "Values have the form of Mesos' own flags, and may be file:///path. An option that is not given is taken from the "
    "variable of Mesos, such as MESOS_OFFER_TIMEOUT for --offer-timeout."
)
_OPTIONS: dict[str, dict[str, tuple[str | None, str]]] = {
    "cluster": {
        "initial": ("JSON", "a snapshot of another cluster to begin with, such as file:///path"),
        "work_dir": ("DIRECTORY", "the directory of the sandboxes (default: a temporary directory)"),
        "keep": (
            "DIRECTORY",
            "where the sandboxes of the last ten failed tasks are kept; '' for nowhere (default: remesos/failed in "
            "$XDG_STATE_HOME, or in ~/.local/state)",
        ),
    },
    "agents": {
        "resources": (
            "RESOURCES",
            "each agent's resources, such as 'cpus:8;mem:8192;cpus(role):2', or in JSON; the machine's own cpus, mem, "
            "disk and ports are added if they are not among them",
        ),
        "attributes": ("ATTRIBUTES", "each agent's attributes, such as 'rack:a;level:3'"),
        "hostname": ("NAME", "the host name of master and agents (default: localhost)"),
        "domain": ("JSON", "the fault domain of master and agents"),
        "executor_environment_variables": ("JSON", 'variables of executors and tasks, such as \'{"PATH": "/bin"}\''),
        "agent_path": (None, "give tasks the PATH of a real agent, without the directory of this Python"),
        "containers": (
            "HOW",
            "run tasks whose container has an image without it (ignore-image), or with Docker or Podman (docker) "
            "(default: they fail)",
        ),
        "executor_registration_timeout": ("DURATION", "how long an executor may take to register (default: 60secs)"),
        "executor_shutdown_grace_period": ("DURATION", "how long an executor may take to shut down (default: 5secs)"),
        "max_completed_executors_per_framework": ("NUMBER", "how many completed executors an agent shows"),
    },
    "master": {
        "cluster": ("NAME", "the name of the cluster"),
        "roles": ("ROLES", "the roles that frameworks may have, such as 'a,b' (default: any)"),
        "weights": ("WEIGHTS", "the weights of roles, such as 'a=2,b=0.5'"),
        "allocation_interval": ("DURATION", "the time between batch allocations (default: 1secs)"),
        "allocate_on_recovery": ("BOOL", "offer the resources of a task that ended at once (default: false)"),
        "offer_timeout": ("DURATION", "how long an offer stands before it is rescinded (default: for ever)"),
        "min_allocatable_resources": ("QUANTITIES", "what an offer has at least (default: cpus:0.01|mem:32)"),
        "max_completed_frameworks": ("NUMBER", "how many completed frameworks are shown (default: 50)"),
        "max_completed_tasks_per_framework": ("NUMBER", "how many completed tasks of each are shown (default: 1000)"),
        "filter_gpu_resources": ("BOOL", "offer GPUs only to frameworks with GPU_RESOURCES (default: true)"),
        "authenticate_http_frameworks": (None, "require schedulers to present one of the credentials"),
        "credentials": ("FILE", "the credentials of schedulers, in Mesos' JSON format"),
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status, which is 2 if an argument is not valid.

    :param arguments: the arguments after the program's name; those of ``sys.argv`` if None
    """
    open_standard_files()
    try:
        options = _parse(arguments)
        level = logging.INFO if options.verbose else logging.WARNING
        logging.basicConfig(format="%(levelname)s %(message)s", level=level)
        status: int = options.command(options)
    except (MesosError, OSError) as error:
        print(f"remesos: {error}", file=sys.stderr)
        return _USAGE_STATUS if isinstance(error, (ArgumentTypeError, ArgumentValueError)) else 1
    return status


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        return _parser().parse_args(arguments)
    except SystemExit:  # after --help, --version and errors
        _flush()
        raise


def _flush() -> None:
    """Flushes standard output, which would otherwise fail with a traceback when the interpreter exits."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            sys.exit(BROKEN_STATUS)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="remesos", description="Run Apache Mesos frameworks on an embedded cluster")
    parser.add_argument("--version", action="version", version=f"remesos {version('remesos')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    local = commands.add_parser("local", help="run an embedded cluster until Ctrl-C", epilog=_EPILOG)
    _add_cluster_options(local, _DEFAULT_PORT)
    access = local.add_argument_group("access")
    access.add_argument(
        "--ip",
        default="127.0.0.1",
        help="the address to listen on; other machines can use an address beyond 127.0.0.1 if they have the token "
        "(default: %(default)s)",
    )
    access.add_argument(
        "--token",
        help="the token for other users and machines; the list of processes shows it to other users, so prefer the "
        "environment variable REMESOS_LOCAL_TOKEN (default: a random one)",
    )
    local.set_defaults(command=_local)

    run = commands.add_parser(
        "run",
        help="run a script on a new embedded cluster, whatever master it names",
        epilog="The exit status is that of the script, or 0 if the script was interrupted and then ended. " + _EPILOG,
    )
    _add_cluster_options(run, 0)
    run.add_argument(
        "--for", dest="seconds", type=_seconds, metavar="SECONDS", help="interrupt the script after this many seconds"
    )
    run.add_argument(
        "-m", dest="is_module", action="store_true", help="SCRIPT is the name of a module, as with python -m"
    )
    run.add_argument(
        "script", metavar="SCRIPT", help="a Python program: a file, or a directory or zip file with __main__.py"
    )
    run.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="the script's arguments")
    run.set_defaults(command=_run)
    _report.add_parser(commands)
    return parser


def _add_cluster_options(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="log the cluster's activity")
    cluster = parser.add_argument_group("cluster")
    cluster.add_argument(
        "--port", type=_number, default=port, help=f"the port, or 0 for any free port (default: {port})"
    )
    cluster.add_argument(
        "--agents",
        type=_agents,
        metavar="NUMBER|JSON",
        help="the number of agents (default: 1), or what each has, such as "
        '\'[{"resources": "cpus:4", "attributes": "rack:a"}, {}]\'',
    )
    for title, options in _OPTIONS.items():
        group = cluster if title == "cluster" else parser.add_argument_group(title)
        for name, (metavar, text) in options.items():
            dashed = f"--{name.replace('_', '-')}"
            switch: dict[str, Any] = {"action": "store_true", "default": None}
            if metavar is not None:
                switch = {"metavar": metavar, "type": _number if metavar == "NUMBER" else str}
            group.add_argument(dashed, dest=name, help=text, **switch)
            if "_" in name:  # as Mesos writes it
                hidden = {**switch, "default": argparse.SUPPRESS}
                group.add_argument(f"--{name}", dest=name, help=argparse.SUPPRESS, **hidden)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def _agents(text: str) -> int | str:
    return text if text.lstrip().startswith(("[", "file://")) else _number(text)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if seconds > 0:
            return seconds
    raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")


def _cluster(options: argparse.Namespace, **own: Any) -> LocalCluster:
    given = vars(options)
    names = ["port", "agents", "ip", "token", *(name for group in _OPTIONS.values() for name in group)]
    arguments = {name: given[name] for name in names if given.get(name) is not None}
    real_path = arguments.pop("agent_path", False)
    variable = "MESOS_EXECUTOR_ENVIRONMENT_VARIABLES"
    if not (real_path or "executor_environment_variables" in arguments or os.environ.get(variable)):
        path = f"{os.path.dirname(sys.executable)}:{_core.AGENT_PATH}"
        arguments["executor_environment_variables"] = {"PATH": path}
    if arguments.get("keep") == "":
        del arguments["keep"]
    else:
        arguments.setdefault("keep", _options.kept())
    return LocalCluster._with({**arguments, **own})


def _local(options: argparse.Namespace) -> int:
    console = Console()
    with Stop() as stop, _cluster(options) as cluster:
        console.say(
            f"Mesos master at {cluster.address}, web page at {cluster.url}, {len(cluster.agents)} agent(s). "
            "Ctrl-C to stop."
        )
        console.say(f"Other users and machines need the token: {cluster.link}")
        console.drain(stop, math.inf)
        if console.is_broken():
            return BROKEN_STATUS
        stop.wait()
    return 0


def _run(options: argparse.Namespace) -> int:
    command = _program.command(options.script, options.is_module, options.arguments)
    console = Console()
    # Their output is shown anyway.
    with Stop() as stop, _cluster(options, stderr_in_log=False) as cluster:
        console.say(f"Web page at {cluster.url}")
        console.drain(stop, math.inf)
        # An interpreter that is interrupted while it starts would report that as an error of its own.
        if console.is_broken() or stop.number is not None:
            return BROKEN_STATUS if console.is_broken() else 0
        output = Output(cluster, console)
        script = Script(command, {**os.environ, "REMESOS_MASTER": cluster.address, "PYTHONUNBUFFERED": "1"})
        try:
            run = _Run(script, stop, console, output)
            status = run.wait(options.seconds)
        finally:
            script.kill()
        _summary(cluster, output.states, console)
        if run.is_interrupted:
            console.drain(None, HURRY_SECONDS)
        else:
            console.drain(stop, math.inf)
    return BROKEN_STATUS if console.is_broken() else status


class _Run:
    """A running script and the output of its tasks."""

    def __init__(self, script: Script, stop: Stop, console: Console, output: Output) -> None:
        self._script, self._stop, self._console, self._output = script, stop, console, output
        self.is_interrupted = False

    def wait(self, seconds: float | None) -> int:
        """Shows the tasks' output until the script ends; interrupts it when time is up. Returns the exit status."""
        due = math.inf if seconds is None else time.monotonic() + seconds
        while (code := self._script.wait(0)) is None:
            self._output.show()
            if self._console.wait(POLL_SECONDS, self._stop) or time.monotonic() >= due:
                status = self._interrupt()
                self._output.show_last(self._console, None)
                return status
        self._output.show_last(self._console, self._stop)
        return 128 - code if code < 0 else code

    def _interrupt(self) -> int:
        """Interrupts the script unless Ctrl-C already did. Returns 0 if the script then ends, or 1 if it is killed."""
        self.is_interrupted = True
        told = reaches_the_group(self._stop.number)
        for number, grace in ((signal.SIGINT, _GRACE_SECONDS), (signal.SIGTERM, _GRACE_SECONDS / 2)):
            if number == signal.SIGINT and is_ignored(self._script.pid, number):  # as in a shell's background job
                continue
            if not (told and number == signal.SIGINT):
                self._script.signal(number)
            if self._ends_within(grace):
                return 0
        self._console.say("The script did not end; killing it")
        self._script.kill()
        return 1

    def _ends_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._output.show()
            self._console.drain(None, POLL_SECONDS)
            if self._script.wait(POLL_SECONDS) is not None:
                return True
        return False


def _summary(cluster: LocalCluster, states: dict[tuple[str, Path], str], console: Console) -> None:
    count = collections.Counter(states.values())
    by_state = ", ".join(f"{number} {state}" for state, number in sorted(count.items()))
    console.say(f"{len(states)} task(s){': ' if by_state else ''}{by_state}. The web page was at {cluster.url}")


if __name__ == "__main__":
    sys.exit(main())
