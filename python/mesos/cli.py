"""The command line: ``remesos local`` and ``remesos run``, also as ``python -m mesos``."""

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
from typing import TYPE_CHECKING

from mesos import _program
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

    local = commands.add_parser("local", help="run an embedded cluster until Ctrl-C")
    _add_cluster_options(local, _DEFAULT_PORT)
    local.add_argument(
        "--ip",
        default="127.0.0.1",
        help="the address to listen on; other machines can use an address beyond 127.0.0.1 if they have the token "
        "(default: %(default)s)",
    )
    local.add_argument(
        "--token",
        help="the token for other users and machines; the list of processes shows it to other users, so prefer the "
        "environment variable REMESOS_LOCAL_TOKEN (default: a random one)",
    )
    local.set_defaults(command=_local)

    run = commands.add_parser(
        "run",
        help="run a script on a new embedded cluster, whatever master it names",
        epilog="The exit status is that of the script, or 0 if the script was interrupted and then ended.",
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
    return parser


def _add_cluster_options(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument(
        "--port", type=_number, default=port, help=f"the port, or 0 for any free port (default: {port})"
    )
    parser.add_argument("--agents", type=_number, default=1, help="the number of agents (default: %(default)s)")
    parser.add_argument(
        "--resources", help="each agent's resources, such as 'cpus:8;mem:8192' (default: the machine's own)"
    )
    parser.add_argument("--work-dir", help="the directory of the sandboxes (default: a temporary directory)")
    parser.add_argument(
        "--containers",
        choices=["ignore-image", "docker"],
        help="run tasks whose container has an image without it, or with Docker or Podman (default: they fail)",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log the cluster's activity")


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if seconds > 0:
            return seconds
    raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")


def _cluster(options: argparse.Namespace, **access: str) -> LocalCluster:
    return LocalCluster(
        options.port, options.agents, options.resources, options.work_dir, containers=options.containers, **access
    )


def _local(options: argparse.Namespace) -> int:
    console = Console()
    access = {} if options.token is None else {"token": options.token}
    with Stop() as stop, _cluster(options, ip=options.ip, **access) as cluster:
        console.say(
            f"Mesos master at {cluster.address}, web page at {cluster.url}, {options.agents} agent(s). Ctrl-C to stop."
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
    with Stop() as stop, _cluster(options) as cluster:
        console.say(f"Web page at {cluster.url}")
        console.drain(stop, math.inf)
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
                self._output.show_last(None)
                return status
        self._output.show_last(self._stop)
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
