"""The web page of the embedded cluster in a real browser: 10,000 tasks, narrow and dark screens, keyboards, screen readers."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster, Run
from PIL import Image

from benches.many import Many
from tests.python.support import Recorder, running, task, wait_until
from tests.python.test_browser import browser, context
from tests.python.test_browser_page import SECONDS, World, places, sees, shown, world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["browser", "context", "world"]

TASKS = 10_000
RUNNING = 100


def simulate(task: mesos_pb2.TaskInfo) -> Run:
    """Most tasks start for ever, so that the test does not wait for 20,000 updates."""
    number = int(task.task_id.value.partition("-")[2])
    return Run(seconds=None, start_seconds=0 if number <= RUNNING else 10**6)


SCROLL = """
async () => {
  const frames = async () => {
    const began = performance.now();
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
    return performance.now() - began;
  };
  const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
  const [still, moving] = [[], []];
  let rows = Infinity;
  for (let step = 0; step < 60; step += 1) {
    still.push(await frames());
    scrollBy(0, 3000);
    moving.push(await frames());
    const shown = [...document.querySelectorAll("tbody:not(.space) tr")].filter((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return bottom > 0 && top < innerHeight;
    });
    rows = Math.min(rows, shown.length);
  }
  return { still: median(still), moving: median(moving), rows, nodes: document.querySelectorAll("*").length };
}
"""


@pytest.mark.timeout(300)
def test_ten_thousand_tasks_stay_smooth(context: BrowserContext) -> None:
    many = Many(TASKS, mesos_pb2.TASK_RUNNING, enough=RUNNING)
    info = mesos_pb2.FrameworkInfo(user="", name="many")
    page = context.new_page()
    with (
        LocalCluster(agents=10, resources="cpus:4;mem:4096", simulate=simulate) as cluster,
        running(cluster.address, many, info) as driver,
    ):
        assert many.done.wait(120)
        page.goto(cluster.url)
        page.get_by_role("status").get_by_text("live").wait_for(timeout=60_000)
        sees(page, "10,000")
        scrolled = page.evaluate(SCROLL)
        assert scrolled["nodes"] < 2000
        assert scrolled["rows"] >= 15, "no part of the table is empty"
        assert scrolled["moving"] < 3 * scrolled["still"] + 100, "milliseconds, on a machine that may be busy"
        right = "element => element.getBoundingClientRect().right"
        table = page.get_by_role("table", name="Active tasks")
        heading = table.get_by_role("columnheader").last
        assert table.evaluate(right) - heading.evaluate(right) < 2, "a column that is left out takes no room"
        # What is read stays where it is, although a row above it goes.
        middle = page.locator("tbody:not(.space) tr").nth(30)
        before, name = middle.bounding_box(), middle.inner_text().split()[0]
        driver.killTask(mesos_pb2.TaskID(value="task-1"))
        sees(page, "9,999")
        after = page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True)).bounding_box()
        assert before is not None
        assert after is not None
        assert abs(before["y"] - after["y"]) < 3
        page.keyboard.press("/")
        page.keyboard.type("task-777")
        sees(page, "11 of 9,999")
        page.get_by_role("button", name="Task", exact=True).first.click()
        first = page.locator("tbody:not(.space) tr").first
        assert first.inner_text().split()[0] == "task-777"
        page.get_by_role("button", name="Task", exact=True).first.click()
        assert first.inner_text().split()[0] == "task-7779"


def test_nothing_is_wider_than_a_phone(context: BrowserContext, world: World) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    for place in places(world):
        shown(page, world.cluster, place)
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
        outside = """() => [...document.querySelectorAll("main :not(td *, th *), header *")].filter((node) => {
            const { left, right, width } = node.getBoundingClientRect();
            return width > 1 && (left < 0 || right > 390.5);
        }).map((node) => node.outerHTML.slice(0, 200))"""
        assert page.evaluate(outside) == [], place


CONTRAST = """
() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const color = channels(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].some((child) => child instanceof Text && child.data.trim());
    if (!text || !node.checkVisibility() || node.matches(".unseen, .skip")) continue;
    const [a, b] = [luminance(channels(getComputedStyle(node).color)), luminance(behind(node))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push([node.outerHTML.slice(0, 120), (a + 0.05) / (b + 0.05)]);
  }
  return { low, back: luminance(behind(document.body)) };
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_color_schemes(browser: Browser, world: World, scheme: Any) -> None:
    with browser.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        for place in places(world):
            shown(page, world.cluster, place)
            page.wait_for_timeout(100)
            found = page.evaluate(CONTRAST)
            assert found["low"] == [], place
            assert (found["back"] < 0.2) == (scheme == "dark")


def focused(page: Page) -> str:
    """The text or the label of what has the focus, which has to be visible."""
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) != "none", page.evaluate("document.activeElement.outerHTML")
    found = "(document.activeElement.textContent || document.activeElement.ariaLabel || '').trim()"
    return str(page.evaluate(found))


