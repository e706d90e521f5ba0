"""An executor for asyncio: tasks run until they are killed, and a framework message is answered with the events so far."""

import asyncio

from mesos import aio
from mesos.v1.interface import mesos_pb2


async def main():
    seen = []
    async with aio.Executor() as executor:
        async for event in executor:
            match event:
                case aio.Executor.Subscribed(executor_info, framework_info, agent_info):
                    assert all(each.value for each in (executor_info.executor_id, framework_info.id, agent_info.id))
                case aio.Executor.Launch(task):
                    seen.append(type(event).__name__)
                    await executor.update(task.task_id, mesos_pb2.TASK_RUNNING, data=task.data)
                case aio.Executor.Kill(task_id, kill_policy):
                    within = f"within {kill_policy.grace_period.nanoseconds} ns" if kill_policy else "at leisure"
                    await executor.update(task_id, mesos_pb2.TASK_KILLED, message=within)
                case aio.Executor.Message(data):
                    await executor.message(" ".join([*seen, data.decode()]))


asyncio.run(main())
