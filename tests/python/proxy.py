"""A proxy between drivers and a master, for tests that break connections or want TLS."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading


class Proxy:
    """Passes bytes between clients and a master until it is told to cut every connection.

    :param master: where to, ``host:port``
    :param tls: what clients have to speak TLS with
    """

    def __init__(self, master: str, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        host, _, port = master.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self.sent = bytearray()
        """What clients sent."""
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, as a network does."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for end in (end for pair in pairs for end in pair):
            with contextlib.suppress(OSError):  # it broke by itself
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._tls is not None:
                    client = self._tls.wrap_socket(client, server_side=True)
                pair = (client, socket.create_connection(self._target))
            except OSError:  # no TLS, not a client we know, or no master
                client.close()
                continue
            with self._lock:
                self._pairs.append(pair)
            threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        peers = {one: other, other: one}
        try:
            while True:
                for ready in select.select(list(peers), [], [], 1)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is one:
                        self.sent += data
                    peers[ready].sendall(data)
        except (OSError, ValueError):  # cut
            pass
        finally:
            one.close()
            other.close()
