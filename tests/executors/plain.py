"""An executor's driver of its own making, on the contract of Apache's HTTP API alone: what ours is held against.

One connection for the events and one for the calls, in JSON, as any executor of a user may be. It has the methods of the
classic driver that the tests' executors use.
"""

import base64
import http.client
import json
import os
import threading
import time
import uuid

from mesos_free import Task

NAME, ENDPOINT = os.environ["MESOS_SLAVE_PID"].split("@", 1)
PATH = f"/{NAME}/api/v1/executor"
EXECUTOR = {"value": os.environ["MESOS_EXECUTOR_ID"]}
BASE = {"framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]}, "executor_id": EXECUTOR}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Driver:
    def __init__(self, executor):
        self.executor = executor
        self.lock = threading.Lock()
        self.calls = http.client.HTTPConnection(ENDPOINT)
        self.over = False

    def call(self, message):
        with self.lock:
            self.calls.request("POST", PATH, json.dumps(dict(BASE, **message)), HEADERS)
            answer = self.calls.getresponse()
            return answer.status, answer.read()

    def update(self, task_id, state, **fields):
        status = dict(fields, task_id={"value": task_id}, state=state, source="SOURCE_EXECUTOR", executor_id=EXECUTOR)
        status.update(uuid=base64.b64encode(uuid.uuid4().bytes).decode(), timestamp=time.time())
        if "data" in status:
            status["data"] = base64.b64encode(status["data"]).decode()
        self.call({"type": "UPDATE", "update": {"status": status}})

    def message(self, data):
        self.call({"type": "MESSAGE", "message": {"data": base64.b64encode(data).decode()}})

    def stop(self):
        self.over = True

    def run(self):
        connection = http.client.HTTPConnection(ENDPOINT)
        connection.request("POST", PATH, json.dumps(dict(BASE, type="SUBSCRIBE", subscribe={})), HEADERS)
        stream = connection.getresponse()
        assert stream.status == 200, stream.read()
        while not self.over:
            line = stream.readline()
            if not line:
                return
            self.heard(json.loads(stream.read(int(line))))

    def heard(self, event):
        kind = event["type"]
        if kind == "SUBSCRIBED":
            told = event["subscribed"]
            self.executor.registered(
                self,
                told["executor_info"]["executor_id"]["value"],
                told["framework_info"]["name"],
                "agent_info" in told,
            )
        elif kind == "LAUNCH":
            self.launch(event["launch"]["task"])
        elif kind == "LAUNCH_GROUP":
            for task in event["launch_group"]["task_group"]["tasks"]:
                self.launch(task)
        elif kind == "KILL":
            self.executor.kill(self, event["kill"]["task_id"]["value"])
        elif kind == "MESSAGE":
            self.executor.heard(self, base64.b64decode(event["message"]["data"]))
        elif kind == "SHUTDOWN":
            self.executor.shutdown(self)

    def launch(self, task):
        data = base64.b64decode(task.get("data", ""))
        self.executor.launch(self, Task(task["task_id"]["value"], task["name"], data))
