"""An executor that finishes every task at once: the v1 executor API in JSON, calls pipelined on one connection."""

import base64
import json
import os
import socket
import threading
import time
import uuid

NAME, ENDPOINT = os.environ["MESOS_SLAVE_PID"].split("@", 1)
HOST, PORT = ENDPOINT.rsplit(":", 1)
EXECUTOR = {"value": os.environ["MESOS_EXECUTOR_ID"]}
BASE = {"framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]}, "executor_id": EXECUTOR}


def request(message):
    body = json.dumps({**BASE, **message}).encode()
    head = f"POST /{NAME}/api/v1/executor HTTP/1.1\r\nHost: {ENDPOINT}\r\nContent-Type: application/json\r\n"
    return f"{head}Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def finished(task):
    status = {
        "task_id": task["task_id"],
        "state": "TASK_FINISHED",
        "source": "SOURCE_EXECUTOR",
        "executor_id": EXECUTOR,
    }
    status["uuid"] = base64.b64encode(uuid.uuid4().bytes).decode()
    status["timestamp"] = time.time()
    return request({"type": "UPDATE", "update": {"status": status}})


def chunks(stream):
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()


def events(stream):
    buffer = b""
    for chunk in chunks(stream):
        buffer += chunk
        while (end := buffer.find(b"\n")) >= 0 and len(buffer) > end + int(buffer[:end]):
            start, size = end + 1, int(buffer[:end])
            yield json.loads(buffer[start : start + size])
            buffer = buffer[start + size :]


def discard(connection):
    while connection.recv(65536):
        pass


def main():
    subscription, calls = (socket.create_connection((HOST, int(PORT))) for _ in range(2))
    threading.Thread(target=discard, args=(calls,), daemon=True).start()
    subscription.sendall(request({"type": "SUBSCRIBE", "subscribe": {}}))
    stream = subscription.makefile("rb")
    while stream.readline().strip():
        pass
    for event in events(stream):
        if event["type"] == "LAUNCH":
            calls.sendall(finished(event["launch"]["task"]))
        elif event["type"] == "SHUTDOWN":
            return


main()
