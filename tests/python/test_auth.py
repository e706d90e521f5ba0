"""Authentication that is renewed: headers that expire, that are refused, and what makes them."""

from __future__ import annotations

import doctest
import gc
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from mesos import auth
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster
from mesos.native import MesosSchedulerDriver
from mesos.v1.interface import scheduler_pb2

from tests.python.stub import Stub
from tests.python.support import WAIT_SECONDS, Recorder, framework, heard, running, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUBSCRIBE = scheduler_pb2.Call.SUBSCRIBE


class Tokens(auth.Authentication):
    """Gives ``Bearer secret-1``, ``Bearer secret-2`` and so on, and notes what it was asked."""

    def __init__(self, **expiring: Any) -> None:
        self.asked: list[bool] = []
        self.changed = threading.Condition()
        self.expiring = expiring

    def header(self, refused: bool) -> auth.Header:
        with self.changed:
            self.asked.append(refused)
            self.changed.notify_all()
            number = len(self.asked)
        return auth.Header(f"Bearer secret-{number}", self.expires(number))

    def expires(self, number: int) -> float | None:
        return None

    def wait(self, number: int) -> None:
        """Waits until it was asked so often."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= number, WAIT_SECONDS), self.asked


class Hanging(Tokens):
    """Hangs when it is asked as ``hangs`` says, from the number of the token and whether one was refused."""

    def __init__(self, hangs: Callable[[int, bool], bool]) -> None:
        super().__init__()
        self.hangs = hangs
        self.leave = threading.Event()

    def header(self, refused: bool) -> auth.Header:
        made = super().header(refused)
        if self.hangs(len(self.asked), refused):
            self.leave.wait()
        return made


def only(*numbers: int) -> Any:
    """Takes these of the tokens."""
    taken = {f"Bearer secret-{number}" for number in numbers}
    return lambda shown, _call: shown in taken


def names(accepted: list[Any]) -> list[str]:
    return [call.kill.task_id.value for call in accepted if call.type == scheduler_pb2.Call.KILL]


def test_a_subscription_that_is_refused_is_tried_once_more_with_another_header() -> None:
    tokens, scheduler = Tokens(), Recorder(unwanted=("error",))
    with Stub(authorizes=only(2)) as stub, running(stub.address, scheduler, authentication=tokens):
        scheduler.wait("registered")
        assert tokens.asked == [False, True]
        assert [shown for shown, _ in stub.authorizations] == ["Bearer secret-1", "Bearer secret-2"]


def test_two_refusals_in_a_row_end_the_driver_and_show_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    tokens, scheduler = Tokens(), Recorder()
    with Stub(authorizes=only()) as stub:
        driver = MesosSchedulerDriver(scheduler, framework(), stub.address, authentication=tokens)
        with heard("trying again with another authorization") as told:
            assert driver.run() == mesos_pb2.DRIVER_ABORTED
            assert told.wait(WAIT_SECONDS)
        message = scheduler.wait("error")
        assert message == "Master refused authentication: 'tests.python.test_auth.Tokens'"
        assert tokens.asked == [False, True]
        driver.stop()
        driver.join()
    assert "secret" not in caplog.text


def test_calls_that_are_refused_are_sent_again_in_their_order() -> None:
    """The token expires in the middle of a pipeline: a call that was answered 401 was certainly not processed."""
    tokens, scheduler = Tokens(), Recorder(unwanted=("error", "disconnected"))
    sent = [str(number) for number in range(500)]
    good = ["Bearer secret-1"]
    all_sent = threading.Event()

    def authorizes(shown: str, call: Any) -> bool:
        if call.kill.task_id.value == "100" and shown == "Bearer secret-1":
            all_sent.wait(WAIT_SECONDS)
            good[:] = ["Bearer secret-2"]
        return shown in good

    with Stub(authorizes=authorizes) as stub, running(stub.address, scheduler, authentication=tokens) as driver:
        scheduler.wait("registered")
        for name in sent:
            driver.killTask(name)
        all_sent.set()
        stub.wait(lambda stub: len(stub.accepted) == len(sent), "all calls are accepted")
        assert names(stub.accepted) == sent
        assert (tokens.asked, stub.connections) == ([False, True], 1)
        refused = [call for shown, call in stub.authorizations if shown == "Bearer secret-1" and call.type != SUBSCRIBE]
        assert len(refused) > 101, "several had been written ahead"


def test_a_token_may_expire_again_and_again() -> None:
    """No refusal counts as the second one if a call was accepted in between."""
    tokens, scheduler = Tokens(), Recorder(unwanted=("error", "disconnected"))
    sent = [str(number) for number in range(60)]

    def authorizes(shown: str, call: Any) -> bool:
        # A token is good for ten calls.
        return call.type == SUBSCRIBE or shown == f"Bearer secret-{1 + int(call.kill.task_id.value) // 10}"

    with Stub(authorizes=authorizes) as stub, running(stub.address, scheduler, authentication=tokens) as driver:
        scheduler.wait("registered")
        for name in sent:
            driver.killTask(name)
        stub.wait(lambda stub: len(stub.accepted) == len(sent), "all calls are accepted")
        assert names(stub.accepted) == sent
        assert tokens.asked == [False, True, True, True, True, True]
        stub._authorizes = lambda *_: True  # for the last call


def test_calls_that_are_refused_twice_end_the_driver() -> None:
    tokens, scheduler = Tokens(), Recorder()
    with Stub(authorizes=lambda _, call: call.type == SUBSCRIBE) as stub:
        driver = MesosSchedulerDriver(scheduler, framework(), stub.address, authentication=tokens)
        driver.start()
        scheduler.wait("registered")
        for name in ("1", "2", "3"):
            driver.killTask(name)
        message = scheduler.wait("error")
        assert message == "Master refused authentication: 'tests.python.test_auth.Tokens'"
        assert driver.join() == mesos_pb2.DRIVER_ABORTED
        assert (tokens.asked, stub.accepted) == ([False, True], [])
        driver.stop()


@pytest.mark.parametrize("kind", ["basic", "header", "credential"])
def test_what_is_always_the_same_is_not_tried_again(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    arguments: dict[str, Any] = {
        "basic": {"authentication": auth.Basic("alice", "secret-1")},
        "header": {"authentication": "Bearer secret-1"},
        "credential": {"credential": mesos_pb2.Credential(principal="alice", secret="secret-1")},
    }[kind]
    scheduler = Recorder()
    with Stub(authorizes=only()) as stub:
        driver = MesosSchedulerDriver(scheduler, framework(), stub.address, **arguments)
        assert driver.run() == mesos_pb2.DRIVER_ABORTED
        who = "an Authorization header that was given" if kind == "header" else "principal 'alice'"
        assert scheduler.wait("error") == f"Master refused authentication: {who}"
        assert len(stub.authorizations) == 1
        driver.stop()
    assert "secret" not in caplog.text


def test_a_header_is_renewed_before_it_expires() -> None:
    class Expiring(Tokens):
        def expires(self, number: int) -> float | None:
            return time.time() + 2 if number == 1 else None

    tokens, scheduler = Expiring(), Recorder(unwanted=("error", "disconnected"))
    with Stub() as stub, running(stub.address, scheduler, authentication=tokens) as driver:
        scheduler.wait("registered")
        tokens.wait(2)
        assert tokens.asked == [False, False]

        def renewed(stub: Stub) -> bool:
            return any(shown == "Bearer secret-2" for shown, _ in stub.authorizations)

        # It is used from some call on: the answer may be on its way.
        until = time.monotonic() + WAIT_SECONDS
        while not renewed(stub) and time.monotonic() < until:
            before = len(stub.accepted)
            driver.killTask("task")
            stub.wait(lambda stub, before=before: len(stub.accepted) > before, "a call is accepted")
        assert renewed(stub)
    assert {shown for shown, _ in stub.authorizations} == {"Bearer secret-1", "Bearer secret-2"}


def test_what_raises_is_named_and_asked_again_later(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
    asked = 0

    def give() -> str:
        nonlocal asked
        asked += 1
        if asked < 4:
            raise LookupError("no token today")
        return "Bearer secret-1"

    scheduler = Recorder(unwanted=("error",))
    with Stub(authorizes=only(1)) as stub, running(stub.address, scheduler, authentication=give):
        scheduler.wait("registered")

    def failures() -> list[str]:
        return [record.getMessage() for record in caplog.records if "no token today" in record.getMessage()]

    wait_until(lambda: len(failures()) >= 3, "each failure is logged")
    assert asked == 4
    assert len(failures()) == 3
    assert all("give' gave no header: LookupError: no token today; trying again in" in each for each in failures())
    assert stub.subscriptions == 1


@pytest.mark.parametrize("answer", [None, 7, b"Bearer x", "Bearer \n", "Bearer é"])
def test_what_gives_something_else_is_named(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([answer])

    def give() -> Any:
        return next(answers, "Bearer secret-1")

    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
    scheduler = Recorder(unwanted=("error",))
    expected = "printable ASCII" if isinstance(answer, str) else f"got an object of type {type(answer).__name__}"
    with Stub() as stub, heard(expected) as told, running(stub.address, scheduler, authentication=give):
        scheduler.wait("registered")
        assert told.wait(WAIT_SECONDS)


def test_what_hangs_holds_up_neither_other_drivers_nor_the_end_of_its_own() -> None:
    entered, leave = threading.Event(), threading.Event()

    def hang() -> str:
        entered.set()
        leave.wait()
        return "Bearer late"

    with Stub() as stub:
        hanging = MesosSchedulerDriver(Recorder(), framework(), stub.address, authentication=hang)
        hanging.start()
        assert entered.wait(WAIT_SECONDS)
        scheduler = Recorder()
        with running(stub.address, scheduler, authentication=lambda: "Bearer secret-1"):
            scheduler.wait("registered")
        hanging.stop()
        assert hanging.join(timeout=WAIT_SECONDS) == mesos_pb2.DRIVER_STOPPED
        assert stub.authorizations[0][0] == "Bearer secret-1"
        leave.set()


def test_calls_go_on_while_a_renewal_hangs() -> None:
    class Expiring(Hanging):
        def expires(self, number: int) -> float | None:
            return time.time() + 12 if number == 1 else None

    tokens, scheduler = Expiring(lambda number, _: number > 1), Recorder(unwanted=("error", "disconnected"))
    with Stub() as stub, running(stub.address, scheduler, authentication=tokens) as driver:
        scheduler.wait("registered")
        tokens.wait(2)
        driver.killTask("task")
        stub.wait(lambda stub: stub.accepted, "the call is accepted")
        assert stub.authorizations[-1][0] == "Bearer secret-1"
        tokens.leave.set()


def test_calls_wait_for_a_header_and_keep_their_order() -> None:
    """What is asked after a 401 hangs: calls are neither lost nor answered here."""
    tokens, scheduler = Hanging(lambda _, refused: refused), Recorder(unwanted=("error", "disconnected"))

    def authorizes(shown: str, call: Any) -> bool:
        return call.type == SUBSCRIBE or shown == "Bearer secret-2"

    with Stub(authorizes=authorizes) as stub, running(stub.address, scheduler, authentication=tokens) as driver:
        scheduler.wait("registered")
        driver.killTask("0")
        tokens.wait(2)
        for number in range(1, 10):
            driver.killTask(str(number))
        assert stub.accepted == []
        tokens.leave.set()
        stub.wait(lambda stub: len(stub.accepted) == 10, "all calls are accepted")
        assert names(stub.accepted) == [str(number) for number in range(10)]


@pytest.mark.parametrize("stops", [True, False])
def test_what_hangs_does_not_keep_the_interpreter(stops: bool) -> None:
    code = f"""
