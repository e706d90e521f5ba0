"""``FrameworkIdZooKeeper``: keeps a framework's id in ZooKeeper."""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from mesos import _arguments
from mesos.errors import ArgumentTypeError, ArgumentValueError, FrameworkIdError, FrameworkIdInUseError
from mesos.helpers._file import checked_id
from mesos.helpers._framework_id import FrameworkIdStore

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_ANSWER_SECONDS = 15.0
_PAUSE_SECONDS = 0.05


class FrameworkIdZooKeeper(FrameworkIdStore):
    """Keeps the id of a framework in a node of ZooKeeper, for schedulers on several machines.

    The first use takes a lock, the ephemeral node ``lock`` below the node of the id, which belongs to the session of
    the client. When a scheduler has crashed, its lock stays until its session has expired, so the next one waits for
    it. A scheduler whose session expires loses the lock: its next use takes it again, unless another one has it.

    Needs kazoo: ``pip install 'remesos[zookeeper]'``.

    >>> store = FrameworkIdZooKeeper("zk://zk1:2181,zk2:2181/frameworks/example")  # connects when it is used
    >>> store.path
    '/frameworks/example'

    :param zookeeper: ``zk://h1:p1,h2:p2/path`` or ``h1:p1,h2:p2``, or a ``KazooClient``, which may have a namespace
        (chroot), authentication and ACLs. Such a client is started if it is not, and never stopped
    :param path: the path of the node, if it is not in the address. Nodes above it are created
    :param lock_timeout: the seconds to wait for the lock, which should be more than the time-out of sessions
    :param session_timeout: the seconds after which the lock of a scheduler that crashed is free, for a client that this
        creates
    :raises ImportError: kazoo is not installed
    """

    def __init__(
        self, zookeeper: Any, path: str | None = None, *, lock_timeout: float = 30.0, session_timeout: float = 10.0
    ) -> None:
        self._kazoo = _kazoo()
        self._errors = (self._kazoo.exceptions.KazooException, self._kazoo.handlers.threading.KazooTimeoutError)
        self._client: Any = None
        self._is_own = isinstance(zookeeper, str)
        self._hosts = ""
        if isinstance(zookeeper, str):
            self._hosts, _, found = zookeeper.removeprefix("zk://").partition("/")
            if "@" in self._hosts:
                raise ArgumentValueError(
                    "an address with a user and a password is not supported: pass a KazooClient with auth_data"
                )
            if found and path is not None:
                raise ArgumentValueError(f"expected a path in the address or as path, got both: {found!r} and {path!r}")
            path = f"/{found}" if found else path
        elif isinstance(zookeeper, self._kazoo.client.KazooClient):
            self._client = zookeeper
        else:
            raise ArgumentTypeError(f"expected an address or a KazooClient as zookeeper, got {zookeeper!r}")
        if path is None or not path.strip("/"):
            raise ArgumentValueError("expected the path of a node for the id, got none")
        self.path = f"/{path.strip('/')}"
        """The path of the node."""
        self._lock_timeout = _arguments.finite_seconds(lock_timeout, "lock_timeout")
        self._session_timeout = _arguments.finite_seconds(session_timeout, "session_timeout")
        # What tells our lock from that of another object that shares the client.
        self._token = uuid.uuid4().hex.encode()
        self._mutex = threading.Lock()

    def load(self) -> str | None:
        """Returns the id, or None if the node is empty.

        :raises FrameworkIdInUseError: another scheduler has the lock
        :raises FrameworkIdError: the node cannot be read or holds no id
        """
        # The lock is below the node, which is therefore there before there is an id.
        data, _ = self._locked("read", lambda client: _ask(client.get_async, self.path))
        return checked_id(data.decode("ascii", "replace").strip(), f"the node {self.path}") if data else None

    def save(self, framework_id: str) -> None:
        """Keeps an id.

        :raises FrameworkIdInUseError: another scheduler has the lock
        :raises FrameworkIdError: the node cannot be written
        """
        checked_id(framework_id, "the id to save")
        self._locked("write", lambda client: _ask(client.set_async, self.path, framework_id.encode()))

    def forget(self) -> None:
        """Empties the node.

        :raises FrameworkIdInUseError: another scheduler has the lock
        :raises FrameworkIdError: the node cannot be written
        """
        self._locked("remove", lambda client: _ask(client.set_async, self.path, b""))

    def close(self) -> None:
        """Releases the lock, and ends the session if the client is not one that was passed. The next use takes the lock
        again.
        """
        with self._mutex:
            client = self._client
            if client is None:
                return
            if self._is_own:
                self._client = None
                client.stop()
                client.close()
            elif client.connected:
                with contextlib.suppress(*self._errors):
                    if self._is_ours(client):
                        _ask(client.delete_async, self._lock_path)

    @property
    def _lock_path(self) -> str:
        return f"{self.path}/lock"

    def _locked(self, what: str, use: Callable[[Any], _T]) -> _T:
        """Calls a function with the client, which has the lock. Errors of ZooKeeper are translated.

        If the connection or the session is lost meanwhile, all of it is done again, which the function has to allow.
        """
        lost = (self._kazoo.exceptions.ConnectionLoss, self._kazoo.exceptions.SessionExpiredError)
        until = time.monotonic() + _ANSWER_SECONDS
        while True:
            try:
                with self._mutex:
                    client = self._connected()
                    self._take(client)
                    return use(client)
            except self._errors as error:
                if isinstance(error, lost) and time.monotonic() < until:
                    # The client connects again by itself.
                    time.sleep(_PAUSE_SECONDS)
                    continue
                told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                text = f"cannot {what} the framework's id in ZooKeeper at {self.path}: {told}"
                raise FrameworkIdError(text) from error

    def _connected(self) -> Any:
        if self._client is None:
            # A port that is missing is 2181.
            self._client = self._kazoo.client.KazooClient(self._hosts, timeout=self._session_timeout)
        # Otherwise it reconnects by itself, and requests wait for it.
        if self._client.client_state == self._kazoo.protocol.states.KeeperState.CLOSED:
            self._client.start(timeout=_ANSWER_SECONDS)
        return self._client

    def _take(self, client: Any) -> None:
        """Takes the lock unless this object has it. Asked each time, because sessions expire unseen."""
        if self._is_ours(client):
            return
        until = time.monotonic() + self._lock_timeout
        while True:
            try:
                _ask(client.create_async, self._lock_path, self._token, ephemeral=True, makepath=True)
                return
            except self._kazoo.exceptions.NodeExistsError:
                gone = threading.Event()
                if _ask(client.exists_async, self._lock_path, watch=_setting(gone)) is None:
                    continue
                # The watch tells of whatever happens to the node, and of a lost session.
                if not gone.wait(max(0, until - time.monotonic())):
                    raise FrameworkIdInUseError(
                        f"another scheduler uses {self.path}: its lock {self._lock_path} was not released "
                        f"within {self._lock_timeout:g} seconds"
                    ) from None

    def _is_ours(self, client: Any) -> bool:
        try:
            data, stat = _ask(client.get_async, self._lock_path)
        except self._kazoo.exceptions.NoNodeError:
            return False
        return bool(data == self._token and stat.ephemeralOwner == client.client_id[0])


def _ask(request: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Makes a request and waits for its answer, but not for as long as there is no connection."""
    return request(*arguments, **named).get(timeout=_ANSWER_SECONDS)


def _setting(event: threading.Event) -> Callable[[object], None]:
    return lambda _: event.set()


def _kazoo() -> Any:
    try:
        for module in ("client", "exceptions", "handlers.threading", "protocol.states"):
            importlib.import_module(f"kazoo.{module}")
        return importlib.import_module("kazoo")
    except ImportError as error:
        raise ImportError(
            "FrameworkIdZooKeeper needs the package kazoo: pip install 'remesos[zookeeper]'", name="kazoo"
        ) from error
