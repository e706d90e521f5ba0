"""The framework's id that ``mesos.helpers`` keeps, and what the next scheduler does with it, on both masters."""

from __future__ import annotations

import asyncio
import doctest
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos import aio
from mesos.errors import (
    ArgumentTypeError,
    DriverAbortedError,
    FrameworkIdError,
    FrameworkIdInUseError,
    FrameworkRemovedError,
    MesosWarning,
    UnreachableError,
)
from mesos.helpers import FrameworkIdFile, FrameworkIdStore, _file, _framework_id, watched
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver
from mesos.operator import MasterClient
from mesos.pymesos import MesosSchedulerDriver as DictSchedulerDriver
from mesos.v1.interface import mesos_pb2 as v1

from tests.python.support import WAIT_SECONDS, Recorder, framework, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


TIMEOUT = 3600.0
RUNNING = mesos_pb2.TASK_RUNNING


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FrameworkIdFile]:
    with FrameworkIdFile(tmp_path / "framework.id") as made:
        yield made


def lasting(**fields: Any) -> mesos_pb2.FrameworkInfo:
    return framework(failover_timeout=TIMEOUT, **fields)


def tear_down(master: str, framework_id: str) -> None:
    """As an operator does."""
    MasterClient(master).teardown(framework_id)


def completed(master: str) -> set[str]:
    """The ids of the frameworks that the master has removed."""
    return {each.framework_info.id.value for each in MasterClient(master).get_frameworks().completed_frameworks}


def making(
    scheduler: Any, store: FrameworkIdStore, master: str, ids: list[str] | None = None
) -> Callable[[Any], MesosSchedulerDriver]:
    def make(info: mesos_pb2.FrameworkInfo) -> MesosSchedulerDriver:
        if ids is not None:
            ids.append(info.id.value)
        return MesosSchedulerDriver(watched(scheduler, store), info, master)

    return make


def stopping(failover: bool) -> Recorder:
    return Recorder(registered=lambda driver, *_: driver.stop(failover))


class TestFill:
    def test_the_id_is_filled_into_a_copy_of_every_kind_of_info(self, store: FrameworkIdFile) -> None:
        assert not store.fill(lasting()).HasField("id")
        store.save("an-id")
        classic, new = lasting(), v1.FrameworkInfo(user="", name="x", failover_timeout=TIMEOUT)
        assert store.fill(classic).id.value == "an-id"
        assert not classic.HasField("id")
        assert store.fill(new).id.value == "an-id"
        dicts = {"user": "", "name": "x"}
        assert store.fill(dicts) == {"user": "", "name": "x", "id": {"value": "an-id"}}
        assert "id" not in dicts
        with pytest.raises(ArgumentTypeError, match="expected a FrameworkInfo"):
            store.fill("x")

    def test_a_failover_timeout_of_0_is_warned_about(self, store: FrameworkIdFile) -> None:
        for info in (framework(), v1.FrameworkInfo(user="", name="x"), {"name": "x", "failover_timeout": 0}):
            with pytest.warns(MesosWarning, match="failover_timeout is 0") as caught:
                store.fill(info)
            assert caught[0].filename == __file__


