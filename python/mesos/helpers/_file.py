"""``FrameworkIdFile``: keeps a framework's id in a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import weakref
from pathlib import Path

from mesos.errors import FrameworkIdError, FrameworkIdInUseError
from mesos.helpers._framework_id import FrameworkIdStore

_OPEN: weakref.WeakSet[FrameworkIdFile] = weakref.WeakSet()


class FrameworkIdFile(FrameworkIdStore):
    """Keeps the id of a framework in a file that only its user can read.

    The first use takes a lock, which :meth:`close`, the end of a ``with`` block or that of the process releases,
    ``kill -9`` included. The lock is on a file beside it, ``NAME.lock``, which stays. The folder has to be on a
    file system of one machine; for several machines, there is :class:`FrameworkIdZooKeeper`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, FrameworkIdFile(f"{folder}/framework.id") as store:
    ...     store.save("framework-1")
    ...     store.load()
    'framework-1'

    :param path: the file's path; its folder has to exist
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # A process that becomes a daemon changes its directory, and a link is not to be replaced by a file.
        self.path = Path(os.path.realpath(path))
        """The file's path, without links."""
        self._mutex = threading.Lock()
        self._lock: int | None = None

    def load(self) -> str | None:
        """Returns the id, or None if there is no file.

        :raises FrameworkIdInUseError: another process, or another object of this one, uses the file
        :raises FrameworkIdError: the file cannot be read or holds no id
        """
        self._take()
        try:
            text = self.path.read_text("ascii")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FrameworkIdError(f"cannot read the framework's id: {error}") from error
        except UnicodeDecodeError as error:
            raise FrameworkIdError(f"{self.path} holds no id of a framework: {error}") from error
        found = text.strip()
        if not found:
            raise FrameworkIdError(f"{self.path} is empty: remove it to register the framework as a new one")
        return checked_id(found, str(self.path))

    def save(self, framework_id: str) -> None:
        """Keeps an id: after a crash, there is either it or the one before.

        :raises FrameworkIdInUseError: another process, or another object of this one, uses the file
        :raises FrameworkIdError: the file cannot be written
        """
        checked_id(framework_id, "the id to save")
        self._take()
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            # One that a crash has left.
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(f"{framework_id}\n")
                file.flush()
                os.fsync(file.fileno())
            new.rename(self.path)
            self._sync_folder()
        except OSError as error:
            raise FrameworkIdError(f"cannot write the framework's id: {error}") from error

    def forget(self) -> None:
        """Removes the file.

        :raises FrameworkIdInUseError: another process, or another object of this one, uses the file
        :raises FrameworkIdError: the file cannot be removed
        """
        self._take()
        try:
            self.path.unlink(missing_ok=True)
            self._sync_folder()
        except OSError as error:
            raise FrameworkIdError(f"cannot remove the framework's id: {error}") from error

    def close(self) -> None:
        """Releases the lock. The next use takes it again."""
        with self._mutex:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
        _OPEN.discard(self)

    def __del__(self) -> None:
        """Releases the lock."""
        if getattr(self, "_lock", None) is not None:
            self.close()

    def _take(self) -> None:
        with self._mutex:
            if self._lock is not None:
                return
            path = self.path.with_name(f"{self.path.name}.lock")
            try:
                lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise FrameworkIdError(f"cannot lock the framework's id: {error}") from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(lock)
                if isinstance(error, BlockingIOError):
                    raise FrameworkIdInUseError(f"another scheduler uses {self.path}: {path} is locked") from None
                raise FrameworkIdError(f"cannot lock the framework's id: {error}") from error
            self._lock = lock
            _OPEN.add(self)

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def checked_id(text: str, where: str) -> str:
    """Returns an id of a framework.

    :raises FrameworkIdError: it is not the id of a framework
    """
    if not text or not text.isascii() or not text.isprintable() or any(c in text for c in " /\\"):
        raise FrameworkIdError(f"expected the id of a framework in {where}, got {text[:100]!r}")
    return text


def _forget_locks() -> None:
    """A forked child would hold the locks when its parent has ended."""
    for store in list(_OPEN):
        if store._lock is not None:
            os.close(store._lock)
        store._lock, store._mutex = None, threading.Lock()
    _OPEN.clear()


os.register_at_fork(after_in_child=_forget_locks)
