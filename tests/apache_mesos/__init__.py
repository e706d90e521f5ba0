"""The real Apache Mesos 1.11.0 and a real ZooKeeper, for tests and benchmarks.

Apache published its own build of Mesos 1.11.0 on PyPI: the Python 2.7 egg ``mesos.scheduler`` carries the whole of
libmesos. :mod:`install` lays it out under a folder, :class:`ApacheMesos` runs its master and agents, all in one
process on 127.0.0.1, and :class:`ZooKeeper` runs Debian's ZooKeeper.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.apache_mesos.install import install

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "ALLOCATION_INTERVAL",
    "ApacheMesos",
    "Server",
    "ZooKeeper",
    "credentials",
    "environment",
    "free_port",
    "install",
    "local_environment",
    "python27_environment",
    "wants_credential",
]

HERE = Path(__file__).resolve().parent
ALLOCATION_INTERVAL = "200ms"
"""Of clusters whose offers are waited for, here and embedded."""
START_SECONDS = 90
STOP_SECONDS = 10
ZOOKEEPER_CLASSPATH = "/usr/share/java/*"


def environment() -> dict[str, str]:
    """A copy of the environment, whichever variables another thread removes meanwhile, as pytest does between tests."""
    values = ((name, os.environ.get(name)) for name in list(os.environ))
    return {name: value for name, value in values if value is not None}


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on.

    It is below the range from which the kernel takes the ports of clients: by the time a server has started, one of
    those may be in use.
    """
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def credentials(path: Path, principal: str, secret: str) -> dict[str, str]:
    """The flags of a master that knows this credential, which is written to a file as it wants it."""
    path.write_text(json.dumps({"credentials": [{"principal": principal, "secret": secret}]}))
    return {"MESOS_CREDENTIALS": str(path)}


def wants_credential(path: Path, principal: str, secret: str) -> dict[str, str]:
    """The flags of a master that takes frameworks only with this credential, which is written to a file."""
    return {
        "MESOS_AUTHENTICATE_HTTP_FRAMEWORKS": "true",
        "MESOS_HTTP_FRAMEWORK_AUTHENTICATORS": "basic",
        **credentials(path, principal, secret),
    }


