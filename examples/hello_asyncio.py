#!/usr/bin/env python3
"""The hello-world with asyncio: launches a task on the first offer, and waits until it has finished."""

import asyncio
import sys

from mesos import aio
from mesos.v1.interface import mesos_pb2


def new_task(offer: mesos_pb2.Offer) -> mesos_pb2.TaskInfo:
    task = mesos_pb2.TaskInfo(name="hello", task_id={"value": "hello-1"}, agent_id=offer.agent_id)
    task.command.value = "echo hello from asyncio"
    for name, amount in (("cpus", 0.1), ("mem", 32)):
        task.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
    return task


async def main(master: str) -> None:
    async with aio.Framework("hello-asyncio", master) as framework:
        async for event in framework:
            match event:
                case aio.Subscribed(framework_id):
                    print("Registered with framework id", framework_id.value)
                case aio.Offers([offer, *others]):
                    await framework.launch(offer, new_task(offer))
                    await framework.decline(others)
                    await framework.suppress()
                case aio.Update(status):
                    print("Task", status.task_id.value, "is in state", mesos_pb2.TaskState.Name(status.state))
                    if status.state == mesos_pb2.TASK_FINISHED:
                        break


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "local"))
