"""A framework for mesoshttp or avmesos, whose name is the first argument: it runs one task, and kills it.

It does what the sample of mesoshttp does, with the master as the second argument.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import uuid
from typing import Any
from unittest import mock


class Framework:
    def __init__(self, name: str, master: str) -> None:
        client: Any = importlib.import_module(f"{name}.client")
        self.client = client.MesosClient(mesos_urls=master.split(","))
        self.client.on(client.MesosClient.SUBSCRIBED, self.subscribed)
        self.client.on(client.MesosClient.OFFERS, self.offer_received)
        self.client.on(client.MesosClient.UPDATE, self.status_update)
        self.driver: Any = None
        self.launched = False

    def run(self) -> None:
        thread = threading.Thread(target=self.client.register)
        thread.start()
        thread.join()

    def subscribed(self, driver: Any) -> None:
        self.driver = driver

    def offer_received(self, offers: list[Any]) -> None:
        for offer in offers:
            if self.launched:
                offer.decline()
            else:
                self.launched = True
                self.run_job(offer)

    def run_job(self, offer: Any) -> None:
        agent = offer.get_offer()["agent_id"]["value"]
        task = {
            "name": "sample test",
            "task_id": {"value": uuid.uuid4().hex},
            "agent_id": {"value": agent},
            "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
            ],
            "command": {"value": "sleep 30"},
        }
        offer.accept([task])

    def status_update(self, update: dict[str, Any]) -> None:
        status = update["status"]
        print(status["state"], flush=True)
        if status["state"] == "TASK_RUNNING":
            self.driver.kill(status["agent_id"]["value"], status["task_id"]["value"])
        elif status["state"] == "TASK_KILLED":
            self.client.stop = True
            self.driver.tearDown()


def check_names(name: str) -> None:
    """Each module is the one of the same name in remesos, so that tests of frameworks may replace what is in it."""
    for module in ("client", "core", "offers", "update", "exception", "acs"):
        assert importlib.import_module(f"{name}.{module}") is importlib.import_module(f"mesos.mesoshttp.{module}")
    with mock.patch(f"{name}.client.MesosClient.register", return_value="patched"):
        client: Any = importlib.import_module("mesos.mesoshttp.client")
        assert client.MesosClient([]).register() == "patched"
    package: Any = importlib.import_module(name)
    assert package.MesosClient is client.MesosClient


if __name__ == "__main__":
    logging.basicConfig()
    check_names(sys.argv[1])
    Framework(sys.argv[1], sys.argv[2]).run()
