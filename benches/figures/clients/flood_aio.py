# What flood_classic.py does, with asyncio: flood_aio.py MASTER N asyncio|uvloop

import sys

from mesos import aio
from mesos.interface import mesos_pb2
from usage import cpu_seconds, report


async def take(master):
    """The CPU seconds, and how many updates and offers came."""
    taken, begun = 0, 0.0
    async with aio.Framework("bench", master) as framework:
        async for event in framework:
            match event:
                case aio.Subscribed():
                    begun = cpu_seconds()
                case aio.Update(status):
                    assert status.state == mesos_pb2.TASK_FINISHED
                    taken += 1
                case aio.Offers(offers):
                    for offer in offers:
                        assert len([resource.name for resource in offer.resources]) == 4
                    taken += len(offers)
                case aio.Message():
                    return cpu_seconds() - begun, taken
    raise AssertionError("the framework ended early")


def main(master, number, loop):
    if loop == "uvloop":
        from uvloop import run
    else:
        from asyncio import run
    cpu, taken = run(take(master))
    assert taken == int(number), taken
    report(cpu_us=cpu * 1e6 / taken)


if __name__ == "__main__":
    main(*sys.argv[1:])
