"""An executor whose messages are dicts. A task that has data is ended by the update that it is, in JSON; another one sends
back, in JSON, what the executor is told of it.

Its argument says how it talks to the agent: `json` on plain HTTP, `dicts` on our driver whose messages are dicts.
"""

import base64
import json
import os
import sys
import time
import uuid


def text(data):
    return base64.b64encode(data).decode()


class Dictating:
    def __init__(self):
        self.driver = None

    def update(self, task):
        if "data" in task:
            fields = json.loads(base64.b64decode(task["data"]))
        else:
            fields = {"state": "TASK_FINISHED", "data": text(json.dumps(task, sort_keys=True).encode())}
        executor_id = {"value": os.environ["MESOS_EXECUTOR_ID"]}
        own = {"task_id": task["task_id"], "source": "SOURCE_EXECUTOR", "executor_id": executor_id}
        return {**fields, **own, "uuid": text(uuid.uuid4().bytes), "timestamp": time.time()}

    def event(self, event):
        if event["type"] == "LAUNCH":
            update = self.update(event["launch"]["task"])
            self.driver.call({"type": "UPDATE", "update": {"status": update}})
        elif event["type"] == "SHUTDOWN":
            self.driver.stop()

    def disconnected(self):
        pass


def main():
    executor = Dictating()
    if sys.argv[1] == "json":
        import plain

        class Driver(plain.Driver):
            def heard(self, event):
                self.executor.event(event)

        executor.driver = Driver(executor)
        executor.driver.run()
    else:
        from mesos._dicts import DictExecutorDriver

        executor.driver = DictExecutorDriver(executor)
        executor.driver.start()
        executor.driver.wait()


main()
