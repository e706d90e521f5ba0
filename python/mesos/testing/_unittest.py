"""Tests of frameworks with the standard library's ``unittest``."""

from __future__ import annotations

import functools
import unittest
from typing import TYPE_CHECKING, Any, ClassVar

from mesos.testing._mesos import Mesos

if TYPE_CHECKING:
    from collections.abc import Mapping


class MesosTestCase(unittest.TestCase):
    """A test case each of whose tests has a :class:`Mesos` of its own as :attr:`mesos`.

    A test fails if a callback raises an exception that the test has not received, or if it leaves something behind.

    >>> from mesos.interface import Scheduler
    >>> class TestFramework(MesosTestCase):
    ...     mesos_options = {"agents": 2}
    ...
    ...     def test_registers(self):
    ...         self.mesos.start(Scheduler()).wait_for_callback("registered")
    """

    mesos_options: ClassVar[Mapping[str, Any]] = {}
    """The options of each test's cluster: the arguments of :class:`mesos.local.LocalCluster`, such as
    ``time="skip"``."""
    mesos: Mesos
    """The test's cluster and frameworks."""

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        method = getattr(self, methodName, None)
        if method is not None:
            # Around the test itself, so that its failure has the story, and what a callback raised is its failure.
            setattr(self, methodName, functools.wraps(method)(functools.partial(self._run_test, method)))

    def setUp(self) -> None:
        """Starts the cluster. A subclass that overrides this calls it first."""
        super().setUp()
        self.mesos = Mesos(**self.mesos_options)
        self.addCleanup(self.mesos.close)

    def _run_test(self, method: Any, *arguments: Any, **keywords: Any) -> Any:
        try:
            result = method(*arguments, **keywords)
            self.mesos.check()
        except unittest.SkipTest:
            raise
        except Exception as error:
            self.mesos.also(error)
            error.add_note(f"What happened:\n{self.mesos.story()}")
            raise
        return result
