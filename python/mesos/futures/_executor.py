"""``MesosPoolExecutor``."""

from __future__ import annotations

import atexit
import os
import weakref
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypeVar

from mesos.errors import ArgumentTypeError, DriverError
from mesos.futures import _map, _pickling
from mesos.futures._future import MesosFuture
from mesos.futures._pool import Pool
from mesos.futures._settings import number, settings
from mesos.interface import mesos_pb2
from mesos.native import MesosSchedulerDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import ParamSpec

    from mesos.auth import Authentication, Header
    from mesos.local import LocalCluster
    from mesos.testing import RealCluster

    _P = ParamSpec("_P")

_T = TypeVar("_T")
_LOOPBACK = ("127.", "localhost", "[::1]")


class MesosPoolExecutor(Executor):
    """Runs calls on a Mesos cluster: a :class:`concurrent.futures.Executor`.

    Calls run in workers, each of which holds its resources while it runs calls, one at a time. Workers start while
    calls wait, as many at once as offers allow. They are used again, and end when they have been idle for
    ``idle_timeout``.

    A call whose process or agent is lost is tried again, up to ``retries`` times, so it may run more than once.
    Exceptions that it raises are results, and are not tried again.

    >>> from mesos.local import LocalCluster
    >>> with LocalCluster(resources={"cpus": 2, "mem": 1024}) as cluster, MesosPoolExecutor(cluster) as pool:
    ...     print(pool.submit(pow, 2, 10).result(), list(pool.map(abs, [-1, 2, -3])))
    1024 [1, 2, 3]

    :param master: a master as :class:`mesos.native.MesosSchedulerDriver` takes it. If None, that of the variable
        ``REMESOS_MASTER``, or else ``local``, which starts a cluster in this process
    :param cpus: the CPUs of each worker, so of each call that runs
    :param mem: the memory of each worker in MB
    :param disk: the disk space of each worker in MB
    :param gpus: the GPUs of each worker
    :param max_workers: how many workers there may be at once; as many as offers allow if None
    :param retries: how often a call is tried again whose process or worker ended while it ran
    :param idle_timeout: the seconds after which an idle worker ends; never if None
    :param initializer: called with ``initargs`` in each process before its first call. If it raises an exception, the
        pool is broken
    :param python: the interpreter of the workers, which must be able to import remesos; that of this process if None
    :param environment: environment variables of the workers. If the master is on this machine, ``PYTHONPATH`` is
        ``sys.path`` of this process if it is not among them
    :param uris: files that agents fetch into the sandbox of each worker
    :param attributes: the attributes that agents must have: values by name, or several allowed values by name
    :param name: the framework's name
    :param role: the framework's role
    :param user: the user of the workers; the current user if empty
    :param principal: the framework's principal
    :param secret: the secret of the principal, if the master authenticates frameworks
    :param authentication: another way to authenticate, as for :class:`mesos.native.MesosSchedulerDriver`
    :param failover_timeout: the seconds for which the master keeps workers while it has no connection to this process
    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: the value of an argument is not valid
    :raises ClusterError: the master is ``local`` and its cluster could not be started
    """

    def __init__(
        self,
        master: str | LocalCluster | RealCluster | None = None,
        *,
        cpus: float = 1,
        mem: float = 128,
        disk: float = 0,
        gpus: int = 0,
        max_workers: int | None = None,
        retries: int = 2,
        idle_timeout: float | None = 60,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        python: str | None = None,
        environment: Mapping[str, str] | None = None,
        uris: Iterable[str] = (),
        attributes: Mapping[str, Any] | None = None,
        name: str = "mesos.futures",
        role: str = "*",
        user: str = "",
        principal: str | None = None,
        secret: str | None = None,
        authentication: Authentication | Callable[[], str | Header] | str | None = None,
        failover_timeout: float = 30,
    ) -> None:
        checked = settings(
            cpus=cpus,
            mem=mem,
            disk=disk,
            gpus=gpus,
            max_workers=max_workers,
            retries=retries,
            idle_timeout=idle_timeout,
            attributes=attributes,
            python=python,
            environment=environment,
            uris=uris,
        )
        if initializer is not None:
            if not callable(initializer):
                raise ArgumentTypeError(f"expected a callable as initializer, got {initializer!r}")
            checked.setup = _pickling.dumps(initializer, tuple(initargs), {})
        number(failover_timeout, "failover_timeout", 0)
        info = mesos_pb2.FrameworkInfo(user=user, name=name, role=role, failover_timeout=failover_timeout)
        if gpus:
            info.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.GPU_RESOURCES)
        credential = None
        if principal is not None:
            info.principal = principal
            if secret is not None:
                credential = mesos_pb2.Credential(principal=principal, secret=secret)
        if master is None and not os.environ.get("REMESOS_MASTER"):
            master = "local"
        self._pid = os.getpid()
        self._pool = Pool(checked)
        driver = MesosSchedulerDriver(
            self._pool,
            info,
            master,
            credential=credential,
            suppressedRoles=[role],
            authentication=authentication,
        )
        self._pool.start(driver, checked.command(_is_here(driver, master)))
        # A pool that is dropped finishes its calls first, as those of concurrent.futures do.
        self._finalizer = weakref.finalize(self, _close, self._pool, self._pid)
        self._finalizer.atexit = False
        _at_exit(self._pool, self._pid)

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> MesosFuture[_T]:
        """Calls ``fn(*args, **kwargs)`` on the cluster.

        The function and its arguments are pickled at once; if that fails, the future has the exception.

        :raises PoolBrokenError: no worker starts, or the initializer raised an exception
        :raises DriverAbortedError: the master rejected the framework
        :raises RuntimeError: the pool was shut down
        """
        self._check_process()
        future: MesosFuture[_T] = MesosFuture()
        try:
            payload = _pickling.dumps(fn, args, kwargs)
        except Exception as error:
            self._pool.submit([])
            future.set_exception(error)
            return future
        self._pool.submit([(payload, future)])
        return future

    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
        progress: bool | str = False,
    ) -> Iterator[_T]:
        """Calls ``fn`` with the items of ``iterables``. Returns an iterator over the results, in their order.

        When the iterator is closed, or raises an exception, the calls whose results it has not returned are cancelled.

        :param timeout: the seconds from now after which the iterator raises ``TimeoutError``
        :param chunksize: how many items each call to a worker has. Short calls travel together in any case
        :param buffersize: how many results may be computed before they are asked for; if None, the items are all
            submitted now
        :param progress: whether to show a progress bar, which needs the package ``tqdm``; text is shown before it
        :raises ImportError: ``progress`` is set, and ``tqdm`` is not installed
        """
        self._check_process()
        number(chunksize, "chunksize", 1, whole=True)
        if buffersize is not None:
            number(buffersize, "buffersize", 1, whole=True)
        return _map.ordered(self._submit_chunks, fn, iterables, timeout, chunksize, buffersize, progress)

    def map_unordered(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        progress: bool | str = False,
    ) -> Iterator[_T]:
        """Is like :meth:`map`, with the results as they complete."""
        self._check_process()
        number(chunksize, "chunksize", 1, whole=True)
        return _map.unordered(self._submit_chunks, fn, iterables, timeout, chunksize, progress)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more calls, and ends the workers and the framework when all calls are done.

        :param wait: whether to wait until nothing is left on the cluster
        :param cancel_futures: whether to cancel the calls that do not run yet
        """
        if os.getpid() != self._pid:
            return
        self._pool.close()
        if cancel_futures:
            self._cancel(running=False)
        if wait:
            self._pool.join()

    def kill_workers(self) -> None:
        """Cancels all calls, those that run too, and ends the pool."""
        if os.getpid() == self._pid:
            self._pool.close()
            self._cancel(running=True)
            self._pool.join()

    def _cancel(self, *, running: bool) -> None:
        for future in self._pool.futures(running=running):
            if running or not future.running():
                future.cancel()

    def _submit_chunks(self, fn: Callable[..., _T], chunks: list[Any]) -> list[MesosFuture[list[_T]]]:
        """Submits chunks of calls in one turn. The function is pickled once."""
        futures: list[MesosFuture[list[_T]]] = []
        calls = []
        function: bytes | None = None
        for chunk in chunks:
            future: MesosFuture[list[_T]] = MesosFuture()
            futures.append(future)
            try:
                if function is None:
                    function = _pickling.dumps_function(fn)
                calls.append((_pickling.dumps_any((function, chunk)), future))
            except Exception as error:
                future.set_exception(error)
        self._pool.submit(calls)
        return futures

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise DriverError("the pool belongs to the process that created it, and this is a fork of that process")

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        """Shuts the pool down. After Ctrl-C, does not wait for calls, but cancels them."""
        if error is not None and not isinstance(error, Exception):
            self.kill_workers()
        else:
            self.shutdown(wait=True)

    def __repr__(self) -> str:
        workers, running, waiting = self._pool.counts()
        return f"<{type(self).__name__} workers={workers} running={running} waiting={waiting}>"


def _is_here(driver: MesosSchedulerDriver, master: Any) -> bool:
    """Returns whether the agents are on this machine: those of an embedded cluster, or of a master on loopback."""
    if driver._cluster is not None:
        return True
    text = os.environ.get("REMESOS_MASTER") or getattr(master, "address", master)
    return str(text).partition("://")[2].startswith(_LOOPBACK) or str(text).startswith(_LOOPBACK)


def _close(pool: Pool, pid: int) -> None:
    if os.getpid() == pid:
        pool.close()


def _at_exit(pool: Pool, pid: int) -> None:
    """Has the end of the interpreter wait for the calls, as those of concurrent.futures do."""
    reference = weakref.ref(pool)

    def end() -> None:
        left = reference()
        if left is not None and os.getpid() == pid:
            left.close()
            left.join()

    atexit.register(end)
    weakref.finalize(pool, atexit.unregister, end).atexit = False
