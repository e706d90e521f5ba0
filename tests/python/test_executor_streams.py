"""What an agent sends an executor on its stream, and in which order a scheduler hears of its end.

The executor's process only sleeps; the test itself speaks to the agent for it.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import uuid
from typing import TYPE_CHECKING, Any

from mesos.interface import mesos_pb2

from tests.python.support import Recorder, executor, running, task_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Agent:
    """The executor API of an agent, for the executor ``executor`` of the framework that has this offer."""

    def __init__(self, master: str, offer: mesos_pb2.Offer, cleanup: contextlib.ExitStack) -> None:
        self.master, self.path, self.cleanup = master, f"{offer.url.path}/api/v1/executor", cleanup
        self.ids = {"framework_id": {"value": offer.framework_id.value}, "executor_id": {"value": "executor"}}

    def post(self, **call: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.master, timeout=30)
        self.cleanup.callback(connection.close)
        connection.request("POST", self.path, json.dumps({**self.ids, **call}), HEADERS)
        return self.cleanup.enter_context(connection.getresponse())

    def subscribe(self, **subscribe: Any) -> Iterator[str]:
        """The types of the events on the stream of a new subscription."""
        stream = self.post(type="SUBSCRIBE", subscribe=subscribe)
        assert stream.status == 200, stream.read()

        def events() -> Iterator[str]:
            while line := stream.readline():
                yield json.loads(stream.read(int(line)))["type"]

        return events()

    def update(self, task_id: str, state: str, **fields: Any) -> None:
        status = {
            "task_id": {"value": task_id},
            "state": state,
            "source": "SOURCE_EXECUTOR",
            "uuid": base64.b64encode(uuid.uuid4().bytes).decode(),
            **fields,
        }
        assert self.post(type="UPDATE", update={"status": status}).status == 202


@contextlib.contextmanager
def launched(master: str, pid: Path, *names: str) -> Iterator[tuple[Agent, Recorder, Any]]:
    """An executor with these tasks, which has not subscribed; ``pid`` is a file for its process id."""
    scheduler = Recorder()
    with running(master, scheduler) as driver, contextlib.ExitStack() as cleanup:
        offer = scheduler.offer()
        made = executor()
        made.command.value = f"echo $$ > {pid}.part; mv {pid}.part {pid}; exec sleep 60"
        tasks = [task_of(offer, made) for _ in names]
        for each, name in zip(tasks, names, strict=True):
            each.task_id.value = name
        driver.launchTasks(offer.id, tasks)
        wait_until(pid.exists, "the executor runs")
        yield Agent(master, offer, cleanup), scheduler, driver


def first(events: Iterator[str], number: int) -> list[str]:
    return [next(events) for _ in range(number)]


def test_an_executor_is_lost_before_its_tasks_fail(master: str, tmp_path: Path) -> None:
    with launched(master, tmp_path / "pid", "a", "b") as (agent, scheduler, _):
        assert first(agent.subscribe(), 3) == ["SUBSCRIBED", "LAUNCH", "LAUNCH"]
        agent.update("a", "TASK_RUNNING")
        scheduler.state("a", mesos_pb2.TASK_RUNNING)
        seen = len(scheduler.seen)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        for _ in range(2):
            scheduler.wait("statusUpdate")
        told = [event.name for event in scheduler.seen[seen:] if event.name != "resourceOffers"]
        assert told == ["executorLost", "statusUpdate", "statusUpdate"]


def test_an_executor_that_comes_back_without_its_task(master: str, tmp_path: Path) -> None:
    with launched(master, tmp_path / "pid", "a", "b") as (agent, scheduler, _):
        assert first(agent.subscribe(), 3) == ["SUBSCRIBED", "LAUNCH", "LAUNCH"]
        agent.update("a", "TASK_RUNNING")
        scheduler.state("a", mesos_pb2.TASK_RUNNING)
        assert next(agent.subscribe()) == "SUBSCRIBED"
        lost = scheduler.state("b", mesos_pb2.TASK_LOST)
        assert (lost.source, lost.reason) == (
            mesos_pb2.TaskStatus.SOURCE_SLAVE,
            mesos_pb2.TaskStatus.REASON_SLAVE_RESTARTED,
        )
        assert lost.message == "Task launched during agent restart"


def test_an_executor_that_comes_back_without_any_task_is_shut_down(master: str, tmp_path: Path) -> None:
    with launched(master, tmp_path / "pid", "a") as (agent, scheduler, _):
        assert first(agent.subscribe(), 2) == ["SUBSCRIBED", "LAUNCH"]
        assert next(agent.subscribe()) == "SHUTDOWN"
        scheduler.state("a", mesos_pb2.TASK_LOST)
        assert list(agent.subscribe()) == ["SHUTDOWN"], "it is ending"


def test_an_executor_that_says_which_tasks_it_has_keeps_them(master: str, tmp_path: Path) -> None:
    with launched(master, tmp_path / "pid", "a") as (agent, scheduler, _):
        assert first(agent.subscribe(), 2) == ["SUBSCRIBED", "LAUNCH"]
        task = {"name": "a", "task_id": {"value": "a"}, "agent_id": {"value": "any"}}
        assert next(agent.subscribe(unacknowledged_tasks=[task])) == "SUBSCRIBED"
        agent.update("a", "TASK_RUNNING")
        assert scheduler.wait("statusUpdate").state == mesos_pb2.TASK_RUNNING


def test_an_executor_whose_tasks_were_all_killed_is_shut_down_at_once(master: str, tmp_path: Path) -> None:
    with launched(master, tmp_path / "pid", "a") as (agent, scheduler, driver):
        driver.killTask(mesos_pb2.TaskID(value="a"))
        scheduler.state("a", mesos_pb2.TASK_KILLED)
        assert next(agent.subscribe()) == "SHUTDOWN"


def test_an_update_that_names_another_agent_is_ignored(master: str, tmp_path: Path) -> None:
    with launched(master, tmp_path / "pid", "a") as (agent, scheduler, _):
        events = agent.subscribe()
        assert first(events, 2) == ["SUBSCRIBED", "LAUNCH"]
        agent.update("a", "TASK_RUNNING", agent_id={"value": "another"})
        agent.update("a", "TASK_FINISHED")
        assert next(events) == "ACKNOWLEDGED"
        assert scheduler.wait("statusUpdate").state == mesos_pb2.TASK_FINISHED


def test_an_update_without_an_executor_id_gets_none(master: str, tmp_path: Path) -> None:
    with launched(master, tmp_path / "pid", "a") as (agent, scheduler, _):
        assert first(agent.subscribe(), 2) == ["SUBSCRIBED", "LAUNCH"]
        agent.update("a", "TASK_RUNNING")
        assert not scheduler.state("a", mesos_pb2.TASK_RUNNING).HasField("executor_id")
