"""The command line: ``remesos local`` and ``remesos run``."""

from __future__ import annotations

import argparse
import collections
import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mesos.errors import MesosError
from mesos.local import LocalCluster

if TYPE_CHECKING:
    from collections.abc import Sequence

_END_SECONDS = 1.0
_POLL_SECONDS = 0.1
"""How often the tasks' output is looked at."""
_GRACE_SECONDS = 10.0
"""How long a script that was interrupted may take to end."""
_DEFAULT_PORT = 5050
_ID_SHOWN = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    :param arguments: what follows the program's name; ``sys.argv`` where None
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO if options.verbose else logging.WARNING)
    try:
        status: int = options.command(options)
    except (MesosError, OSError) as error:
        print(f"remesos: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="remesos", description="Apache Mesos' framework API, and a cluster in the box"
    )
    parser.add_argument("--version", action="version", version=f"remesos {version('remesos')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    local = commands.add_parser("local", help="run an embedded cluster until Ctrl-C")
    _add_cluster_options(local, _DEFAULT_PORT)
    local.set_defaults(command=_local)

    run = commands.add_parser("run", help="run a script against a fresh embedded cluster, whatever master it names")
    _add_cluster_options(run, 0)
    run.add_argument(
        "--for", dest="seconds", type=_seconds, metavar="SECONDS", help="interrupt the script after so long"
    )
    run.add_argument("script", metavar="SCRIPT", help="a Python program")
    run.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="its arguments")
    run.set_defaults(command=_run)
    return parser


def _add_cluster_options(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument(
        "--port", type=int, default=port, help=f"port on 127.0.0.1, 0 for any free one (default: {port})"
    )
    parser.add_argument("--agents", type=int, default=1, help="number of agents (default: %(default)s)")
    parser.add_argument("--resources", help="what each agent has, as 'cpus:8;mem:8192' (default: what the machine has)")
    parser.add_argument("--work-dir", type=Path, help="where sandboxes are kept (default: a temporary directory)")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what the cluster does")


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if seconds > 0:
            return seconds
    raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")


def _cluster(options: argparse.Namespace) -> LocalCluster:
    return LocalCluster(options.port, options.agents, options.resources, options.work_dir)


def _local(options: argparse.Namespace) -> int:
    with _Stop() as stopped, _cluster(options) as cluster:
        _say(
            f"Mesos master at {cluster.address}, web page at {cluster.url}, {options.agents} agent(s). Ctrl-C to stop."
        )
        stopped.wait()
    return 0


def _run(options: argparse.Namespace) -> int:
    if not Path(options.script).is_file():
        raise OSError(f"expected a Python program as SCRIPT, got '{options.script}', which is no file")
    with _Stop() as stopped, _cluster(options) as cluster:
        _say(f"Web page at {cluster.url}")
        output = _Output(cluster)
        script = subprocess.Popen(
            [sys.executable, options.script, *options.arguments],
            env={**os.environ, "REMESOS_MASTER": cluster.address, "PYTHONUNBUFFERED": "1"},
        )
        try:
            status = _wait(script, stopped, options.seconds, output)
        finally:
            if script.poll() is None:
                script.kill()
                script.wait()
        output.show_last()
        _summary(cluster, output.states)
    return status


def _wait(script: subprocess.Popen[bytes], stopped: _Stop, seconds: float | None, output: _Output) -> int:
    """Show the tasks' output until the script ends; interrupt it when it is time. Returns the exit status."""
    due = None if seconds is None else time.monotonic() + seconds
    while script.poll() is None:
        output.show()
        if stopped.wait(_POLL_SECONDS):
            return _interrupt(script, output, told=_has_terminal())
        if due is not None and time.monotonic() >= due:
            return _interrupt(script, output, told=False)
    code = script.returncode
    return 128 - code if code < 0 else code


def _has_terminal() -> bool:
    """Whether Ctrl-C in a terminal reaches this process, and with it the script, which is in the same group."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def _interrupt(script: subprocess.Popen[bytes], output: _Output, told: bool) -> int:
    """End the script as Ctrl-C does, where that has not reached it yet; 0 where it ends by itself then."""
    for number, grace in ((signal.SIGINT, _GRACE_SECONDS), (signal.SIGTERM, _GRACE_SECONDS / 2)):
        if not (told and number == signal.SIGINT):
            script.send_signal(number)
        until = time.monotonic() + grace
        while time.monotonic() < until:
            output.show()
            with contextlib.suppress(subprocess.TimeoutExpired):
                script.wait(_POLL_SECONDS)
                return 0
    _say("The script did not end; killing it")
    script.kill()
    script.wait()
    return 1


class _Stop:
    """What SIGINT, SIGTERM and SIGHUP ask for, inside a ``with`` block.

    A pipe, since a signal handler may interrupt the very code that holds the lock of an event.
    """

    def __enter__(self) -> _Stop:
        self._reader, self._writer = os.pipe()
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._before = {number: signal.signal(number, self._asked) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def _asked(self, *_: object) -> None:
        os.write(self._writer, b"\0")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is asked for, at most so long; whether it was."""
        return bool(select.select([self._reader], [], [], seconds)[0])


class _Output:
    """The tasks' output, shown as it comes: each line marked with its task, or with the executor that tasks share."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._files: dict[Path, _Tail] = {}
        self.states: dict[tuple[str, Path], str] = {}

    def show(self) -> None:
        over: dict[Path, bool] = {}
        for task in self._cluster.tasks():
            self.states[task.id, task.sandbox] = task.state
            # An executor that tasks share may get another as long as it lives.
            over[task.sandbox] = task.id == _owner(task.sandbox) and _is_terminal(task.state)
        for sandbox, last in over.items():
            for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
                path = sandbox / name
                if path not in self._files:
                    self._files[path] = _Tail(path, f"[{_short(_owner(sandbox))}] ", stream)
                self._files[path].show(last)

    def show_last(self) -> None:
        """Show what comes while the tasks end, with their framework; one that it left behind is not waited for."""
        until = time.monotonic() + _END_SECONDS
        self.show()
        while not all(map(_is_terminal, self.states.values())) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            self.show()


class _Tail:
    """One file of a sandbox, read on from where the last look ended."""

    def __init__(self, path: Path, mark: str, stream: IO[str]) -> None:
        self._path, self._mark, self._stream = path, mark, stream
        self._at = 0
        self._rest = b""
        self._done = False

    def show(self, last: bool) -> None:
        if self._done:
            return
        self._done = last
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except OSError:  # not there yet, or the cluster is gone
            return
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if last and self._rest:
            lines.append(self._rest)
        for line in lines:
            print(self._mark + line.decode(errors="replace"), file=self._stream, flush=True)


def _owner(sandbox: Path) -> str:
    """Whose sandbox it is: ``.../executors/ID/runs/CONTAINER``, where a command task's executor has its name, or, for a
    task of a group, ``.../tasks/ID`` below that.
    """
    return sandbox.parent.parent.name if sandbox.parent.name == "runs" else sandbox.name


def _short(name: str) -> str:
    return name if len(name) <= _ID_SHOWN + 1 else f"{name[:_ID_SHOWN]}…"


def _is_terminal(state: str) -> bool:
    return state not in ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")


def _summary(cluster: LocalCluster, states: dict[tuple[str, Path], str]) -> None:
    count = collections.Counter(states.values())
    by_state = ", ".join(f"{number} {state}" for state, number in sorted(count.items()))
    _say(f"{len(states)} task(s){': ' if by_state else ''}{by_state}. The web page was at {cluster.url}")


def _say(text: str) -> None:
    print(f"remesos: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
