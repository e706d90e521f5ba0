"""The connections between a process and the executors that run its children.

An executor connects to the process. Each side shows the other a key that only the task's data told it, before anything
else is sent: the process accepts nobody else, and an executor starts nothing for somebody else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hmac
import logging
import os
import secrets
import socket
from typing import TYPE_CHECKING

from mesos.pymesos.subprocess._loop import READ, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesos.pymesos.subprocess._loop import Loop

log = logging.getLogger(__name__)
_KEY_BYTES = 32
_GREETING_SECONDS = 10.0
_RETRY_SECONDS = 0.1
_MOST_WITHOUT_KEY = 128
"""How many connections may be without a key at once. One more closes the oldest."""
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6))
"""A machine that is gone is noticed after two minutes, and firewalls do not forget connections without traffic."""


@dataclasses.dataclass(frozen=True)
class Keys:
    """What the two sides of one connection show."""

    executor: bytes
    process: bytes

    @classmethod
    def new(cls) -> Keys:
        """Returns keys that nobody has."""
        return cls(secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_KEY_BYTES))


class Door:
    """Listens at the addresses by which agents reach this process, and lets in who has a key."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._ports: dict[str, int] = {}
        self._expected: dict[bytes, tuple[Keys, Callable[[Stream], object]]] = {}
        self._unknown: dict[socket.socket, bytes] = {}

    def expect(self, receive: Callable[[Stream], object]) -> Keys:
        """Returns the keys of one connection, which ``receive`` is called with in the loop's thread."""
        keys = Keys.new()
        self._expected[keys.executor] = keys, receive
        return keys

    def forget(self, keys: Keys) -> None:
        """Expects a connection no longer."""
        self._expected.pop(keys.executor, None)

    def address(self, agent: str) -> tuple[str, int]:
        """Returns where an agent reaches this process, and listens there.

        As for libmesos, ``LIBPROCESS_IP`` is the address to listen at, and ``LIBPROCESS_ADVERTISE_IP`` the one to tell.

        :param agent: the agent's address
        :raises OSError: there is no way to the agent, or the address to listen at is not this machine's
        """
        ip = os.environ.get("LIBPROCESS_IP") or _towards(agent)
        if ip not in self._ports:
            listener = socket.create_server((ip, 0), family=socket.AF_INET6 if ":" in ip else socket.AF_INET)
            listener.setblocking(False)
            self._ports[ip] = listener.getsockname()[1]
            self.loop.call(lambda: self._listen(listener))
        told = os.environ.get("LIBPROCESS_ADVERTISE_IP") or (_towards(agent) if ip in ("0.0.0.0", "::") else ip)
        return told, self._ports[ip]

    def _listen(self, listener: socket.socket) -> None:
        self.loop.watch(listener, READ, lambda: self._accept(listener))

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            # Who connected is gone.
            return
        except OSError as error:
            # This process has as many files as it may have. It waits until others are closed.
            log.warning("Executors cannot connect for now: %s", error)
            self.loop.ignore(listener)
            self.loop.later(_RETRY_SECONDS, lambda: self._listen(listener))
            return
        connection.setblocking(False)
        if len(self._unknown) >= _MOST_WITHOUT_KEY:
            self._refuse(next(iter(self._unknown)), "there are too many others")
        self._unknown[connection] = b""
        self.loop.watch(connection, READ, lambda: self._read_key(connection))
        self.loop.later(_GREETING_SECONDS, lambda: self._refuse(connection, "it showed no key in time"))

    def _read_key(self, connection: socket.socket) -> None:
        shown = self._unknown[connection]
        try:
            part = connection.recv(_KEY_BYTES - len(shown))
        except BlockingIOError:
            return
        except OSError:
            part = b""
        shown = self._unknown[connection] = shown + part
        if not part:
            self._refuse(connection, "it ended")
        elif len(shown) == _KEY_BYTES:
            keys, receive = self._expected.pop(shown, (None, None))
            if keys is None or receive is None:
                self._refuse(connection, "its key is wrong")
                return
            del self._unknown[connection]
            self.loop.release(connection)
            _prepare(connection)
            stream = Stream.link(connection)
            receive(stream)
            # Not before, because the child may run and end as soon as the executor has read it. The kernel takes it at
            # once, unless the executor is gone.
            with contextlib.suppress(OSError):
                stream.write(keys.process)

    def _refuse(self, connection: socket.socket, why: str) -> None:
        if self._unknown.pop(connection, None) is not None:
            log.debug("A connection is refused: %s", why)
            self.loop.close(connection)


def connect(address: tuple[str, int], keys: Keys) -> Stream:
    """Connects to the process whose child is to be run.

    :raises OSError: it does not answer, or is another one
    """
    connection = socket.create_connection(address, timeout=_GREETING_SECONDS)
    try:
        _prepare(connection)
        connection.sendall(keys.executor)
        shown = b""
        while len(shown) < _KEY_BYTES:
            part = connection.recv(_KEY_BYTES - len(shown))
            if not part:
                raise ConnectionError("the process does not expect this connection, or not any longer")
            shown += part
        if not hmac.compare_digest(shown, keys.process):
            raise ConnectionError("another process listens there")
    except BaseException:
        connection.close()
        raise
    return Stream.link(connection)


def _prepare(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in _KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _towards(agent: str) -> str:
    """Returns the address that this machine has for whom it sends something to."""
    family, kind, protocol, _, address = socket.getaddrinfo(agent, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        # Sends nothing.
        probe.connect(address)
        ip: str = probe.getsockname()[0]
        return ip
