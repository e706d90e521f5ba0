"""How frameworks of asyncio end: with their loop, with their process, in a forked child, and when nobody holds them."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mesos import aio
from mesos.local import LocalCluster

from tests.python.support import WAIT_SECONDS, heard, wait_until

BEGIN = """
import asyncio, os, sys, threading
from mesos import aio
from mesos.v1.interface import mesos_pb2
ADDRESS = sys.argv[1]
if sys.argv[2] == "uvloop":
    import uvloop
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

async def consume(framework):
    async for event in framework:
        if isinstance(event, aio.Subscribed):
            print("subscribed", flush=True)
"""
PROGRAMS = {
    "never closed": """
async def main():
    global framework
    framework = aio.Framework("left", ADDRESS)
    await framework.start()
    await anext(framework)
    print("subscribed")
asyncio.run(main())
""",
    "never closed, with a task that waits": """
async def main():
    global framework, task
    framework = aio.Framework("left", ADDRESS, suppressed_roles=["*"])
    await framework.start()
    task = asyncio.create_task(consume(framework))
    while framework.id is None:
        await asyncio.sleep(0.01)
asyncio.run(main())
""",
    "a loop that is closed while a task waits": """
async def main():
    global framework, task
    framework = aio.Framework("left", ADDRESS, suppressed_roles=["*"])
    await framework.start()
    task = asyncio.ensure_future(consume(framework))
    while framework.id is None:
        await asyncio.sleep(0.01)
    task._log_destroy_pending = False
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
asyncio.run(framework.revive())
asyncio.run(asyncio.sleep(0.2))  # offers come, for nobody
""",
    "sys.exit in the block": """
async def main():
    async with aio.Framework("exits", ADDRESS) as framework:
        async for event in framework:
            print("subscribed", flush=True)
            sys.exit(0)
asyncio.run(main())
""",
    "a loop of a thread that does not end": """
subscribed = threading.Event()
async def main():
    async with aio.Framework("daemon", ADDRESS) as framework:
        async for event in framework:
            if isinstance(event, aio.Subscribed):
                print("subscribed", flush=True)
                subscribed.set()
threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
subscribed.wait()
""",
    "a forked child": """
async def start():
    framework = aio.Framework("parent", ADDRESS)
    await framework.start()
    await anext(framework)
    return framework
loop = asyncio.new_event_loop()
framework = loop.run_until_complete(start())
child = os.fork()
if child == 0:
    async def main():
        assert [event async for event in framework] == []
        async with aio.Framework("child", ADDRESS) as mine:
            await anext(mine)
    asyncio.run(main())
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
async def stop():
    while not isinstance(await anext(framework), aio.Offers):
        pass
    await framework.stop()
loop.run_until_complete(stop())
loop.close()
print("subscribed")
""",
}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("program", list(PROGRAMS))
def test_a_program_ends_without_a_word(embedded: LocalCluster, program: str, loop: str) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGIN + PROGRAMS[program]]
    done = subprocess.run(
        [*command, embedded.address, loop], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "subscribed\n", "")
    if program == "sys.exit in the block":
        assert [each["call"] for each in embedded.history() if each["call"] == "TEARDOWN"] == ["TEARDOWN"]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_ctrl_c_ends_the_block_and_removes_the_framework(embedded: LocalCluster, loop: str) -> None:
    code = """
async def main():
    async with aio.Framework("interrupted", ADDRESS) as framework:
        await consume(framework)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGIN + code, embedded.address, loop]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "subscribed\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=WAIT_SECONDS) == ("interrupted\n", "")
    assert [each["call"] for each in embedded.history() if each["call"] == "TEARDOWN"] == ["TEARDOWN"]


def test_a_framework_that_nobody_holds_disconnects(embedded: LocalCluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "mesos")

    async def main() -> None:
        framework = aio.Framework("forgotten", embedded)
        await framework.start()
        await anext(framework)
        task = asyncio.ensure_future(anext(framework))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    with heard("The driver of framework 'forgotten' is no longer referenced") as told:
        asyncio.run(main())
        assert told.wait(WAIT_SECONDS)
    wait_until(lambda: not any(each.connected for each in embedded.frameworks), "it has disconnected")


CLUSTER = """
import sys
from mesos.local import LocalCluster
with LocalCluster(agents=10) as cluster:
    print(cluster.address, flush=True)
    sys.stdin.read()
"""


def figures() -> tuple[int, int, int]:
    """How many threads and descriptors this process has, and its memory in kB."""
    status = Path("/proc/self/status").read_text().split()
    return (
        len(os.listdir("/proc/self/task")),
        len(os.listdir("/proc/self/fd")),
        int(status[status.index("VmRSS:") + 1]),
    )


async def many(address: str, number: int, at_once: int = 10) -> None:
    """Starts and ends frameworks, each of which waits for its first offer and declines it."""

    async def one(name: str) -> None:
        async with aio.Framework(name, address) as framework:
            async for event in framework:
                if isinstance(event, aio.Offers):
                    await framework.decline(event.offers)
                    break

    for begin in range(0, number, at_once):
        await asyncio.gather(*(one(f"many-{n}") for n in range(begin, min(begin + at_once, number))))


def leaks(number: int) -> str:
    """Runs so many frameworks in one loop, on a cluster of another process, and checks that nothing is left of them."""
    command = [sys.executable, "-c", CLUSTER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        address = other.stdout.readline().strip()

        async def main() -> str:
            await many(address, 50)
            gc.collect()
            before = None
            while before != (before := figures()):  # connections end a moment after the frameworks
                await asyncio.sleep(0.1)
            begin = time.monotonic()
            await many(address, number)
            gc.collect()
            # Connections end a moment after the frameworks.
            for _ in range(100):
                threads, descriptors, memory = figures()
                if (threads, descriptors) == before[:2]:
                    break
                await asyncio.sleep(0.1)
            assert (threads, descriptors) == before[:2]
            grown = memory - before[2]
            assert grown < 1000 + 2 * number, f"{grown} kB"
            return (
                f"{number} frameworks in {time.monotonic() - begin:.1f} s: {threads} threads, {descriptors} descriptors, "
                f"{grown:+} kB of memory"
            )

        return asyncio.run(main())


def test_nothing_is_left_of_many_frameworks_in_one_loop() -> None:
    leaks(100)


if __name__ == "__main__":
    print(leaks(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
