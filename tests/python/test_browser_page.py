"""The web page of the embedded cluster in a real browser: what it shows, and how it follows the cluster."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.apache_mesos import free_port
from tests.proxies import Nginx
from tests.python.conftest import absent
from tests.python.support import Recorder, running, task, wait_until
from tests.python.test_browser import browser, context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Locator, Page

    from tests.apache_mesos import ApacheMesos

__all__ = ["browser", "context"]

HOSTILE = '"><img src=x onerror="hacked=1"><script>hacked=1</script>'
LIVE = re.compile(r"^Mesos .* API, \d+ agents?, live$")
SECONDS = 20_000
OUTPUT = "for n in $(seq 3000); do echo line $n of the output; done; echo ünïcode; exec sleep 300"


class World:
    """A cluster with two agents, a framework that is another's, and one whose names are hostile."""

    def __init__(self, cluster: LocalCluster, scheduler: Recorder, driver: Any) -> None:
        self.cluster, self.scheduler, self.driver = cluster, scheduler, driver
        self.agents = {offer.hostname: offer for offer in scheduler.offers_of_agents(2)}
        self.framework = next(iter(self.agents.values())).framework_id.value

    def launch(self, task_id: str, command: str = "sleep 300", host: str = "large", **fields: Any) -> Any:
        """Launches a task, and waits until it runs."""
        offer = self.agents[host]
        made = task(offer, command)
        made.task_id.value, made.name = task_id, fields.pop("name", "test")
        for name, value in fields.items():
            getattr(made, name).CopyFrom(value)
        self.driver.launchTasks(offer.id, [made], mesos_pb2.Filters(refuse_seconds=0))
        self.scheduler.state(task_id, mesos_pb2.TASK_RUNNING)
        self.agents[host] = self.scheduler.offer(lambda offer: offer.hostname == host)
        return made


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    agents = [
        {"hostname": "large", "attributes": {"rack": "a"}},
        {"hostname": "small", "resources": {"cpus": 1, "mem": 512}},
    ]
    info = mesos_pb2.FrameworkInfo(user="", name=HOSTILE, role="dev", webui_url="javascript:hacked=1")
    with LocalCluster(
        agents=agents, resources="cpus:8;mem:8192;disk:20000", weights="dev=2", cluster="trial"
    ) as cluster:
        scheduler = Recorder()
        with running(cluster.address, scheduler, info) as driver:
            world = World(cluster, scheduler, driver)
            world.launch("writes", OUTPUT)
            labels = mesos_pb2.Labels(labels=[mesos_pb2.Label(key=HOSTILE, value=HOSTILE)])
            world.launch("<i>hostile<b>", name=HOSTILE, labels=labels)
            yield world


