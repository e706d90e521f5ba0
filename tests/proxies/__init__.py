"""Real reverse proxies in front of a master: nginx and haproxy, as Debian packages them.

Each runs in the foreground as the current user, on a free port of 127.0.0.1, with a configuration of its own below the
folder that it is given.
"""

from __future__ import annotations

import abc
import socket
import subprocess
import time
from pathlib import Path
from typing import ClassVar

from tests.apache_mesos import Server, free_port

__all__ = ["HaProxy", "Nginx"]

START_SECONDS = 20


class _Front(Server, abc.ABC):
    """A proxy that is up when its port takes connections.

    :param home: a folder of its own
    :param master: where to, ``host:port``
    :param settings: directives of the proxy's own language, one a line, that apply to every connection of clients
    """

    PROGRAM: ClassVar[Path]
    PACKAGE: ClassVar[str]

    def __init__(self, home: Path, master: str, settings: str = "") -> None:
        super().__init__()
        self.home, self.master, self.settings = home, master, settings
        self.port = free_port()

    @classmethod
    def missing(cls) -> str | None:
        """What of it is not installed, or None."""
        return None if cls.PROGRAM.exists() else f"Debian's package {cls.PACKAGE} is not installed"

    @property
    def address(self) -> str:
        """``127.0.0.1:port``, what drivers take for the master."""
        return f"127.0.0.1:{self.port}"

    @abc.abstractmethod
    def configuration(self) -> str: ...

    @abc.abstractmethod
    def command(self, configuration: Path) -> list[str]: ...

    def start(self) -> _Front:
        """Start it, and wait until it takes connections."""
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / "configuration"
        path.write_text(self.configuration())
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(path), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + START_SECONDS
        while not self._listens():
            if time.monotonic() > until or self._process.poll() is not None:
                self.kill()
                raise RuntimeError(f"{self.PROGRAM.name} did not start:\n{(self.home / 'log').read_text()[-4000:]}")
            time.sleep(0.02)  # a server that is not there yet has no event to wait for
        return self

    __enter__ = start

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class Nginx(_Front):
    """nginx; the settings belong to its ``server`` block.

    :param home: a folder of its own
    :param master: where to, ``host:port``
    :param settings: directives of its ``server`` block
    :param prefix: a path, ``/mesos``, below which the master is, and which it does not see
    :param certificate: a file of a certificate's chain and its key, to speak TLS with clients
    :param version: the version of HTTP that it speaks with the master; its own default is 1.0
    :param buffering: whether it keeps what the master says until it has more, as it does by default
    """

    PROGRAM = Path("/usr/sbin/nginx")
    PACKAGE = "nginx-light"

    def __init__(
        self,
        home: Path,
        master: str,
        settings: str = "",
        prefix: str = "",
        certificate: Path | None = None,
        *,
        buffering: bool = False,
        version: str = "1.1",
    ) -> None:
        super().__init__(home, master, settings)
        self.prefix, self.certificate, self.buffering, self.version = prefix, certificate, buffering, version

    @property
    def url(self) -> str:
        """The master's URL, with the prefix."""
        return f"{'https' if self.certificate else 'http'}://{self.address}{self.prefix}"

    def requests(self) -> list[str]:
        """The path of every request that was answered."""
        return (self.home / "access").read_text().splitlines()

    def configuration(self) -> str:
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "\n".join(f"  {kind}_temp_path {self.home / kind};" for kind in kinds)
        tls = f"ssl_certificate {self.certificate}; ssl_certificate_key {self.certificate};" if self.certificate else ""
        return f"""\
daemon off;
master_process off;
pid {self.home / "pid"};
events {{ worker_connections 200; }}
http {{
  log_format path "$uri";
  access_log {self.home / "access"} path;
{temporary}
  server {{
    listen 127.0.0.1:{self.port}{" ssl" if tls else ""};
    {tls}
    {self.settings}
    location {self.prefix}/ {{
      proxy_pass http://{self.master}{"/" if self.prefix else ""};
      proxy_http_version {self.version};
      proxy_set_header Connection "";
      proxy_buffering {"on" if self.buffering else "off"};
    }}
  }}
}}
"""

    def command(self, configuration: Path) -> list[str]:
        return [str(self.PROGRAM), "-e", "stderr", "-p", str(self.home), "-c", str(configuration)]


class HaProxy(_Front):
    """haproxy; the settings belong to its ``defaults`` section."""

    PROGRAM = Path("/usr/sbin/haproxy")
    PACKAGE = "haproxy"

    def configuration(self) -> str:
        return f"""\
global
  maxconn 200
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  {self.settings}
frontend clients
  bind 127.0.0.1:{self.port}
  default_backend master
backend master
  server master {self.master}
"""

    def command(self, configuration: Path) -> list[str]:
        return [str(self.PROGRAM), "-db", "-f", str(configuration)]
