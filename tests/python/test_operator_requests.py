"""Requests to the operator API from a process that is interrupted, forks, or whose cluster has a clock of its own."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos._operator import Operator, Subscription
from mesos.errors import AnswerTimeoutError, MesosError, UnreachableError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.pymesos import MesosOperatorMasterDriver

from tests.python.support import WAIT_SECONDS, Recorder, running, task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEALTH = {"type": "GET_HEALTH"}
HEALTHY = {"type": "GET_HEALTH", "get_health": {"healthy": True}}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
PROMPT_SECONDS = 0.1
ATTEMPTS = 5


class Unfinished:
    """A server that reads requests and never finishes an answer."""

    def __init__(self, beginning: bytes) -> None:
        self._beginning = beginning
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.asked = threading.Semaphore(0)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._held.append(connection)
            connection.recv(65536)
            connection.sendall(self._beginning)
            self.asked.release()

    def close(self) -> None:
        """Closes it, once."""
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._held):
            each.close()


class Hanging:
    """Gives a header, but not before the block is over."""

    def __init__(self) -> None:
        # It is asked once; whoever else wants the header waits for the same.
        self.asked = threading.Semaphore(0)
        self._over = threading.Event()

    def give(self) -> str:
        self.asked.release(ATTEMPTS)
        self._over.wait(WAIT_SECONDS)
        return "Basic YTpi"

    def __enter__(self) -> Hanging:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()


@pytest.fixture(params=[b"", HEAD, HEAD + b"{"], ids=["no answer", "no body", "half a body"])
def unfinished(request: pytest.FixtureRequest) -> Iterator[Unfinished]:
    server = Unfinished(request.param)
    yield server
    server.close()


def interrupted(wait: Callable[[], Any], is_waiting: threading.Semaphore) -> float:
    """How many seconds after Ctrl-C a wait ends."""
    sent = []

    def send() -> None:
        assert is_waiting.acquire(timeout=WAIT_SECONDS)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the signal may come before the wait
        thread.start()
        wait()
    ended = time.monotonic()
    thread.join()
    return ended - sent[0]


def assert_prompt(wait: Callable[[], Any], is_waiting: threading.Semaphore) -> None:
    """Ctrl-C ends a wait at once, unless this machine has no time for that."""
    assert min(interrupted(wait, is_waiting) for _ in range(ATTEMPTS)) < PROMPT_SECONDS


class TestCtrlC:
    def test_a_request_without_an_answer(self, unfinished: Unfinished) -> None:
        operator = Operator(unfinished.address)
        assert_prompt(lambda: operator.request(HEALTH, idle=WAIT_SECONDS), unfinished.asked)

    def test_a_call_of_pymesos(self, unfinished: Unfinished) -> None:
        driver = MesosOperatorMasterDriver(unfinished.address)
        driver._request_timeout = WAIT_SECONDS
        assert_prompt(driver.getState, unfinished.asked)

    def test_a_subscription_without_events(self, unfinished: Unfinished) -> None:
        driver = MesosOperatorMasterDriver(unfinished.address)
        driver.start()
        assert unfinished.asked.acquire(timeout=WAIT_SECONDS)
        try:
            assert_prompt(driver.join, threading.Semaphore(ATTEMPTS))
        finally:
            driver.stop()
            driver.join()

    def test_no_master_leads(self) -> None:
        """The address is that of a ZooKeeper which nobody runs."""
        operator = Operator("zk://127.0.0.1:1/mesos")
        at_once = threading.Semaphore(ATTEMPTS)
        assert_prompt(lambda: operator.request(HEALTH, idle=WAIT_SECONDS), at_once)

    def test_whoever_gives_the_header_hangs(self, embedded: LocalCluster) -> None:
        with Hanging() as hanging:
            operator = Operator(embedded.address, authentication=hanging.give)
            assert_prompt(lambda: operator.request(HEALTH), hanging.asked)
        assert json.loads(operator.request(HEALTH).body) == HEALTHY

    def test_whoever_gives_the_header_hangs_while_time_stands_still(self) -> None:
        with LocalCluster(time="skip") as cluster:
            with Hanging() as hanging:
                operator = Operator(cluster, authentication=hanging.give)
                assert_prompt(lambda: operator.request(HEALTH), hanging.asked)
            assert json.loads(operator.request(HEALTH).body) == HEALTHY

    def test_a_request_that_was_given_up_leaves_nothing(self, embedded: LocalCluster, unfinished: Unfinished) -> None:
        """The next one of the same operator is answered."""
        operator = Operator(f"{unfinished.address},{embedded.address}")
        interrupted(lambda: operator.request(HEALTH, idle=WAIT_SECONDS), unfinished.asked)
        unfinished.close()
        assert json.loads(operator.request(HEALTH).body) == HEALTHY


def run_program(address: str, code: str) -> str:
    program = "import json, os, sys, threading, warnings\nwarnings.simplefilter('ignore', DeprecationWarning)\n"
    program += "from mesos._operator import Operator, Subscription\nADDRESS = sys.argv[1]\n" + textwrap.dedent(code)
    command = [sys.executable, "-c", program, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


class TestForks:
    def test_a_child_asks_by_itself(self, master: str) -> None:
        said = run_program(
            master,
            """
            operator = Operator(ADDRESS)
            def ask():
                return json.loads(operator.request({"type": "GET_HEALTH"}).body)["get_health"]["healthy"]
            assert ask()
            for _ in range(3):
                child = os.fork()
                if child == 0:
                    print(ask(), flush=True)
                    grandchild = os.fork()
                    if grandchild == 0:
                        print(ask(), flush=True)
                        os._exit(0)
                    assert os.waitpid(grandchild, 0)[1] == 0
                    sys.exit(0)
                assert os.waitpid(child, 0)[1] == 0
                assert ask()
            """,
        )
        assert said == "True\n" * 6

    def test_a_fork_while_requests_are_on_their_way(self, embedded: LocalCluster) -> None:
        run_program(
            embedded.address,
            """
            operator = Operator(ADDRESS)
            over = threading.Event()
            def ask():
                while not over.is_set():
                    assert operator.request({"type": "GET_HEALTH"}).status == 200
            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            for number in range(30):
                child = os.fork()
                if child == 0:
                    status = operator.request({"type": "GET_HEALTH"}).status
                    os._exit(0 if status == 200 else 1)
                assert os.waitpid(child, 0)[1] == 0
            over.set()
            for thread in threads:
                thread.join()
            """,
        )

    def test_a_child_is_not_subscribed(self, embedded: LocalCluster) -> None:
        """And can subscribe by itself."""
        said = run_program(
            embedded.address,
            """
            class Receiver:
                def __init__(self):
                    self.subscribed = threading.Event()
                def event(self, event):
                    if event["type"] == "SUBSCRIBED":
                        self.subscribed.set()
                def disconnected(self): ...
            def subscribe():
                receiver = Receiver()
                subscription = Subscription(receiver, ADDRESS)
                subscription.start()
                assert receiver.subscribed.wait(30)
                return subscription
            subscription = subscribe()
            child = os.fork()
            if child == 0:
                assert not subscription.running
                assert subscription.wait(30)
                mine = subscribe()
                mine.stop()
                assert mine.wait(30)
                print("child", flush=True)
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert subscription.running
            subscription.stop()
            assert subscription.wait(30)
            print("parent")
            """,
        )
        assert said == "child\nparent\n"

    def test_a_child_asks_a_cluster_of_its_parent_whose_time_is_skipped(self) -> None:
        run_program(
            "",
            """
            from mesos.local import LocalCluster, Run
            with LocalCluster(time="skip") as cluster:
                operator = Operator(cluster.address)
                assert operator.request({"type": "GET_HEALTH"}).status == 200
                child = os.fork()
                if child == 0:
                    status = operator.request({"type": "GET_HEALTH"}).status
                    os._exit(0 if status == 200 else 1)
                assert os.waitpid(child, 0)[1] == 0
                assert operator.request({"type": "GET_HEALTH"}).status == 200
            """,
        )


def one_task(**on: Any) -> Recorder:
    """A scheduler that launches a task on its first offer."""
    launched: list[Any] = []

    def launch(driver: Any, offers: Any) -> None:
        if not launched:
            launched.append(driver.launchTasks(offers[0].id, [task(offers[0])]))

    return Recorder(resourceOffers=launch, **on)


def tasks_of(address: Any) -> list[str]:
    """The states of the tasks that a master knows, by its operator API."""
    told = json.loads(Operator(address).request({"type": "GET_TASKS"}).body)["get_tasks"]
    return [task["state"] for tasks in told.values() for task in tasks]


class TestTimeThatIsSkipped:
    def test_a_request_takes_no_time(self) -> None:
        with LocalCluster(time="skip") as cluster:
            cluster.advance(100)
            began = cluster.time()
            for address in (cluster, cluster.address, f"http://{cluster.address}/"):
                operator = Operator(address)
                for _ in range(20):
                    assert json.loads(operator.request(HEALTH).body) == HEALTHY
            assert cluster.time() - began < 0.01

    def test_time_does_not_pass_while_a_header_is_waited_for(self) -> None:
        def give() -> str:
            time.sleep(0.05)
            return "Basic YTpi"

        with LocalCluster(time="skip") as cluster:
            began = cluster.time()
            operator = Operator(cluster, authentication=give)
            assert json.loads(operator.request(HEALTH, idle=5).body) == HEALTHY
            assert cluster.time() - began < 1

    def test_a_callback_s_request_is_answered_before_it_is_over(self) -> None:
        """And it sees what is so at the callback's time, in each run the same."""
        stories = []
        for _ in range(2):
            with LocalCluster(time="skip", simulate=Run(seconds=3600), seed=1) as cluster:
                seen: list[Any] = []
                scheduler = one_task(
                    statusUpdate=lambda _, status, cluster=cluster, seen=seen: seen.append(
                        (mesos_pb2.TaskState.Name(status.state), tasks_of(cluster.address), cluster.time())
                    )
                )
                with running(cluster, scheduler):
                    cluster.run_until(lambda seen=seen: len(seen) == 3)
                stories.append(seen)
        assert [(state, tasks) for state, tasks, _ in stories[0]] == [
            ("TASK_STARTING", ["TASK_STARTING"]),
            ("TASK_RUNNING", ["TASK_RUNNING"]),
            ("TASK_FINISHED", ["TASK_FINISHED"]),
        ]
        assert stories[0] == stories[1]

    def test_a_subscription_tells_of_hours_in_no_time(self) -> None:
        class Receiver:
            def __init__(self) -> None:
                self.events: queue.Queue[dict[str, Any]] = queue.Queue()

            def event(self, event: dict[str, Any]) -> None:
                self.events.put(event)

            def disconnected(self) -> None:
                """No test loses its master."""

        with LocalCluster(time="skip", simulate=Run(seconds=3600)) as cluster:
            receiver = Receiver()
            subscription = Subscription(receiver, cluster)
            subscription.start()
            states: list[str] = []
            with running(cluster, one_task()):

                def is_over() -> bool:
                    while not receiver.events.empty():
                        event = receiver.events.get()
                        if event["type"] == "TASK_UPDATED":
                            states.append(event["task_updated"]["state"])
                    return "TASK_FINISHED" in states

                cluster.run_until(is_over)
            assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
            subscription.stop()
            assert subscription.wait(WAIT_SECONDS)

    def test_a_cluster_that_ends_answers_nobody(self) -> None:
        """Whoever waits for an answer of it is told at once."""
        outcome: queue.Queue[object] = queue.Queue()

        def ask() -> None:
            try:
                outcome.put(operator.request(HEALTH, idle=WAIT_SECONDS))
            except MesosError as error:
                outcome.put(error)

        cluster = LocalCluster(time="skip")
        thread = threading.Thread(target=ask)
        with Hanging() as hanging:
            operator = Operator(cluster.address, authentication=hanging.give)
            thread.start()
            assert hanging.asked.acquire(timeout=WAIT_SECONDS)
            cluster.stop()
            assert isinstance(outcome.get(timeout=WAIT_SECONDS / 2), UnreachableError)
        thread.join()

    def test_a_request_without_an_answer_ends_in_the_time_that_is_given(self, unfinished: Unfinished) -> None:
        """In real time, also while a cluster of this process has a clock of its own."""
        with LocalCluster(time="skip") as cluster:
            began, there = time.monotonic(), cluster.time()
            with pytest.raises(AnswerTimeoutError):
                Operator(unfinished.address).request(HEALTH, idle=0.2)
            assert 0.2 <= time.monotonic() - began < WAIT_SECONDS
            assert cluster.time() == there