def post(cluster: LocalCluster, path: str, body: Any) -> None:
    request = urllib.request.Request(
        f"{cluster.url}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).close()


def live(page: Page) -> None:
    """Waits until the page follows the events."""
    page.get_by_role("status").get_by_text(LIVE).wait_for(timeout=SECONDS)


def shown(page: Page, cluster: LocalCluster, place: str = "") -> Page:
    page.goto(f"{cluster.url}/{place}")
    live(page)
    return page


def row(page: Page, text: str) -> Locator:
    return page.get_by_role("row").filter(has_text=text).first


def sees(where: Page | Locator, *texts: str) -> None:
    for text in texts:
        where.get_by_text(text).first.wait_for(timeout=SECONDS)


def tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
    page.get_by_role("navigation").locator("[aria-current=page]").filter(has_text=name).wait_for(timeout=SECONDS)


def places(world: World) -> list[str]:
    """The addresses of all pages."""
    agent = world.agents["large"].slave_id.value
    framework = f"#/frameworks/{world.framework}"
    tabs = ["#/", "#/frameworks", "#/agents", "#/roles", "#/offers", "#/maintenance"]
    return [
        *tabs,
        framework,
        f"{framework}/tasks/writes",
        f"{framework}/tasks/%3Ci%3Ehostile%3Cb%3E",
        f"#/agents/{agent}",
    ]


def test_each_tab_shows_what_there_is(context: BrowserContext, world: World) -> None:
    page = shown(context.new_page(), world.cluster)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    totals = page.locator(".cards")
    sees(totals, "of 9", "of 8.5 GB", "trial", f"master@{world.cluster.address}")
    tab(page, "Frameworks")
    assert "dev" in row(page, world.framework).inner_text()
    tab(page, "Agents")
    sees(row(page, "large"), "rack:a", "active", "of 8")
    sees(row(page, "small"), "of 1", "of 512 MB")
    row(page, "large").get_by_role("link").first.click()
    sees(page.locator("main"), "rack:a", "Executors", "writes")
    tab(page, "Roles")
    assert row(page, "dev").get_by_role("cell").nth(1).inner_text() == "2"
    tab(page, "Offers")
    sees(page.get_by_role("row"), "large", "small")
    tab(page, "Maintenance")
    sees(page, "No maintenance is scheduled.")
    begin = {"nanoseconds": 4_000_000_000_000_000_000}
    window = {
        "machine_ids": [{"hostname": "elsewhere"}],
        "unavailability": {"start": begin, "duration": {"nanoseconds": 6 * 10**11}},
    }
    post(world.cluster, "maintenance/schedule", {"windows": [window]})
    tab(page, "Tasks")
    tab(page, "Maintenance")
    sees(row(page, "elsewhere"), "10 min", "in ")
    post(world.cluster, "maintenance/schedule", {"windows": []})
    assert errors == []


def test_a_task_has_its_updates_and_its_sandbox(context: BrowserContext, world: World) -> None:
    page = shown(context.new_page(), world.cluster)
    page.get_by_role("link", name="writes").click()
    sees(
        page.locator("main"),
        "TASK_STARTING",
        "TASK_RUNNING",
        "large",
        "dev",
        "0.1 CPUs, 32 MB memory",
        "line 3000 of the output",
        "ünïcode",
    )
    assert re.fullmatch(r"\w{3} \d+, \d+, .*", page.locator("dd time").first.get_attribute("title") or "")
    page.get_by_role("link", name="Browse the sandbox").click()
    sees(row(page, "stdout"), "-rw-r--r--", "kB")
    with page.expect_download() as download:
        row(page, "stdout").get_by_role("link", name="Download").click()
    assert download.value.path().read_text().endswith("line 3000 of the output\nünïcode\n")
    page.get_by_role("link", name="stdout").click()
    sees(page.locator("pre"), "line 3000 of the output")
    page.get_by_role("navigation", name="Directories").get_by_role("link").last.click()
    page.get_by_role("heading", name="Sandbox").wait_for(timeout=SECONDS)
    page.goto(f"{world.cluster.url}/#/agents/x/browse?path=/etc")
    sees(page.get_by_role("alert"), "There is no such directory")


def test_the_pager_follows_the_end_of_a_file_and_reads_what_is_before(context: BrowserContext, world: World) -> None:
    writer = "for n in $(seq 9000); do echo first $n ä; done; while [ ! -e more ]; do sleep 0.05; done; printf 'half \\303'; "
    made = world.launch(
        "follows", f"{writer} while [ ! -e rest ]; do sleep 0.05; done; printf '\\244 end'; exec sleep 300"
    )
    sandbox = world.cluster.task(made.task_id.value).sandbox
    wait_until(lambda: (sandbox / "stdout").read_bytes().endswith("first 9000 ä\n".encode()), "the lines are written")
    page = shown(context.new_page(), world.cluster, f"#/frameworks/{world.framework}/tasks/follows")
    text = page.locator("pre").first
    sees(text, "first 9000 ä")
    at_end = "(pre) => pre.scrollHeight - pre.clientHeight - pre.scrollTop < 4"
    assert text.evaluate(at_end)
    assert "first 1 ä" not in text.inner_text()
    (sandbox / "more").touch()
    sees(text, "half")
    for _ in range(3):  # half a character is still one when it has been read more than once
        with page.expect_response(lambda response: "length=1" in response.url or "length=0" in response.url):
            pass
    (sandbox / "rest").touch()
    sees(text, "half ä end")
    assert "\ufffd" not in text.inner_text()
    assert text.evaluate(at_end)
    follow = page.get_by_label("Follow").first
    text.hover()
    page.mouse.wheel(0, -500)
    page.wait_for_function("() => !document.querySelector('.pager input').checked")
    earlier = page.get_by_role("button", name="Earlier").first
    while earlier.is_visible():
        length = text.evaluate("(pre) => pre.textContent.length")
        earlier.click()
        page.wait_for_function("(length) => document.querySelector('pre').textContent.length > length", arg=length)
    lines = text.inner_text().splitlines()
    assert lines == [*(f"first {n} ä" for n in range(1, 9001)), "half ä end"]
    assert not text.evaluate(at_end)
    follow.check()
    assert text.evaluate(at_end)


def test_names_of_frameworks_are_text_everywhere(context: BrowserContext, world: World) -> None:
    page = context.new_page()
    told: list[str] = []
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.on("console", lambda message: told.append(message.text) if "Content Security" in message.text else None)
    for place in places(world):
        shown(page, world.cluster, place)
        page.wait_for_timeout(100)
        assert page.locator("main :is(img, script, i, iframe)").count() == 0, place
        assert page.locator('a[href^="javascript"]').count() == 0, place
    shown(page, world.cluster, f"#/frameworks/{world.framework}/tasks/%3Ci%3Ehostile%3Cb%3E")
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    sees(page.locator("dd"), f"{HOSTILE}={HOSTILE}")
    assert page.evaluate("typeof hacked") == "undefined"
    assert told == []


def test_a_framework_s_own_page_is_linked(context: BrowserContext, world: World) -> None:
    info = mesos_pb2.FrameworkInfo(
        user="", name="with a page", webui_url="https://example.org/page?a=b", principal="ann"
    )
    with running(world.cluster.address, Recorder(), info):
        page = shown(context.new_page(), world.cluster, "#/frameworks")
        sees(row(page, "with a page"), "ann")
        link = row(page, "with a page").get_by_role("link", name="example.org")
        assert (link.get_attribute("href"), link.get_attribute("rel")) == (info.webui_url, "noopener noreferrer")
    completed = page.locator("section").filter(has=page.get_by_role("heading", name="Completed frameworks"))
    sees(completed, "with a page")


def test_a_selection_and_the_focus_survive_updates(context: BrowserContext, world: World) -> None:
    page = shown(context.new_page(), world.cluster)
    link = page.get_by_role("link", name="writes")
    link.focus()
    link.evaluate("(node) => getSelection().selectAllChildren(node)")
    for name in ("later-1", "later-2"):
        world.launch(name)
        sees(page, name)
    world.driver.killTask(mesos_pb2.TaskID(value="later-1"))
    row(page, "TASK_KILLED").wait_for(timeout=SECONDS)
    assert page.evaluate("getSelection().toString()") == "writes"
    assert page.evaluate("document.activeElement.textContent") == "writes"
    tasks = page.locator("section").filter(has=page.get_by_role("heading", name="Active tasks"))
    assert tasks.get_by_role("row").nth(1).inner_text().startswith("later-2"), "the newest is the first"


def test_the_page_is_fed_by_events_and_asks_nothing_without_one(context: BrowserContext, world: World) -> None:
    page = shown(context.new_page(), world.cluster)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(f"{world.cluster.url}/")))
    until = time.monotonic() + SECONDS / 1000
    while True:  # what follows the last event may take its time, but comes to an end
        asked.clear()
        page.wait_for_timeout(3000)
        if not asked:
            break
        assert time.monotonic() < until, asked
    world.launch("told")
    sees(page, "told")
    page.wait_for_timeout(500)
    assert set(asked) <= {"metrics/snapshot", "state-summary"}
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(1000)
    asked.clear()
    world.launch("while-hidden")
    page.wait_for_timeout(700)
    assert asked == []
    assert page.get_by_text("while-hidden").count() == 0
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    sees(page, "while-hidden")


