"""An executor for asyncio: tasks run until they are killed, and a framework message is answered with the events so far."""

import asyncio

from mesos import aio
from mesos.v1.interface import mesos_pb2


def status(task_id, state, message=""):
    return mesos_pb2.TaskStatus(task_id=task_id, state=state, message=message)


async def main():
    seen = []
    async with aio.Executor() as executor:
        async for event in executor:
            match event:
                case aio.ExecutorSubscribed(executor_info, framework_info, agent_info):
                    assert all(each.value for each in (executor_info.executor_id, framework_info.id, agent_info.id))
                case aio.Launch(task):
                    seen.append(type(event).__name__)
                    await executor.update(status(task.task_id, mesos_pb2.TASK_RUNNING))
                case aio.Kill(task_id, kill_policy):
                    within = f"within {kill_policy.grace_period.nanoseconds} ns" if kill_policy else "at leisure"
                    await executor.update(status(task_id, mesos_pb2.TASK_KILLED, within))
                case aio.FrameworkMessage(data):
                    await executor.message(" ".join([*seen, data.decode()]))


asyncio.run(main())
