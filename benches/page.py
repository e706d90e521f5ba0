"""The web page of an embedded cluster with many tasks: what it reads, how soon it is there, how soon an update is.

``python -m benches.page [TASKS]``. A table of times; the page's own need Debian's chromium and PyPI's playwright, and
are left out without them. What is read is also compared with parsing it in Python. The tasks are simulated and run all
the time.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
import urllib.request
from typing import Any

from mesos.interface import mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver

from benches.many import Many

UPDATES = 10
READS = 5
SUBSCRIBE = b'{"type":"SUBSCRIBE"}'
JSON = {"Content-Type": "application/json", "Accept": "application/json"}

# Tells when the page shows so many tasks, in milliseconds since 1970.
SHOWN = """
(count) => new Promise((done) => {
  const text = count.toLocaleString("en");
  const look = () => {
    const is = document.querySelector("section:has(table) .count")?.textContent === text;
    if (is) done(performance.timeOrigin + performance.now());
    else requestAnimationFrame(look);
  };
  look();
})
"""
SCROLLED = """
async () => {
  const times = [];
  for (let step = 0; step < 60; step += 1) {
    const began = performance.now();
    scrollBy(0, 3000);
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    times.push((performance.now() - began) / 2);
  }
  return times.sort((a, b) => a - b)[30];
}
"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def row(name: str, seconds: float, more: str = "") -> None:
    print(f"{name:<48} {1000 * seconds:10.1f} ms  {more}")


def read(url: str) -> None:
    """How long `/state` takes, and the first event of the stream; the ratio is to the time of parsing what came."""
    for path in ("state", "state-summary", "metrics/snapshot"):
        reads = []
        for _ in range(READS):
            began = time.perf_counter()
            with urllib.request.urlopen(f"{url}/{path}") as answer:
                data = answer.read()
            reads.append((time.perf_counter() - began, parsing(data)))
        took, parsed = (statistics.median(times) for times in zip(*reads, strict=True))
        row(f"/{path}", took, f"{len(data):,} bytes, {took / parsed:.2f} of parsing them")
    began = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1", SUBSCRIBE, JSON)) as answer:
        data = answer.read(int(answer.readline()))
    took = time.perf_counter() - began
    row("the event SUBSCRIBED", took, f"{len(data):,} bytes, {took / parsing(data):.2f} of parsing them")


def parsing(data: bytes) -> float:
    """Seconds to parse JSON in Python."""
    began = time.perf_counter()
    json.loads(data)
    return time.perf_counter() - began


def show(url: str, tasks: int, driver: Any) -> None:
    """How long the page takes, in a real browser."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("the page itself: left out, since chromium or playwright is not installed")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        began = time.time()
        page.goto(url)
        shown = page.evaluate(SHOWN, tasks) / 1000 - began
        row("the page's first paint", page.evaluate(PAINT) / 1000)
        row(f"{tasks:,} tasks are shown", shown, f"{page.evaluate('document.querySelectorAll(`*`).length'):,} nodes")
        times = []
        for number in range(1, UPDATES + 1):
            began = time.time()
            driver.killTask(mesos_pb2.TaskID(value=f"task-{number}"))
            times.append(page.evaluate(SHOWN, tasks - number) / 1000 - began)
        row("an update, from killTask to the page", statistics.median(times))
        row("a frame while the page is scrolled", page.evaluate(SCROLLED) / 1000)
        browser.close()


def main(tasks: int = 10_000) -> None:
    scheduler = Many(tasks, mesos_pb2.TASK_RUNNING)
    with LocalCluster(agents=100, resources="cpus:4;mem:4096", simulate=Run(seconds=None)) as cluster:
        driver = MesosSchedulerDriver(scheduler, mesos_pb2.FrameworkInfo(user="", name="many"), cluster.address)
        driver.start()
        scheduler.done.wait()
        read(cluster.url)
        show(cluster.url, tasks, driver)
        driver.stop()
        driver.join()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