def test_the_page_returns_to_a_cluster_that_is_started_again(context: BrowserContext) -> None:
    page, port = context.new_page(), free_port()
    with LocalCluster(port=port) as first:
        shown(page, first)
    sees(page.get_by_role("status"), "The cluster does not answer. Trying again")
    with LocalCluster(agents=3, port=port):
        sees(page.get_by_role("status"), "3 agents, live")


def test_times_are_the_cluster_s(context: BrowserContext) -> None:
    with LocalCluster(time="skip") as cluster:
        page = context.new_page()
        page.goto(f"{cluster.url}/#/agents")
        sees(page.get_by_role("status"), "live, its time stands still")
        registered = row(page, "localhost").locator("time")
        assert "2000" in (registered.get_attribute("title") or "")
        cluster.advance(3600)
        registered.get_by_text(re.compile(r"^60 min ago$")).wait_for(timeout=SECONDS)


def test_the_page_is_live_below_a_path_of_nginx(context: BrowserContext, world: World, tmp_path: Path) -> None:
    if reason := Nginx.missing():
        absent(reason)
    page = context.new_page()
    failed: list[str] = []
    context.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    # As nginx is by default.
    held = f"location /held/ {{ proxy_pass http://{world.cluster.address}/; }}"
    with Nginx(tmp_path / "nginx", world.cluster.address, held, prefix="/a/prefix") as proxy:
        for number, prefix in enumerate(("/a/prefix/", "/held/")):
            page.goto(f"http://{proxy.address}{prefix}")
            live(page)
            world.launch(f"proxied-{number}", "echo to stdout; exec sleep 300")
            page.get_by_role("link", name=f"proxied-{number}").click()
            sees(page.locator("pre"), "to stdout")
    assert failed == []