import threading
from mesos.interface import Scheduler, mesos_pb2
from mesos.native import MesosSchedulerDriver
entered = threading.Event()
def hang():
    entered.set()
    threading.Event().wait()
info = mesos_pb2.FrameworkInfo(user="", name="hanging")
driver = MesosSchedulerDriver(Scheduler(), info, "127.0.0.1:1", authentication=hang)
driver.start()
entered.wait()
if {stops}:
    driver.stop()
    driver.join()
print("over", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert (done.returncode, done.stdout) == (0, "over\n"), done.stderr


def test_a_driver_is_freed_though_its_scheduler_gives_the_header() -> None:
    class Both(Scheduler):
        driver: Any = None

        def token(self) -> str:
            return "Bearer secret-1"

    scheduler = Both()
    scheduler.driver = MesosSchedulerDriver(scheduler, framework(), "127.0.0.1:1", authentication=scheduler.token)
    seen = weakref.ref(scheduler.driver)
    del scheduler
    gc.collect()
    assert seen() is None


def test_time_that_is_skipped_waits_for_the_header() -> None:
    cluster = LocalCluster(time="skip", authenticate_http_frameworks=True, credentials={"alice": "s3cret"})

    def give() -> str:
        time.sleep(0.05)  # while nothing else goes on, time would move
        return "Basic YWxpY2U6czNjcmV0"

    scheduler = Recorder(unwanted=("error",))
    with cluster, running(cluster.address, scheduler, authentication=give):
        before = cluster.time()
        scheduler.wait("registered")
        assert cluster.time() - before < 1


class TestTheFile:
    """A token in a file, which somebody else renews."""

    def test_it_is_read_again_when_it_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("secret-1\n")
        scheduler = Recorder(unwanted=("error", "disconnected"))
        good = ["Bearer secret-1"]
        with (
            Stub(authorizes=lambda shown, _: shown in good) as stub,
            running(stub.address, scheduler, authentication=auth.BearerToken(file=file)) as driver,
        ):
            scheduler.wait("registered")
            file.write_text("secret-2\n")
            good[:] = ["Bearer secret-2"]
            driver.killTask("1")
            stub.wait(lambda stub: stub.accepted, "the call is accepted")
            assert stub.authorizations[-1][0] == "Bearer secret-2"

    def test_it_is_read_again_when_it_has_changed(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("secret-1\n")
        scheduler = Recorder(unwanted=("error", "disconnected"))
        with (
            Stub() as stub,
            running(stub.address, scheduler, authentication=auth.BearerToken(file=file)) as driver,
        ):
            scheduler.wait("registered")
            file.write_text("secret-2\n")
            until = time.monotonic() + WAIT_SECONDS
            while stub.authorizations[-1][0] != "Bearer secret-2":
                assert time.monotonic() < until
                before = len(stub.accepted)
                driver.killTask("task")
                stub.wait(lambda stub, before=before: len(stub.accepted) > before, "a call is accepted")

    def test_one_that_cannot_be_read_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
        file = tmp_path / "token"
        scheduler = Recorder(unwanted=("error",))
        expected = f"the token in '{file}' gave no header: it cannot be read: No such file or directory"
        with Stub() as stub, heard(expected) as told:
            authentication = auth.BearerToken(file=file)
            with running(stub.address, scheduler, authentication=authentication):
                assert told.wait(WAIT_SECONDS)
                file.write_text("secret-1")
                scheduler.wait("registered")


class TestArguments:
    """What cannot be used is refused when the driver is made, and is not shown."""

    @pytest.mark.parametrize(
        "value",
        [5, b"Bearer secret", mesos_pb2.Credential(principal="p", secret="secret"), auth.Basic, ("a", "secret")],
    )
    def test_something_else(self, value: Any) -> None:
        with pytest.raises(ArgumentTypeError, match="as authentication") as raised:
            MesosSchedulerDriver(Scheduler(), framework(), "127.0.0.1:1", authentication=value)
        assert "secret" not in str(raised.value)

    def test_a_coroutine_function(self) -> None:
        async def give() -> str:
            return "Bearer secret"

        with pytest.raises(ArgumentTypeError, match="not a coroutine function"):
            MesosSchedulerDriver(Scheduler(), framework(), "127.0.0.1:1", authentication=give)

    def test_a_header_that_is_none(self) -> None:
        with pytest.raises(ArgumentValueError, match="printable ASCII") as raised:
            MesosSchedulerDriver(Scheduler(), framework(), "127.0.0.1:1", authentication="Bearer secret\r\nX: y")
        assert "secret" not in str(raised.value)

    def test_both(self) -> None:
        credential = mesos_pb2.Credential(principal="p", secret="secret")
        with pytest.raises(ArgumentValueError, match="got both"):
            MesosSchedulerDriver(Scheduler(), framework(), "127.0.0.1:1", credential=credential, authentication="x")

    def test_tokens(self) -> None:
        for arguments in ({}, {"token": "a", "file": "b"}):
            with pytest.raises(ArgumentValueError, match="either token or file"):
                auth.BearerToken(**arguments)  # type: ignore[arg-type]
        with pytest.raises(ArgumentTypeError, match="as token"):
            auth.BearerToken(5)  # type: ignore[arg-type]

    def test_no_repr_shows_a_secret(self) -> None:
        def secret_giver() -> str:
            return "secret"

        shown = [auth.Basic("alice", "s3cret"), auth.BearerToken("s3cret"), auth.Header("Bearer s3cret")]
        shown += [auth._of("Bearer s3cret"), auth.Basic("alice", "s3cret")._make(), auth.BearerToken(secret_giver)]
        assert all("s3cret" not in repr(each) for each in shown), shown


def test_the_principal_is_filled_in() -> None:
    """Also in updates of the framework, which the master would take for a change of the principal."""
    scheduler = Recorder(unwanted=("error",))
    with Stub() as stub, running(stub.address, scheduler, authentication=auth.Basic("alice", "s3cret")) as driver:
        scheduler.wait("registered")
        info = framework(name="changed")
        info.id.value = "framework"
        driver.updateFramework(info, [])
        stub.wait(lambda stub: stub.accepted, "the update is accepted")
        subscribe, update = (call for _, call in stub.authorizations)
        assert subscribe.subscribe.framework_info.principal == "alice"
        assert update.update_framework.framework_info.principal == "alice"


def test_the_examples_in_docstrings_do_what_they_show() -> None:
    assert doctest.testmod(auth).failed == 0
