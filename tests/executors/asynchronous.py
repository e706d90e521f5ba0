"""An executor of ``mesos.aio``: its tasks echo their data to the scheduler, and end when they are killed or told to."""

from __future__ import annotations

import asyncio

from mesos import aio
from mesos.v1.interface import mesos_pb2


async def main() -> None:
    tasks: list[mesos_pb2.TaskID] = []
    async with aio.Executor() as executor:
        async for event in executor:
            match event:
                case aio.Executor.Subscribed(info):
                    assert info.executor_id.value == "executor"
                case aio.Executor.Launch(task):
                    tasks.append(task.task_id)
                    await executor.update(task.task_id, mesos_pb2.TASK_RUNNING, message="begun", data=task.data)
                case aio.Executor.Message(data):
                    await executor.message(data.upper())
                    if data == b"end":
                        for task_id in tasks:
                            await executor.update(task_id, mesos_pb2.TASK_FINISHED)
                case aio.Executor.Kill(task_id):
                    await executor.update(mesos_pb2.TaskStatus(task_id=task_id, state=mesos_pb2.TASK_KILLED))
                case aio.Executor.Shutdown():
                    print("shut down", flush=True)


asyncio.run(main())
