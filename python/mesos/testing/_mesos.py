"""``Mesos``: runs frameworks of a test on a cluster, and fails the test if something went wrong unseen."""

from __future__ import annotations

import contextlib
import os
import unittest
from typing import TYPE_CHECKING, Any

from mesos import _failures
from mesos.local import LocalCluster
from mesos.testing._clock import SkippingClock, clock_of
from mesos.testing._framework import Framework, framework_info
from mesos.testing._leaks import Leaks
from mesos.testing._real import RealCluster
from mesos.testing._script import ScriptRunner
from mesos.testing._story import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from mesos.auth import Authentication, Header
    from mesos.interface import mesos_pb2
    from mesos.testing._script import ScriptResult


class Mesos:
    """A cluster for one test, and the frameworks that the test starts on it.

    The end of a ``with`` block stops the frameworks, and raises

    - the exception that a callback of any driver raised, if the test has not received it
    - an :class:`AssertionError` if the test left something behind: a thread, a process, a driver that runs, or a
      framework that the master still has

    An exception that leaves the block has the story as a note: what happened, in order.

    >>> from mesos.interface import Scheduler
    >>> with Mesos(agents=2) as mesos:
    ...     framework = mesos.start(Scheduler())
    ...     framework.wait_for_callback("registered")
    registered(...)

    :param cluster: the cluster to use, which is left running: a :class:`mesos.local.LocalCluster`, or the address of a
        master. If None, the master of the environment variable ``REMESOS_TEST_MASTER``, or a new cluster
    :param leaks: whether the test fails if it leaves something behind
    :param options: those of :class:`mesos.local.LocalCluster` for the new cluster. A test with options is skipped if
        the cluster is that of ``REMESOS_TEST_MASTER``
    """

    def __init__(
        self, cluster: LocalCluster | RealCluster | str | None = None, *, leaks: bool = True, **options: Any
    ) -> None:
        master = os.environ.get("REMESOS_TEST_MASTER")
        if cluster is None and master:
            if options:
                listed = ", ".join(f"{name}={value!r}" for name, value in options.items())
                raise unittest.SkipTest(f"needs an embedded cluster with {listed}")
            cluster = master
        self._is_own = cluster is None
        self.cluster: Any = LocalCluster(**options) if cluster is None else cluster
        """The cluster."""
        if isinstance(cluster, str):
            self.cluster = RealCluster(cluster)
        self.frameworks: list[Framework] = []
        """The frameworks that were started, in order."""
        clock = clock_of(self.cluster)
        if isinstance(clock, SkippingClock):
            # What happens at the start has happened, so that the story is the same each time.
            self.cluster.advance(0)
        self._story = Story(self.cluster, clock)
        self._leaks = Leaks() if leaks else None
        self._failures: list[BaseException] = []
        # The story, once the cluster is no longer that of the test.
        self._told: str | None = None
        _failures.WATCHERS.append(self._note)

    def start(
        self,
        scheduler: Any,
        info: mesos_pb2.FrameworkInfo | None = None,
        *,
        implicitAcknowledgements: bool = True,
        credential: mesos_pb2.Credential | None = None,
        authentication: Authentication | Callable[[], str | Header] | str | None = None,
        suppressedRoles: Iterable[str] | None = None,
        **fields: Any,
    ) -> Framework:
        """Starts a driver with a scheduler and returns the framework. Does not wait for the master.

        :param scheduler: any object with the methods of :class:`mesos.interface.Scheduler`
        :param info: the framework's info; if None, the name of the scheduler's class
        :param fields: fields of the ``FrameworkInfo`` by name, such as ``failover_timeout=600``; capabilities may be
            names, such as ``["PARTITION_AWARE"]``
        :raises MesosError: as for :class:`mesos.native.MesosSchedulerDriver`
        """
        framework = Framework(
            scheduler,
            framework_info(scheduler, info, fields),
            self.cluster,
            self._story,
            implicitAcknowledgements=implicitAcknowledgements,
            credential=credential,
            authentication=authentication,
            suppressedRoles=suppressedRoles,
        )
        self.frameworks.append(framework)
        framework.driver.start()
        return framework

    def run_script(self, script: Any, *arguments: str, timeout: float = 60, **options: Any) -> ScriptResult:
        """Runs a program on the cluster: :meth:`ScriptRunner.run`."""
        return ScriptRunner(self.cluster).run(script, *arguments, timeout=timeout, **options)

    def story(self) -> str:
        """Returns what happened so far, in order: the frameworks' calls and callbacks beside the master's events."""
        return str(self._story) if self._told is None else self._told

    def check(self) -> None:
        """Raises the first exception that the test has not received, of a callback, ``simulate`` or ``call_later``."""
        __tracebackhide__ = True
        errors: list[BaseException] = []
        for framework in self.frameworks:
            try:
                framework.check()
            except BaseException as error:
                errors.append(error)
        others, self._failures = self._failures, []
        errors += others
        if isinstance(self.cluster, LocalCluster):
            # What the functions of simulate= and of call_later() raised.
            for part in (self.cluster._simulation, self.cluster._calls):
                told = getattr(part, "errors", [])
                errors += told
                told.clear()
        if errors:
            for other in errors[1:]:
                errors[0].add_note(f"Another callback raised {other!r}")
            raise errors[0]

    def close(self) -> None:
        """Stops the frameworks, and the cluster if it was made for this test.

        :raises BaseException: the exception of a callback that the test has not received
        :raises AssertionError: the test left something behind
        """
        if self._told is not None:
            return
        self._told = ""
        try:
            self._stop_frameworks()
            left: list[str] = []
            if self._leaks:
                self._leaks.stop_aborted()
                left = self._leaks.left(self._frameworks_left)
        finally:
            _failures.WATCHERS.remove(self._note)
            self._told = str(self._story)
            if self._is_own:
                self.cluster.stop()
        self.check()
        if left:
            raise AssertionError(f"the test left behind: {'; '.join(left)}")

    def _stop_frameworks(self) -> None:
        for framework in reversed(self.frameworks):
            framework.stop()
        if isinstance(self.cluster, RealCluster):
            # What was stopped for a failover stays otherwise.
            left = {each.id for each in self.cluster.frameworks}
            for framework in self.frameworks:
                if framework.id is not None and framework.id in left:
                    with contextlib.suppress(OSError):
                        self.cluster.tear_down(framework.id)

    def _frameworks_left(self) -> list[str]:
        """Returns callbacks that have not returned, and frameworks of others that the master still has, in words."""
        running = [
            f"a callback of {framework!r} that has not returned"
            for framework in self.frameworks
            if framework.is_in_callback
        ]
        if isinstance(self.cluster, RealCluster):
            return running  # it has users of its own
        own = {framework.id for framework in self.frameworks}
        left = [each for each in self.cluster.frameworks if not each.completed and each.id not in own]
        return running + [f"the framework {framework.name!r} with the id {framework.id}" for framework in left]

    def _note(self, _: Any, error: BaseException) -> None:
        """Keeps an exception of a callback, whose driver the test has created itself."""
        self._failures.append(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self.close()
            except BaseException as failure:
                failure.add_note(self._as_note())
                raise
            return
        if isinstance(error, Exception) and not isinstance(error, unittest.SkipTest):
            error.add_note(self._as_note())
        self.also(error)
        _besides(error, self.close)

    def also(self, error: BaseException) -> None:
        """Adds to the error of a test, as notes, the exceptions of callbacks that the test has not received."""
        _besides(error, self.check)

    def _as_note(self) -> str:
        return f"What happened:\n{self.story()}"

    def __repr__(self) -> str:
        return f"<Mesos {self.cluster!r}>"


def _besides(error: BaseException, step: Callable[[], None]) -> None:
    """Takes a step of a test that has failed; what that raises is a note."""
    try:
        step()
    except BaseException as failure:
        error.add_note(f"Besides, {type(failure).__name__}: {failure}")
