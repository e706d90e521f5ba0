"""An executor that runs every task at once, sends its data back, and echoes framework messages.

Plain v1 HTTP API in JSON, one connection for the events and one for the calls, as any executor of a user may be.
"""

import base64
import http.client
import json
import os
import time
import uuid

NAME, ENDPOINT = os.environ["MESOS_SLAVE_PID"].split("@", 1)
PATH = f"/{NAME}/api/v1/executor"
EXECUTOR = {"value": os.environ["MESOS_EXECUTOR_ID"]}
BASE = {"framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]}, "executor_id": EXECUTOR}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
CALLS = http.client.HTTPConnection(ENDPOINT)


def call(message):
    CALLS.request("POST", PATH, json.dumps({**BASE, **message}), HEADERS)
    answer = CALLS.getresponse()
    body = answer.read()
    assert answer.status == 202, body


def update(task, state):
    status = {"task_id": task["task_id"], "state": state, "source": "SOURCE_EXECUTOR", "executor_id": EXECUTOR}
    status.update(uuid=base64.b64encode(uuid.uuid4().bytes).decode(), timestamp=time.time(), data=task["data"])
    call({"type": "UPDATE", "update": {"status": status}})


def events():
    connection = http.client.HTTPConnection(ENDPOINT)
    connection.request("POST", PATH, json.dumps({**BASE, "type": "SUBSCRIBE", "subscribe": {}}), HEADERS)
    stream = connection.getresponse()
    assert stream.status == 200
    while line := stream.readline():
        yield json.loads(stream.read(int(line)))


def main():
    for event in events():
        if event["type"] == "LAUNCH":
            update(event["launch"]["task"], "TASK_RUNNING")
            update(event["launch"]["task"], "TASK_FINISHED")
        elif event["type"] == "MESSAGE":
            call({"type": "MESSAGE", "message": {"data": event["message"]["data"]}})
        elif event["type"] == "SHUTDOWN":
            return


main()