class TestFile:
    def test_it_is_private_and_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        path = tmp_path / "framework.id"
        with FrameworkIdFile(str(path)) as store:
            assert store.load() is None
            store.save("first")
            store.save("second")
            assert store.load() == "second"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert sorted(each.name for each in tmp_path.iterdir()) == ["framework.id", "framework.id.lock"]
            store.forget()
            store.forget()
            assert store.load() is None
            assert not path.exists()

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"", "is empty: remove it to register the framework as a new one"),
            (b" \n", "is empty"),
            (b"\xff\xfe", "holds no id of a framework"),
            (b"two words", "expected the id of a framework in .*, got 'two words'"),
            (b"a/b", "expected the id of a framework"),
        ],
    )
    def test_a_file_that_holds_no_id_is_an_error(self, tmp_path: Path, content: bytes, error: str) -> None:
        path = tmp_path / "framework.id"
        path.write_bytes(content)
        store = FrameworkIdFile(path)
        with pytest.raises(FrameworkIdError, match=error):
            store.load()
        store.close()

    def test_what_cannot_be_read_or_written_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "framework.id").mkdir()
        store = FrameworkIdFile(tmp_path / "framework.id")
        for use in (store.load, lambda: store.save("an-id"), store.forget):
            with pytest.raises(FrameworkIdError, match="cannot (read|write|remove) the framework's id: .*framework.id"):
                use()
        store.close()
        with pytest.raises(FrameworkIdError, match="cannot lock the framework's id: .*No such file"):
            FrameworkIdFile(tmp_path / "missing" / "framework.id").load()
        with pytest.raises(FrameworkIdError, match="expected the id of a framework in the id to save, got ''"):
            store.save("")

    def test_a_crash_while_it_is_written_leaves_what_was_there(
        self, store: FrameworkIdFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.save("before")

        def crash(*_: object) -> None:
            raise OSError("no space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", crash)
            with pytest.raises(FrameworkIdError, match="no space left"):
                store.save("after")
        assert store.load() == "before"
        store.save("after")
        assert store.load() == "after"

    def test_the_file_is_the_same_from_every_directory_and_through_links(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link.id").symlink_to(tmp_path / "real" / "framework.id")
        monkeypatch.chdir(tmp_path)
        with FrameworkIdFile("link.id") as store:
            monkeypatch.chdir("/")
            store.save("an-id")
            with pytest.raises(FrameworkIdInUseError):
                FrameworkIdFile(tmp_path / "real" / "framework.id").load()
        assert (tmp_path / "link.id").is_symlink()
        assert (tmp_path / "real" / "framework.id").read_text() == "an-id\n"

    def test_two_do_not_use_it_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "framework.id"
        code = f"from mesos.helpers import FrameworkIdFile; FrameworkIdFile({str(path)!r}).load()"
        with FrameworkIdFile(path) as store:
            with pytest.raises(FrameworkIdInUseError, match=f"another scheduler uses {path}"):
                FrameworkIdFile(path).load()
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            assert "FrameworkIdInUseError" in done.stderr
            store.close()
            other = FrameworkIdFile(path)
            other.load()
            with pytest.raises(FrameworkIdInUseError):
                store.load()
            del other
            store.load()
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_a_process_that_was_killed_leaves_no_lock_not_even_in_its_forked_children(self, tmp_path: Path) -> None:
        path = tmp_path / "framework.id"
        code = (
            "import os, time\n"
            "from mesos.helpers import FrameworkIdFile\n"
            f"store = FrameworkIdFile({str(path)!r})\n"
            "store.save('an-id')\n"
            "child = os.fork()\n"
            "if not child: print(os.getpid(), flush=True)\n"
            "time.sleep(100)\n"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            child = int(process.stdout.readline())
            try:
                with pytest.raises(FrameworkIdInUseError):
                    FrameworkIdFile(path).load()
                process.kill()
                process.wait()
                with FrameworkIdFile(path) as store:
                    assert store.load() == "an-id"
            finally:
                os.kill(child, signal.SIGKILL)


class TestOnBothMasters:
    def test_the_next_scheduler_takes_the_tasks_over(self, store: FrameworkIdFile, master: str) -> None:
        first = Recorder()
        with running(master, watched(first, store), store.fill(lasting())) as driver:
            offer = first.offer()
            made = task(offer, "sleep 100")
            driver.launchTasks(offer.id, [made])
            first.state(made.task_id.value, RUNNING)
            store.stop(driver, failover=True)
            driver.join()
        kept = store.load()
        second = Recorder()
        with running(master, watched(second, store), store.fill(lasting())) as driver:
            second.wait("registered")
            assert store.load() == kept
            driver.reconcileTasks([])
            second.state(made.task_id.value, RUNNING)
            store.stop(driver)
            assert store.load() is None

    def test_a_driver_that_is_run_keeps_it_only_if_the_framework_stays(
        self, store: FrameworkIdFile, master: str
    ) -> None:
        ids: list[str] = []
        status = store.run(lasting(), making(stopping(failover=True), store, master, ids))
        assert status == mesos_pb2.DRIVER_STOPPED
        kept = store.load()
        assert kept is not None
        assert store.run(lasting(), making(stopping(failover=False), store, master, ids)) == mesos_pb2.DRIVER_STOPPED
        assert ids == ["", kept]
        assert store.load() is None

    def test_a_framework_that_was_removed_is_forgotten(self, store: FrameworkIdFile, master: str) -> None:
        store.run(lasting(), making(stopping(failover=True), store, master))
        kept = store.load()
        assert kept is not None
        tear_down(master, kept)
        with pytest.raises(FrameworkRemovedError, match="Framework has been removed"):
            store.run(lasting(), making(Recorder(), store, master))
        assert store.load() is None

    def test_a_framework_whose_failover_timeout_has_passed_is_forgotten(
        self, store: FrameworkIdFile, master: str
    ) -> None:
        info = framework(failover_timeout=2)
        store.run(info, making(stopping(failover=True), store, master))
        kept = store.load()
        assert kept is not None
        wait_until(lambda: kept in completed(master), "the time-out has passed")
        with pytest.raises(FrameworkRemovedError):
            store.run(info, making(Recorder(), store, master))
        assert store.load() is None

    def test_a_framework_that_was_removed_is_registered_as_a_new_one_if_that_is_wanted(
        self, store: FrameworkIdFile, master: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.run(lasting(), making(stopping(failover=True), store, master))
        kept = store.load()
        assert kept is not None
        tear_down(master, kept)
        ids: list[str] = []
        store.run(lasting(), making(stopping(failover=True), store, master, ids), renew=True)
        assert ids == [kept, ""]
        assert store.load() not in (None, kept)
        assert "registering as a new one" in caplog.text
        found = store.load()
        assert found is not None
        tear_down(master, found)

    def test_a_framework_that_is_torn_down_while_it_runs_is_not_renewed(
        self, store: FrameworkIdFile, master: str
    ) -> None:
        def torn(driver: Any, framework_id: Any, _: Any) -> None:
            # Not in the callback, whose driver is not connected before it returns.
            threading.Thread(target=tear_down, args=(master, framework_id.value)).start()

        with pytest.raises(FrameworkRemovedError):
            store.run(lasting(), making(Recorder(registered=torn), store, master), renew=True)
        assert store.load() is None

    def test_the_id_is_kept_if_another_scheduler_has_taken_over(self, store: FrameworkIdFile, master: str) -> None:
        second = Recorder()

        def take_over(driver: Any, framework_id: Any, _: Any) -> None:
            others.append(MesosSchedulerDriver(second, lasting(id=framework_id), master))
            others[0].start()

        others: list[MesosSchedulerDriver] = []
        try:
            with pytest.raises(DriverAbortedError, match="Framework failed over") as caught:
                store.run(lasting(), making(Recorder(registered=take_over), store, master), renew=True)
            assert not isinstance(caught.value, FrameworkRemovedError)
            assert store.load() is not None
        finally:
            others[0].stop()
            others[0].join()

    def test_what_a_callback_raises_leaves_the_id(
        self, store: FrameworkIdFile, master: str, callbacks_may_raise: None
    ) -> None:
        def fail(*_: object) -> None:
            raise LookupError("of the callback")

        with pytest.raises(LookupError, match="of the callback"):
            store.run(lasting(), making(Recorder(registered=fail), store, master))
        kept = store.load()
        assert kept is not None
        tear_down(master, kept)

    def test_it_works_with_asyncio(self, store: FrameworkIdFile, master: str) -> None:
        info = v1.FrameworkInfo(user="", name="test", failover_timeout=TIMEOUT)

        async def subscribed(scheduler: aio.Framework) -> str:
            await scheduler.start()
            async for event in scheduler:
                await store.handle(scheduler, event)
                if isinstance(event, aio.Subscribed):
                    return event.framework_id.value
            raise AssertionError("the iteration has ended")

        async def follow(scheduler: aio.Framework) -> None:
            async for event in scheduler:
                await store.handle(scheduler, event)

        async def main() -> None:
            first = aio.Framework(store.fill(info), master)
            kept = await subscribed(first)
            await store.stop(first, failover=True)
            assert store.load() == kept
            second = aio.Framework(store.fill(info), master)
            assert await subscribed(second) == kept
            tear_down(master, kept)
            with pytest.raises(DriverAbortedError):
                await follow(second)
            assert await asyncio.to_thread(store.forget_if_removed, second)
            assert store.load() is None
            third = aio.Framework(store.fill(info), master)
            assert await subscribed(third) != kept
            assert not await asyncio.to_thread(store.forget_if_removed, third)
            await store.stop(third)
            assert store.load() is None

        asyncio.run(asyncio.wait_for(main(), WAIT_SECONDS))

    def test_it_works_with_pymesos(self, store: FrameworkIdFile, master: str) -> None:
        told: list[str] = []
        ended = threading.Event()

        class Noting:
            def registered(self, driver: Any, framework_id: Any, master_info: Any) -> None:
                told.append("registered")
                ended.set()

            def reregistered(self, driver: Any, master_info: Any) -> None:
                told.append("reregistered")
                ended.set()

        for failover in (True, False):
            info = store.fill({"user": "", "name": "test", "failover_timeout": TIMEOUT})
            driver = DictSchedulerDriver(watched(Noting(), store), info, master)
            driver.start()
            assert ended.wait(WAIT_SECONDS)
            ended.clear()
            assert not store.forget_if_removed(driver)
            store.stop(driver, failover)
            driver.join()
            assert (store.load() is not None) == failover
        # With pymesos, a scheduler that knows the framework's id registers again.
        assert told == ["registered", "reregistered"]


def test_the_id_is_kept_if_the_master_does_not_tell(
    store: FrameworkIdFile, embedded: LocalCluster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise UnreachableError("no master")

    monkeypatch.setattr(MasterClient, "get_frameworks", gone)
    store.run(lasting(), making(stopping(failover=False), store, embedded.address))
    assert store.load() is not None
    assert "Keeping the framework's id" in caplog.text


def test_the_master_is_asked_with_the_driver_s_credential(store: FrameworkIdFile, monkeypatch: Any) -> None:
    asked: list[Any] = []
    ask = MasterClient.get_frameworks
    monkeypatch.setattr(MasterClient, "get_frameworks", lambda self: asked.append(self._credential) or ask(self))
    pair = mesos_pb2.Credential(principal="someone", secret="secret")
    with LocalCluster(authenticate_http_frameworks=True, credentials={"someone": "secret"}) as cluster:

        def make(info: mesos_pb2.FrameworkInfo) -> MesosSchedulerDriver:
            return MesosSchedulerDriver(watched(stopping(failover=False), store), info, cluster, credential=pair)

        store.run(lasting(principal="someone"), make)
    assert [(each.principal, each.secret) for each in asked] == [("someone", "secret")]
    assert store.load() is None


def test_the_examples_of_the_docstrings() -> None:
    from mesos.helpers import _zookeeper

    for module in (_file, _framework_id, _zookeeper):
        assert doctest.testmod(module).failed == 0
