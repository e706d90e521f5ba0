"""A DAG of four tasks, which begins by itself: a chain, a task that fails at first, and one that Mesos runs for it."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, task
from avmesos_airflow_provider.operators.mesos import MesosOperator

with DAG("remesos", schedule="@once", start_date=datetime(2020, 1, 1), catchup=False, is_paused_upon_creation=False):

    @task
    def count() -> int:
        return 41

    @task(retries=2, retry_delay=timedelta(seconds=1))
    def fail_once(number: int) -> int:
        mark = Path(os.environ["REMESOS_TEST_DIRECTORY"], "failed")
        if not mark.exists():
            mark.touch()
            raise RuntimeError("this task fails when it runs first")
        return number + 1

    @task(executor_config={"cpus": "0.2", "mem_limit": "300m"})
    def write(number: int) -> None:
        Path(os.environ["REMESOS_TEST_DIRECTORY"], "written").write_text(str(number))

    operator = MesosOperator(
        task_id="operator",
        image="alpine",
        # In a list, since the provider joins the words of a text with those of `/bin/sh -c` and quotes none.
        command=['echo "$GREETING from Mesos" > "$REMESOS_TEST_DIRECTORY/operator"'],
        cpus=0.1,
        mem_limit="64m",
        disk=10,
        environment={"GREETING": "hello", "REMESOS_TEST_DIRECTORY": os.environ["REMESOS_TEST_DIRECTORY"]},
        airflow_scheduler_url="http://127.0.0.1:11000",
        poll_interval=0.5,
    )
    write(fail_once(count())) >> operator