class Server:
    """A process in a session of its own that is up when it answers."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Executors lead sessions of their own and end when their agent is gone; what shares ours ends here.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class ApacheMesos(Server):
    """The real master and agents, on 127.0.0.1.

    :param home: where :func:`install` laid Mesos out
    :param work_dir: where registry and sandboxes are; a cluster started again on it knows its agents
    :param port: the port of master and agents
    :param agents: how many agents
    :param flags: ``MESOS_*`` and ``LIBPROCESS_*`` variables
    :param follows: the ``MasterInfo`` of the leader, if this master, which then has no agents, is not to lead
    """

    def __init__(
        self,
        home: Path,
        work_dir: Path,
        port: int | None = None,
        agents: int = 1,
        flags: dict[str, str] | None = None,
        follows: dict[str, object] | None = None,
    ) -> None:
        super().__init__()
        self.home, self.work_dir, self.agents = home, work_dir, 0 if follows else agents
        self._follows = follows
        self.port = free_port() if port is None else port
        self._flags = flags or {}

    @property
    def address(self) -> str:
        """The master, as ``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> ApacheMesos:
        """Start it, and wait until its agents are registered."""
        environment = {
            **local_environment(self.home, self.work_dir),
            "LIBPROCESS_PORT": str(self.port),
            "MESOS_NUM_SLAVES": str(self.agents),
            "MESOS_ALLOCATION_INTERVAL": ALLOCATION_INTERVAL,
            **self._flags,
        }
        if self._follows is not None:
            environment["BOOT_FOLLOWS"] = json.dumps(self._follows)
        self.work_dir.mkdir(parents=True, exist_ok=True)
        with (self.work_dir / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [environment["MESOS_PYTHON27"], str(HERE / "boot.py")],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._wait_ready()
        return self

    __enter__ = start

    def get(self, path: str) -> bytes:
        """What the master answers to a GET."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as response:
            body: bytes = response.read()
            return body

    def lead(self) -> None:
        """Elects a master that follows another one, and waits until it leads."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)
        until = time.monotonic() + START_SECONDS
        while self._leader() != f"master@{self.address}":
            assert time.monotonic() < until
            time.sleep(0.05)  # nothing tells

    def _leader(self) -> str | None:
        """The leader that this master sends requests on to, if it answers."""
        with contextlib.suppress(OSError):
            return str(json.loads(self.get("/state"))["pid"])
        return None

    def _wait_ready(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        # In this mode the tasks' output goes to the cluster's own stdout, so somebody has to read on.
        ready: queue.Queue[bool] = queue.Queue()
        threading.Thread(target=_drain, args=(self._process.stdout, ready), daemon=True).start()
        until = time.monotonic() + START_SECONDS
        with contextlib.suppress(queue.Empty):
            if ready.get(timeout=START_SECONDS):
                if self._follows is not None:
                    return
                while time.monotonic() < until:
                    if json.loads(self.get("/state"))["activated_slaves"] == self.agents:
                        return
                    time.sleep(0.05)  # agents register within a second, and nothing tells when
        self.kill()
        log = (self.work_dir / "log").read_text(errors="replace")
        raise RuntimeError(f"the real Mesos did not start:\n{log[-4000:]}")


def _drain(stdout: IO[bytes], ready: queue.Queue[bool]) -> None:
    """Reads to the end, which may come after that of the cluster: executors that live on write here too."""
    with stdout:
        for line in stdout:
            if line == b"READY\n":
                ready.put(True)
    ready.put(False)


def python27_environment(home: Path) -> dict[str, str]:
    """What Python 2.7 needs to import Apache's own driver; ``MESOS_PYTHON27`` is the interpreter."""
    kept = {key: value for key, value in environment().items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {
        **kept,
        "LD_LIBRARY_PATH": str(home / "lib"),
        "PYTHONPATH": str(home / "site"),
        "MESOS_PYTHON27": (home / "python2.7").read_text().strip(),
    }


def local_environment(home: Path, work_dir: Path) -> dict[str, str]:
    """What Python 2.7 needs beside this to run a driver with the master ``local``, which has agents of its own."""
    return {
        **python27_environment(home),
        "LIBPROCESS_IP": "127.0.0.1",
        "MESOS_WORK_DIR": str(work_dir),
        "MESOS_LAUNCHER": "posix",
        "MESOS_LAUNCHER_DIR": str(HERE / "launcher"),
        "MESOS_ISOLATION": "posix/cpu,posix/mem",
        "MESOS_CONTAINERIZERS": "mesos",
        "MESOS_SWITCH_USER": "false",
        "MESOS_SYSTEMD_ENABLE_SUPPORT": "false",
        "MESOS_RESOURCES": "cpus:8;mem:8192;disk:20000;ports:[31000-32000]",
        "MESOS_QUIET": "1",
    }


class ZooKeeper(Server):
    """A real ZooKeeper server on 127.0.0.1: Debian's package ``zookeeper``, and Java."""

    def __init__(self, data: Path, port: int | None = None) -> None:
        super().__init__()
        self.data = data
        self.port = free_port() if port is None else port

    @staticmethod
    def missing() -> str | None:
        """What of it is not installed, or None."""
        if shutil.which("java") is None:
            return "Java is not installed"
        return None if Path("/usr/share/java/zookeeper.jar").exists() else "Debian's package zookeeper is not installed"

    @property
    def address(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> ZooKeeper:
        """Start it, and wait until it answers."""
        self.data.mkdir(parents=True, exist_ok=True)
        config = self.data / "zoo.cfg"
        config.write_text(
            f"tickTime=500\ndataDir={self.data}\nclientPort={self.port}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\nmaxSessionTimeout=20000\n4lw.commands.whitelist=ruok\n"
        )
        with (self.data / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["java", "-cp", ZOOKEEPER_CLASSPATH, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                self.kill()
                raise RuntimeError(f"ZooKeeper did not start:\n{(self.data / 'log').read_text()[-4000:]}")
            time.sleep(0.05)  # a server that is not there yet has no event to wait for
        return self

    __enter__ = start

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"ruok")
                return connection.recv(4) == b"imok"
        except OSError:
            return False
