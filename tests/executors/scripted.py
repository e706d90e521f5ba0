"""An executor that does what each task's data says, word by word, on the driver that its argument names.

Words of a task, in its data: `running`, `finished`, `failed`, `lost`, `error` are updates; `with:k=v` sets a field of the
next one; `twice` sends the last one again; `other:ID` speaks of another task; `say:TEXT` sends a framework message;
`environment` sends the names and some values of what the agent set; `flood:N` sends N updates; `wait:FILE` waits until
that file is there; `exit:N` and `signal:N` end the process. The environment variable PLAY has words for the executor
itself: `started:FILE` makes that file first, `silent` never subscribes, `slow:FILE` subscribes when that file is there, `leave:N` ends at once, `deaf` ignores
SHUTDOWN, `stubborn` ignores KILL, `rubbish` sends what no agent understands, `mark:FILE` writes its process id there
when it is asked to shut down.
"""

import importlib
import os
import signal
import socket
import sys
import threading
import time

PLAY = dict(word.partition(":")[::2] for word in os.environ.get("PLAY", "").split())
SHOWN = ["MESOS_CHECKPOINT", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "MESOS_EXECUTOR_ID", "MESOS_HTTP_COMMAND_EXECUTOR"]
SHOWN += ["MESOS_RECOVERY_TIMEOUT", "MESOS_SUBSCRIPTION_BACKOFF_MAX", "MINE"]
# What the machine decides, and what only this test's own Mesos or the shell sets.
OTHERS = {"MESOS_NATIVE_JAVA_LIBRARY", "MESOS_NATIVE_LIBRARY", "LIBPROCESS_IP", "PWD", "_", "SHLVL", "OLDPWD", "PLAY"}


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)  # whoever plays makes it


class Scripted:
    def registered(self, driver, executor_id, framework_name, agent_known):
        driver.message(f"registered {executor_id} of {framework_name} on {agent_known}".encode())

    def launch(self, driver, task):
        if b"wait:" in task.data:
            threading.Thread(target=self.perform, args=(driver, task), daemon=True).start()
        else:
            self.perform(driver, task)

    def perform(self, driver, task):
        about, fields, last = task.id, {}, None
        for word in task.data.decode().split():
            verb, _, rest = word.partition(":")
            if verb in ("running", "finished", "failed", "lost", "error", "starting", "killed"):
                last = (about, "TASK_" + verb.upper(), fields)
                driver.update(last[0], last[1], **fields)
                fields = {}
            elif verb == "twice":
                driver.update(last[0], last[1], **last[2])
            elif verb == "with":
                name, _, value = rest.partition("=")
                fields[name] = {"data": value.encode(), "healthy": value == "yes"}.get(name, value)
            elif verb == "other":
                about = rest
            elif verb == "say":
                driver.message(rest.encode())
            elif verb == "environment":
                driver.message(environment())
            elif verb == "flood":
                for number in range(int(rest)):
                    driver.update(about, "TASK_RUNNING", message=str(number))
            elif verb == "wait":
                wait_for(rest)
            elif verb == "exit":
                sys.stdout.flush()
                os._exit(int(rest))
            elif verb == "signal":
                os.kill(os.getpid(), int(rest))

    def kill(self, driver, task_id):
        if "stubborn" not in PLAY:
            driver.update(task_id, "TASK_KILLED", message="as asked")

    def heard(self, driver, message):
        driver.message(b"heard " + message)

    def shutdown(self, driver):
        if "mark" in PLAY:
            with open(PLAY["mark"] + ".part", "w") as file:
                file.write(str(os.getpid()))
            os.rename(PLAY["mark"] + ".part", PLAY["mark"])
        if "deaf" not in PLAY:
            driver.stop()


def environment():
    own = {name: value for name, value in os.environ.items() if name not in OTHERS and not name.startswith("LC_")}
    shown = [f"{name}={own[name]}" if name in SHOWN else name for name in sorted(own)]
    here = os.path.realpath(os.getcwd()) == os.path.realpath(os.environ["MESOS_SANDBOX"])
    return " ".join([*shown, "in the sandbox" if here else "elsewhere"]).encode()


def rubbish():
    name, _, endpoint = os.environ["MESOS_SLAVE_PID"].partition("@")
    host, _, port = endpoint.partition(":")
    path = f"/{name}/api/v1/executor".encode()
    for body in (b"", b"{}", b"\x00\xff" * 100, b'{"type": "UPDATE"}', b'{"type": "SUBSCRIBE", "subscribe": {}}'):
        for kind in (b"application/json", b"application/x-protobuf", b"text/plain"):
            with socket.create_connection((host, int(port))) as connection:
                head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
                connection.sendall(head % (path, kind, len(body)) + body)
                connection.recv(1000)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"\x16\x03\x01 this is no HTTP \r\n\r\n")


def main():
    if "leave" in PLAY:
        sys.exit(int(PLAY["leave"]))
    if "silent" in PLAY:
        signal.pause()
    if "started" in PLAY:
        open(PLAY["started"], "w").close()
    if "slow" in PLAY:
        wait_for(PLAY["slow"])
    if "rubbish" in PLAY:
        rubbish()
    importlib.import_module(sys.argv[1]).Driver(Scripted()).run()


if __name__ == "__main__":
    main()