def test_everything_is_reached_by_the_keyboard(context: BrowserContext, world: World) -> None:
    for number in range(6):
        world.launch(f"key-{number}", host="small")
    page = shown(context.new_page(), world.cluster)
    sees(page, "key-5")
    order = []
    for _ in range(30):
        page.keyboard.press("Tab")
        order.append(focused(page))
    tabs = ["Tasks", "Frameworks", "Agents", "Roles", "Offers", "Maintenance"]
    assert order[0] == "Skip to the content"
    assert order[2:8] == tabs
    assert order[8:10] == ["Find in Active tasks", "Task"]
    assert "key-5" in order
    page.keyboard.press("/")
    page.keyboard.type("key-3")
    rows = page.get_by_role("table", name="Active tasks").locator("tbody:not(.space) tr")
    page.get_by_text(re.compile(r"^1 of \d+$")).wait_for(timeout=SECONDS)
    assert rows.count() == 1
    page.keyboard.press("Escape")
    sees(page, "key-4")
    head = page.get_by_role("columnheader", name="Name").first
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    page.get_by_role("link", name="key-3").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Updates").wait_for(timeout=SECONDS)
    assert page.evaluate("document.activeElement.id") == "view", "a screen reader begins with the new page"
    page.get_by_role("link", name="Browse the sandbox").wait_for(timeout=SECONDS)
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused(page) == "Browse the sandbox":
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Files").wait_for(timeout=SECONDS)


def test_a_screen_reader_is_told_what_is_what(context: BrowserContext, world: World) -> None:
    page = context.new_page()
    for place in places(world):
        shown(page, world.cluster, place)
        page.wait_for_timeout(100)
        assert page.get_by_role("heading", level=1).count() == 1, place
        for role in ("banner", "main", "status"):
            assert page.get_by_role(role).count() == 1, place
        assert page.evaluate("document.title").endswith(" · trial"), place
        for table in page.get_by_role("table").all():
            assert table.evaluate(
                "(table) => document.getElementById(table.getAttribute('aria-labelledby')).textContent"
            )
            assert int(table.get_attribute("aria-rowcount") or 0) == table.get_by_role("row").count()
            assert table.locator("th:not([scope=col])").count() == 0
            assert table.locator("th[aria-sort]").count() == 1, place
        unnamed = "[...document.querySelectorAll('a[href], button, input')].filter((e) => e.checkVisibility() && !(e.textContent || e.ariaLabel || e.labels?.length)).length"
        assert page.evaluate(unnamed) == 0, place
    page.goto(f"{world.cluster.url}/#/")
    current = page.get_by_role("navigation").locator("[aria-current=page]")
    current.filter(has_text="Tasks").wait_for(timeout=SECONDS)
    page.get_by_role("link", name="Agents", exact=True).click()
    current.filter(has_text="Agents").wait_for(timeout=SECONDS)


COMMANDS = {
    "hello-1": "sleep 300",
    "hello-2": "echo done",
    "hello-3": "echo no such file >&2; exit 3",
    "hello-4": "for n in $(seq 9); do echo step $n of 60; done; sleep 300",
    "hello-5": "echo hello",
    "hello-6": "sleep 300",
}
ENDS = {"hello-2": mesos_pb2.TASK_FINISHED, "hello-3": mesos_pb2.TASK_FAILED, "hello-5": mesos_pb2.TASK_FINISHED}


def test_screenshots_for_the_documentation(browser: Browser, tmp_path: Path) -> None:
    """``make screenshots`` has them written into docs/; otherwise they only show that they can be made."""
    place = os.environ.get("REMESOS_SCREENSHOTS")
    recorder = Recorder()
    info = mesos_pb2.FrameworkInfo(user="", name="hello-world", role="dev")
    agents = [{"hostname": "agent-1"}, {"hostname": "agent-2"}]
    with (
        LocalCluster(port=5050 if place else 0, agents=agents, resources="cpus:4;mem:8192;disk:20480") as cluster,
        running(cluster.address, recorder, info) as driver,
    ):
        offers = recorder.offers_of_agents(2)
        for offer, ids in zip(offers, (list(COMMANDS)[:3], list(COMMANDS)[3:]), strict=True):
            tasks = [task(offer, COMMANDS[name], cpus=0.5, mem=512) for name in ids]
            for made, name in zip(tasks, ids, strict=True):
                made.task_id.value, made.name = name, "hello"
            driver.launchTasks(offer.id, tasks)
        wanted = {name: mesos_pb2.TaskState.Name(ENDS.get(name, mesos_pb2.TASK_RUNNING)) for name in COMMANDS}
        wait_until(lambda: {each.id: each.state for each in cluster.tasks} == wanted, "all tasks run or have ended")
        driver.reviveOffers()
        framework = offers[0].framework_id.value
        pictures = [
            ("web-page.png", "light", (1100, 700), "", "hello-6"),
            ("web-page-task.png", "dark", (1100, 780), f"#/frameworks/{framework}/tasks/hello-4", "step 9 of 60"),
            ("web-page-phone.png", "light", (390, 780), "", "hello-6"),
        ]
        for name, scheme, (width, height), address, expected in pictures:
            viewport: Any = {"width": width, "height": height}
            picked: Any = scheme
            with browser.new_context(color_scheme=picked, viewport=viewport) as context:
                page = shown(context.new_page(), cluster, address)
                sees(page, expected)
                page.wait_for_timeout(300)
                path = Path(place or tmp_path) / name
                Image.open(io.BytesIO(page.screenshot())).quantize(64).save(path, optimize=True)
                assert path.stat().st_size < 60_000
