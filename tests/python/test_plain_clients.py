"""Clients that know nothing of tokens: on their own user's cluster all work as they are."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.interface import mesos_pb2

from tests.python.conftest import ROOT, absent
from tests.python.support import Recorder, executor, running, task_of

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE = """
const address = process.argv.at(-1);
const post = (call, headers = {}) => fetch(`http://${address}/api/v1/scheduler`, {
  method: "POST", body: JSON.stringify(call), headers: { "Content-Type": "application/json", Accept: "application/json", ...headers },
});
(async () => {
  const stream = await post({ type: "SUBSCRIBE", subscribe: { framework_info: { user: "", name: "node" } } });
  const id = { "Mesos-Stream-Id": stream.headers.get("mesos-stream-id") };
  let framework_id, launched = false, buffer = Buffer.alloc(0);
  for await (const chunk of stream.body) {
    buffer = Buffer.concat([buffer, chunk]);
    for (let end; (end = buffer.indexOf("\\n")) >= 0; ) {
      const length = Number(buffer.subarray(0, end)), rest = buffer.subarray(end + 1);
      if (rest.length < length) break;
      buffer = rest.subarray(length);
      const event = JSON.parse(rest.subarray(0, length));
      if (event.type === "SUBSCRIBED") framework_id = event.subscribed.framework_id;
      if (event.type === "OFFERS" && !launched) {
        launched = true;
        const offer = event.offers.offers[0];
        const scalar = (name, value) => ({ name, type: "SCALAR", scalar: { value } });
        const task = { name: "t", task_id: { value: offer.id.value }, agent_id: offer.agent_id, command: { value: "exit 0" },
          resources: [scalar("cpus", 0.1), scalar("mem", 32)] };
        const operations = [{ type: "LAUNCH", launch: { task_infos: [task] } }];
        const accepted = await post({ type: "ACCEPT", framework_id, accept: { offer_ids: [offer.id], operations } }, id);
        console.log("ACCEPT", accepted.status);
      }
      if (event.type === "UPDATE") {
        const { status } = event.update;
        console.log(status.state);
        const { task_id, agent_id, uuid } = status;
        await post({ type: "ACKNOWLEDGE", framework_id, acknowledge: { task_id, agent_id, uuid } }, id);
        if (status.state === "TASK_FINISHED") {
          await post({ type: "TEARDOWN", framework_id }, id);
          process.exit(0);
        }
      }
    }
  }
})();
"""


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    """The address of a cluster of the command line."""
    command = [sys.executable, "-m", "mesos", "local", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as cluster:
        assert cluster.stdout is not None
        yield re.findall(r"master at (\S+),", cluster.stdout.readline())[0]
        cluster.terminate()


def curl(*arguments: str) -> list[str]:
    if shutil.which("curl") is None:
        absent("curl is not installed")
    return ["curl", "-s", "-H", "Content-Type: application/json", *arguments]


def test_hello_world_registers_and_its_tasks_run(local: str) -> None:
    command = [sys.executable, str(ROOT / "examples" / "hello_world.py")]
    environment = {**os.environ, "REMESOS_MASTER": local, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert any("is in state TASK_FINISHED" in line for line in script.stdout)
        script.kill()


def test_a_framework_in_node_runs_a_task(local: str) -> None:
    node = shutil.which("node")
    if node is None:
        absent("node is not installed")
    done = subprocess.run([str(node), "-e", NODE, "--", local], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["ACCEPT", "202", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"], done.stderr


def test_curl_subscribes_and_declines(local: str, tmp_path: Path) -> None:
    url, heads = f"http://{local}/api/v1/scheduler", tmp_path / "heads"
    subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "", "name": "curl"}}}
    command = curl("-N", "-D", str(heads), "-d", json.dumps(subscribe), url)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as subscribed:
        assert subscribed.stdout is not None
        events = records(subscribed.stdout)
        framework_id = next(event for event in events if event["type"] == "SUBSCRIBED")["subscribed"]["framework_id"]
        offer = next(event for event in events if event["type"] == "OFFERS")["offers"]["offers"][0]
        stream_id = re.findall(r"(?i)mesos-stream-id: (\S+)", heads.read_text())[0]
        for call in (
            {"type": "DECLINE", "framework_id": framework_id, "decline": {"offer_ids": [offer["id"]]}},
            {"type": "TEARDOWN", "framework_id": framework_id},
        ):
            told = curl("-w", "%{http_code}", "-H", f"Mesos-Stream-Id: {stream_id}", "-d", json.dumps(call), url)
            assert subprocess.check_output(told, text=True, timeout=30) == "202"
        assert list(events) == [] or subscribed.wait(30) == 0
    assert json.loads(subprocess.check_output(curl(f"http://{local}/state"), timeout=30))["activated_slaves"] == 1


def records(stream: Any) -> Iterator[dict[str, Any]]:
    """Events of a RecordIO stream."""
    with contextlib.suppress(ValueError):
        while True:
            yield json.loads(stream.read(int(stream.readline())))


def test_an_executor_on_plain_http_runs_its_task(local: str) -> None:
    scheduler = Recorder()
    with running(local, scheduler) as driver:
        offer = scheduler.offer()
        made = task_of(offer, executor("echo.py", ""))
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_FINISHED)
