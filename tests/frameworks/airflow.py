"""Airflow itself, with the provider's executor and its operator, on ``mesos.mesoshttp``."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from typing import TYPE_CHECKING

from tests.apache_mesos import free_port
from tests.frameworks.environments import PROGRAMS, Environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.frameworks.masters import Master

ENVIRONMENT = Environment("avmesos", ("avmesos-airflow-provider==0.4.0", "apache-airflow==3.3.2"))
PRINCIPAL = "airflow"
SECONDS = 600
NAME = "Airflow"
SERVICES = ("api-server", "dag-processor", "scheduler")
EXECUTOR = "avmesos_airflow_provider.executors.mesos_executor.MesosExecutor"
TASKS = {"count": 1, "fail_once": 2, "write": 1, "operator": 1}
"""How often each has to be tried."""


def settings(programs: Path, master: Master) -> dict[str, str]:
    """Airflow's configuration, as variables of its own services and, where tasks need them, of the tasks."""
    port = free_port()
    home, logs = master.work / "airflow", master.work / "logs"
    of_tasks = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROGRAMS / "dags"),
        "REMESOS_TEST_DIRECTORY": str(master.work),
    }
    executor = EXECUTOR if master.has_containers else "without_docker.PlainMesosExecutor"
    sections = {
        "CORE": {"EXECUTOR": executor, "LOAD_EXAMPLES": "False", "SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"},
        "API": {"HOST": "127.0.0.1", "PORT": str(port), "WORKERS": "1", "BASE_URL": f"http://127.0.0.1:{port}"},
        "API_AUTH": {"JWT_SECRET": "remesos" * 10, "JWT_AUDIENCE": "remesos", "JWT_ALGORITHM": "HS512"},
        "LOGGING": {"BASE_LOG_FOLDER": str(logs)},
        "MESOS": {
            "MASTER": master.address,
            "FRAMEWORK_NAME": NAME,
            "AUTHENTICATE": "True",
            "DEFAULT_PRINCIPAL": master.principal,
            "DEFAULT_SECRET": master.secret,
            "CHECKPOINT": "False",
            "FAILOVER_TIMEOUT": "0",
            "MESOS_ATTRIBUTES": "[]",
            "TASK_DISK": "100",
            "COMMAND_SHELL": "True",
            "DOCKER_IMAGE_SLAVE": "apache/airflow",
            "DOCKER_SOCK": "/var/run/docker.sock",
            "DOCKER_USER_GROUP_ID": "998",
            "DOCKER_VOLUME_DRIVER": "local",
            "DOCKER_VOLUME_DAG_NAME": "dags",
            "DOCKER_VOLUME_DAG_CONTAINER_PATH": "/dags",
            "DOCKER_VOLUME_LOGS_NAME": "logs",
            "DOCKER_VOLUME_LOGS_CONTAINER_PATH": str(logs),
            "DOCKER_ENVIRONMENT": repr([{"name": name, "value": value} for name, value in of_tasks.items()]),
        },
    }
    sections["CORE"]["EXECUTION_API_SERVER_URL"] = f"http://127.0.0.1:{port}/execution/"
    named = {f"AIRFLOW__{section}__{key}": value for section, all_ in sections.items() for key, value in all_.items()}
    return {**os.environ, **of_tasks, **named, "PYTHONPATH": str(PROGRAMS)}


@contextlib.contextmanager
def services(programs: Path, work: Path, environment: dict[str, str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Airflow's services, which end in order."""
    running = []
    try:
        for name in SERVICES:
            with (work / f"{name}.log").open("wb") as log:
                command = [programs / "airflow", name]
                running.append(
                    subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
                )
        yield running
        for service in running:
            service.terminate()
        for service in running:
            assert service.wait(60) == 0
    finally:
        for service in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.pid, signal.SIGKILL)
            service.wait()


def tries(database: Path) -> dict[str, tuple[str | None, int]]:
    """The state of each task, and how often it was tried."""
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection:
        rows = connection.execute("select task_id, state, try_number from task_instance").fetchall()
    return {task: (state, number) for task, state, number in rows}


def run(programs: Path, master: Master) -> str:
    """Runs a DAG, which Airflow's scheduler begins by itself."""
    environment = settings(programs, master)
    (master.work / "airflow").mkdir()
    (master.work / "logs").mkdir()
    with (master.work / "migrate.log").open("wb") as log:
        subprocess.run([programs / "airflow", "db", "migrate"], env=environment, stdout=log, stderr=log, check=True)
    begun = time.monotonic()
    with services(programs, master.work, environment) as running:
        wanted = {task: ("success", number) for task, number in TASKS.items()}
        while (found := tries(master.work / "airflow" / "airflow.db")) != wanted:
            assert time.monotonic() - begun < SECONDS, found
            assert all(service.poll() is None for service in running), "a service of Airflow ended"
            assert not {"failed", "upstream_failed"} & {state for state, _ in found.values()}, found
            time.sleep(0.5)  # Airflow tells nobody
        seconds = time.monotonic() - begun
    assert (master.work / "written").read_text() == "42"
    assert (master.work / "operator").read_text() == "hello from Mesos\n"
    ends = master.ends(NAME)
    # The processes of tasks end seconds after the tasks, if the scheduler does not end before them.
    assert set(ends) <= {"TASK_FINISHED", "TASK_KILLED"}, ends
    assert ends.total() == sum(TASKS.values()) + 1, ends
    return f"{len(TASKS)} tasks of a DAG, one of which failed and was retried, in {seconds:.0f} s"