def polling(page: Page) -> None:
    sees(page.get_by_role("status"), "read every few seconds")


def test_the_page_reads_the_state_where_there_are_no_events(context: BrowserContext, world: World) -> None:
    page = context.new_page()
    page.route("**/webui/events", lambda route: route.fulfill(status=501))
    page.goto(world.cluster.url)
    polling(page)
    world.launch("polled")
    sees(page, "polled")
    for place in places(world):
        page.goto(f"{world.cluster.url}/{place}")
        polling(page)
    tab(page, "Tasks")
    row(page, "writes").wait_for(timeout=SECONDS)


def test_the_page_reads_the_state_if_events_are_held_back(context: BrowserContext, world: World) -> None:
    page = context.new_page()
    page.clock.install()
    page.route("**/webui/events", lambda route: None)
    with page.expect_request("**/webui/events"):
        page.goto(world.cluster.url)
    page.wait_for_timeout(200)
    page.clock.fast_forward(20_000)
    polling(page)
    row(page, "writes").wait_for(timeout=SECONDS)


def test_a_cluster_that_wants_its_token_says_so(context: BrowserContext, world: World) -> None:
    page = shown(context.new_page(), world.cluster)
    page.route("**/version", lambda route: route.fulfill(status=401))
    page.route("**/webui/events", lambda route: route.fulfill(status=401))
    page.reload()
    sees(page.get_by_role("status"), "open the link with the token that it printed")


def test_the_page_follows_the_events_of_the_real_master(
    context: BrowserContext, world: World, apache_mesos: ApacheMesos
) -> None:
    page = context.new_page()
    # The page comes from the embedded cluster, and all that it reads from the real one.
    page.route(
        lambda url: re.search(r":\d+/(webui/.*)?$", url) is not None,
        lambda route: route.fulfill(response=page.request.get(world.cluster.url + urlsplit(route.request.url).path)),
    )
    subscribe = {"Content-Type": "application/json", "Accept": "application/json"}
    page.route(
        "**/webui/events",
        lambda route: route.continue_(
            url=f"http://{apache_mesos.address}/api/v1",
            method="POST",
            headers=subscribe,
            post_data='{"type":"SUBSCRIBE"}',
        ),
    )
    page.goto(f"http://{apache_mesos.address}/")
    live(page)
    recorder = Recorder()
    info = mesos_pb2.FrameworkInfo(user="", name="of the page", role="dev", principal="ann")
    with running(apache_mesos.address, recorder, info) as driver:
        offer = recorder.offer()
        runs, fails = task(offer, "sleep 300"), task(offer, "exit 3")
        fails.resources[0].scalar.value = runs.resources[0].scalar.value = 0.1
        driver.launchTasks(offer.id, [runs, fails])
        sees(row(page, runs.task_id.value), "TASK_RUNNING", "dev", "of the page")
        sees(row(page, fails.task_id.value), "TASK_FAILED", "0.1")
        page.get_by_role("link", name=fails.task_id.value).click()
        sees(page.locator("main"), "TASK_STARTING", "Command exited with status 3", "localhost")
        tab(page, "Frameworks")
        sees(row(page, "of the page"), "ann", "dev")
        tab(page, "Roles")
        row(page, "dev").wait_for(timeout=SECONDS)
    tab(page, "Frameworks")
    completed = page.locator("section").filter(has=page.get_by_role("heading", name="Completed frameworks"))
    sees(completed, "of the page")
    tab(page, "Tasks")
    sees(row(page, runs.task_id.value), "TASK_KILLED")
